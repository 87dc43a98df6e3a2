"""Requests from one process to another, each an empty file in the data folder."""

from dataclasses import dataclass

from crossfade.folder import DataFolder, write_atomically


@dataclass(frozen=True, slots=True)
class RequestFile:
    """One kind of request, named by its file. Two requests before it is taken count as one."""

    name: str

    def ask(self, folder: DataFolder) -> None:
        """Create the file."""
        write_atomically(folder.run / self.name, b"")

    def is_pending(self, folder: DataFolder) -> bool:
        """Check whether there is a request that was not taken yet."""
        return (folder.run / self.name).exists()

    def take(self, folder: DataFolder) -> bool:
        """Remove the file; return whether there was one."""
        try:
            (folder.run / self.name).unlink()
        except FileNotFoundError:
            return False
        return True


BATCH_RUN_REQUEST = RequestFile("batch.request")
"""Asks batch to start a run immediately."""

SPEED_RENEWAL_REQUEST = RequestFile("speed.renewal")
"""Asks speed to start a new generation, which counts its open windows again."""
