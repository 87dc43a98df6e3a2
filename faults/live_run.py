"""The live part of a run: every row in order, or a random schedule, on one stack under load."""

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
from faults.live_judge import Judge
from faults.memory import MemoryWatch
from faults.progress_output import print_progress
from faults.publications import Publications
from faults.report import Section
from faults.stack import run_stack

SETTINGS = {
    "CROSSFADE_GRAIN": "1m",
    "CROSSFADE_LATE_AFTER": "1m",
    "CROSSFADE_ARCHIVE_EVERY": "5s",
    # Two cores have to do all of this, and the harness beside it: both layers go at a pace.
    "CROSSFADE_SPEED_EVERY": "2s",
    "CROSSFADE_BATCH_EVERY": "60s",
}
_EVERYTHING = Path(__file__).with_name("everything.toml")
_OF_EARLIER = """\
[faults]
# Each late play makes its window dirty. Among this run's windows, of 120,000 plays each, that
# would be nearly all, for each run of batch: more than two cores can do beside all else.
late_by = ["2h", "4h"]
behind_by = ["2h", "4h"]
"""
_CALM_S = (0.0, 25.0)
_WARM_WITHIN_S = 600.0
_TOGETHER = (1, 1, 1, 2)
"""How many faults a step of a random schedule does at once: one of these."""


def run_rows(
    section: Section, faults: Sequence[LiveFault], *, seed: int, rate: int, scratch: Path
) -> None:
    """Do faults one after the other; those that stop batch give it time to publish in between."""
    left = list(faults)
    with _a_bench(scratch, seed=seed, rate=rate, section=section) as scene:
        while left:
            owes = scene.publications.still_owes()
            fits = (one for one in left if not (owes and one.stops_batch))
            fault = next(fits, left[0])
            left.remove(fault)
            for number in range(fault.in_a_row):
                _hurt(scene, [fault], spare_batch=not number)


def run_random(section: Section, minutes: float, *, seed: int, rate: int, scratch: Path) -> None:
    """Do random faults, now and then two at once, for so many minutes."""
    deal = Pack(random.Random(seed)).deal
    with _a_bench(scratch, seed=seed, rate=rate, section=section) as scene:
        ends = time.monotonic() + minutes * 60
        while time.monotonic() < ends:
            spare_batch = scene.publications.still_owes()
            number = scene.bench.rng.choice(_TOGETHER)
            _hurt(scene, deal(number, spare_batch=spare_batch))


class Pack:
    """Deals faults in random order, each as often as its share before any is dealt again."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._left: list[LiveFault] = []

    def deal(self, number: int, *, spare_batch: bool = False) -> list[LiveFault]:
        """Return some faults, each another one; those that stop batch stay in the pack on request."""
        dealt: list[LiveFault] = []
        while len(dealt) < number:
            if not any(one not in dealt for one in self._left):
                self._fill()
            fits = (
                place
                for place, one in enumerate(self._left)
                if one not in dealt and not (spare_batch and one.stops_batch)
            )
            place = next(fits, None)
            if place is None:
                self._fill()
            else:
                dealt.append(self._left.pop(place))
        return dealt

    def _fill(self) -> None:
        whole = [fault for fault in LIVE_FAULTS for _ in range(fault.share)]
        self._rng.shuffle(whole)
        self._left += whole


@dataclass(frozen=True, slots=True)
class _Scene:
    """A stack with an audience, who judges it, and where it is written down."""

    bench: LiveBench
    judge: Judge
    section: Section
    publications: Publications


def _hurt(scene: _Scene, faults: Sequence[LiveFault], *, spare_batch: bool = True) -> None:
    """Inject faults, wait until all is healed after the last, hold the archive against Kafka.

    `spare_batch` lets batch publish what it owes before a fault stops it.
    """
    bench = scene.bench
    time.sleep(bench.rng.uniform(*_CALM_S))
    if any(fault.stops_batch for fault in faults):
        if spare_batch:
            scene.publications.wait()
        scene.publications.stop()
    injections = []
    for fault in faults:
        row = scene.section.row(fault.id, fault.title)
        try:
            injections.append((row, fault.inject(bench)))
        except Exception as error:  # noqa: BLE001 - the other rows go on
            row.failure = f"{type(error).__name__}: {error}"
            print_progress(f"{fault.id}: {row.failure}")
    if not injections:
        return
    began = max(injection.began for _, injection in injections)
    # Where all was stopped, the live side goes first: batch's run is waited for as a publication.
    hurt = {one.hurts for one in faults}
    with_batch = "batch" in hurt and "both" not in hurt
    try:
        healed_s = bench.await_healed(began, with_batch=with_batch)
    except AssertionError as error:
        for row, _ in injections:
            row.failure = str(error)
        print_progress(f"It does not heal; a person starts it again: {error}")
        bench.stack.stop()
        bench.stack.launch()
        healed_s = bench.await_healed(time.monotonic(), within_s=_WARM_WITHIN_S)
    found = scene.judge.since_last()
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
        print_progress(f"{row.id}: {outcome.seen}; healed in {healed_s:.1f} s; {found}")


@contextmanager
def _a_bench(scratch: Path, *, seed: int, rate: int, section: Section) -> Iterator[_Scene]:
    """Return a stack with an audience; in the end all is drained and judged as a whole."""
    scratch.mkdir(parents=True)
    ledger = scratch / "ledger"
    scenario = scratch / "scenario.toml"
    scenario.write_text(_EVERYTHING.read_text().replace("[faults]\n", _OF_EARLIER, 1))
    with run_stack(scratch / "data", SETTINGS) as stack:
        bench = LiveBench(stack, random.Random(seed), scratch)
        judge = Judge(stack, ledger)
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
            yield _Scene(bench, judge, section, publications)
            publications.sum_up()
            _end_audience(bench)
            _judge_whole(bench, judge, section)
        finally:
            watch.close()
            if bench.audience.poll() is None:
                bench.audience.kill()
                bench.audience.wait()
            section.tables.append((_MEMORY_HEAD, watch.table()))


_MEMORY_HEAD = (
    "most memory of (MB), by sixths of the time",
    *("1st", "2nd", "3rd", "4th", "5th", "6th"),
    "most files",
    "most threads",
)


def _end_audience(bench: LiveBench) -> None:
    """Stop the audience as Ctrl-C does: it waits until Kafka has all, and closes its ledger."""
    assert bench.audience is not None
    assert bench.audience.poll() is None, (bench.scratch / "audience.log").read_text()[-2000:]
    bench.audience.send_signal(signal.SIGINT)
    code = bench.audience.wait(120)
    assert code == 0, (bench.scratch / "audience.log").read_text()[-2000:]


def _judge_whole(bench: LiveBench, judge: Judge, section: Section) -> None:
    """Take all in, and hold everything against everything."""
    print_progress("Taking in all that Kafka holds …")
    row = section.row("whole", "all layers, at the end")
    # Nobody sends any more: a run that comes after this covers nothing that speed has not read.
    bench.await_healed(time.monotonic())
    batch = bench.stack.run("batch", "--once", "--json", within_s=900)
    if batch.returncode:
        row.failure = batch.stderr
        return
    began = time.monotonic()
    with bench.stack.beside("reconcile", "--ledger", str(judge.ledger), "--json") as proof:
        found = judge.whole()
        answer, errors = proof.communicate(timeout=1800)
    told = json.loads(answer) if answer else {"holds": False, "findings": []}
    if not told["holds"]:
        wrong = [one for one in told["findings"] if one["verdict"] == "unexplained"]
        row.failure = f"crossfade reconcile: {wrong or errors}"
    row.outcomes.append(
        Outcome(
            injected=1,
            lost=found.lost,
            repeated=found.repeated,
            wrong=found.wrong + found.unexplained,
            seen="crossfade reconcile "
            + ("holds" if told["holds"] else "does not hold")
            + f", and the oracle {found}; both in {time.monotonic() - began:.0f} s",
        )
    )
    print_progress(f"{row.id}: {row.summary().seen}")
    section.notes.append(_describe_volume(bench))


def _describe_volume(bench: LiveBench) -> str:
    ends = bench.end_offsets() or {}
    set_to = ", ".join(f"{name}={value}" for name, value in SETTINGS.items())
    return (
        f"{sum(ends.values()):,} records in {len(ends)} topic partitions, "
        f"{bench.others:,} of them sent beside the audience. Set: {set_to}."
    )
