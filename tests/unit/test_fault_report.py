"""The report of the fault suite, and the pack from which its random schedules are dealt."""

import itertools
import random
from collections import Counter
from pathlib import Path

from faults.case import Outcome
from faults.cases_live import LIVE_FAULTS
from faults.live_run import FaultSampler
from faults.report import Report


def a_report() -> Report:
    return Report(command="scripts/faults", seed=7, began="now")


def test_a_run_passes_if_every_row_does_and_a_row_that_cannot_run_here_is_no_failure() -> None:
    report = a_report()
    assert not report.holds
    section = report.section("rows")
    section.row("F2", "two").not_run = "needs root"
    assert not report.holds
    section.row("F1", "one").outcomes.append(Outcome(injected=1, healed_s=3.0, seen="died"))
    assert report.holds
    page = report.to_markdown()
    assert "| F1 | one | 1 | 0 | 0 | 0 | 3 s | holds | died |" in page
    assert "| F2 | two | 0 | 0 | 0 | 0 | - | not run | needs root |" in page


def test_one_wrong_outcome_fails_the_run_and_is_the_one_that_is_shown() -> None:
    report = a_report()
    row = report.section("rows").row("F1", "one")
    row.outcomes += [Outcome(injected=1, seen="well"), Outcome(injected=1, lost=2, seen="ill")]
    assert not report.holds
    assert "| F1 | one | 2 | 2 | 0 | 0 | - | **FAILS** | ill |" in report.to_markdown()


def test_a_report_names_no_folder_of_its_run(tmp_path: Path) -> None:
    report = a_report()
    scratch = tmp_path / "crossfade-faults-1"
    seen = f"refused: {scratch}/data"
    report.section("rows").row("F1", "one").outcomes.append(Outcome(injected=1, seen=seen))
    report.write(tmp_path / "report.md", scratch)
    for file in (tmp_path / "report.md", tmp_path / "report.json"):
        assert "SCRATCH/data" in file.read_text()
        assert str(scratch) not in file.read_text()


def test_a_fault_that_did_not_happen_fails_the_run() -> None:
    report = a_report()
    report.section("rows").row("F1", "one").outcomes.append(Outcome(injected=0))
    assert not report.holds


def test_a_part_that_breaks_off_fails_the_run_though_its_rows_pass() -> None:
    report = a_report()
    section = report.section("rows")
    section.row("F1", "one").outcomes.append(Outcome(injected=1))
    section.row("end", "the section completes").failure = "AssertionError: no broker"
    assert not report.holds


def test_a_pack_deals_every_fault_by_its_share_and_never_the_same_one_twice_together() -> None:
    sampler, dealt = FaultSampler(random.Random(3)), Counter[str]()
    shares = {fault.id: fault.weight for fault in LIVE_FAULTS if fault.weight}
    while dealt.total() < sum(shares.values()):
        two = sampler.draw(2 if dealt.total() < sum(shares.values()) / 2 else 1)
        assert len({fault.id for fault in two}) == len(two)
        dealt.update(fault.id for fault in two)
    assert dealt == shares
    assert shares["F25-driver"] == shares["F05-kill"] == shares["F66-supervisor"] == 10


def test_a_pack_holds_back_faults_that_stop_batch_while_batch_is_spared() -> None:
    sampler = FaultSampler(random.Random(3))
    spared = [sampler.draw(1, keep_batch=True)[0] for _ in range(200)]
    assert not any(fault.stops_batch for fault in spared)
    assert any(fault.stops_batch for fault in sampler.draw(2) + sampler.draw(2) + sampler.draw(2))


def test_a_pack_is_shuffled() -> None:
    sampler = FaultSampler(random.Random(3))
    dealt = [sampler.draw(1)[0].id for _ in range(40)]
    assert len(set(dealt)) > 10
    assert sum(one == other for one, other in itertools.pairwise(dealt)) < 8
