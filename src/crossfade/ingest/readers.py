"""The readers of the supported formats, with what a user chooses for them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.jsonl import read_jsonl
from crossfade.ingest.rows import EqualRows, Judge, Row
from crossfade.ingest.spotify import read_spotify

RowReader = Callable[[BinaryIO, Judge], Iterator[Row]]


class ImportOptions(NamedTuple):
    """What a user chooses for an import.

    `user_id` is the listener of files that do not name one; `song_ids_of` the source whose name
    becomes part of the song ids of JSON lines.
    """

    user_id: str = ""
    song_ids_of: str = ""


def reader_of(
    import_format: ImportFormat, options: ImportOptions, *, is_one_export: bool = False
) -> RowReader:
    """Return the reader of an export in this format, for all its files in order."""
    equal_rows = EqualRows(is_one_export=is_one_export)
    if import_format is ImportFormat.SPOTIFY:
        return partial(read_spotify, user_id=options.user_id, equal_rows=equal_rows)
    return partial(read_jsonl, song_ids_of=options.song_ids_of, equal_rows=equal_rows)
