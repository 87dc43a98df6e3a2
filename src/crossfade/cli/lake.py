"""`crossfade lake`: the lake's tables, and their files for other engines."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from crossfade.cli.command_line import CommandGroup
from crossfade.cli.disk import format_bytes
from crossfade.cli.options import DataOption, JsonOption
from crossfade.cli.tables import Column, format_number, open_console, print_table
from crossfade.cli.waiting import show_wait
from crossfade.config import load_settings
from crossfade.errors import MisuseError
from crossfade.folder import open_folder

app = typer.Typer(cls=CommandGroup, help="Show the lake's tables and their files.")

TableArgument = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="Such as silver/plays; song_plays is the classic Parquet lake.",
    ),
]
VersionOption = Annotated[
    int | None,
    typer.Option(
        "--version", min=0, help="A version of the table. (default: the pinned one)", metavar="N"
    ),
]


@dataclass(frozen=True, slots=True)
class _TableSize:
    """A table's newest version and its size; `pin` is None if no run pins the table."""

    table: str
    version: int
    pin: int | None
    rows: int
    files: int
    bytes: int


@app.command("files")
def files(
    table: TableArgument,
    data: DataOption = None,
    *,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the data files of a table's pinned version, one per line, for DuckDB and other engines.

    Example:
        crossfade lake files gold/chart
    """
    lake = open_folder(load_settings(data=data), create=False).lake
    with show_wait(f"Reading {table} …"):
        paths = _list_files(lake, table, version)
    lines = [msgspec.json.encode(paths).decode()] if as_json else paths
    sys.stdout.writelines(f"{line}\n" for line in lines)


@app.command("tables")
def tables(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Show every table: newest and pinned version, and the newest version's rows, files and size.

    Example:
        crossfade lake tables
    """
    lake = open_folder(load_settings(data=data), create=False).lake
    with show_wait("Measuring the tables …"):
        sizes = _measure_tables(lake)
    if as_json:
        sys.stdout.write(msgspec.json.encode([asdict(size) for size in sizes]).decode() + "\n")
        return
    names = ("version", "pin", "rows", "files", "size")
    columns = [Column("table"), *(Column(name, "number") for name in names)]
    print_table(open_console(), columns, map(_cells, sizes))


def _cells(size: _TableSize) -> list[str]:
    counts = map(format_number, (size.version, size.pin, size.rows, size.files))
    return [size.table, *counts, format_bytes(size.bytes)]


def _list_files(lake: Path, table: str, version: int | None) -> list[str]:
    from crossfade.lake.runs import read_newest_run
    from crossfade.lake.tables import CLASSIC_TABLE, TABLES, list_files, open_table
    from crossfade.proof.classic_lake import list_classic_files

    if table == CLASSIC_TABLE:
        return list_classic_files(lake)
    if table not in TABLES:
        what = f'There is no table "{table}".'
        raise MisuseError(what, f"Known tables: {', '.join([*TABLES, CLASSIC_TABLE])}.")
    newest = open_table(lake, TABLES[table])
    if newest is None:
        return []
    if version is not None and version > newest.version():
        what = f"{table} has no version {version}."
        raise MisuseError(what, f"Its newest is {newest.version()}.")
    run = read_newest_run(lake)
    pin = run.pins.get(table) if run else None
    return list_files(lake, TABLES[table], pin if version is None else version)


def _measure_tables(lake: Path) -> list[_TableSize]:
    from crossfade.lake.connection import connect
    from crossfade.lake.runs import read_newest_run
    from crossfade.lake.tables import TABLES, list_files, open_table

    run = read_newest_run(lake)
    connection = connect()
    sizes = []
    for name, table in TABLES.items():
        if (opened := open_table(lake, table)) is None:
            continue
        paths = list_files(lake, table)
        counted = "SELECT coalesce(sum(num_rows), 0) FROM parquet_file_metadata($paths)"
        [(rows,)] = connection.execute(counted, {"paths": paths}).fetchall() if paths else [(0,)]
        taken = sum(Path(path).stat().st_size for path in paths)
        pin = run.pins.get(name) if run else None
        sizes.append(_TableSize(name, opened.version(), pin, int(rows), len(paths), taken))
    return sizes
