"""The suppression list: erased listeners, known only by keyed hashes, whose records are kept out.

The list is in `DIR/suppression`: `key`, random bytes that only the owner may read, and
`erased.json`, a hash for each listener. Without the key, ids cannot be tried against the hashes.

Hashing every record's listener would take as long as decoding the record. So an entry also has a
sieve, a few bits of a cheap checksum: only ids that pass it are hashed.
"""

import hmac
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import msgspec

from crossfade.clock import now_ms
from crossfade.contract.text import normalise
from crossfade.errors import LakeError
from crossfade.folder import DataFolder, write_atomically

ERASED = "erased"
"""The outcome of an erased listener's record, which is neither accepted nor rejected."""

ERASED_HEADER = "crossfade-erased"
"""The only header, without a value, of such a record in bronze; its key and value are removed."""

_KEY_BYTES = 32
_SIEVE_SHIFT = 20
"""The sieve keeps 12 of the checksum's 32 bits, so one in 4,096 other ids is hashed."""

_USER_ID = re.compile(rb'"user_id"\s*+:\s*+("(?:[^"\\]++|\\.)*+")', re.DOTALL)
_CURE = "Restore the folder from a backup: without it erased listeners would come back."


class Erased(msgspec.Struct, frozen=True):
    """A listener on the list: since when (ms), and the run that had removed all their records."""

    hash: str
    sieve: int
    at: int
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """The erased listeners whose records the decoder leaves out; sent to every worker."""

    key: bytes = field(default=b"", repr=False)
    hashes: frozenset[str] = frozenset()
    sieves: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Check whether the list has an entry."""
        return bool(self.hashes)

    def covers(self, user_id: str | bytes | None) -> bool:
        """Check whether an id, as text or as UTF-8, is an erased listener's."""
        if not self.hashes or user_id is None:
            return False
        known = _write_id(user_id)
        return _sift(self.key, known) in self.sieves and _hash(self.key, known) in self.hashes

    def covers_any(self, user_ids: Iterable[str | bytes | None]) -> set[str | bytes | None]:
        """Return the ids that are erased listeners'; faster than `covers` for many ids."""
        if not self.hashes:
            return set()
        seed, sieves = _seed(self.key), self.sieves
        near = [
            one
            for one in set(user_ids)
            if one is not None
            and (
                not one.isascii()
                or crc32(one if type(one) is bytes else one.encode(), seed) >> _SIEVE_SHIFT  # type: ignore[union-attr]
                in sieves
            )
        ]
        return {one for one in near if self.covers(one)}

    def covers_value(self, value: bytes | None) -> bool:
        """Check whether the bytes of a rejected record name an erased listener as its `user_id`."""
        if not self.hashes or value is None:
            return False
        return any(self.covers(_read_text(text)) for text in _USER_ID.findall(value))

    def covers_record(self, key: bytes | None, user_id: str | None, value: bytes | None) -> bool:
        """Check whether a record is an erased listener's; `user_id` is None unless it is a play."""
        if self.covers(key):
            return True
        return self.covers(user_id) if user_id is not None else self.covers_value(value)


NOBODY = Suppression()


def is_blank(
    key: bytes | None, headers: Sequence[tuple[str, bytes | None]], value: bytes | None
) -> bool:
    """Check whether an erasure has removed the content of a record of bronze."""
    return key is None and value is None and tuple(headers) == ((ERASED_HEADER, None),)


def load_suppression(folder: DataFolder, *, pending: bool = False) -> Suppression:
    """Read the list; with `pending`, only those whose records no run has removed yet.

    Raises:
        LakeError: one of the two files is damaged or missing.
    """
    chosen = [one for one in list_erased(folder) if not pending or one.run is None]
    if not chosen:
        return NOBODY
    hashes, sieves = {one.hash for one in chosen}, {one.sieve for one in chosen}
    return Suppression(_read_key(folder), frozenset(hashes), frozenset(sieves))


def list_erased(folder: DataFolder) -> list[Erased]:
    """Read every entry of the list; empty if no listener was erased.

    Raises:
        LakeError: the file is damaged.
    """
    path = _list_path(folder)
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Erased])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        what = f"Cannot read {path}: {error}."
        raise LakeError(what, _CURE) from None


def add_listener(folder: DataFolder, user_id: str) -> Erased:
    """Add a listener to the list, permanently; the caller holds batch's lock.

    For a listener who is already on it, the next run searches again.
    """
    key, known = _make_key(folder), _write_id(user_id)
    entry = Erased(_hash(key, known), _sift(key, known), now_ms())
    others = [one for one in list_erased(folder) if one.hash != entry.hash]
    _write(folder, [*others, entry])
    return entry


def mark_removed(folder: DataFolder, run: int) -> None:
    """Store that a published run has removed all earlier records of the listeners on the list."""
    listed = list_erased(folder)
    if any(one.run is None for one in listed):
        removed = msgspec.structs.replace
        _write(folder, [one if one.run is not None else removed(one, run=run) for one in listed])


def _write(folder: DataFolder, listed: list[Erased]) -> None:
    write_atomically(_list_path(folder), msgspec.json.encode(listed))


def _write_id(user_id: str | bytes) -> bytes:
    """Return an id as UTF-8 in NFC, as the contract reads it."""
    known = user_id if isinstance(user_id, bytes) else user_id.encode("utf-8", "surrogatepass")
    if not known.isascii():
        with suppress(UnicodeDecodeError):
            known = normalise(known.decode()).encode()
    return known


def _hash(key: bytes, known: bytes) -> str:
    return hmac.digest(key, known, "sha256").hex()


def _sift(key: bytes, known: bytes) -> int:
    return crc32(known, _seed(key)) >> _SIEVE_SHIFT


def _seed(key: bytes) -> int:
    return int.from_bytes(key[:4])


def _read_text(text: bytes) -> str | bytes:
    """Decode a JSON string; if it is invalid, return the bytes between its quotes."""
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text[1:-1]


def _read_key(folder: DataFolder) -> bytes:
    path = _key_path(folder)
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) != _KEY_BYTES:
        what = f"{path} is missing or damaged."
        raise LakeError(what, _CURE)
    return key


def _make_key(folder: DataFolder) -> bytes:
    path = _key_path(folder)
    if path.exists() or list_erased(folder):
        return _read_key(folder)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(_KEY_BYTES)
    draft = path.with_name(".key")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return key


def _key_path(folder: DataFolder) -> Path:
    return folder.root / "suppression" / "key"


def _list_path(folder: DataFolder) -> Path:
    return folder.root / "suppression" / "erased.json"
