"""What a run of faults tells a person who watches it."""

import sys
import time

_began = time.monotonic()


def print_progress(text: str) -> None:
    """Say a line, with how long the run lasts."""
    minutes, seconds = divmod(int(time.monotonic() - _began), 60)
    sys.stderr.write(f"[{minutes:3}:{seconds:02}] {text}\n")
    sys.stderr.flush()
