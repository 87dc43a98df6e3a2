"""What to simulate, and which wishes contradict each other."""

from dataclasses import dataclass
from enum import StrEnum

from crossfade.clock import SECOND_MS, now_ms
from crossfade.contract.play import MIN_EVENT_TIME
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.errors import MisuseError

DEFAULT_SONGS = 20_000
DEFAULT_LISTENERS = 20_000
MAX_RATE = 10_000_000
"""Above what any machine reaches; a greater rate is a mistake."""


class Report(StrEnum):
    """When a player reports a play: at its end, as real ones do, or at its start."""

    END = "end"
    START = "start"


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What to simulate. Seed, songs and listeners fix the audience and its sequence of plays."""

    rate: float | None = 2_000.0
    """Plays a second; None: as many as the machine gives."""
    seed: int = 1
    songs: int = DEFAULT_SONGS
    listeners: int = DEFAULT_LISTENERS
    report: Report = Report.END
    events: int | None = None
    """Stop after so many plays."""
    for_ms: int | None = None
    """Stop after so long; with a rate, that is a number of plays."""
    start_ms: int | None = None
    """Send past plays, the first of which began then; None: plays of the present."""

    @property
    def total(self) -> int | None:
        """Give the number of plays where it is known beforehand."""
        if self.events is None and self.for_ms is not None and self.rate is not None:
            return round(self.for_ms * self.rate / SECOND_MS)
        return self.events

    @property
    def end_ms(self) -> int | None:
        """Give when the last of the past plays begins; None for plays of the present."""
        if self.start_ms is None or self.rate is None or self.total is None:
            return None
        return self.start_ms + int(self.total * SECOND_MS / self.rate)


def check_options(options: SimulationOptions) -> None:
    """Refuse options that contradict each other, before anything is started.

    Raises:
        MisuseError: naming the one to change.
    """
    rate, numbers = options.rate, (options.songs, options.listeners, options.events, options.for_ms)
    is_rate = rate is None or 0 < rate <= MAX_RATE
    if options.seed < 0 or not is_rate or any(n is not None and n <= 0 for n in numbers):
        what = (
            f"The rate must be above 0 and at most {MAX_RATE:,}, or max; events, length, songs and "
            "listeners above 0; the seed not below."
        )
        raise MisuseError(what, "Correct the one that is not.")
    if options.events is not None and options.for_ms is not None:
        what = "A number of events and a length of time contradict each other."
        raise MisuseError(what, "Give --events or --for.")
    if options.start_ms is None:
        return
    if options.rate is None or options.total is None:
        what = "Past plays need a rate of event time and an end."
        raise MisuseError(what, "Add to --from a number as --rate, and --for or --events.")
    if options.start_ms < MIN_EVENT_TIME:
        what = "A play cannot have begun before March 1973: the contract takes no such time."
        raise MisuseError(what, "Give a later --from.")


def refuse_future(options: SimulationOptions) -> None:
    """Refuse a back-fill that reaches beyond the present: its last plays would be rejected.

    Raises:
        MisuseError: with what to change.
    """
    if options.end_ms is not None and options.end_ms > now_ms() + FUTURE_MS:
        what = "These plays reach into the future, where the contract rejects them."
        raise MisuseError(what, "Choose an earlier --from, fewer --events or a shorter --for.")
