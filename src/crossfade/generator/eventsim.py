"""Reader of eventsim configs: the settings that have a meaning here (docs/eventsim.md)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade.clock import MINUTE_MS, SECOND_MS, parse_time
from crossfade.errors import MisuseError, suggest_known
from crossfade.generator.habits import SESSION, USUAL_SONG_MS

DEFAULT_SESSION_GAP_MS = 30 * MINUTE_MS
"""Eventsim's default."""

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
"""Eventsim's keys that have no meaning here, each with the reason."""

_MAX_SECONDS = 3_650 * 86_400
_MAX_COUNT = 2**53
_MAX_GROWTH = 100
_MAX_SHOWN = 60
_PAID = "paid"
_LEVELS = ("free", _PAID)


@dataclass(frozen=True, slots=True)
class EventsimConfig:
    """The settings of a config; None where it has none."""

    seed: int | None = None
    listeners: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    growth: float | None = None
    """Listeners who join in a year, as a share of those present."""
    paid_share: float | None = None
    session_gap_ms: int | None = None
    """Shortest pause between two sessions of a listener."""
    alpha: float | None = None
    """Mean seconds between two pages. It has no effect: songs follow each other, as in eventsim."""
    beta: float | None = None
    """Mean seconds of a pause beyond the shortest one."""
    ignored: tuple[str, ...] = ()
    """Keys of the config that have no meaning here, in its order."""

    @property
    def session_every_ms(self) -> int | None:
        """Return the mean pause of one listener between two sessions; None without beta.

        Without damping, and if sessions are much shorter than pauses, `listeners /
        session_every_ms` sessions begin per millisecond.
        """
        if self.beta is None:
            return None
        gap_ms = DEFAULT_SESSION_GAP_MS if self.session_gap_ms is None else self.session_gap_ms
        return gap_ms + round(self.beta * SECOND_MS)


def read_eventsim(name: str) -> EventsimConfig:
    """Read an eventsim config.

    Raises:
        MisuseError: it is not an eventsim config, has an unknown key, or has a wrong value.
    """
    reader = _KeyReader(_parse_config(name), name)
    config = EventsimConfig(
        seed=reader.integer("seed", at_least=0),
        listeners=reader.integer("n-users", at_least=1),
        start_ms=reader.time("start-date"),
        end_ms=reader.time("end-date"),
        growth=reader.number("growth-rate", "a share a year such as 0.01", at_most=_MAX_GROWTH),
        paid_share=reader.paid_share(),
        session_gap_ms=_to_ms(reader.number("session-gap", "a number of seconds")),
        alpha=reader.number("alpha", "a number of seconds", above=True),
        beta=reader.number("beta", "a number of seconds", above=True),
        ignored=tuple(key for key in reader.keys if key in IGNORED),
    )
    start_ms, end_ms = config.start_ms, config.end_ms
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        key = "end-date"
        raise reader.wrong(key, "a time after start-date")
    return config


def as_options(config: EventsimConfig) -> dict[str, Any]:
    """Return the config's settings as options of a simulation, without those it does not have."""
    rate = None
    if config.session_every_ms is not None and config.listeners is not None:
        sessions = config.listeners * SECOND_MS / config.session_every_ms
        rate = sessions * SESSION.mean / USUAL_SONG_MS
    options = {
        "seed": config.seed,
        "listeners": config.listeners,
        "start_ms": config.start_ms,
        "end_ms": config.end_ms,
        "growth": config.growth,
        "paid_share": config.paid_share,
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
        what = f"{name} is not JSON: {error}."
        raise MisuseError(what, "Correct it there.") from None
    if not isinstance(config, dict):
        what = f"{name} is not an eventsim config."
        raise MisuseError(what, 'It must be a JSON object such as {"n-users": 1000}.')
    for key in config:
        if key not in SUPPORTED and key not in IGNORED:
            what = f"{name}: unknown key {json.dumps(key[:_MAX_SHOWN])}."
            raise MisuseError(what, suggest_known(key, (*SUPPORTED, *IGNORED), "keys"))
    return config


def _to_ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND_MS)


class _KeyReader:
    """Reads the keys of a config; a null is the same as an absent key."""

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
        """Return a number of at least 0, or above 0."""
        if key not in self._config:
            return None
        number = _as_number(self._config[key], at_most)
        if number is None or (above and number == 0):
            limits = f"{'above' if above else 'from'} 0 to {at_most:,}"
            raise self.wrong(key, f"{expected}, {limits}")
        return number

    def integer(self, key: str, *, at_least: int) -> int | None:
        """Return a whole number; 1000.0 is one too, as in eventsim."""
        if key not in self._config:
            return None
        number = _as_number(self._config[key], _MAX_COUNT)
        if number is None or number < at_least or number != int(number):
            raise self.wrong(key, f"a whole number of at least {at_least}")
        return int(number)

    def time(self, key: str) -> int | None:
        """Return a time; one without an offset is in UTC, as in eventsim."""
        if key not in self._config:
            return None
        text = self._config[key]
        try:
            return parse_time(text if isinstance(text, str) else "")
        except MisuseError:
            raise self.wrong(key, "a time such as 2015-06-01T00:00:00") from None

    def paid_share(self) -> float | None:
        """Return the share of paid by the levels' weights, else by the level of new users."""
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
    """Return the share of paid; None where these are not levels with weights."""
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
    """Return a number from 0 to `at_most`; None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= at_most else None
