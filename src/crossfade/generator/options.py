"""The options of a simulation, and the checks that they are valid together."""

from dataclasses import dataclass
from enum import StrEnum

from crossfade.clock import SECOND_MS, now_ms
from crossfade.contract.play import MIN_EVENT_TIME
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.errors import MisuseError
from crossfade.generator.catalogue_file import MAX_SONGS, CatalogueRow
from crossfade.generator.scenario import NO_SCENARIO, Scenario

DEFAULT_SONGS = 20_000
DEFAULT_LISTENERS = 1_000_000
MAX_RATE = 10_000_000
"""More than any machine reaches; a greater rate is a mistake."""

MAX_LISTENERS = 1 << 24
MAX_PROCESSES = 64

PAID_SHARE = 0.46
"""The default share of listeners who pay."""


class Report(StrEnum):
    """When a client reports a play: at its end, as real clients do, or at its start."""

    END = "end"
    START = "start"


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What to simulate.

    The plays depend on every option except those that end the run or set how records are written.
    """

    rate: float | None = 2_000.0
    """Plays per second; None: as many as possible."""
    seed: int = 1
    songs: int = DEFAULT_SONGS
    listeners: int = DEFAULT_LISTENERS
    report: Report = Report.END
    events: int | None = None
    """Stop after this number of records."""
    for_ms: int | None = None
    """Stop after this time; for present plays with a rate, after the number of records in it."""
    start_ms: int | None = None
    """Send past plays that begin at or after this time; None: present plays."""
    end_ms: int | None = None
    """Past plays begin before this time."""
    growth: float = 0.0
    """How many listeners join per year from 2024 on, as a share of `listeners`."""
    stay_days: int = 0
    """How long a listener stays on average before another one replaces it; 0: permanently."""
    paid_share: float = PAID_SHARE
    """The share of listeners who pay."""
    scenario: Scenario = NO_SCENARIO
    catalogue: tuple[CatalogueRow, ...] = ()
    """Songs to play instead of simulated ones."""
    all_fields: bool = False
    """Write every optional field of the contract."""
    processes: int = 1
    """The number of processes that encode records."""

    @property
    def total(self) -> int | None:
        """Return the number of records, if it is known in advance."""
        if self.events is None and self.start_ms is None and self.for_ms is not None and self.rate:
            return round(self.for_ms * self.rate / SECOND_MS)
        return self.events

    @property
    def until_ms(self) -> int | None:
        """Return the time before which past plays begin; None if only their number is limited."""
        if self.start_ms is None or self.for_ms is None:
            return self.end_ms
        return self.start_ms + self.for_ms


def check_options(options: SimulationOptions) -> None:
    """Check that the options are valid and do not contradict each other.

    Raises:
        MisuseError: they are not; the message names the option to change.
    """
    _check_numbers(options)
    lengths = {"--events": options.events, "--for": options.for_ms, "--to": options.end_ms}
    given = [name for name, length in lengths.items() if length is not None]
    if len(given) > 1 and set(given) != {"--events", "--to"}:
        what = f"{' and '.join(given)} contradict each other."
        raise MisuseError(what, f"Give one of {', '.join(lengths)}.")
    if options.start_ms is not None:
        _check_past(options, has_end=bool(given))
    elif options.end_ms is not None:
        what = "--to ends past plays, but without --from plays are of the present."
        raise MisuseError(what, "Add --from, or give --for instead of --to.")


def _check_numbers(options: SimulationOptions) -> None:
    numbers = (options.songs, options.listeners, options.events, options.for_ms)
    is_rate = options.rate is None or 0 < options.rate <= MAX_RATE
    if options.seed < 0 or not is_rate or any(n is not None and n <= 0 for n in numbers):
        what = (
            f"The rate must be above 0 and at most {MAX_RATE:,}, or max; --events, --for, --songs "
            "and --listeners must be above 0; --seed must be at least 0."
        )
        raise MisuseError(what, "Correct the one that is not.")
    if options.listeners > MAX_LISTENERS or options.songs > MAX_SONGS:
        what = f"There can be at most {MAX_LISTENERS:,} listeners and at most {MAX_SONGS:,} songs."
        raise MisuseError(what, "Give fewer --listeners or --songs.")
    if not (0 <= options.growth <= 10 and 0 <= options.stay_days <= 36_500):
        what = "--growth must be from 0 to 10, --stay from 0 to 36500 days."
        raise MisuseError(what, "Give --growth 0.2 for a fifth more listeners each year.")
    if not 1 <= options.processes <= MAX_PROCESSES:
        what = f"--processes is {options.processes}, not from 1 to {MAX_PROCESSES}."
        raise MisuseError(what, "Give at most the number of processors.")


def _check_past(options: SimulationOptions, *, has_end: bool) -> None:
    if options.rate is None or not has_end:
        what = "Past plays need a rate in plays per second of event time, and an end."
        raise MisuseError(what, "Give --rate a number, and add --to, --for or --events.")
    if options.start_ms is not None and options.start_ms < MIN_EVENT_TIME:
        what = "--from is before March 1973: the contract rejects such event times."
        raise MisuseError(what, "Give a later --from.")
    if options.end_ms is not None and options.end_ms <= (options.start_ms or 0):
        what = "--to is not after --from."
        raise MisuseError(what, "Swap the two.")


def refuse_future(options: SimulationOptions) -> None:
    """Check that past plays end before the contract would reject them as future plays.

    Raises:
        MisuseError: they reach into the future.
    """
    if options.start_ms is None or options.rate is None:
        return
    last_ms = options.until_ms
    if last_ms is None:
        last_ms = options.start_ms + int((options.events or 0) * SECOND_MS / options.rate)
    if last_ms > now_ms() + FUTURE_MS:
        what = "These plays reach into the future, where the contract rejects them."
        cure = "Choose an earlier --from or --to, fewer --events, or a shorter --for."
        raise MisuseError(what, cure)
