"""Writer of the ledger: a row for each record sent, with Kafka's report and the right answer."""

import shutil
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crossfade.contract.ledger import COUNTS, RECORD_SCHEMA, RECORDS, SEAL, Seal
from crossfade.errors import MachineError, MisuseError
from crossfade.generator.ledger_rows import RowWriter
from crossfade.generator.records import Records

UNANSWERED = "interrupted before Kafka answered"

_PAGE_BITS = 16
_PAGE = 1 << _PAGE_BITS
_NOWHERE = -1
_DRAFT = ".partial"
_FILE = "part-00000.parquet"
_REPEATING = ["error", "kind", "fault", "bot", "answer", "reason", "song_id", "country"]

_COUNTS = """
COPY (
  SELECT event_time // 3600000 * 3600000 AS hour, song_id, country, count(*) AS plays,
    count(*) FILTER (WHERE is_counted) AS counted_plays,
    CAST(sum(ms_played) AS BIGINT) AS ms_played
  FROM read_parquet($records) WHERE answer = 'accepted'
  GROUP BY ALL ORDER BY ALL
) TO {target} (FORMAT parquet, COMPRESSION zstd)
"""


@dataclass(slots=True, eq=False)
class _Page:
    """The positions in Kafka of consecutive records, as far as it has acknowledged them."""

    partition: NDArray[np.int32] = field(default_factory=lambda: np.full(_PAGE, _NOWHERE, np.int32))
    offset: NDArray[np.int64] = field(default_factory=lambda: np.full(_PAGE, _NOWHERE, np.int64))
    errors: dict[int, str] = field(default_factory=dict)
    answered: int = 0


class LedgerWriter:
    """Writes the ledger of one run; it is complete once `close` has returned.

    Args:
        folder: the ledger's folder; created if missing, refused if it already holds a ledger.
        rows: describes each record.
        is_file: the records go to a file, where nothing is acknowledged.
    """

    def __init__(self, folder: Path, rows: RowWriter, *, is_file: bool) -> None:
        self._folder, self._rows, self._is_file = folder, rows, is_file
        self._pages: dict[int, _Page] = {}
        self._tables: deque[pa.Table] = deque()
        self._written = 0
        self._draft = _prepare(folder)
        self._has_failed = False
        self._writer = self._open()

    def add(self, records: Records) -> None:
        """Add records that are about to be sent, or were written to a file."""
        self._tables.append(self._rows.describe(records))
        for number in range(
            records.first >> _PAGE_BITS, (records.first + len(records) >> _PAGE_BITS) + 1
        ):
            self._pages.setdefault(number, _Page())
        self._write_whole_pages()

    def note_delivered(self, number: int, partition: int, offset: int) -> None:
        """Note where Kafka stored a record."""
        page, row = self._pages[number >> _PAGE_BITS], number & (_PAGE - 1)
        page.partition[row] = partition
        page.offset[row] = offset
        page.answered += 1

    def note_failed(self, number: int, why: str) -> None:
        """Note that Kafka did not acknowledge a record."""
        page, row = self._pages[number >> _PAGE_BITS], number & (_PAGE - 1)
        page.errors[row] = why
        page.answered += 1

    def close(self, run: str, seed: int) -> Seal | None:
        """Write the remaining rows, the true counts, and the seal that marks it as complete.

        Returns:
            The seal; None if writing failed before.

        Raises:
            MachineError: the disk is full.
        """
        if self._has_failed:
            return None
        try:
            self._write_whole_pages()
            if self._tables:
                self._write_page(pa.concat_tables(self._tables))
            self._writer.close()
            whole = self._folder / RECORDS / _FILE
            self._draft.replace(whole)
            seal = _count(whole, self._folder / COUNTS, run, seed)
            draft = self._folder / (SEAL + _DRAFT)
            draft.write_bytes(msgspec.json.format(msgspec.json.encode(seal)))
            draft.replace(self._folder / SEAL)
        except (OSError, duckdb.IOException) as error:
            raise self._unwritable(error) from None
        return seal

    def abandon(self) -> None:
        """Close the file without a seal, because the run failed."""
        self._has_failed = True
        with suppress(OSError):
            self._writer.close()
        self._draft.unlink(missing_ok=True)

    def _open(self) -> pq.ParquetWriter:
        try:
            return pq.ParquetWriter(
                self._draft, RECORD_SCHEMA, compression="zstd", use_dictionary=_REPEATING
            )
        except OSError as error:
            raise self._unwritable(error) from None

    def _write_whole_pages(self) -> None:
        """Write the next pages, in order, as long as all their records are answered."""
        while sum(map(len, self._tables)) >= _PAGE:
            page = self._pages[self._written >> _PAGE_BITS]
            if not self._is_file and page.answered < _PAGE:
                return
            together = pa.concat_tables(self._tables)
            self._tables = deque([together.slice(_PAGE)] if len(together) > _PAGE else [])
            try:
                self._write_page(together.slice(0, _PAGE))
            except OSError as error:
                raise self._unwritable(error) from None

    def _write_page(self, table: pa.Table) -> None:
        number = self._written >> _PAGE_BITS
        page, rows = self._pages.pop(number), len(table)
        missing = page.partition[:rows] == _NOWHERE
        errors: list[str | None] = [None] * rows
        if not self._is_file:
            for row in np.flatnonzero(missing).tolist():
                errors[row] = page.errors.get(row, UNANSWERED)
        places = {
            "partition": pa.array(page.partition[:rows], mask=missing),
            "offset": pa.array(page.offset[:rows], mask=missing),
            "error": pa.array(errors, pa.string()),
        }
        columns = [places.get(name) or table[name] for name in RECORD_SCHEMA.names]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=RECORD_SCHEMA))
        self._written += rows

    def _unwritable(self, error: Exception) -> MachineError:
        self._has_failed = True
        self._draft.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error)
        what = f"Cannot write the ledger in {self._folder}: {reason}."
        return MachineError(what, "Free some room there, or name another folder with --ledger.")


def _prepare(folder: Path) -> Path:
    """Create the folder, delete the remains of an unfinished run; return the file to write first.

    Raises:
        MisuseError: the folder holds a ledger, or other files.
        MachineError: it cannot be created.
    """
    records = folder / RECORDS
    try:
        if (folder / SEAL).exists():
            what = f"{folder} already holds a ledger."
            raise MisuseError(what, "Name another folder with --ledger, or remove that one.")
        if folder.exists() and any(one.name not in (RECORDS, COUNTS) for one in folder.iterdir()):
            what = f"{folder} is not empty."
            raise MisuseError(what, "Name a new or empty folder with --ledger.")
        shutil.rmtree(records, ignore_errors=True)
        records.mkdir(parents=True)
    except OSError as error:
        what = f"Cannot create {records}: {error.strerror}."
        raise MachineError(what, "Name another folder with --ledger.") from None
    return records / (_FILE + _DRAFT)


def _count(records: Path, counts: Path, run: str, seed: int) -> Seal:
    with duckdb.connect() as connection:
        target = str(counts).replace("'", "''")
        connection.execute(_COUNTS.format(target=f"'{target}'"), {"records": str(records)})

        def tally(column: str) -> dict[str, int]:
            query = f"SELECT {column}, count(*) FROM read_parquet($records) GROUP BY 1 ORDER BY 1"
            rows = connection.execute(query, {"records": str(records)}).fetchall()
            return {name: count for name, count in rows if name is not None}

        [totals] = connection.execute(
            """
            SELECT count(*), count("offset"), count(error),
              count(*) FILTER (WHERE is_counted AND answer = 'accepted'),
              CAST(coalesce(sum(ms_played) FILTER (WHERE answer = 'accepted'), 0) AS BIGINT)
            FROM read_parquet($records)
            """,
            {"records": str(records)},
        ).fetchall()
        return Seal(
            run=run,
            seed=seed,
            records=totals[0],
            acknowledged=totals[1],
            unknown=totals[2],
            answers=tally("answer"),
            reasons=tally("reason"),
            faults=tally("fault"),
            counted_plays=totals[3],
            ms_played=totals[4],
        )
