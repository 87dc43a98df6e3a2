"""The sink protocol for simulated records, and the sink that writes files of JSON lines."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa

from crossfade.errors import MachineError
from crossfade.generator.records import Records

_STDOUT = "-"
_DRAFT = ".partial"
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


class Sink(Protocol):
    """Takes records in order; what it has taken is safe once `finish` has returned."""

    @property
    def sent(self) -> int:
        """Count the records taken."""

    @property
    def waiting(self) -> int:
        """Count the records taken and not yet acknowledged."""

    @property
    def failed(self) -> int:
        """Count the records that were not acknowledged in time."""

    @property
    def is_over(self) -> bool:
        """Check whether it takes no more records."""

    @property
    def is_file(self) -> bool:
        """Check whether it is a file, in which each record is one line."""

    def has_room(self) -> bool:
        """Check whether it takes records now; wait a moment if it does not."""

    def send(self, records: Records) -> None:
        """Take records, or ignore them if `is_over`."""

    def finish(self, give_up: Event, /) -> None:
        """Wait until every record is safe; raise if one is not. Do not wait if `give_up` is set."""


class FileSink:
    """Writes one JSON object a line, to a file or, for "-", to standard output.

    A file is compressed if its name ends in .gz or .zst. It gets its name once it is complete.
    """

    waiting = 0
    failed = 0
    is_file = True

    def __init__(self, name: str) -> None:
        """Open the file.

        Raises:
            MachineError: the file cannot be written.
        """
        self.sent = 0
        self.is_over = False
        self._name = name
        target = Path(name)
        is_special = target.exists() and not target.is_file()
        self._draft = (
            None if name == _STDOUT or is_special else target.with_name(target.name + _DRAFT)
        )
        try:
            self._file = _open_to_write(self._draft or name, _COMPRESSIONS.get(target.suffix))
        except OSError as error:
            raise self._unwritable(error) from None

    def has_room(self) -> bool:
        """Return True: a full disk shows when the file is written."""
        return True

    def send(self, records: Records) -> None:
        """Write the values, which contain the keys. If the reader goes away, end without error."""
        try:
            self._file.write(_bytes_of(records.values))
            if self._name == _STDOUT:
                self._file.flush()
        except BrokenPipeError:
            self.is_over = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())
        except OSError as error:
            self._discard()
            raise self._unwritable(error) from None
        else:
            self.sent += len(records)

    def finish(self, _give_up: Event, /) -> None:
        """Close the file and rename it to its name; leave standard output open."""
        if self._name == _STDOUT or self._file.closed:
            return
        try:
            self._file.close()
            if self._draft is not None:
                self._draft.replace(self._name)
        except OSError as error:
            self._discard()
            raise self._unwritable(error) from None

    def _discard(self) -> None:
        """Delete the incomplete file."""
        with suppress(OSError):
            self._file.close()
        if self._draft is not None:
            self._draft.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> MachineError:
        reason = error.strerror or str(error)
        what = f"Cannot write {self._name}: {reason}."
        return MachineError(what, "Free some room there, or name another file with --out.")


def _open_to_write(name: Path | str, compression: str | None) -> BinaryIO:
    if name == _STDOUT:
        return sys.stdout.buffer
    if compression is None:
        return Path(name).open("wb")
    return pa.output_stream(str(name), compression=compression)


def _bytes_of(values: pa.BinaryArray) -> memoryview:
    """Return the values one after the other, without a copy."""
    _, ends, content = values.buffers()
    places = np.frombuffer(ends, np.int32)[values.offset : values.offset + len(values) + 1]
    return memoryview(content)[int(places[0]) : int(places[-1])]
