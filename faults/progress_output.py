"""Print the progress of a run of the fault suite to standard error."""

import sys
import time

_began = time.monotonic()


def print_progress(text: str) -> None:
    """Print a line, with the minutes and seconds since the run began."""
    minutes, seconds = divmod(int(time.monotonic() - _began), 60)
    sys.stderr.write(f"[{minutes:3}:{seconds:02}] {text}\n")
    sys.stderr.flush()
