"""Findings of a proof: each check with what was expected, what was found, and the verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

NAMED_AT_MOST = 20
"""The most wrong records that a finding names; the rest are counted."""


class Verdict(StrEnum):
    """The verdict of a finding; only `unexplained` is a failure."""

    HOLDS = "holds"
    EXPLAINED = "explained"
    PENDING = "pending"
    UNCHECKED = "unchecked"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one subject, and up to `NAMED_AT_MOST` records that break it."""

    check: str
    subject: str
    expected: int | str
    found: int | str
    verdict: Verdict
    wrong: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All findings about the newest published run."""

    run: int
    boundary: int
    findings: tuple[Finding, ...]

    @property
    def unexplained(self) -> tuple[Finding, ...]:
        """Return the findings that fail the proof."""
        return tuple(one for one in self.findings if one.verdict is Verdict.UNEXPLAINED)

    @property
    def holds(self) -> bool:
        """Check whether nothing is unexplained."""
        return not self.unexplained


def judge(
    check: str,
    subject: str,
    *,
    expected: int | str,
    found: int | str,
    wrong: Sequence[str] = (),
    note: str = "",
) -> Finding:
    """Build a finding, which holds if both sides are equal and no record is wrong."""
    holds = expected == found and not wrong
    verdict = Verdict.HOLDS if holds else Verdict.UNEXPLAINED
    return Finding(check, subject, expected, found, verdict, name_some(wrong), note)


def leave_out(check: str, subject: str, why: str) -> Finding:
    """Build a finding for something that could not be checked, and why."""
    return Finding(check, subject, "-", "-", Verdict.UNCHECKED, (), why)


def name_some(wrong: Iterable[str]) -> tuple[str, ...]:
    """Return the first wrong records, and a count of the rest."""
    named = tuple(wrong)
    if len(named) <= NAMED_AT_MOST:
        return named
    return (*named[:NAMED_AT_MOST], f"and {len(named) - NAMED_AT_MOST:,} more")
