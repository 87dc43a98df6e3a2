"""Reader of the lines of a catalogue file, CSV or JSON, as named JSON values."""

import csv
import re
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import BinaryIO, NamedTuple

import msgspec

from crossfade.errors import MisuseError, suggest_known

REQUIRED = ("title", "artist")
COLUMNS = (
    *REQUIRED,
    "song_id",
    "album",
    "album_artist",
    "genre",
    "duration_ms",
    "weight",
    "country",
    "release_date",
    "isrc",
    "recording_mbid",
)
_NUMBERS = ("duration_ms", "weight")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_EXACT = 2**53
_IS_NUMBER = re.compile(r"(?=.{1,64}$)(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII).fullmatch

_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Line(NamedTuple):
    """One song as written: its place in the file, and its fields."""

    place: str
    number: int
    fields: dict[str, msgspec.Raw]


def read_csv(file: BinaryIO, name: str) -> Iterator[Line]:
    """Read CSV with a header; an empty cell is an absent field.

    Raises:
        MisuseError: the header or a row is wrong.
    """
    rows = csv.reader(_decode_lines(file, name), skipinitialspace=True, strict=True)
    try:
        header = [column.strip() for column in next(rows, [])]
        _check_header(header, name)
        for row in rows:
            place = f"{name} line {rows.line_num}"
            if row and len(row) != len(header):
                what = f"{place} has {len(row)} cells, the header {len(header)}."
                raise MisuseError(what, "Put texts that contain a comma into quotation marks.")
            given = zip(header, row, strict=True) if row else ()
            fields = {column: _encode_cell(column, cell) for column, cell in given if cell}
            if row:
                yield Line(place, rows.line_num, fields)
    except csv.Error as error:
        what = f"{name} line {rows.line_num} is not CSV: {error}."
        cure = "Close quotation marks, and double them within a text."
        raise MisuseError(what, cure) from None


def read_json_lines(file: BinaryIO, name: str) -> Iterator[Line]:
    """Read one JSON object from each line that is not blank.

    Raises:
        MisuseError: a line is not a JSON object, or has an unknown field.
    """
    for number, text in enumerate(_decode_lines(file, name), start=1):
        if not text.strip():
            continue
        place = f"{name} line {number}"
        try:
            fields = _read_object(text)
        except (msgspec.DecodeError, RecursionError) as error:
            what = f"{place} is not a JSON object: {error}."
            cure = 'Write one on each line, such as {"title": "So What", "artist": "Miles Davis"}.'
            raise MisuseError(what, cure) from None
        _check_names(fields, f"{place}: unknown field", "fields")
        yield Line(place, number, fields)


def _decode_lines(file: BinaryIO, name: str) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).decode()
        except UnicodeDecodeError:
            what = f"{name} line {number} is not UTF-8."
            raise MisuseError(what, "Save it as UTF-8.") from None


def _check_header(header: list[str], name: str) -> None:
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        what = f"{name} is not separated by commas."
        raise MisuseError(what, "Save it as CSV with commas.")
    _check_names(header, f"{name}: unknown column", "columns")
    for column in REQUIRED:
        if column not in header:
            what = f"{name} has no column {column}."
            raise MisuseError(what, f"The first line must name {' and '.join(REQUIRED)}.")
    for column in header:
        if header.count(column) > 1:
            what = f"{name} has the column {column} twice."
            raise MisuseError(what, "Remove one.")


def _check_names(given: Iterable[str], what: str, kind: str) -> None:
    for column in given:
        if column not in COLUMNS:
            which = f"{what} {msgspec.json.encode(column[:60]).decode()}."
            raise MisuseError(which, suggest_known(column, COLUMNS, kind))


def _encode_cell(column: str, cell: str) -> msgspec.Raw:
    """Encode a cell as JSON; an invalid number stays a text, which is refused later."""
    number: int | float | str = cell
    if column in _NUMBERS and _IS_NUMBER(cell.strip()):
        written = float(cell)
        if isfinite(written):
            is_whole = written.is_integer() and written < _MAX_EXACT
            number = int(written) if is_whole else written
    return msgspec.Raw(msgspec.json.encode(number))
