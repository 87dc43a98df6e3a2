"""Encoder of plays as records: the contract's JSON, joined from prepared pieces by column."""

from collections.abc import Iterable
from itertools import product
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossfade.contract.play import SCHEMA_VERSION
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.draws import Integers, take_bits
from crossfade.generator.listeners import DEVICES, TIERS
from crossfade.generator.pieces import (
    HOLE,
    THREE_DIGITS,
    WORD,
    Template,
    decimals,
    hex_digits,
    thirteen_digits,
)
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays

SOURCE = "simulation"
"""The `source` of every simulated play, which sets it apart from real ones."""

CLIENTS = dict(
    zip(
        DEVICES,
        ("Tide", "Tide", "Tide Voice", "Tide", "Tide", "Tide TV", "Tide Drive", "Tide"),
        strict=True,
    )
)
CLIENT_VERSION = "8.4.1"
CONTEXTS = ("playlist", "album", "artist", "radio")
REASONS_START = ("trackdone", "clickrow")

_OFFSETS = range(-720, 841, 15)
_TIME = 13 * HOLE
_TIME_DIGITS = (10**12, 10**13)
_NOTHING = b""
_SECOND = 1_000
_SHORT_MS = 1_000 * _SECOND
"""Times within this range share few seconds, so that each second is written once."""

_ENDS = tuple(product((False, True), (None, True)))
"""The combinations of `skipped` (false or true) and `offline` (absent or true)."""


class PlayEncoder:
    """Encodes plays byte for byte as the contract's own encoder does. It is not thread-safe.

    Args:
        catalogue: the songs, to which plays refer by number.
        run: the prefix of event ids.
        all_fields: write every optional field of the contract, not only the usual ones.
        newline: end each record with a line feed, for files.
    """

    def __init__(
        self, catalogue: Catalogue, run: str, *, all_fields: bool = False, newline: bool = False
    ) -> None:
        self.run = run
        self.end = b"\n" if newline else b""
        """The bytes after each record."""
        self._duration = catalogue.duration_ms
        self._front = Template(
            f'{{"event_id":"{run}-'.encode(), WORD, b'","user_id":"', WORD, b'",'
        )
        self._when = Template(_TIME, f',"schema_version":{SCHEMA_VERSION},"ms_played":'.encode())
        self._song = _pieces(_song_pieces(catalogue))
        self._about = _pieces(_about_pieces(catalogue, all_fields=all_fields))
        self._place = _pieces(_place_pieces())
        self._rest: _Rest = _AllRest(self.end) if all_fields else _UsualRest(self.end)

    def encode(self, plays: Plays) -> pa.BinaryArray:
        """Encode each play as one JSON object."""
        song = pa.array(plays.song)
        is_skipped = plays.ms_played < self._duration[plays.song]
        return pc.binary_join_element_wise(
            self._front.fill(hex_digits(plays.play), hex_digits(plays.user)),
            self._song.take(song),
            self._write_time(plays.event_time),
            decimals(plays.ms_played),
            self._about.take(song),
            self._place.take(pa.array(plays.place)),
            *self._rest.write(plays, is_skipped),
            pa.scalar(_NOTHING, pa.binary()),
        )

    def _write_time(self, time: Integers) -> pa.Array:
        first, last = (int(time.min()), int(time.max())) if len(time) else (0, 0)
        if len(time) and not (_TIME_DIGITS[0] <= first and last < _TIME_DIGITS[1]):
            rest = pa.scalar(self._when.rest, pa.binary())
            nothing = pa.scalar(_NOTHING, pa.binary())
            return pc.binary_join_element_wise(decimals(time), rest, nothing)
        if last - first > _SHORT_MS:
            return self._when.fill(thirteen_digits(time))
        begin = first - first % _SHORT_MS
        digits = thirteen_digits(begin + np.arange(2 * _SHORT_MS // _SECOND) * _SECOND)
        since = time - begin
        second = since // _SECOND
        written = digits.view("V13").ravel()[second].view(np.uint8).reshape(-1, 13)
        written[:, -3:] = THREE_DIGITS[since - second * _SECOND]
        return self._when.fill(written)


class _Rest(Protocol):
    """Encodes the fields after a play's country and city."""

    def write(self, plays: Plays, is_skipped: NDArray[np.bool_]) -> list[pa.Array]:
        """Return the pieces of each play."""


class _UsualRest:
    def __init__(self, end: bytes) -> None:
        self._pieces = _pieces(
            _fields(device=device, tier=tier, skipped=skipped, offline=offline, source=SOURCE)
            + b"}"
            + end
            for device, tier, (skipped, offline) in product(DEVICES, TIERS, _ENDS)
        )

    def write(self, plays: Plays, is_skipped: NDArray[np.bool_]) -> list[pa.Array]:
        number = (plays.device.astype(np.int64) * len(TIERS) + plays.tier) * len(_ENDS)
        return [self._pieces.take(pa.array(number + _number_ends(plays, is_skipped)))]


class _AllRest:
    def __init__(self, end: bytes) -> None:
        self._how = _pieces(_how_pieces())
        self._session = Template(b'"', WORD, b'"')
        self._ends = _pieces(_end_pieces())
        tail = f',"source":"{SOURCE}","source_play_id":"'.encode()
        self._tail = Template(tail, WORD, b'","time_precision":"ms"}' + end)

    def write(self, plays: Plays, is_skipped: NDArray[np.bool_]) -> list[pa.Array]:
        offset = (plays.utc_offset_min.astype(np.int64) - _OFFSETS.start) // _OFFSETS.step
        how = (offset * len(DEVICES) + plays.device) * len(TIERS) + plays.tier
        context = take_bits(plays.session, 20, 2)
        start = take_bits(plays.play, 8, 1)
        shuffled = take_bits(plays.session, 22, 1)
        end = ((context * len(REASONS_START) + start) * 2 + shuffled) * len(_ENDS)
        return [
            self._how.take(pa.array(how)),
            self._session.fill(hex_digits(plays.session)),
            self._ends.take(pa.array(end + _number_ends(plays, is_skipped))),
            self._tail.fill(hex_digits(plays.play)),
        ]


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _pieces(texts: Iterable[bytes]) -> pa.Array:
    return pa.array(list(texts), pa.binary())


def _song_pieces(catalogue: Catalogue) -> Iterable[bytes]:
    names = zip(catalogue.song_ids, catalogue.titles, catalogue.artists, strict=True)
    for song_id, title, artist in names:
        yield (
            f'"song_id":{_json(song_id)},"title":{_json(title)},"artist":{_json(artist)}'
            ',"event_time":'
        ).encode()


def _about_pieces(catalogue: Catalogue, *, all_fields: bool) -> Iterable[bytes]:
    artists = catalogue.artists if all_fields else [None] * len(catalogue)
    for duration, album, album_artist, genre, artist, isrc, mbid in zip(
        catalogue.duration_ms.tolist(),
        catalogue.albums,
        catalogue.album_artists,
        catalogue.genres,
        artists,
        catalogue.isrcs,
        catalogue.recording_mbids,
        strict=True,
    ):
        yield _fields(
            duration_ms=duration,
            album=album,
            album_artist=album_artist or artist,
            genre=genre,
            artists=[{"name": artist}] if artist else None,
            isrc=isrc,
            recording_mbid=mbid,
        )


def _place_pieces() -> Iterable[bytes]:
    places = read_places()
    for country, city in zip(places.country.tolist(), places.cities, strict=True):
        yield _fields(country=places.countries[country], city=city or None)


def _how_pieces() -> Iterable[bytes]:
    for offset, device, tier in product(_OFFSETS, DEVICES, TIERS):
        client = {"client": CLIENTS[device], "client_version": CLIENT_VERSION}
        given = _fields(utc_offset_min=offset, device=device, **client, tier=tier)
        yield given + b',"session_id":'


def _end_pieces() -> Iterable[bytes]:
    for context, start, shuffle, (skipped, offline) in product(
        CONTEXTS, REASONS_START, (False, True), _ENDS
    ):
        yield _fields(
            context_type=context,
            context_id=f"{context}-1",
            reason_start=start,
            reason_end="fwdbtn" if skipped else "trackdone",
            skipped=skipped,
            shuffle=shuffle,
            offline=offline,
        )


def _number_ends(plays: Plays, is_skipped: NDArray[np.bool_]) -> Integers:
    """Return the index of each play's combination in `_ENDS`."""
    return is_skipped * np.int64(2) + plays.is_offline


def _fields(**fields: object) -> bytes:
    """Encode the fields that are not None, each after a comma, in this order."""
    given = ((name, value) for name, value in fields.items() if value is not None)
    return b"".join(b',"%s":%s' % (name.encode(), msgspec.json.encode(v)) for name, v in given)
