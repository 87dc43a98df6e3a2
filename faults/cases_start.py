"""All start cases: damage a stopped stack's folder, start from it, and judge the result."""

from faults import (
    cases_checkpoints,
    cases_clocks,
    cases_commands,
    cases_disks,
    cases_files,
    cases_records,
    cases_release,
    cases_state,
    cases_topics,
)
from faults.case import Case

START_CASES: tuple[Case, ...] = (
    *cases_topics.CASES,
    *cases_checkpoints.CASES,
    *cases_state.CASES,
    *cases_disks.CASES,
    *cases_records.CASES,
    *cases_clocks.CASES,
    *cases_commands.CASES,
    *cases_files.CASES,
    *cases_release.CASES,
)
"""Grouped by subject; each case has its own copy, so the order does not matter."""
