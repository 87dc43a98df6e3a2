"""Run live faults on one stack under load: every row in order, or a random schedule."""

import json
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.case import Outcome
from faults.cases_live import LIVE_FAULTS, LiveFault
from faults.live_bench import HEAL_WITHIN_S, LiveBench
from faults.live_judge import LiveJudge
from faults.memory import MemoryWatch
from faults.progress_output import print_progress
from faults.publications import Publications
from faults.report import Section
from faults.stack import run_stack

SETTINGS = {
    "CROSSFADE_GRAIN": "1m",
    "CROSSFADE_LATE_AFTER": "1m",
    "CROSSFADE_ARCHIVE_EVERY": "5s",
    # Two cores run the stack and the test code, so both layers run less often.
    "CROSSFADE_SPEED_EVERY": "2s",
    "CROSSFADE_BATCH_EVERY": "60s",
}
_EVERYTHING = Path(__file__).with_name("everything.toml")
_OF_EARLIER = """\
[faults]
# Each late play makes its window dirty. If they fell into this run's windows of 120,000 plays each,
# every run of batch would rebuild nearly all of them, which is too much for two cores.
late_by = ["2h", "4h"]
behind_by = ["2h", "4h"]
"""
_CALM_S = (0.0, 25.0)
_WARM_WITHIN_S = 600.0
_TOGETHER = (1, 1, 1, 2)
"""How many faults a step of a random schedule injects together: one of these, at random."""


def run_rows(
    section: Section, faults: Sequence[LiveFault], *, seed: int, rate: int, scratch: Path
) -> None:
    """Inject faults one after the other; between those that stop batch, wait for a publication."""
    left = list(faults)
    with _run_bench(scratch, seed=seed, rate=rate, section=section) as run:
        while left:
            is_pending = run.publications.is_pending()
            fits = (one for one in left if not (is_pending and one.stops_batch))
            fault = next(fits, left[0])
            left.remove(fault)
            for number in range(fault.in_a_row):
                _inject(run, [fault], keep_batch=not number)


def run_random(section: Section, minutes: float, *, seed: int, rate: int, scratch: Path) -> None:
    """Inject random faults, sometimes two together, for some minutes."""
    deal = FaultSampler(random.Random(seed)).draw
    with _run_bench(scratch, seed=seed, rate=rate, section=section) as run:
        ends = time.monotonic() + minutes * 60
        while time.monotonic() < ends:
            keep_batch = run.publications.is_pending()
            number = run.bench.rng.choice(_TOGETHER)
            _inject(run, deal(number, keep_batch=keep_batch))


class FaultSampler:
    """Draws faults in random order; each round has every fault as often as its weight."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._left: list[LiveFault] = []

    def draw(self, number: int, *, keep_batch: bool = False) -> list[LiveFault]:
        """Return different faults; with `keep_batch`, defer those that stop batch."""
        dealt: list[LiveFault] = []
        while len(dealt) < number:
            if not any(one not in dealt for one in self._left):
                self._fill()
            fits = (
                place
                for place, one in enumerate(self._left)
                if one not in dealt and not (keep_batch and one.stops_batch)
            )
            place = next(fits, None)
            if place is None:
                self._fill()
            else:
                dealt.append(self._left.pop(place))
        return dealt

    def _fill(self) -> None:
        whole = [fault for fault in LIVE_FAULTS for _ in range(fault.weight)]
        self._rng.shuffle(whole)
        self._left += whole


@dataclass(frozen=True, slots=True)
class _LiveRun:
    """A stack with an audience, its judge, and the report's section."""

    bench: LiveBench
    judge: LiveJudge
    section: Section
    publications: Publications


def _inject(run: _LiveRun, faults: Sequence[LiveFault], *, keep_batch: bool = True) -> None:
    """Inject faults, wait until the stack has healed, and check the archive against Kafka.

    With `keep_batch`, wait for a pending publication before a fault that stops batch.
    """
    bench = run.bench
    time.sleep(bench.rng.uniform(*_CALM_S))
    if any(fault.stops_batch for fault in faults):
        if keep_batch:
            run.publications.wait()
        run.publications.stop()
    injections = []
    for fault in faults:
        row = run.section.row(fault.id, fault.title)
        try:
            injections.append((row, fault.inject(bench)))
        except Exception as error:  # noqa: BLE001 - the other rows go on
            row.failure = f"{type(error).__name__}: {error}"
            print_progress(f"{fault.id}: {row.failure}")
    if not injections:
        return
    began = max(injection.began for _, injection in injections)
    # If the whole stack was stopped, wait only for the live side; `Publications` waits for batch.
    hurt = {one.affects for one in faults}
    with_batch = "batch" in hurt and "both" not in hurt
    try:
        healed_s = bench.await_healed(began, with_batch=with_batch)
    except AssertionError as error:
        for row, _ in injections:
            row.failure = str(error)
        print_progress(f"The stack did not heal; it is restarted: {error}")
        bench.stack.stop()
        bench.stack.launch()
        healed_s = bench.await_healed(time.monotonic(), within_s=_WARM_WITHIN_S)
    found = run.judge.check_new()
    for row, injection in injections:
        if healed_s > HEAL_WITHIN_S:
            row.failure = f"healed after {healed_s:.0f} s, not {HEAL_WITHIN_S:.0f} s"
        outcome = Outcome(
            injected=int(bool(injection.seen)),
            lost=found.lost,
            repeated=found.repeated,
            wrong=found.wrong,
            healed_s=healed_s,
            seen=injection.seen or "DID NOT HAPPEN",
        )
        row.outcomes.append(outcome)
        print_progress(f"{row.id}: {outcome.seen}; recovered in {healed_s:.1f} s; {found}")


@contextmanager
def _run_bench(scratch: Path, *, seed: int, rate: int, section: Section) -> Iterator[_LiveRun]:
    """Run a stack with an audience; at the end, process all records and check everything."""
    scratch.mkdir(parents=True)
    ledger = scratch / "ledger"
    scenario = scratch / "scenario.toml"
    scenario.write_text(_EVERYTHING.read_text().replace("[faults]\n", _OF_EARLIER, 1))
    with run_stack(scratch / "data", SETTINGS) as stack:
        bench = LiveBench(stack, random.Random(seed), scratch)
        judge = LiveJudge(stack, ledger)
        stack.wait_for("Kafka", bench.end_offsets)
        bench.audience = stack.start(
            *("generate", "--rate", str(rate), "--for", "24h", "--report", "start"),
            *("--seed", str(seed), "--scenario", str(scenario), "--ledger", str(ledger)),
            log=scratch / "audience.log",
        )
        watch = MemoryWatch(stack)
        try:
            stack.wait_for(
                "a run with plays",
                lambda: int(bench.newest_run().get("run", 0)) > 0,
                within_s=_WARM_WITHIN_S,
            )
            bench.await_healed(time.monotonic(), within_s=_WARM_WITHIN_S)
            print_progress(f"The stack runs under {rate} plays a second; seed {seed}.")
            publications = Publications(bench, section)
            yield _LiveRun(bench, judge, section, publications)
            publications.finish()
            _end_audience(bench)
            _judge_whole(bench, judge, section)
        finally:
            watch.close()
            if bench.audience.poll() is None:
                bench.audience.kill()
                bench.audience.wait()
            section.tables.append((_MEMORY_HEAD, watch.table()))


_MEMORY_HEAD = (
    "peak memory (MB) by sixth of the run",
    *("1st", "2nd", "3rd", "4th", "5th", "6th"),
    "peak files",
    "peak threads",
)


def _end_audience(bench: LiveBench) -> None:
    """Stop the audience with SIGINT; it flushes its records to Kafka and closes its ledger."""
    assert bench.audience is not None
    assert bench.audience.poll() is None, (bench.scratch / "audience.log").read_text()[-2000:]
    bench.audience.send_signal(signal.SIGINT)
    code = bench.audience.wait(120)
    assert code == 0, (bench.scratch / "audience.log").read_text()[-2000:]


def _judge_whole(bench: LiveBench, judge: LiveJudge, section: Section) -> None:
    """Process all records, then check everything with the oracle and with `crossfade reconcile`."""
    print_progress("Processing all records in Kafka …")
    row = section.row("whole", "all layers, at the end")
    # No more records are sent, so a later run covers nothing that speed has not read.
    bench.await_healed(time.monotonic())
    batch = bench.stack.run("batch", "--once", "--json", within_s=900)
    if batch.returncode:
        row.failure = batch.stderr
        return
    began = time.monotonic()
    with bench.stack.beside("reconcile", "--ledger", str(judge.ledger), "--json") as proof:
        found = judge.check_all()
        answer, errors = proof.communicate(timeout=1800)
    result = json.loads(answer) if answer else {"holds": False, "findings": []}
    if not result["holds"]:
        wrong = [one for one in result["findings"] if one["verdict"] == "unexplained"]
        row.failure = f"crossfade reconcile: {wrong or errors}"
    row.outcomes.append(
        Outcome(
            injected=1,
            lost=found.lost,
            repeated=found.repeated,
            wrong=found.wrong + found.unexplained,
            seen="crossfade reconcile "
            + ("holds" if result["holds"] else "does not hold")
            + f", and the oracle {found}; both in {time.monotonic() - began:.0f} s",
        )
    )
    print_progress(f"{row.id}: {row.summary().seen}")
    section.notes.append(_describe_volume(bench))


def _describe_volume(bench: LiveBench) -> str:
    ends = bench.end_offsets() or {}
    settings = ", ".join(f"{name}={value}" for name, value in SETTINGS.items())
    return (
        f"{sum(ends.values()):,} records in {len(ends)} topic partitions, "
        f"{bench.others:,} of them sent by the cases. Settings: {settings}."
    )
