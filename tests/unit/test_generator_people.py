"""The simulated listeners: their countries, devices, activity and length of stay."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, parse_time
from crossfade.contract.countries import COUNTRIES
from crossfade.contract.play import DEVICES as CONTRACT_DEVICES
from crossfade.generator.catalogue import GENRES, Catalogue, make_catalogue
from crossfade.generator.listeners import DEVICES, PAID_SHARE, TIERS, Listeners, activities
from crossfade.generator.model import GROWTH_SINCE_MS, Audience
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays
from support.audiences import play, society_of

LISTENERS = 30_000
BEGIN = parse_time("2024-05-06")
SOCIETY = society_of(LISTENERS, 30)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(1, 1_000)


@pytest.fixture(scope="module")
def people(catalogue: Catalogue) -> Listeners:
    return Audience(SOCIETY, catalogue, begin=BEGIN).sessions._listeners


@pytest.fixture(scope="module")
def plays(catalogue: Catalogue) -> Plays:
    return play(SOCIETY, catalogue, BEGIN, 5 * DAY_MS)


def seats_of(people: Listeners, plays: Plays) -> NDArray[np.int64]:
    order = np.argsort(people.user)
    return order[np.searchsorted(people.user[order], plays.user)]


def test_listeners_live_where_people_live(people: Listeners) -> None:
    places = read_places()
    home = places.country[people.place]
    counts = np.bincount(home, minlength=len(places.countries))
    expected = places.people / places.people.sum() * LISTENERS
    large = expected > 20
    deviation = (counts - expected)[large] / np.sqrt(expected[large])
    assert float(np.abs(deviation).max()) < 4
    assert float(deviation.std()) == pytest.approx(1, abs=0.25)


def test_the_table_of_places_has_only_countries_of_the_contract() -> None:
    places = read_places()
    assert set(places.countries) < COUNTRIES
    assert "ZZ" not in places.countries
    assert places.people.min() > 0
    assert places.citizens.min() > 0
    assert len(set(places.countries)) == len(places.people) == int(places.country.max()) + 1


def test_listeners_have_a_main_device_and_one_tier(people: Listeners, plays: Plays) -> None:
    assert set(DEVICES) <= set(CONTRACT_DEVICES)
    for shares in (DEVICES, GENRES):
        assert sum(shares.values()) == 100
    _, first = np.unique(plays.session, return_index=True)
    mix = np.array(list(DEVICES.values())) / 100
    used = np.bincount(plays.device[first], minlength=len(DEVICES)) / len(first)
    assert np.abs(used - mix).max() < 0.01
    seat = seats_of(people, plays)[first]
    is_main = float((plays.device[first] == people.device[seat]).mean())
    assert is_main == pytest.approx(0.85 + 0.15 * (mix**2).sum(), abs=0.01)
    assert (plays.tier[first] == people.tier[seat]).all()
    assert float(people.tier.mean()) == pytest.approx(PAID_SHARE, abs=0.01)
    assert TIERS[1] == "paid"


def test_some_listeners_play_far_more_than_others(people: Listeners, plays: Plays) -> None:
    activity = activities(SOCIETY.seed, LISTENERS)
    counts = np.bincount(seats_of(people, plays), minlength=LISTENERS)
    top = activity.argsort()[-LISTENERS // 10 :]
    assert counts[top].sum() / counts.sum() == pytest.approx(
        activity[top].sum() / activity.sum(), abs=0.015
    )
    assert 0.28 < np.sort(counts)[-LISTENERS // 10 :].sum() / counts.sum() < 0.36


def test_listeners_leave_after_their_stay_and_new_ones_join(catalogue: Catalogue) -> None:
    days, stay = 50, 100
    users = [
        Audience(
            society_of(20_000, 40, stay_days=stay), catalogue, begin=BEGIN + later * DAY_MS
        ).sessions._listeners.user
        for later in (0, days)
    ]
    # Stays are uniform between 25 and 175 days; of stays of s days, 1 - 50 / s still last.
    expected = (125 - days * math.log(175 / days)) / 150
    assert float((users[0] == users[1]).mean()) == pytest.approx(expected, abs=0.015)


def test_an_audience_grows_by_its_share_each_year(catalogue: Catalogue) -> None:
    society = society_of(4_000, 40, growth=0.5)
    for year, size in ((-1, 0.5), (0, 1), (3, 2.5)):
        begin = GROWTH_SINCE_MS + year * 365 * DAY_MS + 9 * DAY_MS
        found = play(society, catalogue, begin, 7 * DAY_MS, step=DAY_MS)
        assert len(found) / 7 / 4_000 / 40 == pytest.approx(size, rel=0.06)


def test_every_listener_has_a_unique_id(people: Listeners) -> None:
    assert len(set(people.user.tolist())) == LISTENERS
