"""Undo what a dead run left in silver and gold, and refuse what nobody of ours wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from crossfade.errors import LakeError
from crossfade.lake import BATCH_TABLES, Table, open_table, table_path
from crossfade.processing.batch.tables import commit_note


def undo_dead_run(spark: SparkSession, lake: Path, pins: Mapping[str, int]) -> list[str]:
    """Bring every table back to what the newest published run pinned, and name those that were not.

    Raises:
        LakeError: a commit since the pin is not of a run; nothing is changed.
    """
    dead = [table for table in BATCH_TABLES if _holds_dead_rows(lake, table, pins[table.name])]
    for table in dead:
        path, version = table_path(lake, table), pins[table.name]
        spark.sql(f"RESTORE TABLE delta.`{path}` TO VERSION AS OF {version}")
    return [table.name for table in dead]


def _holds_dead_rows(lake: Path, table: Table, pin: int) -> bool:
    opened = open_table(lake, table)
    if opened is None:
        what = f"The table {table.name} is gone from {lake}."
        raise LakeError(what, 'Put the folder back, or start anew with "crossfade reset".')
    if opened.version() < pin:
        what = f"{table.name} is at version {opened.version()}, below its pin {pin}."
        raise LakeError(what, "Its log was cut: put the folder back from a copy.")
    commits = _commits_since(opened, pin)
    for commit in commits:
        _refuse_foreign(table, commit)
    return bool(commits) and not _is_restore_to(commits[0], pin)


def _commits_since(opened: DeltaTable, pin: int) -> list[dict[str, Any]]:
    """List the commits after the pin, newest first."""
    count = opened.version() - pin
    return opened.history(count) if count else []


def _refuse_foreign(table: Table, commit: Mapping[str, Any]) -> None:
    if str(commit.get("userMetadata") or "").startswith(commit_note("")):
        return
    what = (
        f"Version {commit.get('version')} of {table.name} ({commit.get('operation')}, "
        f"{commit.get('engineInfo', 'unknown engine')}) is not of a Crossfade run."
    )
    raise LakeError(what, "Undo that commit: only runs of batch may write silver and gold.")


def _is_restore_to(commit: Mapping[str, Any], pin: int) -> bool:
    parameters = commit.get("operationParameters") or {}
    return commit.get("operation") == "RESTORE" and str(parameters.get("version")) == str(pin)
