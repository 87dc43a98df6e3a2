"""Ids derived from content: the same song or play has the same id on every machine."""

import base64
import hashlib
from functools import lru_cache

from crossfade.contract.text import normalise

_SEPARATOR = "\x1f"
_ID_LENGTH = 22


def derive_song_id(artist: str, title: str) -> str:
    """Return an id (version 1) for a song without one; case and white space make no difference."""
    return _digest(_fold(artist), _fold(title))


def derive_song_id_of(source: str, song_id: str) -> str:
    """Return an id for a song that only one source calls `song_id`."""
    return _digest(source, song_id)


@lru_cache(1 << 16)
def artist_key(artist: str) -> str:
    """Return the key that charts group an artist by; case and white space make no difference."""
    return _fold(artist)


def derive_event_id(
    source: str,
    user_id: str,
    *,
    event_time: int,
    song_id: str,
    ms_played: int | None = None,
    ordinal: int = 0,
) -> str:
    """Return the id of an imported play.

    A row has the same id in every import, so importing a file again adds nothing. `ordinal`
    numbers the equal rows of an export, from 0.
    """
    heard = "" if ms_played is None else str(ms_played)
    return _digest(source, user_id, str(event_time), song_id, heard, str(ordinal))


def derive_event_id_from(source: str, user_id: str, event_id: str) -> str:
    """Return a valid id for a play that its source calls `event_id`, which breaks the rule."""
    return _digest("event_id", source, user_id, event_id)


def derive_repaired_event_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of a play whose record was rejected and repaired, and has no valid id.

    It depends only on the position, so repairing a record twice results in the same play.
    """
    return _digest(topic, str(partition), str(offset))


def _fold(text: str) -> str:
    return " ".join(normalise(text).casefold().split())


def _digest(*parts: str) -> str:
    digest = hashlib.sha256(_SEPARATOR.join(parts).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_ID_LENGTH]
