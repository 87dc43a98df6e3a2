"""What an eventsim config asks for, as far as it means something here (docs/eventsim.md)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade.clock import MINUTE_MS, SECOND_MS, parse_time
from crossfade.errors import MisuseError, suggest_known
from crossfade.generator.habits import SESSION, USUAL_SONG_MS

DEFAULT_SESSION_GAP_MS = 30 * MINUTE_MS
"""Eventsim's own, where a config has none."""

SUPPORTED = (
    "seed",
    "n-users",
    "start-date",
    "end-date",
    "growth-rate",
    "levels",
    "new-user-level",
    "session-gap",
    "alpha",
    "beta",
)

IGNORED = {
    "damping": "here, day and week have their own curves, in each listener's local time",
    "weekend-damping": "as damping",
    "weekend-damping-offset": "as damping",
    "weekend-damping-scale": "as damping",
    "transitions": "pages of a web site; here there are only plays",
    "new-session": "the page on which a session begins",
    "new-user": "an older form of new-user-auth",
    "new-user-auth": "whether a new user is logged in; every listener here is",
    "auths": "as new-user-auth",
    "churned-state": "--stay says when listeners leave",
    "show-user-details": "a play has no name, gender or place of registration to hide",
    "upgrades": "eventsim does not read it either",
    "downgrades": "as upgrades",
    "first-user-id": "listeners' ids are made from the seed",
    "tag": "every play has source = simulation and no other tag",
}
"""Keys that eventsim knows and that mean nothing here, each with why."""

_MAX_SECONDS = 3_650 * 86_400
_MAX_COUNT = 2**53
_MAX_GROWTH = 100
_MAX_SHOWN = 60
_PAID = "paid"
_LEVELS = ("free", _PAID)


@dataclass(frozen=True, slots=True)
class EventsimConfig:
    """What a config asks for; None where it says nothing."""

    seed: int | None = None
    listeners: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    growth: float | None = None
    """Listeners who join in a year, as a share of those who are there."""
    paid_share: float | None = None
    session_gap_ms: int | None = None
    """Shortest pause between two sessions of a listener."""
    alpha: float | None = None
    """Mean seconds between two pages. Songs follow each other when one is over, as here."""
    beta: float | None = None
    """Mean seconds of a pause beyond the shortest one."""
    ignored: tuple[str, ...] = ()
    """Keys of the config that mean nothing here, in its order."""

    @property
    def session_every_ms(self) -> int | None:
        """Return the mean pause of one listener between two sessions; None without beta.

        With so many listeners, and without damping, that is `listeners / session_every_ms`
        sessions begun in a millisecond, as long as sessions are short beside their pauses.
        """
        if self.beta is None:
            return None
        gap_ms = DEFAULT_SESSION_GAP_MS if self.session_gap_ms is None else self.session_gap_ms
        return gap_ms + round(self.beta * SECOND_MS)


def read_eventsim(name: str) -> EventsimConfig:
    """Read an eventsim config.

    Raises:
        MisuseError: the file is none, has an unknown key, or asks for something impossible.
    """
    config = _Config(_parse_config(name), name)
    wishes = EventsimConfig(
        seed=config.integer("seed", at_least=0),
        listeners=config.integer("n-users", at_least=1),
        start_ms=config.time("start-date"),
        end_ms=config.time("end-date"),
        growth=config.number("growth-rate", "a share a year such as 0.01", at_most=_MAX_GROWTH),
        paid_share=config.paid_share(),
        session_gap_ms=_to_ms(config.number("session-gap", "a number of seconds")),
        alpha=config.number("alpha", "a number of seconds", above=True),
        beta=config.number("beta", "a number of seconds", above=True),
        ignored=tuple(key for key in config.keys if key in IGNORED),
    )
    start_ms, end_ms = wishes.start_ms, wishes.end_ms
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        key = "end-date"
        raise config.wrong(key, "a time after start-date")
    return wishes


def as_options(wishes: EventsimConfig) -> dict[str, Any]:
    """Return the wishes as options of a simulation: those alone that the config has."""
    rate = None
    if wishes.session_every_ms is not None and wishes.listeners is not None:
        sessions = wishes.listeners * SECOND_MS / wishes.session_every_ms
        rate = sessions * SESSION.mean / USUAL_SONG_MS
    options = {
        "seed": wishes.seed,
        "listeners": wishes.listeners,
        "start_ms": wishes.start_ms,
        "end_ms": wishes.end_ms,
        "growth": wishes.growth,
        "paid_share": wishes.paid_share,
        "rate": rate,
    }
    return {name: value for name, value in options.items() if value is not None}


def _parse_config(name: str) -> dict[str, object]:
    try:
        config = json.loads(Path(name).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        what = f"Cannot read {name}: {error.strerror}."
        raise MisuseError(what, "Name an eventsim config that exists.") from None
    except (ValueError, RecursionError) as error:
        what = f"{name} is no JSON: {error}."
        raise MisuseError(what, "Correct it there.") from None
    if not isinstance(config, dict):
        what = f"{name} is no eventsim config."
        raise MisuseError(what, 'It must be a JSON object such as {"n-users": 1000}.')
    for key in config:
        if key not in SUPPORTED and key not in IGNORED:
            what = f"{name}: unknown key {json.dumps(key[:_MAX_SHOWN])}."
            raise MisuseError(what, suggest_known(key, (*SUPPORTED, *IGNORED), "keys"))
    return config


def _to_ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND_MS)


class _Config:
    """Reads keys of a config; a null is as good as an absent key."""

    def __init__(self, config: dict[str, object], name: str) -> None:
        self.keys = tuple(config)
        self._config = {key: value for key, value in config.items() if value is not None}
        self._name = name

    def wrong(self, key: str, expected: str) -> MisuseError:
        shown = json.dumps(self._config[key])
        return MisuseError(f"{self._name}: {key} is {shown[:_MAX_SHOWN]}.", f"Give {expected}.")

    def number(
        self, key: str, expected: str, *, above: bool = False, at_most: float = _MAX_SECONDS
    ) -> float | None:
        """Return a number from 0, or above it."""
        if key not in self._config:
            return None
        number = _as_number(self._config[key], at_most)
        if number is None or (above and number == 0):
            limits = f"{'above' if above else 'from'} 0 to {at_most:,}"
            raise self.wrong(key, f"{expected}, {limits}")
        return number

    def integer(self, key: str, *, at_least: int) -> int | None:
        """Return a whole number, which eventsim lets one write as 1000.0 too."""
        if key not in self._config:
            return None
        number = _as_number(self._config[key], _MAX_COUNT)
        if number is None or number < at_least or number != int(number):
            raise self.wrong(key, f"a whole number of at least {at_least}")
        return int(number)

    def time(self, key: str) -> int | None:
        """Return a time, which is UTC where it does not say, as in eventsim."""
        if key not in self._config:
            return None
        text = self._config[key]
        try:
            return parse_time(text if isinstance(text, str) else "")
        except MisuseError:
            raise self.wrong(key, "a time such as 2015-06-01T00:00:00") from None

    def paid_share(self) -> float | None:
        """Return the weight of paid among the levels, else what a new user begins with."""
        if "levels" in self._config:
            share = _weigh_paid(self._config["levels"])
            if share is None:
                key, one = "levels", '{"level": "free", "weight": 10}'
                raise self.wrong(key, f"levels, free or paid, with weights: [{one}]")
            return share
        level = self._config.get("new-user-level")
        if level not in (None, *_LEVELS):
            key = "new-user-level"
            raise self.wrong(key, "free or paid")
        return None if level is None else float(level == _PAID)


def _weigh_paid(levels: object) -> float | None:
    """Return the share of paid; None where these are no levels with weights."""
    weights: dict[str, float] = {}
    for entry in levels if isinstance(levels, list) else []:
        level = entry.get("level") if isinstance(entry, dict) else None
        weight = _as_number(entry.get("weight", 0), _MAX_COUNT) if level in _LEVELS else None
        if level is None or weight is None:
            return None
        weights[level] = weights.get(level, 0.0) + weight
    total = sum(weights.values())
    return weights.get(_PAID, 0.0) / total if total else None


def _as_number(value: object, at_most: float) -> float | None:
    """Return a number from 0 to `at_most`; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= at_most else None
