"""Records joined from columns equal the contract's encoding byte for byte."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.clock import parse_time
from crossfade.contract.decode import Rejection, decode_play, encode_play
from crossfade.contract.play import Artist, Play
from crossfade.generator.catalogue import Catalogue, catalogue_of
from crossfade.generator.catalogue_file import CatalogueRow
from crossfade.generator.draws import take_bits
from crossfade.generator.encode import (
    CLIENT_VERSION,
    CLIENTS,
    CONTEXTS,
    REASONS_START,
    SOURCE,
    PlayEncoder,
)
from crossfade.generator.faults import OVERSIZED_BYTES, Fault, broken_records
from crossfade.generator.listeners import DEVICES, TIERS
from crossfade.generator.model import Audience, Society
from crossfade.generator.outbox import as_sendings
from crossfade.generator.pieces import hex_texts
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays, join_plays
from crossfade.generator.records import write_records

RUN = "0123456789ab"
BEGIN = parse_time("2024-03-30")
LATER = BEGIN + 10**10

NAMES = (
    'He said "no" \\ and left',
    "🎷 Blue 👩‍👩‍👧 note",
    "شارع النيل",
    "\u202eעברית\u202c and back",  # noqa: RUF001
    "Don't / <b>stop</b> & go",
    "Ångström’s café, 夜に駆ける",  # noqa: RUF001
    "e" * 512,
)


def odd_catalogue() -> Catalogue:
    """Return songs with odd names, some with every optional field and some with none."""
    rows = [
        CatalogueRow(
            title=name,
            artist=NAMES[-number],
            song_id=f"song {number}",
            album=name[::-1] if number % 2 else None,
            album_artist=name if number % 3 else None,
            genre="übergenre" if number % 2 else None,
            duration_ms=1 if number == 0 else 200_000 + number,
            weight=10,
            country="SE" if number % 2 else None,
            release_day=None,
            isrc="SEABC2400001" if number % 2 else None,
            recording_mbid="0f0f0f0f-1111-2222-3333-444444444444" if number % 3 else None,
        )
        for number, name in enumerate(NAMES)
    ]
    return catalogue_of(0, 0, rows)


def plays_of(catalogue: Catalogue, count: int) -> Plays:
    """Return at least `count` plays around the night in which Europe's clocks change."""
    society = Society(seed=11, listeners=20_000, plays_per_second=count / 100_000)
    audience = Audience(society, catalogue, begin=BEGIN, end=BEGIN + 2 * 10**8)
    parts: list[Plays] = []
    while sum(map(len, parts)) < count and (plays := audience.next_plays()) is not None:
        parts.append(plays)
    return join_plays(parts)


def play_at(catalogue: Catalogue, plays: Plays, row: int, *, all_fields: bool = False) -> Play:
    """Build the play of one row, field by field."""
    places = read_places()
    song, place = int(plays.song[row]), int(plays.place[row])
    device = list(DEVICES)[plays.device[row]]
    duration, heard = int(catalogue.duration_ms[song]), int(plays.ms_played[row])
    skipped = heard < duration
    play = Play(
        event_id=f"{RUN}-{hex_texts(plays.play[row : row + 1])[0].as_py()}",
        user_id=hex_texts(plays.user[row : row + 1])[0].as_py(),
        song_id=catalogue.song_ids[song],
        title=catalogue.titles[song],
        artist=catalogue.artists[song],
        event_time=int(plays.event_time[row]),
        schema_version=1,
        ms_played=heard,
        duration_ms=duration,
        album=catalogue.albums[song],
        album_artist=catalogue.album_artists[song],
        genre=catalogue.genres[song],
        isrc=catalogue.isrcs[song],
        recording_mbid=catalogue.recording_mbids[song],
        country=places.countries[places.country[place]],
        city=places.cities[place] or None,
        device=device,
        tier="paid" if TIERS[plays.tier[row]] == "paid" else "free",
        skipped=skipped,
        offline=True if plays.is_offline[row] else None,
        source=SOURCE,
    )
    if not all_fields:
        return play
    session, word = plays.session[row : row + 1], plays.play[row : row + 1]
    context = CONTEXTS[int(take_bits(session, 20, 2)[0])]
    artist = catalogue.artists[song]
    rest = {
        "utc_offset_min": int(plays.utc_offset_min[row]),
        "session_id": hex_texts(session)[0].as_py(),
        "album_artist": catalogue.album_artists[song] or artist,
        "artists": (Artist(name=artist),),
        "client": CLIENTS[device],
        "client_version": CLIENT_VERSION,
        "context_type": context,
        "context_id": f"{context}-1",
        "reason_start": REASONS_START[int(take_bits(word, 8, 1)[0])],
        "reason_end": "fwdbtn" if skipped else "trackdone",
        "shuffle": bool(take_bits(session, 22, 1)[0]),
        "source_play_id": hex_texts(word)[0].as_py(),
        "time_precision": "ms",
    }
    fields = {name: getattr(play, name) for name in Play.__struct_fields__}
    return Play(**(fields | rest))


@pytest.fixture(scope="module")
def odd() -> tuple[Catalogue, Plays]:
    catalogue = odd_catalogue()
    return catalogue, plays_of(catalogue, 100_000)


@pytest.mark.parametrize(("all_fields", "count"), [(False, 10_000), (True, 100_000)])
def test_every_record_has_the_bytes_that_the_contract_would_write(
    odd: tuple[Catalogue, Plays], *, all_fields: bool, count: int
) -> None:
    catalogue, plays = odd
    plays = plays.take(slice(0, count))
    plays = plays.changed(is_offline=plays.play % np.uint64(5) == 0)
    assert len(plays) == count
    values = PlayEncoder(catalogue, RUN, all_fields=all_fields).encode(plays).to_pylist()
    wrong = [
        (value, expected)
        for row, value in enumerate(values)
        if value != (expected := encode_play(play_at(catalogue, plays, row, all_fields=all_fields)))
    ]
    assert wrong[:1] == []


def test_every_optional_field_except_kind_is_written_somewhere(
    odd: tuple[Catalogue, Plays],
) -> None:
    catalogue, plays = odd
    some = plays.take(slice(0, 5_000)).changed(is_offline=np.arange(5_000) % 2 == 0)
    values = PlayEncoder(catalogue, RUN, all_fields=True).encode(some).to_pylist()
    written = {
        name for v in values for name in Play.__struct_fields__ if f'"{name}":'.encode() in v
    }
    assert written == set(Play.__struct_fields__) - {"kind"}


def test_every_record_is_accepted_by_the_contract_and_has_a_unique_id(
    odd: tuple[Catalogue, Plays],
) -> None:
    catalogue, plays = odd
    decoded = [decode_play(v, LATER) for v in PlayEncoder(catalogue, RUN).encode(plays).to_pylist()]
    accepted = [play for play in decoded if isinstance(play, Play)]
    assert len({play.event_id for play in accepted}) == len(plays)


def test_times_of_fewer_or_more_digits_are_written_right(odd: tuple[Catalogue, Plays]) -> None:
    catalogue, plays = odd
    times = np.array([1, 999_999_999_999, 10**12, 10**13 - 1, 10**13])
    some = plays.take(slice(0, 5)).changed(event_time=times)
    values = PlayEncoder(catalogue, RUN).encode(some).to_pylist()
    expected = [encode_play(play_at(catalogue, some, row)) for row in range(5)]
    assert values == expected


def test_a_broken_record_is_rejected_for_its_known_reason(
    odd: tuple[Catalogue, Plays],
) -> None:
    catalogue, plays = odd
    for newline in (False, True):
        broken = broken_records(one_line=newline)
        assert {one.reason for one in broken} >= {"json_syntax", "type_mismatch", "missing_field"}
        encoder = PlayEncoder(catalogue, RUN, newline=newline)
        sendings = as_sendings(plays.take(slice(0, len(broken))))
        sendings = replace(
            sendings,
            fault=np.full(len(broken), Fault.MALFORMED, np.int8),
            extent=np.arange(len(broken)),
        )
        values = write_records(encoder, broken, sendings, 0).values.to_pylist()
        for value, one in zip(values, broken, strict=True):
            assert value == one.value + (b"\n" if newline else b"")
            verdict = decode_play(value.removesuffix(b"\n") if newline else value, LATER)
            assert isinstance(verdict, Rejection)
            assert verdict.reason == one.reason
    assert len(broken) > 80


def test_oversized_records_have_the_size_that_was_drawn(odd: tuple[Catalogue, Plays]) -> None:
    catalogue, plays = odd
    count = len(OVERSIZED_BYTES)
    sendings = replace(
        as_sendings(plays.take(slice(0, count))),
        fault=np.full(count, Fault.OVERSIZED, np.int8),
        extent=np.array(OVERSIZED_BYTES),
    )
    values = write_records(PlayEncoder(catalogue, RUN), (), sendings, 0).values.to_pylist()
    assert list(map(len, values)) == list(OVERSIZED_BYTES)
    for value in values:
        verdict = decode_play(value, LATER)
        assert isinstance(verdict, Rejection)
        assert verdict.reason == "event_too_large"
