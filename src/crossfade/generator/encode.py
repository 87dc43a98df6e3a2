"""Plays as records: the contract's JSON, joined from ready pieces a column at a time."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossfade.contract.play import SCHEMA_VERSION
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.draws import Integers, Words, take_bits
from crossfade.generator.listeners import DEVICES, TIERS
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays

SOURCE = "simulation"
"""Written into every simulated play, so that nobody takes it for a real one."""

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
_HOLE = b"\0"
_WORD = 16 * _HOLE
_TIME = 13 * _HOLE
_TIME_DIGITS = (10**12, 10**13)
_NOTHING = b""


class PlayEncoder:
    """Writes plays byte for byte as the contract's own encoder does.

    Args:
        catalogue: the songs that plays name by their number.
        run: what every event id begins with.
        all_fields: write every optional field that the contract knows, not the usual ones alone.
        newline: end each record with a line feed, for files.
    """

    def __init__(
        self, catalogue: Catalogue, run: str, *, all_fields: bool = False, newline: bool = False
    ) -> None:
        self.run = run
        self._all_fields = all_fields
        self._front = Template(
            f'{{"event_id":"{run}-'.encode(), _WORD, b'","user_id":"', _WORD, b'",'
        )
        self._when = Template(_TIME, f',"schema_version":{SCHEMA_VERSION},"ms_played":'.encode())
        self._song = _pieces(_song_pieces(catalogue))
        self._about = _pieces(_about_pieces(catalogue, all_fields=all_fields))
        self._place = _pieces(_place_pieces())
        self._how = _pieces(_how_pieces(all_fields=all_fields))
        self._session = Template(b'"', _WORD, b'"')
        self.end = b"\n" if newline else b""
        """What follows each record."""
        end = b"}" + self.end
        tail = f',"source":"{SOURCE}"'.encode()
        if all_fields:
            self._tail = Template(
                tail + b',"source_play_id":"', _WORD, b'","time_precision":"ms"' + end
            )
            tail = end = _NOTHING
        self._end = _pieces(piece + tail + end for piece in _end_pieces(all_fields=all_fields))
        self._duration = catalogue.duration_ms

    def encode(self, plays: Plays) -> pa.BinaryArray:
        """Write each play as one JSON object."""
        song = pa.array(plays.song)
        tail = [self._tail.fill(hex_digits(plays.play))] if self._all_fields else []
        return pc.binary_join_element_wise(
            self._front.fill(hex_digits(plays.play), hex_digits(plays.user)),
            self._song.take(song),
            self._write_time(plays.event_time),
            pc.cast(pc.cast(pa.array(plays.ms_played), pa.string()), pa.binary()),
            self._about.take(song),
            self._place.take(pa.array(plays.place)),
            self._how.take(pa.array(self._number_how(plays))),
            self._session.fill(hex_digits(plays.session)),
            self._end.take(pa.array(self._number_end(plays))),
            *tail,
            pa.scalar(_NOTHING, pa.binary()),
        )

    def _write_time(self, time: Integers) -> pa.Array:
        if len(time) and not (_TIME_DIGITS[0] <= time.min() and time.max() < _TIME_DIGITS[1]):
            digits = pc.cast(pc.cast(pa.array(time), pa.string()), pa.binary())
            rest = pa.scalar(self._when.rest, pa.binary())
            return pc.binary_join_element_wise(digits, rest, pa.scalar(_NOTHING, pa.binary()))
        return self._when.fill(_thirteen_digits(time))

    def _number_how(self, plays: Plays) -> Integers:
        offset = (plays.utc_offset_min.astype(np.int64) - _OFFSETS.start) // _OFFSETS.step
        return (offset * len(DEVICES) + plays.device) * len(TIERS) + plays.tier

    def _number_end(self, plays: Plays) -> Integers:
        """Number the last piece of each play, in the order in which `product` made them."""
        skipped = plays.ms_played < self._duration[plays.song]
        end = skipped * 2 + plays.is_offline
        if not self._all_fields:
            return end
        context = take_bits(plays.session, 20, 2)
        start = take_bits(plays.play, 8, 1)
        shuffled = take_bits(plays.session, 22, 1)
        return ((context * len(REASONS_START) + start) * 2 + shuffled) * 4 + end


class Template:
    """A piece of fixed width: bytes with holes, which a column of bytes fills."""

    def __init__(self, *parts: bytes) -> None:
        whole = b"".join(parts)
        self._bytes = np.frombuffer(whole, np.uint8)
        self.rest = whole.lstrip(_HOLE)
        self._holes: list[slice] = []
        begin = 0
        for part in parts:
            if part.startswith(_HOLE):
                self._holes.append(slice(begin, begin + len(part)))
            begin += len(part)

    def fill(self, *columns: NDArray[np.uint8]) -> pa.BinaryArray:
        """Give one piece a row; each column has the width of its hole."""
        rows, width = len(columns[0]), len(self._bytes)
        pieces = np.empty((rows, width), np.uint8)
        pieces[:] = self._bytes
        for hole, column in zip(self._holes, columns, strict=True):
            pieces[:, hole] = column
        ends = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(pieces)]
        return pa.BinaryArray.from_buffers(pa.binary(), rows, buffers)


def hex_digits(words: Words) -> NDArray[np.uint8]:
    """Write each word as 16 hexadecimal digits, its lowest four first."""
    return _HEX[words.astype("<u8", copy=False).view("<u2")].view(np.uint8).reshape(-1, 16)


def hex_texts(words: Words) -> pa.StringArray:
    """Give the same digits as texts."""
    return pc.cast(Template(_WORD).fill(hex_digits(words)), pa.string())


def _table_of(texts: Iterable[str]) -> NDArray[np.uint32]:
    return np.frombuffer("".join(texts).encode(), np.uint32)


_HEX = _table_of(f"{number:04x}" for number in range(1 << 16))
_FOUR = _table_of(f"{number:04}" for number in range(10_000))


def _thirteen_digits(numbers: Integers) -> NDArray[np.uint8]:
    digits = np.empty((len(numbers), 13), np.uint8)
    first, rest = np.divmod(numbers, 10**9)
    second, rest = np.divmod(rest, 10**5)
    third, last = np.divmod(rest, 10)
    for begin, part in ((0, first), (4, second), (8, third)):
        digits[:, begin : begin + 4] = _FOUR[part].view(np.uint8).reshape(-1, 4)
    digits[:, 12] = last + ord("0")
    return digits


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


def _how_pieces(*, all_fields: bool) -> Iterable[bytes]:
    for offset, device, tier in product(_OFFSETS, DEVICES, TIERS):
        client = {"client": CLIENTS[device], "client_version": CLIENT_VERSION} if all_fields else {}
        given = _fields(utc_offset_min=offset, device=device, **client, tier=tier)
        yield given + b',"session_id":'


def _end_pieces(*, all_fields: bool) -> Iterable[bytes]:
    ends: Sequence[tuple[Any, ...]] = list(product((False, True), (None, True)))
    if not all_fields:
        for skipped, offline in ends:
            yield _fields(skipped=skipped, offline=offline)
        return
    for context, start, shuffle, (skipped, offline) in product(
        CONTEXTS, REASONS_START, (False, True), ends
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


def _fields(**fields: object) -> bytes:
    """Write the fields that are not None, each behind a comma, in this order."""
    given = ((name, value) for name, value in fields.items() if value is not None)
    return b"".join(b',"%s":%s' % (name.encode(), msgspec.json.encode(v)) for name, v in given)
