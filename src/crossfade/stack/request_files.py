"""What a command asks of a process that runs, or of the next one: a file that appears, is taken."""

from dataclasses import dataclass

from crossfade.folder import DataFolder, write_atomically


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask for, by the name of its file; asked twice before it is taken, it is one."""

    name: str

    def ask(self, folder: DataFolder) -> None:
        """Ask for it."""
        write_atomically(folder.run / self.name, b"")

    def waits(self, folder: DataFolder) -> bool:
        """Check whether a request was not taken yet."""
        return (folder.run / self.name).exists()

    def take(self, folder: DataFolder) -> bool:
        """Take the request that waits, if there is one."""
        try:
            (folder.run / self.name).unlink()
        except FileNotFoundError:
            return False
        return True


RUN_OF_BATCH = Request("batch.request")
"""That batch runs at once."""

RENEWAL_OF_SPEED = Request("speed.renewal")
"""That speed counts its open windows anew, as a new generation."""
