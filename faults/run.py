"""The command `scripts/faults`: run every row of the fault matrix, then random schedules."""

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
Inject the faults that such systems meet into a real stack: every fault of the matrix, then random
ones for some minutes. An oracle that shares no code with the pipeline checks the results. Write a
report, and exit with 1 if a row does not hold. Everything runs on this machine; some cases need
root, faketime or strace, and are reported as not run without them.
"""
_STOPPED = (*START_CASES, *ZOMBIE_CASES, *BATCH_CASES)
_EXAMPLE = "example: scripts/faults --minutes 60 --seed 7 --report report.md"


def main() -> int:
    """Run the chosen cases, and return the exit code."""
    options = _parse()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also in the background, where SIGINT is ignored: a run must end all that it started.
        signal.signal(number, signal.default_int_handler)
    if options.list:
        for case in list_cases():
            sys.stdout.write(f"{case.id:20} {case.title}\n")
        return 0
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10_000)
    report = Report(
        command=shlex.join(["scripts/faults", *sys.argv[1:]]),
        seed=seed,
        began=format_time(now_ms()),
    )
    print_progress(f"Seed {seed}.")
    scratch = Path(tempfile.mkdtemp(prefix="crossfade-faults-"))
    try:
        _run(options, seed, scratch, report)
    finally:
        report.write(options.report, scratch)
        print_progress(f"Report: {options.report}")
        if report.holds:
            shutil.rmtree(scratch)
        else:
            print_progress(
                f"The folders of failed cases are kept in {scratch}. Remove them after inspection."
            )
    return 0 if report.holds else 1


def _run(options: argparse.Namespace, seed: int, scratch: Path, report: Report) -> None:
    chosen = set(options.case)
    starts = _choose(_STOPPED, chosen)
    lives = _choose(LIVE_FAULTS, chosen) * options.rounds
    if starts and not options.only_random:
        section = report.section("Rows on a stopped stack's folder, and in one run of batch")
        with _record_break_off(section):
            _run_cases(section, starts, seed, scratch / "cases")
    if lives and not options.only_random:
        section = report.section("Rows on a running stack")
        with _record_break_off(section):
            run_rows(section, lives, seed=seed, rate=options.rate, scratch=scratch / "rows")
    if options.minutes and not chosen:
        section = report.section(f"Random schedules for {options.minutes:g} minutes")
        with _record_break_off(section):
            place = scratch / "random"
            run_random(section, options.minutes, seed=seed, rate=options.rate, scratch=place)


@contextmanager
def _record_break_off(section: Section) -> Iterator[None]:
    """Fail the run if this section breaks off, whatever its rows say; later sections still run."""
    try:
        yield
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        section.row("end", "the section completes").failure = words
        print_progress(f"Broken off: {words}")
        if not isinstance(error, Exception):
            raise


def _run_cases(section: Section, cases: Sequence[Case], seed: int, scratch: Path) -> None:
    """Run cases, each on its own copy of one template folder."""
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
    """Return every case, in the order of the rows' run."""
    return [*_STOPPED, *LIVE_FAULTS]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.add_argument(
        "--minutes", type=float, default=10, help="length of the random schedules (default: 10)"
    )
    parser.add_argument(
        "--seed", type=int, help="seed of all random choices (default: random, printed)"
    )
    parser.add_argument(
        "--rate",
        type=int,
        default=2000,
        help="plays a second of the simulated audience (default: 2000)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        help="repetitions of each row on a running stack (default: 1)",
    )
    parser.add_argument(
        "--case", action="append", default=[], help="run only this case; repeatable"
    )
    parser.add_argument("--only-random", action="store_true", help="run only the random schedules")
    parser.add_argument("--list", action="store_true", help="list the cases and exit")
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("fault-report.md"),
        help="where to write the report (default: fault-report.md)",
    )
    options = parser.parse_args()
    known = {case.id for case in list_cases()}
    if unknown := set(options.case) - known:
        parser.error(f"no case {', '.join(sorted(unknown))}; --list shows them")
    return options


if __name__ == "__main__":
    sys.exit(main())
