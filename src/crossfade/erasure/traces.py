"""Search for an id: in the columns of a data file, or in the bytes of any file."""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TELLING_BYTES = 8
"""A shorter id occurs in other text by chance; it only counts in fields that name a listener."""

_ROWS = 65_536
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Needle:
    """An id as it may occur in bytes: NFC or NFD, plain or escaped as ASCII JSON."""

    user_id: str

    @property
    def is_telling(self) -> bool:
        """Check whether the id is long enough to search for in any text."""
        return len(self.user_id.encode()) >= TELLING_BYTES

    @property
    def forms(self) -> list[str]:
        """Return the texts to search for."""
        written = [unicodedata.normalize(form, self.user_id) for form in ("NFC", "NFD")]
        return list(dict.fromkeys([*written, *(json.dumps(text)[1:-1] for text in written)]))


def search_columns(path: Path, needle: Needle) -> dict[str, int]:
    """Count, by column, the values in a Parquet file that name the listener.

    Every text and binary column is searched, including nested ones. A short id counts only in a
    listener's own column, and as `user_id` within JSON.
    """
    found: dict[str, int] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for leaf, values in _list_leaves(name, column):
                    if count := _count(leaf, values, needle):
                        found[leaf] = found.get(leaf, 0) + count
    return found


def holds_bytes(path: Path, needle: Needle) -> bool:
    """Check whether the id occurs in the bytes of a file."""
    forms = [form.encode() for form in needle.forms]
    overlap = max(map(len, forms)) - 1
    kept = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            window = kept + chunk
            if any(form in window for form in forms):
                return True
            kept = window[-overlap:] if overlap else b""
    return False


def _list_leaves(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    kind = column.type
    if pa.types.is_struct(kind):
        for field, inner in zip(kind, column.flatten(), strict=True):
            yield from _list_leaves(f"{name}.{field.name}", inner)
    elif pa.types.is_map(kind):
        yield from _list_leaves(f"{name}.key", column.keys)
        yield from _list_leaves(f"{name}.value", column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _list_leaves(name, column.flatten())
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield name, column


def _count(name: str, values: pa.Array, needle: Needle) -> int:
    if needle.is_telling:
        return sum(_count_true(pc.match_substring(values, form)) for form in needle.forms)
    is_binary = pa.types.is_binary(values.type)
    if name == ("key" if is_binary else "user_id"):
        wanted = [form.encode() if is_binary else form for form in needle.forms]
        return _count_true(pc.is_in(values, pa.array(wanted, values.type)))
    if not is_binary:
        return 0
    forms = b"|".join(re.escape(form.encode()) for form in needle.forms)
    named = re.compile(rb'"user_id"\s*:\s*"(?:' + forms + rb')"')
    near = values.filter(pc.fill_null(pc.match_substring(values, '"user_id"'), False))
    return sum(named.search(value) is not None for value in near.to_pylist())


def _count_true(matches: pa.Array) -> int:
    return int(pc.sum(matches).as_py() or 0)
