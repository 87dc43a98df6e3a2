"""What to simulate, and which wishes contradict each other."""

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
"""Above what any machine reaches; a greater rate is a mistake."""

MAX_LISTENERS = 1 << 24
MAX_PROCESSES = 64

PAID_SHARE = 0.46
"""Of the listeners, where nothing else is asked."""


class Report(StrEnum):
    """When a player reports a play: at its end, as real ones do, or at its start."""

    END = "end"
    START = "start"


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What to simulate. All but what ends it, and how it is written, decides what is played."""

    rate: float | None = 2_000.0
    """Plays a second; None: as many as the machine gives."""
    seed: int = 1
    songs: int = DEFAULT_SONGS
    listeners: int = DEFAULT_LISTENERS
    report: Report = Report.END
    events: int | None = None
    """Stop after so many records."""
    for_ms: int | None = None
    """Stop after so long; of plays of the present with a rate, that is a number of records."""
    start_ms: int | None = None
    """Send past plays from then on; None: plays of the present."""
    end_ms: int | None = None
    """Past plays begin before this."""
    growth: float = 0.0
    """By so much of `listeners` the audience grows a year, from 2024 on."""
    stay_days: int = 0
    """How long a listener stays on average, before somebody else comes; 0: for ever."""
    paid_share: float = PAID_SHARE
    """Of the listeners."""
    scenario: Scenario = NO_SCENARIO
    catalogue: tuple[CatalogueRow, ...] = ()
    """Songs to play in place of simulated ones."""
    all_fields: bool = False
    """Write every optional field of the contract."""
    processes: int = 1
    """Write the records on so many processors."""

    @property
    def total(self) -> int | None:
        """Return the number of records where it is known beforehand."""
        if self.events is None and self.start_ms is None and self.for_ms is not None and self.rate:
            return round(self.for_ms * self.rate / SECOND_MS)
        return self.events

    @property
    def until_ms(self) -> int | None:
        """Return before when the past plays begin; None where only their number ends them."""
        if self.start_ms is None or self.for_ms is None:
            return self.end_ms
        return self.start_ms + self.for_ms


def check_options(options: SimulationOptions) -> None:
    """Refuse options that contradict each other, before anything is started.

    Raises:
        MisuseError: naming the one to change.
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
        what = "--to says when past plays end, but plays of the present were asked for."
        raise MisuseError(what, "Add --from, or give --for in place of --to.")


def _check_numbers(options: SimulationOptions) -> None:
    numbers = (options.songs, options.listeners, options.events, options.for_ms)
    is_rate = options.rate is None or 0 < options.rate <= MAX_RATE
    if options.seed < 0 or not is_rate or any(n is not None and n <= 0 for n in numbers):
        what = (
            f"The rate must be above 0 and at most {MAX_RATE:,}, or max; events, length, songs and "
            "listeners above 0; the seed not below."
        )
        raise MisuseError(what, "Correct the one that is not.")
    if options.listeners > MAX_LISTENERS or options.songs > MAX_SONGS:
        what = f"At most {MAX_LISTENERS:,} people listen to at most {MAX_SONGS:,} songs."
        raise MisuseError(what, "Give fewer --listeners or --songs.")
    if not (0 <= options.growth <= 10 and 0 <= options.stay_days <= 36_500):
        what = "The growth a year must be from 0 to 10, the stay from 0 to 36500 days."
        raise MisuseError(what, "Give --growth 0.2 for a fifth more listeners each year.")
    if not 1 <= options.processes <= MAX_PROCESSES:
        what = f"{options.processes} processes are not from 1 to {MAX_PROCESSES}."
        raise MisuseError(what, "Give one a processor, at most.")


def _check_past(options: SimulationOptions, *, has_end: bool) -> None:
    if options.rate is None or not has_end:
        what = "Past plays need a rate of event time and an end."
        raise MisuseError(what, "Add to --from a number as --rate, and --to, --for or --events.")
    if options.start_ms is not None and options.start_ms < MIN_EVENT_TIME:
        what = "A play cannot have begun before March 1973: the contract takes no such time."
        raise MisuseError(what, "Give a later --from.")
    if options.end_ms is not None and options.end_ms <= (options.start_ms or 0):
        what = "--to is not after --from."
        raise MisuseError(what, "Exchange the two.")


def refuse_future(options: SimulationOptions) -> None:
    """Refuse a back-fill that reaches beyond the present: its last plays would be rejected.

    Raises:
        MisuseError: with what to change.
    """
    if options.start_ms is None or options.rate is None:
        return
    last_ms = options.until_ms
    if last_ms is None:
        last_ms = options.start_ms + int((options.events or 0) * SECOND_MS / options.rate)
    if last_ms > now_ms() + FUTURE_MS:
        what = "These plays reach into the future, where the contract rejects them."
        raise MisuseError(
            what, "Choose an earlier --from or --to, fewer --events, a shorter --for."
        )
