"""Draw docs/pictures/terminal.svg: real commands and their real output.

Run by scripts/pictures. Without --data, it first imports the sample year into a temporary data
folder, runs batch, starts a stack and simulates an audience, which takes some minutes.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from crossfade.ingest.sample import sample_year_path

PICTURE = Path(__file__).parent / "pictures" / "terminal.svg"
WIDTH = 100
COMMANDS = (
    "crossfade trending --limit 5",
    "crossfade chart artists --year 2019 --limit 4",
    "crossfade reconcile | tail -n 12",
)
_CROSSFADE = (sys.executable, "-m", "crossfade")
_WITHIN_S = 300.0
_FONTS = re.compile(r"@font-face \{.*?\}\n\s*", re.DOTALL)
"""Rich's template loads fonts from the web; the viewer's own monospace font is good enough."""


def main() -> None:
    """Read the arguments, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder of a stack with the sample year")
    data = parser.parse_args().data
    if data is not None:
        draw(data)
        return
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        year = str(sample_year_path())
        run("import", "spotify", year, "--user", "anna", "--data", str(data))
        run("batch", "--once", "--data", str(data))
        with running_stack(data):
            run("generate", "--rate", "500", "--for", "3m", "--data", str(data))
            wait_until_complete(data)
            draw(data)


def run(*arguments: str) -> None:
    """Run a command of Crossfade, with its output on this terminal."""
    subprocess.run([*_CROSSFADE, *arguments], check=True)


@contextmanager
def running_stack(data: Path) -> Iterator[None]:
    """Run `crossfade up` on free ports for the length of a block, which starts when it is there."""
    ports = ("--port", "0", "--kafka-port", "0")
    with subprocess.Popen([*_CROSSFADE, "up", *ports, "--data", str(data)]) as stack:
        try:
            deadline = time.monotonic() + _WITHIN_S
            while not (data / "stack.json").exists():
                if stack.poll() is not None or time.monotonic() > deadline:
                    sys.exit("Error: The stack did not start. The lines above say why.")
                time.sleep(0.5)
            yield
        finally:
            stack.terminate()


def wait_until_complete(data: Path) -> None:
    """Wait until speed has counted every play."""
    command = [*_CROSSFADE, "trending", "--limit", "1", "--json", "--data", str(data)]
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        if json.loads(answer.stdout)["complete"]:
            return
        time.sleep(1)
    sys.exit(f"Error: Speed has not caught up in {_WITHIN_S:.0f} s. Try again on an idle machine.")


def draw(data: Path) -> None:
    """Run the commands over a data folder, and write their output as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(capture(command, data)))
    template = _FONTS.sub("", CONSOLE_SVG_FORMAT)
    console.save_svg(str(PICTURE), title="crossfade", code_format=template, unique_id="crossfade")


def capture(command: str, data: Path) -> str:
    """Return the coloured output of a shell command that runs in the environment of this script."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CROSSFADE_DATA": str(data),
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
    }
    answer = subprocess.run(  # noqa: S602 - only COMMANDS
        command,
        shell=True,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return answer.stdout


if __name__ == "__main__":
    main()
