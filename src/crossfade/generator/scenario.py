"""Scenarios of a simulation: clients' faults, spikes, bots, and silent countries.

A scenario is a small TOML file, shipped with the package or written by a user (docs/scenarios.md).
"""

from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import fsum
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from crossfade.contract.countries import COUNTRIES, UNKNOWN_COUNTRY
from crossfade.contract.text import has_control
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.errors import MisuseError, suggest_nearest
from crossfade.generator.toml_table import TomlTable, duration, duration_range, parse_toml

MIN_AHEAD_MS = FUTURE_MS + MINUTE_MS
"""A clock at least this far ahead is always rejected, even if the record is in transit for long."""

MAX_ACCOUNTS = 100_000
MAX_PLAYS_A_MINUTE = 600
MAX_RANK = 1_000_000
_SUFFIX = ".toml"
_ROUNDING = 1e-9


def _whole_number(at_least: int, at_most: int) -> Meta:
    cure = f"Give a whole number from {at_least} to {at_most}."
    return Meta(ge=at_least, le=at_most, description=cure)


Share = Annotated[
    float, Meta(ge=0, le=1, description="Give a share of plays: a number from 0 to 1.")
]
Duration = Annotated[int, duration()]
PositiveDuration = Annotated[int, duration(at_least=1)]
DurationRange = Annotated[tuple[Duration, Duration], duration_range()]
_AheadDuration = Annotated[int, duration(at_least=MIN_AHEAD_MS)]
AheadRange = Annotated[tuple[_AheadDuration, _AheadDuration], duration_range(MIN_AHEAD_MS)]
Rank = Annotated[int, _whole_number(0, MAX_RANK)]
Country = Annotated[
    str,
    Meta(
        pattern=rf"^(?:{'|'.join(sorted(COUNTRIES - {UNKNOWN_COUNTRY}))})\Z",
        description='Give an ISO 3166-1 alpha-2 code in upper case, such as "BR" or "GB".',
    ),
]


class BotKind(StrEnum):
    """How a bot plays."""

    LOOPER = "looper"
    """One song again and again, each time for 31 s: just long enough to count."""
    SLEEPLESS = "sleepless"
    """Whole songs, day and night without a pause."""
    FARM = "farm"
    """Many accounts that play the few songs of one artist."""
    TRAVELLER = "traveller"
    """One account in far countries within minutes."""


class After(StrEnum):
    """What happens to a silent country's plays when the silence ends."""

    NOTHING = "nothing"
    """They are lost."""
    ALL_AT_ONCE = "all_at_once"
    """They are sent when it ends, with the times at which they were heard."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults of clients: the share of plays that has each one, and its extent."""

    copies: Share = 0.0
    late: Share = 0.0
    out_of_order: Share = 0.0
    clock_behind: Share = 0.0
    clock_ahead: Share = 0.0
    clock_seconds: Share = 0.0
    malformed: Share = 0.0
    oversized: Share = 0.0
    copy_after: DurationRange = (SECOND_MS, HOUR_MS)
    late_by: DurationRange = (31 * MINUTE_MS, 3 * DAY_MS)
    out_of_order_by: DurationRange = (SECOND_MS, 2 * MINUTE_MS)
    behind_by: DurationRange = (MINUTE_MS, DAY_MS)
    ahead_by: AheadRange = (10 * MINUTE_MS, DAY_MS)

    @property
    def share(self) -> float:
        """Return the share of plays that have any fault."""
        return fsum(value for value in astuple(self) if isinstance(value, int | float))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Plays that go to one song, or to all songs of an album, for some time."""

    at_ms: Duration = 0
    for_ms: PositiveDuration
    """From `at_ms` to its end, the rise included."""
    rise_ms: Duration = 0
    share: Share
    """Share of all plays in the country, or everywhere, after the rise."""
    song: Rank | None = None
    """The song's rank in the catalogue; 0 is the most popular."""
    album_of: Rank | None = None
    """The rank of a song, for all songs of its album."""
    country: Country | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bots:
    """Accounts that play by a rule, in addition to the listeners."""

    kind: BotKind
    accounts: Annotated[int, _whole_number(1, MAX_ACCOUNTS)]
    plays_a_minute: Annotated[
        float,
        Meta(
            gt=0,
            le=MAX_PLAYS_A_MINUTE,
            description=f"Give a number above 0, at most {MAX_PLAYS_A_MINUTE}.",
        ),
    ]
    """Of each account."""
    country: Country | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A country from which nothing arrives for some time."""

    country: Country
    at_ms: Duration = 0
    for_ms: PositiveDuration
    then: After = After.ALL_AT_ONCE


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that happens; times count from the start of the simulation."""

    name: str
    title: str
    faults: Faults = Faults()
    spikes: tuple[Spike, ...] = ()
    bots: tuple[Bots, ...] = ()
    silences: tuple[Silence, ...] = ()


NO_SCENARIO = Scenario("", "")


@cache
def shipped_scenarios() -> tuple[str, ...]:
    """List the names of the scenarios that come with the package."""
    names = (entry.name for entry in _shipped().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def read_scenario(name_or_path: str) -> Scenario:
    """Read a shipped scenario by its name, or any scenario by its file.

    Raises:
        MisuseError: it does not exist, or the file has an error.
    """
    shipped = shipped_scenarios()
    if name_or_path in shipped:
        content = _shipped().joinpath(name_or_path + _SUFFIX).read_bytes()
        return _build_scenario(content, name_or_path, name_or_path)
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
    return _build_scenario(content, path.stem, name_or_path)


def _shipped() -> Traversable:
    return files("crossfade.generator").joinpath("scenarios")


def _build_scenario(content: bytes, name: str, file: str) -> Scenario:
    whole = TomlTable(parse_toml(content, file), file=file)
    whole.check_keys(("title", "faults", "spike", "bots", "silence"))
    title = whole.values.get("title", name)
    if not isinstance(title, str) or has_control(title):
        key = "title"
        raise whole.wrong(key, "Give a text of one line in quotation marks.")
    return Scenario(
        name=name,
        title=title,
        faults=_read_faults(whole.table("faults")),
        spikes=tuple(map(_read_spike, whole.tables("spike"))),
        bots=tuple(table.read(Bots) for table in whole.tables("bots")),
        silences=tuple(table.read(Silence) for table in whole.tables("silence")),
    )


def _read_faults(table: TomlTable) -> Faults:
    faults = table.read(Faults)
    if faults.share > 1 + _ROUNDING:
        problem = f"has shares that add up to {faults.share:g}."
        raise table.error(problem, "Make that 1 at most: a play has one fault.")
    return faults


def _read_spike(table: TomlTable) -> Spike:
    spike = table.read(Spike)
    if (spike.song is None) == (spike.album_of is None):
        given = "neither song nor" if spike.song is None else "both song and"
        problem = f"has {given} album_of."
        raise table.error(problem, "Give one of them: a rank, 0 for the most popular song.")
    if spike.rise_ms > spike.for_ms:
        key = "rise"
        raise table.wrong(key, "Make it no longer than for, which includes it.")
    return spike
