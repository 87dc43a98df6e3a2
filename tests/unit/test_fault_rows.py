"""The fault matrix is complete: every row is a case, or the page says why it is not run."""

import re
from pathlib import Path

from faults.case import find_case
from faults.run import list_cases

_PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_ROWS = {f"F{number:02}" for number in range(1, 67)}
"""The ids of the matrix."""


def test_every_row_of_the_matrix_is_a_case_or_is_listed_as_not_run() -> None:
    cases = {case.id.split("-")[0] for case in list_cases()}
    elsewhere = _rows_in("Rows that have tests of their own")
    not_run = _rows_in("Rows that are not run here")
    assert _ROWS - cases - elsewhere - not_run == set()
    assert not_run & (cases | elsewhere) == set()
    assert cases <= _ROWS


def test_the_promised_number_of_rows_exists_each_with_a_unique_id() -> None:
    ids = [case.id for case in list_cases()]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 45


def test_an_unknown_case_is_named_with_the_known_ones() -> None:
    cases = list_cases()
    assert find_case(cases, cases[0].id) is cases[0]
    try:
        find_case(cases, "F99")
    except LookupError as error:
        assert cases[0].id in str(error)
    else:
        raise AssertionError


def _rows_in(title: str) -> set[str]:
    """Return the ids in the first column of a section's table."""
    section = _PAGE.read_text("utf-8").split(f"## {title}")[1].split("\n## ")[0]
    firsts = re.findall(r"^\| (F[^|]+) \|", section, re.MULTILINE)
    return {one for first in firsts for one in re.findall(r"F\d\d", first)}
