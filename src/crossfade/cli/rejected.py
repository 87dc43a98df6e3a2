"""`crossfade rejected`: the records that are not plays, with reasons and contents."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.text import Text

from crossfade.cli.command_line import CommandGroup
from crossfade.cli.options import DataOption, JsonOption
from crossfade.cli.rejected_replay import ReasonOption, parse_reason, replay_rejected
from crossfade.cli.tables import (
    Cell,
    Column,
    format_moment,
    open_console,
    print_table,
    shorten_times,
)
from crossfade.config import load_settings
from crossfade.contract.reasons import Reason
from crossfade.errors import MisuseError
from crossfade.folder import open_folder

if TYPE_CHECKING:
    from crossfade.lake.rejected_log import RejectedRecord

_COLUMNS = (
    Column("partition", "number"),
    Column("offset", "number"),
    Column("log time (UTC)"),
    Column("reason, what was expected, first bytes", "prose"),
)
_SHOWN = 20
_CHARACTERS_SHOWN = 200

app = typer.Typer(cls=CommandGroup, invoke_without_command=True)

LimitOption = Annotated[
    int, typer.Option("--limit", min=0, help="Most records to show; 0: all of them.", metavar="N")
]


@app.callback()
def rejected(
    context: typer.Context,
    data: DataOption = None,
    *,
    reason: ReasonOption = None,
    limit: LimitOption = _SHOWN,
    as_json: JsonOption = False,
) -> None:
    """Show the records that batch rejected, newest first, with the reason and their first bytes.

    --json prints one object per line with all bytes: "value" if they are UTF-8, else
    "value_base64".

    Example:
        crossfade rejected --reason event_time_invalid
        crossfade rejected --limit 0 --json
    """
    if context.invoked_subcommand is not None:
        if data is not None or reason is not None or limit != _SHOWN or as_json:
            what = f'Options before "{context.invoked_subcommand}" have no effect.'
            raise MisuseError(what, "Write them after it.")
        return
    from crossfade.lake.rejected_log import RejectedLog, describe
    from crossfade.lake.runs import require_run

    wanted = parse_reason(reason)
    lake = open_folder(load_settings(data=data), create=False).lake
    with RejectedLog(lake, require_run(lake)) as log:
        records = log.read(wanted, limit=limit or None, is_whole=as_json)
        if as_json:
            lines = (msgspec.json.encode(describe(record)).decode() for record in records)
            sys.stdout.writelines(f"{line}\n" for line in lines)
        else:
            _show(records, log.count_by_reason(), wanted)


app.command("replay")(replay_rejected)


def _show(
    records: "Iterable[RejectedRecord]", counts: Mapping[str, int], wanted: Reason | None
) -> None:
    total = sum(counts.values()) if wanted is None else counts.get(wanted, 0)
    if not total:
        sys.stdout.write(f"Nothing was rejected{'' if wanted is None else f' for {wanted}'}.\n")
        return
    shown = list(records)
    print_table(open_console(), _COLUMNS, (cells for one in shown for cells in _rows(one)))
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    more = f"The newest {len(shown):,} of {total:,} are shown. "
    sys.stdout.write(f"{'' if len(shown) == total else more}")
    sys.stdout.write(f"{sum(counts.values()):,} rejected in total: {listed}.\n")


def _rows(record: "RejectedRecord") -> Iterator[tuple[Cell, ...]]:
    """Yield a record's position, time and reason, and below them its first bytes."""
    from crossfade.lake.rejected_log import explain

    why = Text.assemble((record.reason, "yellow"), ": ", shorten_times(explain(record)))
    yield f"{record.partition}", f"{record.offset:,}", format_moment(record.log_time), why
    if record.value is not None:
        start = escape_for_terminal(record.value)
        yield "", "", "", Text(start, "dim", no_wrap=True, overflow="ellipsis")


def escape_for_terminal(value: bytes) -> str:
    """Return the first characters of bytes on one line, with control characters escaped."""
    text = value[: 4 * _CHARACTERS_SHOWN].decode("utf-8", "backslashreplace")[:_CHARACTERS_SHOWN]
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
