"""Plays as records: the contract's JSON, joined from ready pieces a column at a time."""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossfade.contract.play import SCHEMA_VERSION
from crossfade.generator.listeners import DEVICES, TIERS
from crossfade.generator.model import Audience, Plays
from crossfade.generator.populations import read_populations

SOURCE = "simulation"
"""Written into every simulated play, so that nobody takes it for a real one."""


class Records(NamedTuple):
    """Keys and values, in the order of the plays."""

    keys: list[bytes]
    values: list[bytes]


class PlayEncoder:
    """Writes the plays of one audience in one run, byte for byte as the contract's own encoder.

    An event id is the run's id and the play's number: the same play of the same run, sent again,
    has the same id, and plays of two runs never share one.
    """

    def __init__(self, audience: Audience, run: str) -> None:
        self._audience = audience
        self._begin = _piece(f'{{"event_id":"{run}-')
        self._middle = _piece(f',"schema_version":{SCHEMA_VERSION},"ms_played":')
        self._keys = [user_id.encode() for user_id in audience.listeners.user_ids]
        self._listeners = _pieces(
            f'","user_id":{_json(user_id)},' for user_id in audience.listeners.user_ids
        )
        songs = audience.catalogue
        names = zip(songs.song_ids, songs.titles, songs.artists, strict=True)
        self._names = _pieces(
            f'"song_id":{_json(song_id)},"title":{_json(title)},"artist":{_json(artist)}'
            ',"event_time":'
            for song_id, title, artist in names
        )
        about = zip(songs.duration_ms.tolist(), songs.albums, songs.genres, strict=True)
        self._about = _pieces(
            f',"duration_ms":{duration},"album":{_json(album)},"genre":{_json(genre)}'
            for duration, album, genre in about
        )
        self._ends = _pieces(
            f',"country":"{country}","device":"{device}","tier":"{tier}"'
            f',"skipped":{skipped},"source":"{SOURCE}"}}'
            for country, device, tier, skipped in product(
                read_populations().countries, DEVICES, TIERS, ("false", "true")
            )
        )

    def encode(self, plays: Plays, event_time: NDArray[np.int64]) -> Records:
        """Write each play, started at its `event_time`, as one JSON object without a newline."""
        values = pc.binary_join_element_wise(
            self._begin,
            _digits(np.arange(plays.first, plays.first + len(plays))),
            self._listeners.take(pa.array(plays.listener)),
            self._names.take(pa.array(plays.song)),
            _digits(event_time),
            self._middle,
            _digits(plays.ms_played),
            self._about.take(pa.array(plays.song)),
            self._ends.take(pa.array(self._end_of(plays))),
            _piece(""),
        )
        keys = self._keys
        return Records([keys[listener] for listener in plays.listener.tolist()], values.to_pylist())

    def _end_of(self, plays: Plays) -> NDArray[np.int64]:
        """Number the last piece of each play, in the order in which `product` made them."""
        listeners = self._audience.listeners
        skipped = plays.ms_played < self._audience.catalogue.duration_ms[plays.song]
        place = listeners.country[plays.listener] * len(DEVICES) + plays.device
        return (place * len(TIERS) + listeners.tier[plays.listener]) * 2 + skipped


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _piece(text: str) -> pa.Scalar:
    return pa.scalar(text.encode(), pa.binary())


def _pieces(texts: Iterable[str]) -> pa.Array:
    return pa.array([text.encode() for text in texts], pa.binary())


def _digits(numbers: NDArray[np.int64]) -> pa.Array:
    return pc.cast(pc.cast(pa.array(numbers), pa.string()), pa.binary())
