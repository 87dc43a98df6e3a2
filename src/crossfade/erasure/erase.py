"""Erase a listener: suppress the id, remove every row, and remove the old files."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from crossfade.erasure.suppression import Erased, add_listener
from crossfade.erasure.vacuum import vacuum_abandoned, vacuum_batch_tables, vacuum_bronze
from crossfade.errors import LakeError
from crossfade.folder import ARCHIVE, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.lock import hold_batch
from crossfade.lake.runs import Run, read_newest_run
from crossfade.lake.table_files import count_rows, read_files
from crossfade.lake.tables import BRONZE_SONG_PLAYS, CLASSIC_TABLE, SILVER_ERASED, list_files
from crossfade.stack.hold import hold_maintenance_lock
from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST

RunBatch = Callable[[], object]
"""Runs batch once; the caller of `erase_listener` must not hold batch's lock."""

BeforeVacuum = Callable[[Run], object]
"""Called before the files of old versions are removed: it waits until readers have moved on."""

_LOCK_WITHIN_S = 600.0
_COVERED_WITHIN_S = 600.0
_POLL_S = 0.5
_MORE_ROUNDS = 5
"""Further runs for records that the listener's client still sends during the erasure."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The result of an erasure: the list's entry, the final run, and what was removed."""

    entry: Erased
    run: int | None
    records: int
    files: int


def erase_listener(
    folder: DataFolder,
    address: KafkaAddress | None,
    user_id: str,
    *,
    run_batch: RunBatch,
    before_vacuum: BeforeVacuum = lambda _: None,
) -> Erasure:
    """Erase a listener from every table, and suppress all later records of theirs.

    The suppression list is extended first: if this is interrupted, the next run of batch continues
    it. Erasing the same listener again changes nothing.

    Args:
        folder: the data folder.
        address: where Kafka is; None: what it still holds is not waited for.
        user_id: the listener's id.
        run_batch: runs batch once under the lock that this function holds.
        before_vacuum: called with the newest run before old files are removed.

    Raises:
        LakeError: another process keeps batch's lock, the archive does not archive what Kafka
            holds, or there is a classic lake, whose files cannot be rewritten.
        StackError: a backup is being made of the folder.
    """
    refuse_classic_lake(folder)
    with hold_maintenance_lock(folder), hold_batch(folder, within_s=_LOCK_WITHIN_S):
        entry = add_listener(folder, user_id)
        SPEED_RENEWAL_REQUEST.ask(folder)
        before = _count_erased(folder.lake, read_newest_run(folder.lake))
        run = _run_until_gone(folder, address, run_batch)
        if run is None:
            return Erasure(entry, None, 0, 0)
        before_vacuum(run)
        removed = vacuum_batch_tables(folder.lake, run) + vacuum_bronze(folder.lake, run)
        removed += _vacuum_abandoned(folder)
    return Erasure(entry, run.run, _count_erased(folder.lake, run) - before, removed)


def refuse_classic_lake(folder: DataFolder) -> None:
    """Refuse an erasure if there is a classic lake, whose log allows no change of a file.

    Raises:
        LakeError: there is one.
    """
    classic = folder.lake / CLASSIC_TABLE
    if classic.exists():
        what = f"The classic lake {classic} holds every record, and its files cannot be rewritten."
        cure = (
            f'Stop "crossfade archive --parquet" permanently, remove {classic} and '
            f"{folder.checkpoints / 'classic'}*, then erase again."
        )
        raise LakeError(what, cure)


def _run_until_gone(
    folder: DataFolder, address: KafkaAddress | None, run_batch: RunBatch
) -> Run | None:
    """Run batch until everything in Kafka now is covered and the newest run pins blanked bronze.

    A run covers what the archive has read, so this waits for the archive, while it makes progress.
    """
    ends = {} if address is None else read_end_offsets(address, SONG_PLAYS)
    deadline, reached, rounds = time.monotonic() + _COVERED_WITHIN_S, 0, 0
    while True:
        run_batch()
        newest = read_newest_run(folder.lake)
        if newest is None:
            return None
        if newest.covers(ends):
            if _is_pinned_blank(folder.lake, newest) or rounds == _MORE_ROUNDS:
                return newest
            rounds += 1
            continue
        if (end := sum(newest.end_offsets.values())) > reached:
            deadline, reached = time.monotonic() + _COVERED_WITHIN_S, end
        if time.monotonic() > deadline:
            what = f"The archive has read nothing for {_COVERED_WITHIN_S:.0f} s, and is not done."
            raise LakeError(what, 'See "crossfade status" and its logs, then erase again.')
        time.sleep(_POLL_S)


def _is_pinned_blank(lake: Path, run: Run) -> bool:
    """Check whether bronze still has every file that the run pins, so none was blanked since."""
    pinned = list_files(lake, BRONZE_SONG_PLAYS, run.pins[BRONZE_SONG_PLAYS.name])
    return set(pinned) <= set(list_files(lake, BRONZE_SONG_PLAYS))


def _count_erased(lake: Path, run: Run | None) -> int:
    if run is None or SILVER_ERASED.name not in run.pins:
        return 0
    return count_rows(read_files(lake, SILVER_ERASED, run.pins[SILVER_ERASED.name]))


def _vacuum_abandoned(folder: DataFolder) -> int:
    """Remove what killed drivers left in bronze, under the archive's lock if it is free."""
    archive = FileLock(folder.lock_file(ARCHIVE), timeout=0)
    try:
        with archive:
            return vacuum_abandoned(folder.lake, has_writer=False)
    except Timeout:
        return vacuum_abandoned(folder.lake, has_writer=True)
