import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from crossfade.errors import StackError
from crossfade.stack.child import ChildSpec
from crossfade.stack.liveness import heartbeat_check
from crossfade.stack.stop_request import StopRequest, stop_on_signals
from crossfade.stack.supervisor import Backoff, ChildState, Supervisor, read_state

pytestmark = pytest.mark.fault

QUICK = Backoff(first_s=0.05, most_s=0.2, settled_after_s=60.0)

LIVES = "import signal; signal.pause()"
ENDS_ON_TERM = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", flush=True)
signal.pause()
"""
IGNORES_TERM = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""
HAS_A_CHILD = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], process_group=0)
print("grandchild", child.pid, flush=True)
child.wait()
"""


def a_child(name: str, script: str, **rest: object) -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-I", "-S", "-c", script], **rest)  # type: ignore[arg-type]


def eventually(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        threading.Event().wait(0.01)


def is_alive(pid: int) -> bool:
    """Check whether a process runs; an ended one that is not reaped yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Stack:
    """A supervisor that a test runs step by step in its own thread."""

    def __init__(
        self,
        folder: Path,
        *specs: ChildSpec,
        backoff: Backoff = QUICK,
    ) -> None:
        self.folder = folder
        self.request = StopRequest()
        self.supervisor = Supervisor(
            specs,
            logs=folder,
            state_file=folder / "children.json",
            backoff=backoff,
        )

    def of(self, name: str) -> ChildState:
        return next(state for state in self.supervisor.state() if state.name == name)

    def pid(self, name: str) -> int:
        pid = self.of(name).pid
        assert pid is not None
        return pid

    def watch_until(self, condition: Callable[[], object]) -> None:
        def look() -> object:
            self.supervisor.watch()
            return condition()

        eventually(look)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@contextmanager
def running(folder: Path, *specs: ChildSpec, backoff: Backoff = QUICK) -> Iterator[Stack]:
    stack = Stack(folder, *specs, backoff=backoff)
    try:
        stack.supervisor.start(stack.request)
        yield stack
    finally:
        stack.supervisor.stop(stack.request)


def test_children_start_in_order_each_when_the_one_before_is_ready(tmp_path: Path) -> None:
    order = []

    def ready(name: str) -> Callable[[], bool]:
        return lambda: order.append(name) is None

    names = ("broker", "streams", "serving")
    with running(tmp_path, *(a_child(name, LIVES, ready=ready(name)) for name in names)):
        assert order == ["broker", "streams", "serving"]


def test_an_early_child_starts_with_the_first_and_is_awaited_in_its_turn(tmp_path: Path) -> None:
    order = []
    early_runs = tmp_path / "early"

    def first_is_ready() -> bool:
        return early_runs.exists() and order.append("broker") is None

    def early_is_ready() -> bool:
        return order.append("streams") is None

    says_so = f"open({str(early_runs)!r}, 'w').close(); {LIVES}"
    with running(
        tmp_path,
        a_child("broker", LIVES, ready=first_is_ready),
        a_child("serve", LIVES, ready=lambda: order.append("serve") is None),
        a_child("streams", says_so, ready=early_is_ready, is_early=True),
    ):
        assert order == ["broker", "serve", "streams"]


def test_an_early_child_that_fails_before_its_turn_stops_the_stack_and_the_reason_is_shown(
    tmp_path: Path,
) -> None:
    stack = Stack(
        tmp_path,
        a_child("broker", LIVES, ready=lambda: False),
        a_child("streams", "raise SystemExit('no heap')", is_early=True),
    )
    with pytest.raises(StackError, match="streams ended at its start: no heap"):
        stack.supervisor.run(stack.request)
    assert [child.state for child in stack.supervisor.state()] == ["stopped", "stopped"]


def test_a_child_that_ended_is_restarted_and_its_restarts_are_reported(tmp_path: Path) -> None:
    with running(tmp_path, a_child("broker", LIVES), a_child("streams", LIVES)) as stack:
        first, other = stack.pid("streams"), stack.pid("broker")
        os.kill(first, signal.SIGKILL)
        stack.watch_until(lambda: stack.of("streams").pid not in (None, first))
        assert stack.of("streams").restarts == 1
        assert stack.pid("broker") == other
        assert read_state(tmp_path / "children.json") == stack.supervisor.state()


def test_everything_that_an_ended_child_started_ends_too(tmp_path: Path) -> None:
    with running(tmp_path, a_child("streams", HAS_A_CHILD)) as stack:
        eventually(lambda: "grandchild" in stack.log("streams"))
        grandchild = int(stack.log("streams").split()[1])
        first = stack.pid("streams")
        os.kill(first, signal.SIGKILL)
        stack.watch_until(lambda: stack.of("streams").pid not in (None, first))
        eventually(lambda: not is_alive(grandchild))


def test_a_child_that_keeps_failing_waits_longer_each_time_and_raises_an_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flag = tmp_path / "may live"
    flag.touch()
    script = (
        f"import os, signal\nif not os.path.exists({str(flag)!r}): raise SystemExit('no room')\n"
    )
    with running(tmp_path, a_child("batch", script + "signal.pause()")) as stack:
        flag.unlink()
        os.kill(stack.pid("batch"), signal.SIGKILL)
        stack.watch_until(lambda: stack.of("batch").restarts >= 3)
        stack.watch_until(lambda: stack.of("batch").state == "waiting")
    output = capsys.readouterr()
    assert "keeps failing" in output.out + output.err
    assert "no room" in output.out + output.err


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (99, 30)]
)
def test_the_wait_doubles_from_one_second_to_thirty(failures: int, wait_s: float) -> None:
    assert Backoff().wait_s(failures) == wait_s


def test_the_stop_is_in_reverse_order_and_drains_first(tmp_path: Path) -> None:
    seen: list[tuple[str, list[str]]] = []

    def drain(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, alive()))

    def alive() -> list[str]:
        return [state.name for state in stack.supervisor.state() if state.pid is not None]

    specs = [a_child(name, ENDS_ON_TERM, drain=drain(name)) for name in ("a", "b", "c")]
    with running(tmp_path, *specs) as stack:
        pids = [stack.pid(name) for name in "abc"]
    assert seen == [("c", ["a", "b", "c"]), ("b", ["a", "b"]), ("a", ["a"])]
    assert not any(map(is_alive, pids))


def test_a_drain_that_fails_does_not_keep_the_others_from_stopping(tmp_path: Path) -> None:
    def drain() -> None:
        what = "Kafka is away."
        raise StackError(what)

    with running(tmp_path, a_child("a", LIVES), a_child("b", LIVES, drain=drain)) as stack:
        pids = [stack.pid("a"), stack.pid("b")]
    assert not any(map(is_alive, pids))


def test_a_child_that_ignores_the_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    with running(tmp_path, a_child("stubborn", IGNORES_TERM, stop_grace_s=0.2)) as stack:
        pid = stack.pid("stubborn")
        eventually(lambda: "up" in stack.log("stubborn"))
    assert not is_alive(pid)


def test_a_second_request_waits_for_no_grace(tmp_path: Path) -> None:
    began = time.monotonic()
    with running(tmp_path, a_child("stubborn", IGNORES_TERM, stop_grace_s=120.0)) as stack:
        eventually(lambda: "up" in stack.log("stubborn"))
        stack.request.immediate.set()
    assert time.monotonic() - began < 60


def test_a_child_that_fails_at_its_first_start_stops_the_stack_and_the_reason_is_shown(
    tmp_path: Path,
) -> None:
    stack = Stack(
        tmp_path,
        a_child("broker", LIVES),
        a_child("streams", "raise SystemExit('no such table')", ready=lambda: False),
    )
    with pytest.raises(StackError, match=r"streams ended at its start: no such table See .*log"):
        stack.supervisor.run(stack.request)
    assert {state.state for state in stack.supervisor.state()} == {"stopped"}


def test_a_stop_that_is_asked_for_during_the_start_stops_what_runs(tmp_path: Path) -> None:
    def interrupted() -> bool:
        stack.request.asked.set()
        return False

    first, never = a_child("broker", LIVES, ready=interrupted), a_child("streams", LIVES)
    stack = Stack(tmp_path, first, never)
    stack.supervisor.run(stack.request)
    assert [state.state for state in stack.supervisor.state()] == ["stopped", "stopped"]
    assert not (tmp_path / "streams.log").exists()


def test_a_child_that_is_never_ready_stops_the_stack(tmp_path: Path) -> None:
    spec = a_child("streams", LIVES, ready=lambda: False, ready_within_s=0.3)
    with pytest.raises(StackError, match="streams is not ready in time"):
        Stack(tmp_path, spec).supervisor.run(StopRequest())


def test_a_missing_program_is_reported_in_one_line(tmp_path: Path) -> None:
    spec = ChildSpec("streams", ["/no/such/program"], ready=lambda: False)
    with pytest.raises(StackError, match="Cannot start /no/such/program: No such file"):
        Stack(tmp_path, spec).supervisor.run(StopRequest())


def test_a_child_with_low_priority_has_it_in_its_whole_session(tmp_path: Path) -> None:
    with running(tmp_path, a_child("batch", LIVES, nice=7)) as stack:
        pid = stack.pid("batch")
        eventually(lambda: psutil.Process(pid).nice() == 7)
        group = Path(f"/proc/{pid}/autogroup")
        if not group.exists():
            pytest.skip("this kernel does not share out by session")
        eventually(lambda: group.read_text().split()[-1] == "7")


def test_logs_hold_both_outputs_and_survive_a_restart(tmp_path: Path) -> None:
    script = (
        "import sys, signal; print('out', flush=True); print('err', file=sys.stderr, flush=True)"
    )
    with running(tmp_path, a_child("streams", script + "; signal.pause()")) as stack:
        eventually(lambda: stack.log("streams").count("err") == 1)
        first = stack.pid("streams")
        os.kill(first, signal.SIGKILL)
        stack.watch_until(lambda: stack.log("streams").count("err") == 2)
        assert sorted(stack.log("streams").split()) == ["err", "err", "out", "out"]


OF_ITS_OWN = """
import pathlib, sys
from crossfade.stack.child import ChildSpec
from crossfade.stack.stop_request import stop_on_signals
from crossfade.stack.supervisor import Supervisor
folder = pathlib.Path(sys.argv[1])
lives = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
specs = [ChildSpec(name, lives) for name in ("broker", "streams")]
with stop_on_signals() as request:
    Supervisor(specs, logs=folder, state_file=folder / "children.json").run(request)
"""


@contextmanager
def supervisor_process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    command = [sys.executable, "-c", OF_ITS_OWN, str(folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        eventually(
            lambda: [s.state for s in read_state(folder / "children.json")] == ["running"] * 2
        )
        states = json.loads((folder / "children.json").read_bytes())
        try:
            yield process, [state["pid"] for state in states]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with supervisor_process(tmp_path) as (process, pids):
        process.send_signal(number)
        assert process.wait(30) == 0
    assert not any(map(is_alive, pids))
    assert [state.state for state in read_state(tmp_path / "children.json")] == ["stopped"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with supervisor_process(tmp_path) as (process, pids):
        process.kill()
        process.wait(30)
        eventually(lambda: not any(map(is_alive, pids)))


def test_the_terminals_interrupt_does_not_reach_the_children(tmp_path: Path) -> None:
    with running(tmp_path, a_child("streams", LIVES)) as stack:
        assert os.getsid(stack.pid("streams")) != os.getsid(0)
        assert os.getpgid(stack.pid("streams")) == stack.pid("streams")


def test_the_first_signal_asks_to_end_and_the_second_ends_immediately() -> None:
    with stop_on_signals() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        eventually(request.asked.is_set)
        assert not request.immediate.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        eventually(request.immediate.is_set)


def test_a_child_that_was_suspended_by_a_signal_is_killed_and_restarted(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    script = (
        f"import pathlib, time\nwhile True: pathlib.Path({str(beat)!r}).touch(); time.sleep(.1)"
    )
    spec = a_child(
        "streams", script, ready=beat.exists, alive=heartbeat_check(beat), silent_for_s=4.0
    )
    with running(tmp_path, spec) as stack:
        first = stack.pid("streams")
        deadline = time.monotonic() + 6
        stack.watch_until(lambda: time.monotonic() > deadline)
        assert stack.pid("streams") == first
        os.kill(first, signal.SIGSTOP)
        stack.watch_until(lambda: stack.of("streams").pid not in (None, first))
        assert stack.of("streams").restarts == 1


def test_a_child_without_a_heartbeat_yet_is_not_taken_for_silent(tmp_path: Path) -> None:
    spec = a_child("batch", LIVES, alive=lambda: False, silent_for_s=0.1)
    with running(tmp_path, spec) as stack:
        first = stack.pid("batch")
        deadline = time.monotonic() + 1
        stack.watch_until(lambda: time.monotonic() > deadline)
        assert stack.pid("batch") == first


def test_three_failures_on_one_piece_of_work_raise_an_alarm_until_it_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ["speed, micro-batch 7"]
    script = "import signal; print('speed died', flush=True); signal.pause()"
    spec = a_child("streams", script, unfinished=lambda: work)
    backoff = Backoff(first_s=0.01, most_s=0.5, settled_after_s=0.0)
    with running(tmp_path, spec, backoff=backoff) as stack:
        for death in range(1, 4):
            eventually(lambda: stack.log("streams").count("speed died") == death)  # noqa: B023
            assert stack.of("streams").alarm == ""
            stack.watch_until(lambda: stack.of("streams").state == "running")
            pid = stack.pid("streams")
            os.kill(pid, signal.SIGKILL)
            stack.watch_until(lambda: stack.of("streams").pid != pid)  # noqa: B023
            if death < 3:
                stack.watch_until(lambda: stack.of("streams").state == "running")
        [child] = read_state(tmp_path / "children.json")
        assert child.alarm.startswith("speed, micro-batch 7: failed 3 times (ended with -9)")
        work.clear()
        stack.watch_until(lambda: not stack.of("streams").alarm)
    said = capsys.readouterr()
    assert "over='speed, micro-batch 7: failed 3 times" in said.out + said.err


def test_a_requested_restart_is_not_a_failure(tmp_path: Path) -> None:
    with running(tmp_path, a_child("broker", LIVES), a_child("streams", LIVES)) as stack:
        first, other = stack.pid("broker"), stack.pid("streams")
        stack.supervisor.request_restart("broker")
        stack.watch_until(lambda: stack.of("broker").pid not in (None, first))
        assert stack.of("broker").state in ("starting", "running")
        assert stack.pid("streams") == other
