"""Joined columns are the contract's own bytes."""

import numpy as np
import pytest

from crossfade.contract.decode import decode_play, encode_play
from crossfade.contract.play import Play
from crossfade.generator.encode import SOURCE, PlayEncoder
from crossfade.generator.listeners import DEVICES, TIERS
from crossfade.generator.model import Audience, Plays
from crossfade.generator.populations import read_populations

RUN = "0123456789abcdef"
NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def audience() -> Audience:
    return Audience(11, songs=3_000, listeners=2_000)


def play_of(audience: Audience, plays: Plays, position: int, event_time: int) -> Play:
    songs, listeners = audience.catalogue, audience.listeners
    song, listener = int(plays.song[position]), int(plays.listener[position])
    duration, heard = int(songs.duration_ms[song]), int(plays.ms_played[position])
    return Play(
        event_id=f"{RUN}-{plays.first + position}",
        user_id=listeners.user_ids[listener],
        song_id=songs.song_ids[song],
        title=songs.titles[song],
        artist=songs.artists[song],
        event_time=event_time,
        schema_version=1,
        ms_played=heard,
        duration_ms=duration,
        album=songs.albums[song],
        genre=songs.genres[song],
        country=read_populations().countries[listeners.country[listener]],
        device=list(DEVICES)[plays.device[position]],
        tier="free" if list(TIERS)[listeners.tier[listener]] == "free" else "paid",
        skipped=heard < duration,
        source=SOURCE,
    )


@pytest.mark.parametrize("block", [0, 122])
def test_every_record_is_what_the_contract_would_write(audience: Audience, block: int) -> None:
    plays = audience.draw_block(block)
    event_time = NOW - np.arange(len(plays)) * 977
    keys, values = PlayEncoder(audience, RUN).encode(plays, event_time)
    expected = [
        play_of(audience, plays, position, time)
        for position, time in enumerate(event_time.tolist())
    ]
    assert values == [encode_play(play) for play in expected]
    assert keys == [play.user_id.encode() for play in expected]


def test_every_record_is_accepted_by_the_contract(audience: Audience) -> None:
    plays = audience.draw_block(1)
    times = np.full(len(plays), NOW)
    decoded = [decode_play(v, NOW) for v in PlayEncoder(audience, RUN).encode(plays, times).values]
    assert {type(play) for play in decoded} == {Play}
    assert len({play.event_id for play in decoded if isinstance(play, Play)}) == len(plays)


def test_a_time_before_2001_has_fewer_digits_and_is_written_right(audience: Audience) -> None:
    plays = audience.draw_block(0).part(0, 2)
    values = PlayEncoder(audience, RUN).encode(plays, np.array([999_999_999_999, 10**12])).values
    times = [play.event_time for v in values if isinstance(play := decode_play(v, NOW), Play)]
    assert times == [999_999_999_999, 10**12]
