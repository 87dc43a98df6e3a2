"""The progress bar of `backup` and `restore`, and how a signal ends them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from crossfade.cli.waiting import report_if_long
from crossfade.errors import StackError
from crossfade.stack.stop_request import stop_on_signals


@contextmanager
def show_copying(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback that takes the bytes just copied and the bytes in total.

    On a terminal it draws a bar on standard error. It raises StackError once a stop is requested.
    """
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with stop_on_signals() as request, report_if_long(f"{what} …"), bar:
        task = bar.add_task("", total=None)

        def on_progress(copied: int, total: int) -> None:
            if request.asked.is_set():
                what = "Interrupted: no partial copy is left."
                raise StackError(what, "Run the command again.")
            bar.update(task, advance=copied, total=total)

        yield on_progress
