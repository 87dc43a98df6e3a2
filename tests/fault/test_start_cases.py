"""A seeded selection of the fault suite's start cases; `scripts/faults` runs them all."""

import pytest

from faults.case import find_case
from faults.cases_release import RELEASES, unpack_release
from faults.cases_start import START_CASES
from faults.damage import CannotInjectError
from faults.template import Bench

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]

_SEED = 7


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a test bench with a release's folder, a small stopped stack that need not be made."""
    root = tmp_path_factory.mktemp("cases")
    unpack_release(max(RELEASES.glob("*.tar.xz")), root / "template")
    return Bench(root / "template", root / "scratch", _SEED)


def test_each_case_has_a_unique_id() -> None:
    ids = [case.id for case in START_CASES]
    assert len(set(ids)) == len(ids) >= 45


@pytest.mark.parametrize(
    "case_id", ["F16-longer", "F26-commits", "F30-archive", "F56-bronze", "F60-release"]
)
def test_a_damaged_folder_is_refused_with_an_error_or_continues_with_exact_counts(
    bench: Bench, case_id: str
) -> None:
    try:
        outcome = find_case(START_CASES, case_id).run(bench)
    except CannotInjectError as error:
        pytest.skip(str(error))
    assert outcome.holds, outcome
