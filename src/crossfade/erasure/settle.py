"""The work for erased listeners that follows a published run; it is repeated after a crash."""

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

    The run pins bronze as it was before blanking. The blanking makes a further run worth
    publishing; once that run pins the blanked version, the files with the content are removed.
    """
    if not list_erased(folder):
        return
    mark_removed(folder, newest.run)
    records = blank_erased(folder.lake, newest)
    files = _vacuum(folder, newest)
    if records or files:
        _log.info("erased", blanked_records=records, removed_files=files)


def _vacuum(folder: DataFolder, newest: Run) -> int:
    """Remove files, unless maintenance is held, as by a backup: then a later run removes them."""
    try:
        with hold_maintenance_lock(folder):
            return vacuum_bronze(folder.lake, newest)
    except StackError:
        return 0
