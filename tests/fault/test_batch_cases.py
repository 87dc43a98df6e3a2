"""One of the fault suite's batch cases; `scripts/faults` runs them all."""

import pytest

from faults.case import find_case
from faults.cases_batch import BATCH_CASES
from faults.cases_release import RELEASES, unpack_release
from faults.template import Bench

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]


def test_a_run_that_is_killed_before_its_publication_is_run_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("cases")
    unpack_release(max(RELEASES.glob("*.tar.xz")), root / "template")
    bench = Bench(root / "template", root / "scratch", seed=7)
    outcome = find_case(BATCH_CASES, "F52-unpublished").run(bench)
    assert outcome.holds, outcome
