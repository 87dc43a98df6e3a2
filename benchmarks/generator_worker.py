"""Run `crossfade generate`, and add the CPU time of sending and the peak memory to its output."""

import io
import resource
import sys
import time
from contextlib import redirect_stdout
from typing import Any

import msgspec

from crossfade.cli import app
from crossfade.generator import produce


def main() -> None:
    """Print the command's JSON object with `cpu_seconds` and `peak_mb` added."""
    began: list[float] = []
    send_all = produce.Simulation._send_all

    def timed(*args: Any) -> Any:
        began.append(time.process_time())
        return send_all(*args)

    produce.Simulation._send_all = timed  # type: ignore[method-assign]
    output = io.StringIO()
    with redirect_stdout(output):
        app(["generate", "--json", *sys.argv[1:]], standalone_mode=False)
    used = time.process_time() - began[0]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    result = msgspec.json.decode(output.getvalue()) | {"cpu_seconds": used, "peak_mb": peak_mb}
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main()
