"""The file to which an import writes the rows that it refuses."""

from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from crossfade.contract.reasons import Reason, Rejection
from crossfade.errors import MachineError, MisuseError
from crossfade.ingest.files import STDIN
from crossfade.ingest.rows import Row


class RefusedRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refused row as it was, as text or, if it is not UTF-8, in base64; and why."""

    file: str
    line: int
    reason: Reason
    expected: str
    value: str | None = None
    value_base64: bytes | None = None


class RefusedFile:
    """Writes refused rows as JSON lines; use it as a context manager."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self._file = Path(self._name).open("wb")
        except OSError as error:
            raise self._unwritable(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, file: str, row: Row, rejection: Rejection) -> None:
        """Write a row.

        Raises:
            MachineError: the file cannot be written.
        """
        value: str | None
        try:
            value, other = row.original.decode(), None
        except UnicodeDecodeError:
            value, other = None, row.original
        refused = RefusedRow(file, row.line, *rejection, value, other)
        try:
            if self._file is not None:
                self._file.write(msgspec.json.encode(refused) + b"\n")
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> MachineError:
        what = f"Cannot write {self._name}: {error.strerror or error}."
        return MachineError(what, "Name another file with --refused.")


def check_refused_name(name: str, inputs: list[str]) -> None:
    """Check that the file for refused rows is not one of the files to import.

    Raises:
        MisuseError: it is one.
    """
    path = Path(name)
    for other in inputs:
        if other != STDIN and path.exists() and path.samefile(other):
            what = f"{name} is a file to import, and --refused would replace it."
            raise MisuseError(what, "Name another file with --refused.")
