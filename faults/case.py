"""Fault cases: each injects a fault into the real thing, and says what came of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

Group = Literal["live", "start", "batch"]
"""On a running stack, on a stopped stack's folder, or in one run of batch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Attributes:
        injected: how often the fault was seen to have happened; 0 fails the case.
        lost: records or plays that the oracle misses.
        repeated: those that it finds more than once.
        wrong: those with other content, another verdict, or numbers that differ.
        healed_s: the longest time until all went on without a person, in seconds; None where the
            case is one in which going on would be wrong: it is refused with a named error.
        seen: the named error, or what was seen, in a few words.
    """

    injected: int
    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    healed_s: float | None = None
    seen: str = ""

    @property
    def holds(self) -> bool:
        """Check whether the fault happened and cost nothing."""
        return self.injected > 0 and not (self.lost or self.repeated or self.wrong)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the fault matrix: its id there, what happens, and the code that does it."""

    id: str
    title: str
    group: Group
    run: Callable[[Any], Outcome]


def find_case(cases: Iterable[Case], case_id: str) -> Case:
    """Return the case of an id.

    Raises:
        LookupError: there is none; the message lists those that there are.
    """
    known = {case.id: case for case in cases}
    if case_id not in known:
        what = f"No case {case_id}; there are {', '.join(sorted(known))}."
        raise LookupError(what)
    return known[case_id]
