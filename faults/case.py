"""Fault cases: each injects a fault into a real stack and returns the outcome."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

Group = Literal["live", "start", "batch"]
"""Where a case runs: on a running stack, on a stopped stack's folder, or in one run of batch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a case.

    Attributes:
        injected: how often the fault was observed; 0 fails the case.
        lost: records or plays that are missing.
        repeated: records or plays that are present more than once.
        wrong: records with other content, another verdict, or numbers that differ.
        healed_s: the longest time until everything worked again automatically, in seconds; None
            where going on would be wrong, so that the fault must be refused with an error.
        seen: the error, or what was observed, in a few words.
    """

    injected: int
    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    healed_s: float | None = None
    seen: str = ""

    @property
    def holds(self) -> bool:
        """Check whether the fault happened and did no damage."""
        return self.injected > 0 and not (self.lost or self.repeated or self.wrong)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the fault matrix: its id, a title, where it runs, and its code."""

    id: str
    title: str
    group: Group
    run: Callable[[Any], Outcome]


def find_case(cases: Iterable[Case], case_id: str) -> Case:
    """Return the case with an id.

    Raises:
        LookupError: no case has this id; the message lists the known ids.
    """
    known = {case.id: case for case in cases}
    if case_id not in known:
        what = f"No case {case_id}; there are {', '.join(sorted(known))}."
        raise LookupError(what)
    return known[case_id]
