"""What a command waits for: a line with a clock in a terminal, plain lines elsewhere."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

LONG_S = 1.5
"""A wait that is shorter than this is not reported where there is no terminal."""

Report = Callable[[str], None]


def report_step(step: str) -> None:
    """Write the step that begins to standard error."""
    sys.stderr.write(f"{step}\n")


@contextmanager
def show_wait(first: str, *, after_s: float = LONG_S) -> Iterator[Report]:
    """Show on standard error what a block waits for; yield a callback for its later steps.

    Without a terminal, a step is a line, and the first step only if it takes longer than `after_s`.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        with report_if_long(first, after_s=after_s) as report:
            yield report
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(first, total=None)
        yield lambda step: progress.update(task, description=step)


@contextmanager
def report_if_long(first: str, *, after_s: float = LONG_S) -> Iterator[Report]:
    """Report what a block waits for if standard error is no terminal; yield a callback for steps.

    A command with a progress bar of its own uses it beside the bar.
    """
    if sys.stderr.isatty():
        yield lambda _step: None
        return
    timer = threading.Timer(after_s, report_step, (first,))
    timer.daemon = True
    timer.start()

    def report(step: str) -> None:
        timer.cancel()
        report_step(step)

    try:
        yield report
    finally:
        timer.cancel()
