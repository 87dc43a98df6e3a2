"""Reading of tables without Spark."""

from pathlib import Path

import pytest

from crossfade.config import load_settings
from crossfade.folder import open_folder
from crossfade.lake import tables as lake
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import read_newest_run
from support.handmade_lake import NOON, a_lake, a_play, records_of


@pytest.mark.parametrize("table", lake.TABLES.values(), ids=lambda table: table.name)
def test_a_table_without_files_still_shows_every_column(table: lake.Table) -> None:
    connection = connect()
    register_table(connection, table, [])
    shown = connection.execute(f"SELECT * FROM {table.name.replace('/', '_')}")
    names = [name.strip('"') for name, _ in lake.split_columns(table.columns)]
    assert [column[0] for column in shown.description or []] == names
    assert shown.fetchall() == []


def test_commas_inside_a_type_do_not_split_columns() -> None:
    assert lake.split_columns("a MAP<INT, BIGINT>, `offset` BIGINT") == [
        ("a", "MAP<INT, BIGINT>"),
        ('"offset"', "BIGINT"),
    ]


@pytest.mark.parametrize("table", lake.TABLES.values(), ids=lambda table: table.name)
def test_a_table_is_partitioned_by_columns_that_it_has(table: lake.Table) -> None:
    names = {name.strip('"') for name, _ in lake.split_columns(table.columns)}
    assert set(table.partitioned_by) <= names


def test_files_are_found_in_a_folder_with_a_space_in_its_name(tmp_path: Path) -> None:
    folder = open_folder(load_settings(data=tmp_path / "my data (1) & 音楽"))
    a_lake(records_of(a_play(0), a_play(1)), boundary=NOON).write(folder)
    files = lake.list_files(folder.lake, lake.SILVER_PLAYS)
    assert files
    assert all(Path(path).exists() for path in files)
    assert read_newest_run(folder.lake) is not None
