"""Ids made from content, so that the same song or the same play has the same id anywhere."""

import base64
import hashlib

from crossfade.contract.text import normalise

_SEPARATOR = "\x1f"
_ID_LENGTH = 22


def derive_song_id(artist: str, title: str) -> str:
    """Return version 1 of the id of a song that has none: equal but for case and spaces is equal."""
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
    """Return an imported play's id; `ordinal` numbers the equal rows of a file, from 0.

    The same row has the same id in every import, so importing a file again adds nothing.
    """
    heard = "" if ms_played is None else str(ms_played)
    return _digest(source, user_id, str(event_time), song_id, heard, str(ordinal))


def derive_repaired_event_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of a play whose record was rejected and repaired, and had no good id itself.

    However often the record at a position is repaired and sent, it is the same play.
    """
    return _digest(topic, str(partition), str(offset))


def _fold(text: str) -> str:
    return " ".join(normalise(text).casefold().split())


def _digest(*parts: str) -> str:
    digest = hashlib.sha256(_SEPARATOR.join(parts).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_ID_LENGTH]
