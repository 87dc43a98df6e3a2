"""Start cases: a file of the lake is damaged, missing or truncated."""

from pathlib import Path

import pyarrow.parquet as pq

from faults.case import Case, Outcome
from faults.case_checks import add_up, check_refused, recover, require
from faults.damage import empty, flip_byte, remove_sum, tear_off
from faults.lake_snapshot import (
    Snapshot,
    live_files,
    newest_run,
    snapshot_published,
    take_snapshot,
    version_of,
)
from faults.template import on_copy
from faults.workspace import Workspace

_BRONZE, _SILVER, _RUN = "bronze/song_plays", "silver/plays", "gold/run"


def _new_bronze_flipped(workspace: Workspace) -> Outcome:
    """Flip a byte of a record that batch has not read yet."""
    before = _archive_all(workspace)
    path = _new_bronze(workspace)
    injected = _flip_in_column(workspace, path, "value")
    return _check_batch_names_file(workspace, path, injected, before)


def _new_bronze_gone(workspace: Workspace) -> Outcome:
    before = _archive_all(workspace)
    path = _new_bronze(workspace)
    path.unlink()
    remove_sum(path)
    return _check_batch_names_file(workspace, path, 1, before)


def _silver_flipped(workspace: Workspace) -> Outcome:
    """Flip a byte of a play's id in a file that the next run must read."""
    before = _archive_all(workspace)
    month = max(path.parent for path in live_files(workspace.data, _SILVER))
    files = [path for path in live_files(workspace.data, _SILVER) if path.parent == month]
    path = max(files, key=lambda one: one.stat().st_size)
    whole = path.read_bytes()
    # A disk that changes a byte leaves the checksum file beside it unchanged.
    injected = _flip_in_column(workspace, path, "event_id", keep_sum=True)
    outcome = _check_batch_names_file(
        workspace, path, injected, {**before, **_snapshot_of(workspace, path)}
    )
    path.write_bytes(whole)
    return add_up(
        [outcome, recover(workspace, injected=injected, seen="exact after it was restored")]
    )


def _old_bronze_flipped(workspace: Workspace) -> Outcome:
    """Flip a byte of a record that batch has read before; the proof must find it."""
    path = max(live_files(workspace.data, _BRONZE), key=lambda one: one.stat().st_size)
    injected = _flip_in_column(workspace, path, "value")
    workspace.ensure_kafka()
    proof = workspace.run("reconcile", "--json")
    seen = proof.last_line or "the proof does not hold"
    names_it = path.name in proof.stderr_text + proof.stdout_file.read_text("utf-8", "replace")
    wrong = int(proof.exit_code == 0) + int(not names_it)
    return Outcome(injected=injected, wrong=wrong, seen=f"reconcile: {seen}")


def _archive_all(workspace: Workspace) -> Snapshot:
    workspace.catch_up("archive")
    return take_snapshot(workspace.data, "silver", "gold")


def _new_bronze(workspace: Workspace) -> Path:
    """Return the largest file of bronze that the newest run does not cover."""
    _, pins = newest_run(workspace.data)
    known = set(live_files(workspace.data, _BRONZE, pins[_BRONZE]))
    new = [path for path in live_files(workspace.data, _BRONZE) if path not in known]
    return max(new, key=lambda path: path.stat().st_size)


def _flip_in_column(
    workspace: Workspace, path: Path, column: str, *, keep_sum: bool = False
) -> int:
    """Flip a byte in the middle of a column's data; return 1 if the file has changed."""
    group = pq.ParquetFile(path).metadata.row_group(0)
    [chunk] = [
        group.column(number)
        for number in range(group.num_columns)
        if group.column(number).path_in_schema == column
    ]
    first = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    size = path.stat().st_size
    middle = first + chunk.total_compressed_size // 2
    whole = path.read_bytes()
    within = ((middle - 1) / size, (middle + 2) / size)
    flip_byte(path, workspace.rng, within=within, keep_sum=keep_sum)
    return int(path.read_bytes() != whole)


def _snapshot_of(workspace: Workspace, path: Path) -> Snapshot:
    name = str(path.relative_to(workspace.data / "datalake"))
    return {name: take_snapshot(workspace.data)[name]}


def _check_batch_names_file(
    workspace: Workspace, path: Path, injected: int, before: Snapshot
) -> Outcome:
    """Run batch; it must stop with an error that names the file, and publish nothing."""
    run = newest_run(workspace.data)
    stopped = workspace.run("batch", "--once")
    outcome = check_refused(workspace, stopped, path.name, injected=injected, before=None)
    is_same = newest_run(workspace.data) == run
    outcome = require(outcome, condition=is_same, problem="a run was published")
    published = {
        k: v for k, v in take_snapshot(workspace.data, "silver", "gold").items() if k in before
    }
    return require(outcome, condition=published == dict(before), problem="published files changed")


def _publication_empty(workspace: Workspace) -> Outcome:
    """Empty the commit that published the newest run; batch must publish a run again."""
    run, _ = newest_run(workspace.data)
    version = version_of(workspace.data, _RUN)
    empty(workspace.data / "datalake" / _RUN / "_delta_log" / f"{version:020}.json")
    asked = workspace.run("chart", "songs", "--all-time", "--json")
    reader = Outcome(
        injected=1, wrong=int("Traceback" in asked.stderr_text), seen=asked.last_line[:200]
    )
    outcome = recover(workspace, injected=1, seen="published again")
    again, _ = newest_run(workspace.data)
    outcome = require(outcome, condition=again >= run, problem=f"run {run} was not published again")
    return add_up([reader, outcome])


def _publication_torn(workspace: Workspace) -> Outcome:
    """Truncate the file of the newest run's row; readers and batch must fail and name the table."""
    snapshot = snapshot_published(workspace.data)
    newest = max(live_files(workspace.data, _RUN), key=lambda path: path.stat().st_mtime)
    whole = newest.read_bytes()
    tear_off(newest, 0.5)
    injected = int(newest.read_bytes() != whole)
    before = take_snapshot(workspace.data, "silver", "gold")
    workspace.ensure_kafka()
    asked = workspace.run("chart", "songs", "--all-time", "--json")
    stopped = workspace.run("batch", "--once")
    outcomes = [
        check_refused(workspace, one, "gold/run", injected=injected, before=None)
        for one in (asked, stopped)
    ]
    is_same = take_snapshot(workspace.data, "silver", "gold") == before
    outcomes[1] = require(outcomes[1], condition=is_same, problem="batch wrote")
    newest.write_bytes(whole)
    is_back = snapshot_published(workspace.data) == snapshot
    outcomes[0] = require(outcomes[0], condition=is_back, problem="published files changed")
    return add_up(
        [*outcomes, recover(workspace, injected=injected, seen="exact after it was restored")]
    )


CASES = (
    Case("F54-commit", "torn publication: an empty commit", "start", on_copy(_publication_empty)),
    Case("F54-row", "torn publication: half a row", "start", on_copy(_publication_torn)),
    Case("F56-bronze", "byte flipped in bronze", "start", on_copy(_new_bronze_flipped)),
    Case("F56-bronze-old", "byte flipped in old bronze", "start", on_copy(_old_bronze_flipped)),
    Case("F56-silver", "byte flipped in silver", "start", on_copy(_silver_flipped)),
    Case("F57-bronze", "a file of bronze missing", "start", on_copy(_new_bronze_gone)),
)
