"""What is to happen in a simulation: clients' faults, spikes, bots, and silent countries.

A scenario is a small TOML file, shipped with the package or a user's own (docs/scenarios.md).
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import fsum
from pathlib import Path

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.errors import MisuseError, suggest_nearest
from crossfade.generator.toml_table import Table, parse_toml

MIN_AHEAD_MS = FUTURE_MS + MINUTE_MS
"""A clock this far ahead is rejected for certain, however long the record was on its way."""

MAX_ACCOUNTS = 100_000
MAX_PLAYS_A_MINUTE = 600
MAX_RANK = 1_000_000
_SUFFIX = ".toml"
_ROUNDING = 1e-9


class BotKind(StrEnum):
    """How an account plays that is no person."""

    LOOPER = "looper"
    """One song again and again, each time for 31 s: just long enough to count."""
    SLEEPLESS = "sleepless"
    """Whole songs, day and night without a pause."""
    FARM = "farm"
    """Many accounts that play the few songs of one artist."""
    TRAVELLER = "traveller"
    """One account in far countries within minutes."""


class After(StrEnum):
    """What becomes of a silent country's plays when it can be heard again."""

    NOTHING = "nothing"
    """They are lost."""
    ALL_AT_ONCE = "all_at_once"
    """They are sent then, with the times at which they were heard."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What clients do wrong: shares of the plays, each with one fault at most, and how far."""

    copies: float = 0.0
    late: float = 0.0
    out_of_order: float = 0.0
    clock_behind: float = 0.0
    clock_ahead: float = 0.0
    clock_seconds: float = 0.0
    malformed: float = 0.0
    oversized: float = 0.0
    copy_after: tuple[int, int] = (SECOND_MS, HOUR_MS)
    late_by: tuple[int, int] = (31 * MINUTE_MS, 3 * DAY_MS)
    out_of_order_by: tuple[int, int] = (SECOND_MS, 2 * MINUTE_MS)
    behind_by: tuple[int, int] = (MINUTE_MS, DAY_MS)
    ahead_by: tuple[int, int] = (10 * MINUTE_MS, DAY_MS)

    @property
    def share(self) -> float:
        """Return the share of plays that have a fault."""
        return fsum(value for value in astuple(self) if isinstance(value, int | float))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Plays that go to one song, or to all songs of an album, for some time."""

    at_ms: int
    for_ms: int
    """From `at_ms` to its end, the rise included."""
    rise_ms: int
    share: float
    """Of all plays in the country, or everywhere, once risen."""
    song: int | None = None
    """A rank in the catalogue, 0 the most popular."""
    album_of: int | None = None
    """A song of that rank whose album it is."""
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bots:
    """BotAccounts that play by rule, beside the listeners."""

    kind: BotKind
    accounts: int
    plays_a_minute: float
    """Of each account."""
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A country from which nothing arrives for some time."""

    country: str
    at_ms: int
    for_ms: int
    then: After = After.ALL_AT_ONCE


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that is to happen; times are counted from the start of the simulation."""

    name: str
    title: str
    faults: Faults = Faults()
    spikes: tuple[Spike, ...] = ()
    bots: tuple[Bots, ...] = ()
    silences: tuple[Silence, ...] = ()


NO_SCENARIO = Scenario("", "")

_FAULTS = tuple(field.name for field in fields(Faults))
_SPIKE = ("at", "for", "rise", "share", "song", "album_of", "country")
_BOTS = ("kind", "accounts", "plays_a_minute", "country")
_SILENCE = ("country", "at", "for", "then")


@cache
def shipped_scenarios() -> tuple[str, ...]:
    """Name the scenarios that come with the package."""
    names = (entry.name for entry in _shipped().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def read_scenario(name_or_path: str) -> Scenario:
    """Read a shipped scenario by its name, or any by its file.

    Raises:
        MisuseError: there is none, or the file says something that cannot be meant.
    """
    shipped = shipped_scenarios()
    if name_or_path in shipped:
        content = _shipped().joinpath(name_or_path + _SUFFIX).read_bytes()
        return _build_scenario(parse_toml(content, name_or_path), name_or_path, name_or_path)
    path = Path(name_or_path)
    names = f"Shipped ones: {', '.join(shipped)}."
    try:
        content = path.read_bytes()
    except OSError as error:
        is_name = path.name == name_or_path and path.suffix != _SUFFIX
        if is_name and isinstance(error, FileNotFoundError):
            cure = f"{suggest_nearest(name_or_path, shipped)} {names} Your own: a {_SUFFIX} file."
            what = f'No scenario named "{name_or_path}".'
            raise MisuseError(what, cure.strip()) from None
        what = f"Cannot read {name_or_path}: {error.strerror}."
        raise MisuseError(what, f"Name a TOML file or a shipped scenario. {names}") from None
    return _build_scenario(parse_toml(content, name_or_path), path.stem, name_or_path)


def _shipped() -> Traversable:
    return files("crossfade.generator").joinpath("scenarios")


def _build_scenario(document: Mapping[str, object], name: str, file: str) -> Scenario:
    whole = Table(document, ("title", "faults", "spike", "bots", "silence"), file=file)
    return Scenario(
        name=name,
        title=whole.text("title", name),
        faults=_read_faults(whole.table("faults", _FAULTS)),
        spikes=tuple(map(_read_spike, whole.tables("spike", _SPIKE))),
        bots=tuple(map(_read_bots, whole.tables("bots", _BOTS))),
        silences=tuple(map(_read_silence, whole.tables("silence", _SILENCE))),
    )


def _read_faults(table: Table) -> Faults:
    usual = Faults()
    faults = Faults(
        copies=table.share("copies", usual.copies),
        late=table.share("late", usual.late),
        out_of_order=table.share("out_of_order", usual.out_of_order),
        clock_behind=table.share("clock_behind", usual.clock_behind),
        clock_ahead=table.share("clock_ahead", usual.clock_ahead),
        clock_seconds=table.share("clock_seconds", usual.clock_seconds),
        malformed=table.share("malformed", usual.malformed),
        oversized=table.share("oversized", usual.oversized),
        copy_after=table.range("copy_after", usual.copy_after),
        late_by=table.range("late_by", usual.late_by),
        out_of_order_by=table.range("out_of_order_by", usual.out_of_order_by),
        behind_by=table.range("behind_by", usual.behind_by),
        ahead_by=table.range("ahead_by", usual.ahead_by, at_least=MIN_AHEAD_MS),
    )
    if faults.share > 1 + _ROUNDING:
        what = f"{table.place} has shares that add up to {faults.share:g}."
        raise MisuseError(what, "Make that 1 at most: a play has one fault.")
    return faults


def _read_spike(table: Table) -> Spike:
    given = [key for key in ("song", "album_of") if key in table]
    if len(given) != 1:
        what = f"{table.place} has {'both song and' if given else 'neither song nor'} album_of."
        raise MisuseError(what, "Give one of them: a rank, 0 for the most popular song.")
    for_ms = table.length("for", at_least=1)
    rise_ms = table.length("rise", 0)
    if rise_ms > for_ms:
        key = "rise"
        raise table.wrong(key, "Make it no longer than for, of which it is the beginning.")
    rank = table.integer(given[0], at_least=0, at_most=MAX_RANK)
    return Spike(
        at_ms=table.length("at", 0),
        for_ms=for_ms,
        rise_ms=rise_ms,
        share=table.share("share"),
        song=rank if given == ["song"] else None,
        album_of=rank if given == ["album_of"] else None,
        country=table.country("country") if "country" in table else None,
    )


def _read_bots(table: Table) -> Bots:
    return Bots(
        kind=table.choice("kind", BotKind),
        accounts=table.integer("accounts", at_least=1, at_most=MAX_ACCOUNTS),
        plays_a_minute=table.number("plays_a_minute", above=0, at_most=MAX_PLAYS_A_MINUTE),
        country=table.country("country") if "country" in table else None,
    )


def _read_silence(table: Table) -> Silence:
    return Silence(
        country=table.country("country"),
        at_ms=table.length("at", 0),
        for_ms=table.length("for", at_least=1),
        then=table.choice("then", After, After.ALL_AT_ONCE),
    )
