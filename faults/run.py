"""Every row of the fault matrix, then random schedules: `scripts/faults`."""

import argparse
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from crossfade.clock import format_time, now_ms
from faults.case import Case, Outcome
from faults.cases_batch import BATCH_CASES
from faults.cases_live import LIVE_FAULTS, LiveFault
from faults.cases_start import START_CASES
from faults.cases_zombie import ZOMBIE_CASES
from faults.damage import CannotInjectError
from faults.live_run import run_random, run_rows
from faults.progress_output import print_progress
from faults.report import Report, Section
from faults.template import Bench, make_template

_Chosen = TypeVar("_Chosen", Case, LiveFault)
_DESCRIPTION = """\
Inject every fault of the matrix into the real thing, then random ones for some minutes, and judge
each by an oracle that shares no code with the pipeline. Ends with a report, and with 1 if a row
does not hold. Needs nothing but this machine; some cases need root, faketime or strace, and say so.
"""
_STOPPED = (*START_CASES, *ZOMBIE_CASES, *BATCH_CASES)
_EXAMPLE = "example: scripts/faults --minutes 60 --seed 7 --report report.md"


def main() -> int:
    """Run what was asked for, and give the exit code."""
    asked = _parse()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also in the background: what a run has started must end with it.
        signal.signal(number, signal.default_int_handler)
    if asked.list:
        for case in list_cases():
            sys.stdout.write(f"{case.id:20} {case.title}\n")
        return 0
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10_000)
    report = Report(
        command=shlex.join(["scripts/faults", *sys.argv[1:]]),
        seed=seed,
        began=format_time(now_ms()),
    )
    print_progress(f"Seed {seed}.")
    scratch = Path(tempfile.mkdtemp(prefix="crossfade-faults-"))
    try:
        _run(asked, seed, scratch, report)
    finally:
        report.write(asked.report, scratch)
        print_progress(f"Report: {asked.report}")
        if report.holds:
            shutil.rmtree(scratch)
        else:
            print_progress(f"What does not hold is left in {scratch}: look, and remove it.")
    return 0 if report.holds else 1


def _run(asked: argparse.Namespace, seed: int, scratch: Path, report: Report) -> None:
    chosen = set(asked.case)
    starts = _choose(_STOPPED, chosen)
    lives = _choose(LIVE_FAULTS, chosen) * asked.rounds
    if starts and not asked.only_random:
        section = report.section("Rows on a stopped stack's folder, and in one run of batch")
        with _to_the_end_of(section):
            _run_cases(section, starts, seed, scratch / "cases")
    if lives and not asked.only_random:
        section = report.section("Rows on a running stack")
        with _to_the_end_of(section):
            run_rows(section, lives, seed=seed, rate=asked.rate, scratch=scratch / "rows")
    if asked.minutes and not chosen:
        section = report.section(f"Random schedules for {asked.minutes:g} minutes")
        with _to_the_end_of(section):
            place = scratch / "random"
            run_random(section, asked.minutes, seed=seed, rate=asked.rate, scratch=place)


@contextmanager
def _to_the_end_of(section: Section) -> Iterator[None]:
    """Let a part that breaks off fail the run, whatever its rows say; the next part goes on."""
    try:
        yield
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        section.row("end", "the part comes to its end").failure = words
        print_progress(f"Broken off: {words}")
        if not isinstance(error, Exception):
            raise


def _run_cases(section: Section, cases: Sequence[Case], seed: int, scratch: Path) -> None:
    """Run cases that each have a folder of their own, copied from one template."""
    scratch.mkdir(parents=True)
    print_progress("Making the template: a small stack's folder …")
    make_template(scratch / "template", seed)
    for case in cases:
        began = time.monotonic()
        row = section.row(case.id, case.title)
        try:
            outcome: Outcome = case.run(Bench(scratch / "template", scratch / case.id, seed))
        except CannotInjectError as error:
            row.not_run = str(error)
        except Exception as error:  # noqa: BLE001 - the other cases go on
            row.failure = f"{type(error).__name__}: {error}"
        else:
            row.outcomes.append(outcome)
        took_s = time.monotonic() - began
        seen = " ".join(row.summary().seen.split())[:200]
        print_progress(f"{case.id}: {row.verdict} ({took_s:.0f} s): {seen}")


def _choose(cases: Sequence[_Chosen], chosen: set[str]) -> list[_Chosen]:
    return [case for case in cases if not chosen or case.id in chosen]


def list_cases() -> list[Case | LiveFault]:
    """Return every case, in the order in which the rows are run."""
    return [*_STOPPED, *LIVE_FAULTS]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.add_argument("--minutes", type=float, default=10, help="random schedules so long (10)")
    parser.add_argument("--seed", type=int, help="the rng; told at the start")
    parser.add_argument("--rate", type=int, default=2000, help="plays a second of the audience")
    parser.add_argument(
        "--rounds", type=int, default=1, help="each row of the running stack so often (1)"
    )
    parser.add_argument("--case", action="append", default=[], help="this one alone; repeatable")
    parser.add_argument(
        "--only-random", action="store_true", help="no rows, random schedules alone"
    )
    parser.add_argument("--list", action="store_true", help="list the cases, and end")
    parser.add_argument("--report", type=Path, default=Path("fault-report.md"), help="where to")
    asked = parser.parse_args()
    known = {case.id for case in list_cases()}
    if unknown := set(asked.case) - known:
        parser.error(f"no case {', '.join(sorted(unknown))}; --list shows them")
    return asked


if __name__ == "__main__":
    sys.exit(main())
