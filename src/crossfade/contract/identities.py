"""Ids derived from content: the same song or play has the same id on every machine."""

import base64
import hashlib

from crossfade.contract.text import normalise

_SEPARATOR = "\x1f"
_ID_LENGTH = 22


def derive_song_id(artist: str, title: str) -> str:
    """Return an id (version 1) for a song without one; case and white space make no difference."""
    return _digest(_fold(artist), _fold(title))


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
    numbers the equal rows of a file, from 0.
    """
    heard = "" if ms_played is None else str(ms_played)
    return _digest(source, user_id, str(event_time), song_id, heard, str(ordinal))


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
