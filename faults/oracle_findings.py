"""The oracle's findings: counts of four kinds of errors, and the first records of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

NAMED_AT_MOST = 10
"""How many wrong records each check names; the others are only counted."""


class Kind(StrEnum):
    """How a record, a row or a number is wrong."""

    LOST = "lost"
    REPEATED = "repeated"
    WRONG = "wrong"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The number of errors of each kind, the first of them by name, and how much was checked.

    Attributes:
        lost: records or plays that are missing.
        repeated: records or plays that are present more than once.
        wrong: records with other content, another verdict, or numbers that differ.
        unexplained: rows in which the layers differ without a known reason.
        findings: the first errors of each check, and notes on explained differences.
        checked: what was compared, and how many of each.
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
        checked = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        counts = ", ".join(f"{getattr(self, kind)} {kind}" for kind in Kind)
        verdict = "holds" if self.holds else "does NOT hold"
        return "\n".join([f"{verdict}: {counts}", f"checked: {checked}", *self.findings])


@dataclass(slots=True)
class Tally:
    """Counts the errors of one check one by one, and keeps the first names."""

    total: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one more error."""
        self.total += 1
        if len(self.names) < NAMED_AT_MOST:
            self.names.append(name)


class Findings:
    """Collects the results of all checks."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Kind, 0)
        self._texts: list[str] = []
        self._checked: dict[str, int] = {}

    def add(self, kind: Kind, check: str, names: Iterable[str], *, total: int) -> None:
        """Count the errors of a check, and keep the names of the first."""
        if not total:
            return
        self._counts[kind] += total
        named = list(names)[:NAMED_AT_MOST]
        self._texts += [f"{kind}, {check}: {name}" for name in named]
        if (more := total - len(named)) > 0:
            self._texts.append(f"{kind}, {check}: and {more:,} more")

    def note(self, text: str) -> None:
        """Keep a remark that is not an error."""
        self._texts.append(text)

    def note_checked(self, what: str, count: int) -> None:
        """Note how much was compared, so that an empty check is visible."""
        self._checked[what] = self._checked.get(what, 0) + int(count)

    def close(self) -> Judgement:
        """Return the judgement of all that was collected."""
        counts = {str(kind): count for kind, count in self._counts.items()}
        return Judgement(**counts, findings=tuple(self._texts), checked=self._checked)
