"""Batch cases: kill runs of batch, and check what is published."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from faults.case import Case, Outcome
from faults.case_checks import add_up, check_healed, check_refused, require
from faults.commands import Command
from faults.lake_snapshot import Snapshot, newest_run, snapshot_published, versions
from faults.leftover_processes import list_leftover_processes
from faults.template import on_copy
from faults.workspace import Workspace

_GOLD = "gold/"
_RUN = "gold/run"
_POLL_S = 0.002
_WITHIN_S = 120.0
_LEAST_COMMITS = 9
"""The least number of commits that a run on this template makes before it is published."""


class CommitWatch:
    """Watches the Delta logs of batch's tables for new commits."""

    def __init__(self, data: Path) -> None:
        self._logs = {table: data / "datalake" / table / "_delta_log" for table in versions(data)}
        self.heads = versions(data)
        self.seen: list[str] = []

    def look(self) -> list[str]:
        """List the tables of all commits since the watch began, one entry a commit, in order."""
        for table, log in self._logs.items():
            while (log / f"{self.heads[table] + 1:020}.json").exists():
                self.heads[table] += 1
                self.seen.append(table)
        return self.seen

    def await_commit(self, command: Command, is_reached: Callable[[list[str]], bool]) -> bool:
        """Wait until the commits meet a condition; False if the run was published or ended."""
        deadline = time.monotonic() + _WITHIN_S
        while not is_reached(self.look()):
            if _RUN in self.seen or command.exit_code is not None:
                return False
            assert time.monotonic() < deadline, (
                f"the expected commit did not come: {self.seen}; {command.stderr_text[-500:]}"
            )
            time.sleep(_POLL_S)
        return True


class Crashes:
    """Crashes batch repeatedly on one copy, and checks what is published after each crash."""

    def __init__(self, workspace: Workspace) -> None:
        workspace.catch_up("archive")
        self.workspace = workspace
        self.run, _ = newest_run(workspace.data)
        self.snapshot: Snapshot = snapshot_published(workspace.data)
        self.happened = 0
        self.broken: list[str] = []
        self.moments: list[str] = []

    def crash(
        self,
        is_reached: Callable[[list[str]], bool],
        choose: Callable[[Command], list[psutil.Process]] = Command.session,
        *,
        then_s: float = 0.0,
    ) -> list[str]:
        """Start batch, kill some of its processes at a moment, and check what is published.

        Args:
            is_reached: returns whether the moment has come, given the tables committed so far.
            choose: returns the processes to kill; the others must end automatically.
            then_s: seconds to wait after that moment.
        """
        watch = CommitWatch(self.workspace.data)
        command = self.workspace.start("batch")
        came = watch.await_commit(command, is_reached)
        time.sleep(then_s)
        killed = command.end(choose(command))
        command.wait_until_gone()
        seen = list(watch.look())
        if came and killed and _RUN not in seen:
            self.happened += 1
            self.moments.append(seen[-1] if seen else "before any commit")
        self._check_published()
        return seen

    def _check_published(self) -> None:
        run, _ = newest_run(self.workspace.data)
        snapshot = snapshot_published(self.workspace.data)
        if run == self.run and snapshot != self.snapshot:
            self.broken.append(f"run {run} changed")
        elif run > self.run:
            self.run, self.snapshot = run, snapshot

    def outcome(self, least: int) -> Outcome:
        """Publish a last run without a crash, and judge everything."""
        began = time.monotonic()
        self.workspace.publish()
        outcome = check_healed(
            self.workspace.judge(),
            injected=self.happened if self.happened >= least else 0,
            healed_s=time.monotonic() - began,
            seen=f"{self.happened} crashes: {', '.join(self.moments)}",
        )
        return require(outcome, condition=not self.broken, problem="; ".join(self.broken))


def _at(table: str, others_untouched: Callable[[str], bool]) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        """Kill batch when a table has its commit, before the later tables have theirs."""
        crashes = Crashes(workspace)
        seen = crashes.crash(lambda tables: table in tables)
        touched = [one for one in seen if others_untouched(one)]
        outcome = crashes.outcome(1)
        return require(outcome, condition=not touched, problem=f"{touched} had commits already")

    return run


def _after_each_commit(workspace: Workspace) -> Outcome:
    """Crash one run ten times: before its first commit, after its first, its second, and so on."""
    crashes = Crashes(workspace)
    for number in range(10):
        crashes.crash(_count(number))
    return crashes.outcome(10)


def _at_random(workspace: Workspace) -> Outcome:
    """Crash at ten random moments; sometimes kill only Java, or only the Python driver."""
    crashes, rng = Crashes(workspace), workspace.rng
    for _ in range(10):
        moment = _count(rng.randrange(_LEAST_COMMITS))
        crashes.crash(moment, _choose_victims(rng), then_s=rng.uniform(0, 0.3))
    return crashes.outcome(8)


def _count(number: int) -> Callable[[list[str]], bool]:
    """Return a condition for a number of commits, including those that undo a crashed run."""
    return lambda tables: len(tables) >= number


def _choose_victims(rng: random.Random) -> Callable[[Command], list[psutil.Process]]:
    def java(command: Command) -> list[psutil.Process]:
        return [one for one in command.session() if one.name() == "java"] or command.session()

    def leader(command: Command) -> list[psutil.Process]:
        return [psutil.Process(command.process.pid)]

    return rng.choice([Command.session, java, leader])


def _once_killed(workspace: Workspace) -> Outcome:
    """Kill `batch --once` three times; the broker and archive that it started must end too."""
    run, _ = newest_run(workspace.data)
    killed, left = 0, []
    for _ in range(3):
        command = workspace.start("batch", "--once")
        moment = workspace.rng.uniform(4, 16)
        killed += command.wait_until(lambda: command.elapsed() > moment)  # noqa: B023 - called in this iteration
        command.end([psutil.Process(command.process.pid)])
        left += _list_left(workspace.data)
    outcome = _judge_after(workspace, run, killed)
    return require(outcome, condition=not left, problem=f"still running: {left[:2]}")


def _list_left(data: Path) -> list[str]:
    """List the processes that still run 20 s after the process that started them was killed."""
    deadline = time.monotonic() + 20
    while left := list_leftover_processes(data):
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return []


def _judge_after(workspace: Workspace, run: int, killed: int) -> Outcome:
    began = time.monotonic()
    workspace.publish()
    took = time.monotonic() - began
    published, _ = newest_run(workspace.data)
    outcome = check_healed(
        workspace.judge(), injected=killed, healed_s=took, seen=f"{killed} kills"
    )
    return require(outcome, condition=published > run, problem="nothing was published")


def _zombie(workspace: Workspace) -> Outcome:
    """Suspend a run; a second run must be refused, and the first must publish when resumed."""
    workspace.catch_up("archive")
    run, _ = newest_run(workspace.data)
    watch = CommitWatch(workspace.data)
    first = workspace.start("batch")
    came = watch.await_commit(first, lambda tables: any(one.startswith(_GOLD) for one in tables))
    frozen = first.session()
    _signal_all(frozen, signal.SIGSTOP)
    stopped = check_refused(
        workspace,
        workspace.run("batch", "--once"),
        "Another process",
        injected=int(came),
        before=None,
    )
    began = time.monotonic()
    _signal_all(frozen, signal.SIGCONT)
    first.wait_for("its publication", lambda: newest_run(workspace.data)[0] > run)
    took = time.monotonic() - began
    first.ask_to_end()
    return add_up(
        [
            stopped,
            check_healed(
                workspace.judge(), injected=1, healed_s=took, seen="then the first run published"
            ),
        ]
    )


def _signal_all(processes: list[psutil.Process], number: int) -> None:
    for one in processes:
        one.send_signal(number)


BATCH_CASES = (
    Case(
        "F52-silver",
        "killed between silver and gold",
        "batch",
        on_copy(_at("silver/rejected", lambda table: table.startswith(_GOLD))),
    ),
    Case(
        "F52-gold",
        "killed between gold's tables",
        "batch",
        on_copy(_at("gold/song_window", lambda table: table == "gold/chart")),
    ),
    Case(
        "F52-unpublished",
        "killed between the last table and gold/run",
        "batch",
        on_copy(_at("gold/chart", lambda table: table == _RUN)),
    ),
    Case("F52-each", "ten crashes in one run", "batch", on_copy(_after_each_commit)),
    Case("F52-random", "killed at ten random moments", "batch", on_copy(_at_random)),
    Case("F52-once", "batch --once killed with its Kafka", "batch", on_copy(_once_killed)),
    Case("F53-zombie", "a suspended run of batch is resumed", "batch", on_copy(_zombie)),
)
