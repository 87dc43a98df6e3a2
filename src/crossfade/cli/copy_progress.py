"""The line that `backup` and `restore` keep up to date, and how a signal ends them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from crossfade.errors import StackError
from crossfade.stack.stop_request import stop_on_signals


@contextmanager
def show_copying(what: str) -> Iterator[Callable[[int, int], None]]:
    """Return what is told of each piece copied and of the whole size, in bytes.

    It draws a bar on standard error, where a person sees it, and raises once a stop is asked for.
    """
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with stop_on_signals() as request, bar:
        task = bar.add_task("", total=None)

        def tell(piece: int, whole: int) -> None:
            if request.asked.is_set():
                cut = "It was cut short: nothing of it is left."
                raise StackError(cut, "Give the command again.")
            bar.update(task, advance=piece, total=whole)

        yield tell
