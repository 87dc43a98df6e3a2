"""Views of the ledgers' rows, in the same DuckDB as the lake's tables."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import duckdb
import pyarrow as pa

from crossfade.contract.ledger import COUNT_SCHEMA, RECORD_SCHEMA, RECORDS, Ledger
from crossfade.erasure.suppression import load_suppression
from crossfade.errors import LakeError
from crossfade.lake.findings import NAMED_AT_MOST, Finding, Verdict
from crossfade.proof.pinned import PinnedLake


def create_ledger_views(pinned: PinnedLake, ledgers: Sequence[Ledger]) -> None:
    """Create `ledger_records`, `ledger_counts`, `erased_users` and the views that use them.

    The column `ledger` is the ledger's index in `ledgers`. The rows are read from their files.

    Raises:
        LakeError: a ledger's file cannot be read or has other columns.
    """
    records = [sorted(map(str, (one.folder / RECORDS).glob("*.parquet"))) for one in ledgers]
    counts = [[one.counts] for one in ledgers]
    try:
        _create_view(pinned.connection, "ledger_records", RECORD_SCHEMA, records)
        _create_view(pinned.connection, "ledger_counts", COUNT_SCHEMA, counts)
        _create_erased_users(pinned)
        for query in ("ledger_rows", "ledger_unsure", "ledger_truth"):
            pinned.prepare(query)
    except duckdb.Error as error:
        folders = ", ".join(str(one.folder) for one in ledgers)
        what = f"A file of {folders} cannot be read: {str(error).splitlines()[0]}."
        raise LakeError(what, 'Create it again: "crossfade generate --ledger DIR".') from None


class Violations(NamedTuple):
    """Rows that break a law: how many there are, and descriptions of the first of them."""

    total: int
    names: Sequence[str]


def find_violations(
    pinned: PinnedLake, query: str, describe: Callable[..., str], **values: object
) -> Violations:
    """Query the rows that break a law.

    A row of the query holds the number of all such rows, then the arguments of `describe`.
    """
    rows = pinned.fetch(query, named=NAMED_AT_MOST, **values)
    return Violations(rows[0][0] if rows else 0, [describe(*row[1:]) for row in rows])


def judge_violations(
    check: str, subject: str, wrong: Violations, *, sides: tuple[int, int], note: str = ""
) -> Finding:
    """Build a finding; `sides` are the expected number and the number found."""
    holds = not wrong.total and sides[0] == sides[1]
    verdict = Verdict.HOLDS if holds else Verdict.UNEXPLAINED
    named = tuple(wrong.names[:NAMED_AT_MOST])
    if (more := wrong.total - len(named)) > 0:
        named = (*named, f"and {more:,} more")
    return Finding(check, subject, *sides, verdict, named, note)


def _create_erased_users(pinned: PinnedLake) -> None:
    """Create a table of the ledgers' erased listeners.

    `is_settled` is true once a run has removed all of the listener's records.
    """
    suppressed = load_suppression(pinned.folder)
    unsettled = load_suppression(pinned.folder, pending=True)
    users = [user for (user,) in pinned.fetch("ledger_users")] if suppressed else []
    erased = sorted(user for user in users if suppressed.covers(user))
    columns = {
        "user_id": pa.array(erased, pa.string()),
        "is_settled": pa.array([not unsettled.covers(user) for user in erased], pa.bool_()),
    }
    pinned.connection.register("loaded", pa.table(columns))
    pinned.connection.execute("CREATE OR REPLACE TABLE erased_users AS FROM loaded")
    pinned.connection.unregister("loaded")


def _create_view(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    schema: pa.Schema,
    files: Sequence[Sequence[str]],
) -> None:
    """Create a view of all ledgers' files of one kind, with every column even if it has no row."""
    connection.register("loaded", schema.empty_table())
    connection.execute(f"CREATE OR REPLACE TABLE no_{view} AS FROM loaded")
    connection.unregister("loaded")
    columns = ", ".join(f'"{name}"' for name in schema.names)
    parts = [f"SELECT CAST(NULL AS BIGINT) AS ledger, {columns} FROM no_{view}"]
    for ledger, paths in enumerate(files):
        if paths:
            listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
            parts.append(f"SELECT {ledger}, {columns} FROM read_parquet([{listed}])")
    connection.execute(f"CREATE OR REPLACE VIEW {view} AS {' UNION ALL '.join(parts)}")
