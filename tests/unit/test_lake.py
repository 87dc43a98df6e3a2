"""Tables read without Spark."""

import pytest

from crossfade import lake


@pytest.mark.parametrize("table", lake.TABLES.values(), ids=lambda table: table.name)
def test_a_table_without_files_still_shows_every_column(table: lake.Table) -> None:
    connection = lake.connect()
    lake.register_table(connection, table, [])
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
