"""How a command asks a running batch process for a run: a file that appears and is taken."""

from crossfade.folder import DataFolder, write_atomically

_NAME = "batch.request"


def ask_for_run(folder: DataFolder) -> None:
    """Ask the batch process of the running stack to run at once."""
    write_atomically(folder.run / _NAME, b"")


def is_asked(folder: DataFolder) -> bool:
    """Tell whether a request still waits."""
    return (folder.run / _NAME).exists()


def take_request(folder: DataFolder) -> bool:
    """Take the request that waits, if there is one."""
    try:
        (folder.run / _NAME).unlink()
    except FileNotFoundError:
        return False
    return True
