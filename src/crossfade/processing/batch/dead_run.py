"""Undo what an unfinished run left in silver and gold; refuse commits that no run made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from crossfade.errors import LakeError
from crossfade.lake.commits import commit_note, signed
from crossfade.lake.tables import ADDED_TABLES, BATCH_TABLES, require_table


def undo_dead_run(lake: Path, pins: Mapping[str, int], run_uuid: str) -> list[str]:
    """Restore every table to its version in the newest published run; return the names restored.

    A restore reads and writes only a table's log, so it needs no Spark. A table that runs of an
    earlier release do not pin is restored to its first version, which is empty.

    Raises:
        LakeError: a commit since the pin is not by a run; nothing is changed.
    """
    opened = {table.name: require_table(lake, table) for table in BATCH_TABLES}
    known = dict.fromkeys(ADDED_TABLES, 0) | dict(pins)
    dead = [name for name, table in opened.items() if _holds_dead_rows(name, table, known[name])]
    for name in dead:
        opened[name].restore(known[name], commit_properties=signed(run_uuid))
    return dead


def _holds_dead_rows(name: str, opened: DeltaTable, pin: int) -> bool:
    if opened.version() < pin:
        what = f"{name} is at version {opened.version()}, below its pin {pin}."
        raise LakeError(what, "Its log was truncated: restore the folder from a backup.")
    commits = _commits_since(opened, pin)
    for commit in commits:
        _refuse_foreign(name, commit)
    return bool(commits) and not _is_restore_to(commits[0], pin)


def _commits_since(opened: DeltaTable, pin: int) -> list[dict[str, Any]]:
    """List the commits after the pin, newest first."""
    count = opened.version() - pin
    return opened.history(count) if count else []


def _refuse_foreign(name: str, commit: Mapping[str, Any]) -> None:
    if str(commit.get("userMetadata") or "").startswith(commit_note("")):
        return
    what = (
        f"Version {commit.get('version')} of {name} ({commit.get('operation')}, "
        f"{commit.get('engineInfo', 'unknown engine')}) is not of a Crossfade run."
    )
    raise LakeError(what, "Undo that commit: only runs of batch may write silver and gold.")


def _is_restore_to(commit: Mapping[str, Any], pin: int) -> bool:
    parameters = commit.get("operationParameters") or {}
    return commit.get("operation") == "RESTORE" and str(parameters.get("version")) == str(pin)
