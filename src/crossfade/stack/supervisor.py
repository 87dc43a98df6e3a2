"""The supervisor of a stack's processes: starts them in order, restarts and stops them."""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from crossfade.errors import BrokerError, CrossfadeError, StackError
from crossfade.folder import write_atomically
from crossfade.stack.alarm import Alarm
from crossfade.stack.child import Child, ChildSpec
from crossfade.stack.child_log import last_line
from crossfade.stack.disk_space import describe_full_disk
from crossfade.stack.liveness import LivenessProbe
from crossfade.stack.stop_request import StopRequest
from crossfade.telemetry import get_logger

State = Literal["starting", "running", "waiting", "stopped"]

_POLL_S = 0.1
_ERROR_AT_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a child that failed waits for its next start."""

    first_s: float = 1.0
    most_s: float = 30.0
    settled_after_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """Return the wait after a number of failures in a row: it doubles up to `most_s`."""
        return min(self.first_s * 2 ** min(failures - 1, 30), self.most_s)


class ChildState(msgspec.Struct, frozen=True):
    """What `status` shows of a child; `alarm` names the work at which it fails repeatedly."""

    name: str
    state: State
    pid: int | None
    since_ms: int | None
    restarts: int
    log: str
    alarm: str = ""


@dataclass(slots=True)
class _Slot:
    """A specification and the process that runs it now, if one does."""

    spec: ChildSpec
    log: Path
    child: Child | None = None
    probe: LivenessProbe | None = None
    alarm: Alarm = field(default_factory=Alarm)
    ready: bool = False
    started_at: float = 0.0
    due_at: float = 0.0
    restarts: int = 0
    failures: int = 0


class Supervisor:
    """Runs children in the order given; each starts when the one before is ready, or early.

    When a child fails, its whole session is killed, and it starts again after a back-off.
    On Linux, the kernel kills the children when the thread that runs the supervisor ends.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        logs: Path,
        state_file: Path,
        backoff: Backoff = Backoff(),
    ) -> None:
        """Take the children, the folder of their logs and the file of their state."""
        self._slots = [_Slot(spec, logs / f"{spec.name}.log") for spec in specs]
        self._state_file = state_file
        self._backoff = backoff
        self._to_restart: set[str] = set()
        self._to_restart_lock = threading.Lock()
        self._logger = get_logger("supervisor")

    def run(self, request: StopRequest) -> None:
        """Start the children, watch them until a stop is requested, then stop them all.

        Raises:
            StackError: a child did not become ready at the first start.
        """
        try:
            self.start(request)
            while not request.asked.wait(_POLL_S):
                self.watch()
        finally:
            self.stop(request)

    def start(self, request: StopRequest) -> None:
        """Start each child when the one before is ready; return when all are."""
        early = [slot for slot in self._slots if slot.spec.is_early]
        for slot in early:
            self._launch(slot)
        for slot in self._slots:
            if slot.child is None:
                self._launch(slot)
            awaited = [slot, *(one for one in early if not one.ready)]
            while not slot.ready and not request.asked.is_set():
                for one in awaited:
                    self._require_start(one)
                self._check_ready(slot)
                self.watch(besides=awaited)
                request.asked.wait(_POLL_S)
            if request.asked.is_set():
                return

    def request_restart(self, name: str) -> None:
        """Request, from any thread, that a child is stopped in order and started again."""
        with self._to_restart_lock:
            self._to_restart.add(name)

    def watch(self, *, besides: Sequence[_Slot] = ()) -> None:
        """Check each child once: end what failed or is silent, and start what is due."""
        for slot in self._slots:
            if any(slot is one for one in besides):
                continue
            if slot.alarm.is_over(slot.spec.unfinished):
                self._logger.info("alarm is over", child=slot.spec.name)
                self._write_state()
            if slot.child is not None and self._take_restart(slot.spec.name):
                self._restart(slot, slot.child)
            elif slot.child is not None:
                self._check(slot, slot.child)
            elif slot.due_at and time.monotonic() >= slot.due_at:
                self._relaunch(slot)

    def stop(self, request: StopRequest) -> None:
        """Stop the children in reverse order; drain each first, unless the stop is immediate."""
        with ExitStack() as in_reverse:
            for slot in self._slots:
                in_reverse.callback(self._stop, slot, request)

    def state(self) -> list[ChildState]:
        """Return the state of each child, in start order."""
        return [_describe(slot) for slot in self._slots]

    def _stop(self, slot: _Slot, request: StopRequest) -> None:
        child, slot.due_at = slot.child, 0.0
        if child is None:
            return
        drain = slot.spec.drain
        if drain is not None and slot.ready and not request.immediate.is_set():
            try:
                drain()
            except CrossfadeError as error:
                self._logger.warning("not drained", child=slot.spec.name, why=str(error))
        child.stop(is_immediate=request.immediate.is_set)
        self._clear(slot)
        self._logger.info("stopped", child=slot.spec.name, exit_code=child.exit_code)
        self._write_state()

    def _launch(self, slot: _Slot) -> None:
        self._take_restart(slot.spec.name)
        slot.child = Child(slot.spec, slot.log)
        slot.probe = LivenessProbe(slot.spec.alive) if slot.spec.alive is not None else None
        slot.ready, slot.due_at, slot.started_at = False, 0.0, time.monotonic()
        self._logger.info("started", child=slot.spec.name, pid=slot.child.pid)
        self._write_state()

    def _relaunch(self, slot: _Slot) -> None:
        slot.restarts += 1
        try:
            self._launch(slot)
        except OSError as error:
            self._schedule_start(slot, f"cannot be started: {error.strerror}")

    def _restart(self, slot: _Slot, child: Child) -> None:
        self._logger.info("restart was requested", child=slot.spec.name)
        child.stop()
        self._clear(slot)
        self._relaunch(slot)

    def _take_restart(self, name: str) -> bool:
        with self._to_restart_lock:
            is_requested = name in self._to_restart
            self._to_restart.discard(name)
        return is_requested

    def _check(self, slot: _Slot, child: Child) -> None:
        alive_s = time.monotonic() - slot.started_at
        if child.exit_code is not None:
            self._fail(slot, child, f"ended with {child.exit_code}")
        elif not slot.ready:
            self._check_ready(slot)
            if not slot.ready and alive_s > slot.spec.ready_within_s:
                self._fail(slot, child, f"not ready within {slot.spec.ready_within_s:.0f} s")
        elif slot.probe is not None and slot.probe.silent_s() > slot.spec.silent_for_s:
            self._fail(slot, child, f"has not answered for {slot.spec.silent_for_s:.0f} s")
        elif slot.failures and alive_s > self._backoff.settled_after_s:
            slot.failures = 0

    def _check_ready(self, slot: _Slot) -> None:
        try:
            slot.ready = slot.spec.ready()
        except BrokerError:
            return
        if slot.ready:
            self._logger.info("ready", child=slot.spec.name)
            self._write_state()

    def _fail(self, slot: _Slot, child: Child, how: str) -> None:
        """Kill what is left of a failed child and schedule its next start."""
        child.kill()
        self._clear(slot)
        slot.alarm.record_failure(slot.spec.unfinished(), how, last_line(slot.log))
        self._schedule_start(slot, how)

    def _clear(self, slot: _Slot) -> None:
        if slot.probe is not None:
            slot.probe.end()
        slot.child, slot.probe, slot.ready = None, None, False

    def _schedule_start(self, slot: _Slot, how: str) -> None:
        slot.failures += 1
        is_alarming = bool(slot.alarm.text)
        wait_s = self._backoff.most_s if is_alarming else self._backoff.wait_s(slot.failures)
        slot.due_at = time.monotonic() + wait_s
        if is_alarming:
            self._logger.error("alarm", child=slot.spec.name, over=slot.alarm.text)
        is_repeated = slot.failures >= _ERROR_AT_FAILURES
        log = self._logger.error if is_repeated else self._logger.warning
        log(
            "keeps failing" if is_repeated else "failed",
            child=slot.spec.name,
            how=how,
            failures=slot.failures,
            again_in_s=wait_s,
            said=last_line(slot.log),
            cure=f"{describe_full_disk(slot.log)}See the log.",
            log=str(slot.log),
        )
        self._write_state()

    def _require_start(self, slot: _Slot) -> None:
        child = slot.child
        late = time.monotonic() - slot.started_at > slot.spec.ready_within_s
        if child is None or (child.exit_code is None and not late):
            return
        how = "is not ready in time" if child.exit_code is None else "ended at its start"
        what = f"{slot.spec.name} {how}: {last_line(slot.log)}"
        raise StackError(what, f"{describe_full_disk(slot.log)}See {slot.log}.")

    def _write_state(self) -> None:
        """Write the state; a full disk must not stop the supervisor."""
        with suppress(OSError):
            write_atomically(self._state_file, msgspec.json.encode(self.state()))


def read_state(state_file: Path) -> list[ChildState]:
    """Read the state that a supervisor wrote last; an empty list when there is none."""
    try:
        return msgspec.json.decode(state_file.read_bytes(), type=list[ChildState])
    except (FileNotFoundError, msgspec.DecodeError):
        return []


def _describe(slot: _Slot) -> ChildState:
    child = slot.child
    if child is not None:
        state: State = "running" if slot.ready else "starting"
    else:
        state = "waiting" if slot.due_at else "stopped"
    return ChildState(
        name=slot.spec.name,
        state=state,
        pid=child.pid if child else None,
        since_ms=child.since_ms if child else None,
        restarts=slot.restarts,
        log=str(slot.log),
        alarm=slot.alarm.text,
    )
