"""The effect of a scenario on an audience: spikes, silences, bots and clients' faults."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_time
from crossfade.errors import MisuseError
from crossfade.generator.catalogue import Catalogue, make_catalogue
from crossfade.generator.effects import FARM_SONGS, LOOPER_MS
from crossfade.generator.faults import OFFLINE_MS, Fault, FaultFinder, broken_records
from crossfade.generator.model import Audience, Society
from crossfade.generator.options import Report
from crossfade.generator.outbox import NO_BOT, Sendings, join_sendings
from crossfade.generator.places import read_places
from crossfade.generator.scenario import (
    NO_SCENARIO,
    After,
    BotKind,
    Bots,
    Faults,
    Scenario,
    Silence,
    Spike,
    read_scenario,
    shipped_scenarios,
)
from crossfade.generator.schedule import Schedule

BEGIN = parse_time("2024-05-01T12:00:00Z")
RATE = 12.0


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(3, 2_000)


@pytest.fixture(scope="module")
def act(catalogue: Catalogue) -> Callable[..., Sendings]:
    """Return a function that simulates half an hour by default and returns all sent records."""

    def run(
        scenario: Scenario = NO_SCENARIO,
        *,
        report: Report = Report.START,
        length_ms: int = 30 * MINUTE_MS,
        part: int = 10_000,
    ) -> Sendings:
        society = Society(seed=5, listeners=10_000, plays_per_second=RATE)
        audience = Audience(society, catalogue, begin=BEGIN, end=BEGIN + length_ms)
        faults = FaultFinder(scenario.faults, seed=5, broken=broken_records(one_line=False))
        schedule = Schedule(audience, scenario, faults, seed=5, begin=BEGIN, report=report)
        parts: list[Sendings] = []
        while (sent := schedule.take(part)) is not None:
            parts.append(sent)
        return join_sendings(parts)

    return run


def country_of(sent: Sendings) -> np.ndarray:
    return np.array(read_places().countries)[read_places().country[sent.plays.place]]


def test_without_a_scenario_plays_are_sent_when_they_begin(act: Callable[..., Sendings]) -> None:
    sent = act()
    assert len(sent) == pytest.approx(RATE * 1_800, rel=0.35)
    assert (np.diff(sent.send_time) >= 0).all()
    assert (sent.send_time == sent.plays.event_time).all()
    assert (sent.fault == Fault.NONE).all()


@pytest.mark.parametrize("report", list(Report))
def test_the_size_of_the_slices_changes_nothing(
    act: Callable[..., Sendings], report: Report
) -> None:
    scenario = replace(read_scenario("messy-clients"), bots=(a_farm(BotKind.FARM),))
    first, second = (act(scenario, report=report, part=part) for part in (10_000, 77))
    for one, other in zip(first.plays.columns(), second.plays.columns(), strict=True):
        assert (one == other).all()
    assert (first.copy_of == second.copy_of).all()


def test_a_play_that_is_reported_at_its_end_is_sent_at_its_end(
    act: Callable[..., Sendings],
) -> None:
    sent, starts = act(report=Report.END), act()
    assert (sent.send_time == sent.plays.event_time + sent.plays.ms_played).all()
    assert (np.diff(sent.send_time) >= 0).all()
    ended = starts.plays.event_time + starts.plays.ms_played < BEGIN + 30 * MINUTE_MS
    assert sorted(sent.plays.play) == sorted(starts.plays.play[ended])


def a_spike(**changes: object) -> Spike:
    given: dict[str, object] = {"at_ms": 5 * MINUTE_MS, "for_ms": 20 * MINUTE_MS, "rise_ms": 0}
    return Spike(**(given | {"share": 0.5, "song": 1_000, "country": "IN"} | changes))  # type: ignore[arg-type]


def test_a_song_goes_viral_in_one_country_and_not_before_its_time(
    act: Callable[..., Sendings],
) -> None:
    sent = act(Scenario("viral", "", spikes=(a_spike(),)))
    since = sent.plays.event_time - BEGIN
    is_viral, country = sent.plays.song == 1_000, country_of(sent)
    within = (since >= 5 * MINUTE_MS) & (since < 25 * MINUTE_MS)
    assert is_viral[within & (country == "IN")].mean() == pytest.approx(0.5, abs=0.04)
    assert is_viral[~within].mean() < 0.01
    assert is_viral[country != "IN"].mean() < 0.01


def test_a_spike_rises(act: Callable[..., Sendings]) -> None:
    spike = a_spike(at_ms=0, for_ms=30 * MINUTE_MS, rise_ms=30 * MINUTE_MS, country=None)
    sent = act(Scenario("rise", "", spikes=(spike,)))
    minute = (sent.plays.event_time - BEGIN) // (10 * MINUTE_MS)
    shares = [float((sent.plays.song == 1_000)[minute == third].mean()) for third in range(3)]
    assert shares == pytest.approx([0.083, 0.25, 0.417], abs=0.03)


def test_a_spike_keeps_the_share_of_a_song_that_is_heard(
    act: Callable[..., Sendings], catalogue: Catalogue
) -> None:
    sent = act(Scenario("all", "", spikes=(a_spike(at_ms=0, share=1.0, country=None),)))
    within = sent.plays.event_time < BEGIN + 20 * MINUTE_MS
    assert (sent.plays.song[within] == 1_000).all()
    whole = sent.plays.ms_played == catalogue.duration_ms[sent.plays.song]
    assert whole[within].mean() == pytest.approx(1 - 0.486, abs=0.03)
    assert (sent.plays.ms_played <= catalogue.duration_ms[sent.plays.song]).all()


def test_an_album_drop_raises_all_its_songs(
    act: Callable[..., Sendings], catalogue: Catalogue
) -> None:
    spike = a_spike(at_ms=0, share=1.0, country=None, song=None, album_of=40)
    sent = act(Scenario("album", "", spikes=(spike,)), length_ms=10 * MINUTE_MS)
    album = (catalogue.artists[40], catalogue.albums[40])
    songs = set(sent.plays.song.tolist())
    assert {(catalogue.artists[song], catalogue.albums[song]) for song in songs} == {album}
    pairs = zip(catalogue.artists, catalogue.albums, strict=True)
    assert len(songs) == sum(pair == album for pair in pairs)


@pytest.mark.parametrize("then", list(After))
def test_a_silent_country_is_heard_again_in_time(act: Callable[..., Sendings], then: After) -> None:
    silence = Silence(country="IN", at_ms=5 * MINUTE_MS, for_ms=10 * MINUTE_MS, then=then)
    sent = act(Scenario("silence", "", silences=(silence,)))
    since, of_india = sent.send_time - BEGIN, country_of(sent) == "IN"
    within = (since >= 5 * MINUTE_MS) & (since < 15 * MINUTE_MS)
    assert not (within & of_india).any()
    back = (sent.fault == Fault.SILENCED) & of_india
    assert (since[back] == 15 * MINUTE_MS).all()
    begun = sent.plays.event_time[back] - BEGIN
    assert ((begun >= 5 * MINUTE_MS) & (begun < 15 * MINUTE_MS)).all()
    assert (sent.extent[back] == 15 * MINUTE_MS - begun).all()
    assert bool(back.any()) is (then is After.ALL_AT_ONCE)


def a_farm(kind: BotKind, **changes: object) -> Bots:
    given: dict[str, object] = {"kind": kind, "accounts": 20, "plays_a_minute": 1.5}
    return Bots(**(given | {"country": "VN"} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(BotKind))
def test_bots_play_at_fixed_intervals(
    act: Callable[..., Sendings], catalogue: Catalogue, kind: BotKind
) -> None:
    sent = act(Scenario("bots", "", bots=(a_farm(BotKind.LOOPER), a_farm(kind))))
    plays = sent.take(sent.bot == 1).plays
    assert len(plays) == 20 * 45
    users, counts = np.unique(plays.user, return_counts=True)
    assert len(users) == 20
    assert (counts == 45).all()
    for user in users:
        assert (np.diff(plays.event_time[plays.user == user]) == 40 * SECOND_MS).all()
    songs = {len(set(plays.song[plays.user == user].tolist())) for user in users}
    places = {len(set(plays.place[plays.user == user].tolist())) for user in users}
    duration = catalogue.duration_ms[plays.song]
    if kind in (BotKind.LOOPER, BotKind.FARM):
        assert (plays.ms_played == LOOPER_MS).all()
        assert max(songs) == (1 if kind is BotKind.LOOPER else len(set(plays.song.tolist())))
        assert len(set(plays.song.tolist())) <= max(FARM_SONGS, 20 * (kind is BotKind.LOOPER))
    else:
        assert (plays.ms_played == duration).all()
    assert min(places) > 30 if kind is BotKind.TRAVELLER else places == {1}
    assert (catalogue.release_day[plays.song] <= BEGIN // DAY_MS).all()
    assert (sent.bot == NO_BOT).sum() == len(act())


def test_faults_have_their_shares_and_stay_within_their_limits(
    act: Callable[..., Sendings],
) -> None:
    faults = Faults(
        copies=0.05,
        late=0.04,
        out_of_order=0.05,
        clock_behind=0.03,
        clock_ahead=0.02,
        clock_seconds=0.02,
        malformed=0.02,
        oversized=0.01,
        copy_after=(SECOND_MS, MINUTE_MS),
    )
    sent = act(Scenario("faults", "", faults=faults), length_ms=HOUR_MS)
    own = sent.take(sent.fault != Fault.COPY)
    shares = {fault: float((own.fault == fault).mean()) for fault in Fault}
    asked = {
        Fault.COPIED: 0.05,
        Fault.LATE: 0.04,
        Fault.OUT_OF_ORDER: 0.05,
        Fault.CLOCK_BEHIND: 0.03,
        Fault.CLOCK_AHEAD: 0.02,
        Fault.CLOCK_SECONDS: 0.02,
        Fault.MALFORMED: 0.02,
        Fault.OVERSIZED: 0.01,
    }
    for fault, share in asked.items():
        assert shares[fault] == pytest.approx(share, rel=0.15), fault
    plain = act(length_ms=HOUR_MS)
    begun = dict(zip(plain.plays.play.tolist(), plain.plays.event_time.tolist(), strict=True))
    begins = np.array([begun[play] for play in own.plays.play.tolist()])
    shift = own.plays.event_time - begins
    late, behind, ahead = (
        own.fault == fault for fault in (Fault.LATE, Fault.CLOCK_BEHIND, Fault.CLOCK_AHEAD)
    )
    for which, limits in ((late, faults.late_by), (behind, faults.behind_by)):
        assert (shift[which] == -own.extent[which]).all()
        assert own.extent[which].min() >= limits[0]
        assert own.extent[which].max() <= limits[1]
    assert (shift[ahead] == own.extent[ahead]).all()
    assert (shift[~(late | behind | ahead)] == 0).all()
    assert (own.plays.is_offline == late).all()
    waited = own.send_time - begins
    assert (waited[late] <= OFFLINE_MS).all()
    disordered = own.fault == Fault.OUT_OF_ORDER
    assert (waited[disordered] == own.extent[disordered]).all()
    assert (waited[~(late | disordered)] == 0).all()


@pytest.mark.parametrize("report", list(Report))
def test_a_fast_clock_is_ahead_of_the_sending_time_for_a_song_of_any_length(
    act: Callable[..., Sendings], report: Report
) -> None:
    faults = Faults(clock_ahead=0.5, late=0.1)
    silence = Silence(country="IN", at_ms=0, for_ms=5 * MINUTE_MS)
    sent = act(Scenario("ahead", "", faults=faults, silences=(silence,)), report=report)
    ahead = sent.fault == Fault.CLOCK_AHEAD
    assert ahead.mean() > 0.3
    assert (sent.plays.event_time - sent.send_time == sent.extent)[ahead].all()
    assert sent.extent[ahead].min() >= faults.ahead_by[0]


def test_offline_plays_are_sent_together(act: Callable[..., Sendings]) -> None:
    sent = act(Scenario("late", "", faults=Faults(late=1.0)))
    users = sent.plays.user
    together = [
        np.unique(sent.send_time[users == user], return_counts=True)[1].max()
        for user in np.unique(users)[:200]
    ]
    assert max(together) > 2
    assert (sent.fault == Fault.LATE).all()


def test_a_copy_is_sent_later_and_is_identical(act: Callable[..., Sendings]) -> None:
    faults = Faults(copies=0.1, copy_after=(SECOND_MS, 5 * MINUTE_MS))
    sent = act(Scenario("copies", "", faults=faults))
    copies = np.flatnonzero(sent.fault == Fault.COPY)
    originals = sent.copy_of[copies]
    assert len(copies) > 1_000
    assert (originals < copies).all()
    assert (sent.fault[originals] == Fault.COPIED).all()
    for column in sent.plays.columns():
        assert (column[copies] == column[originals]).all()
    assert (sent.send_time[copies] - sent.send_time[originals] == sent.extent[originals]).all()


def test_every_shipped_scenario_plays(act: Callable[..., Sendings]) -> None:
    for name in shipped_scenarios():
        scenario = read_scenario(name)
        spikes = tuple(
            replace(
                spike,
                song=None if spike.song is None else spike.song % 2_000,
                album_of=None if spike.album_of is None else spike.album_of % 2_000,
            )
            for spike in scenario.spikes
        )
        assert len(act(replace(scenario, spikes=spikes), length_ms=5 * MINUTE_MS)) > 1_000, name


def test_a_rank_beyond_the_catalogue_is_refused(act: Callable[..., Sendings]) -> None:
    with pytest.raises(MisuseError, match=r"song 5000 is not among 2,000 songs.*--songs"):
        act(Scenario("far", "", spikes=(a_spike(song=5_000),)))
