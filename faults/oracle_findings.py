"""What the oracle finds: counts of what is wrong, in four kinds, and the first records by name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

NAMED_AT_MOST = 10
"""Wrong records that each check names; the rest are only counted."""


class Kind(StrEnum):
    """How a record, a row or a number is wrong."""

    LOST = "lost"
    REPEATED = "repeated"
    WRONG = "wrong"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Judgement:
    """How many are wrong of each kind, some of them by name, and how much was looked at.

    Attributes:
        lost: records or plays that should be there.
        repeated: those that are there more than once.
        wrong: those with other content, another verdict, or numbers that differ.
        unexplained: rows in which the layers differ without a reason.
        findings: the first ones of each check, and notes on what was explained.
        checked: what was compared, and how many of it.
    """

    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    unexplained: int = 0
    findings: tuple[str, ...] = ()
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Check whether nothing is wrong."""
        return not (self.lost or self.repeated or self.wrong or self.unexplained)

    def counts(self) -> dict[str, int]:
        """Return the counts under the names of a case's outcome."""
        wrong = self.wrong + self.unexplained
        return {"lost": self.lost, "repeated": self.repeated, "wrong": wrong}

    def __str__(self) -> str:
        looked_at = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        counts = ", ".join(f"{getattr(self, kind)} {kind}" for kind in Kind)
        verdict = "holds" if self.holds else "does NOT hold"
        return "\n".join([f"{verdict}: {counts}", f"looked at: {looked_at}", *self.findings])


@dataclass(slots=True)
class Tally:
    """Counts what a check finds wrong, one by one, and keeps the first names."""

    total: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one more."""
        self.total += 1
        if len(self.names) < NAMED_AT_MOST:
            self.names.append(name)


class Findings:
    """Collects what the checks find, one after the other."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Kind, 0)
        self._texts: list[str] = []
        self._checked: dict[str, int] = {}

    def add(self, kind: Kind, check: str, names: Iterable[str], *, total: int) -> None:
        """Count what a check found wrong, and keep the names of the first."""
        if not total:
            return
        self._counts[kind] += total
        named = list(names)[:NAMED_AT_MOST]
        self._texts += [f"{kind}, {check}: {name}" for name in named]
        if (more := total - len(named)) > 0:
            self._texts.append(f"{kind}, {check}: and {more:,} more")

    def note(self, text: str) -> None:
        """Keep a remark on what is no fault."""
        self._texts.append(text)

    def looked_at(self, what: str, count: int) -> None:
        """Say how much was compared: a check of nothing proves nothing."""
        self._checked[what] = self._checked.get(what, 0) + int(count)

    def close(self) -> Judgement:
        """Return the judgement."""
        counts = {str(kind): count for kind, count in self._counts.items()}
        return Judgement(**counts, findings=tuple(self._texts), checked=self._checked)
