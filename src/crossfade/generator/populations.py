"""Countries by the number of people who live in them (GeoNames, see `populations.LICENSE`)."""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Populations(NamedTuple):
    """Country codes, and the share of all people in each; the shares add up to 1."""

    countries: tuple[str, ...]
    shares: NDArray[np.float64]


@cache
def read_populations() -> Populations:
    """Read the table that comes with the package."""
    text = files("crossfade.generator").joinpath("populations.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    people = np.array([int(row["population"]) for row in rows], np.float64)
    return Populations(tuple(row["country"] for row in rows), people / people.sum())
