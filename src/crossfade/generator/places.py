"""Where people live: countries by population, their cities, and their time zones (GeoNames)."""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from crossfade.generator.draws import Choice, Integers, Words

_COUNTRY_BITS = 20
_CITY_BITS = 12


class Places(NamedTuple):
    """The countries with their populations, and the places to live in as columns, by country."""

    countries: tuple[str, ...]
    people: Integers
    country: Integers
    """The index of each place's country; places of one country are adjacent."""
    cities: tuple[str, ...]
    """Empty for the part of a country outside its large cities."""
    citizens: Integers
    zones: tuple[str, ...]


@cache
def read_places() -> Places:
    """Read the table that comes with the package."""
    text = files("crossfade.generator").joinpath("places.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    people = {row["country"]: int(row["people"]) for row in rows}
    index = {country: number for number, country in enumerate(people)}
    return Places(
        countries=tuple(people),
        people=np.array(list(people.values()), np.int64),
        country=np.array([index[row["country"]] for row in rows], np.int64),
        cities=tuple(row["city"] for row in rows),
        citizens=np.array([int(row["citizens"]) for row in rows], np.int64),
        zones=tuple(row["time_zone"] for row in rows),
    )


class Homes:
    """Draws homes: a country by its population, then a city by its population."""

    def __init__(self) -> None:
        places = read_places()
        self._country = Choice(places.people, _COUNTRY_BITS)
        begins = np.searchsorted(places.country, np.arange(len(places.countries) + 1))
        spans = list(zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True))
        tables = [
            begin + Choice(places.citizens[begin:end], _CITY_BITS).find(_every_draw())
            for begin, end in spans
        ]
        self._cities = np.concatenate(tables).astype(np.int32)

    def find(self, words: Words) -> Integers:
        """Return a place for each word: an index into the columns of `Places`."""
        country = self._country.find(words).astype(np.int64)
        return self._cities[(country << _CITY_BITS) | _low_bits(words)].astype(np.int64)


def _every_draw() -> Words:
    return np.arange(1 << _CITY_BITS, dtype=np.uint64) << np.uint64(64 - _CITY_BITS)


def _low_bits(words: Words) -> Integers:
    return (words & np.uint64((1 << _CITY_BITS) - 1)).astype(np.int64)
