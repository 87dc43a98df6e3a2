"""What a published run leaves to be done for erased listeners; done again after a crash."""

from crossfade.erasure.blanking import blank_erased
from crossfade.erasure.suppression import list_erased, mark_removed
from crossfade.erasure.vacuum import vacuum_bronze
from crossfade.errors import StackError
from crossfade.folder import DataFolder
from crossfade.lake.runs import Run
from crossfade.stack.hold import hold_maintenance_lock
from crossfade.telemetry import get_logger

_log = get_logger("batch")


def settle_erasures(folder: DataFolder, newest: Run) -> None:
    """Blank what the newest run erased, and remove files of bronze that it does not need.

    The run pins bronze as it was before it was blanked; so the files with the content go once the
    next run, for which the blanking is news enough, has pinned it anew.
    """
    if not list_erased(folder):
        return
    mark_removed(folder, newest.run)
    records = blank_erased(folder.lake, newest)
    files = _vacuum(folder, newest)
    if records or files:
        _log.info("erased", blanked_records=records, removed_files=files)


def _vacuum(folder: DataFolder, newest: Run) -> int:
    """Remove files, unless somebody relies on their staying: then a later run does."""
    try:
        with hold_maintenance_lock(folder):
            return vacuum_bronze(folder.lake, newest)
    except StackError:
        return 0
