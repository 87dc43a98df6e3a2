"""Keeps the processes of a stack alive: starts them in order, restarts the dead, leaves none."""

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
from crossfade.stack.liveness import Pulse
from crossfade.stack.stop_request import StopRequest
from crossfade.telemetry import get_logger

State = Literal["starting", "running", "waiting", "stopped"]

_POLL_S = 0.1
_KEEPS_DYING_AT = 3


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a child that died waits for its next start."""

    first_s: float = 1.0
    most_s: float = 30.0
    settled_after_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """Return the wait after so many deaths in a row: doubling, but not for ever."""
        return min(self.first_s * 2 ** min(failures - 1, 30), self.most_s)


class ChildState(msgspec.Struct, frozen=True):
    """What `status` tells of a child; `alarm` is what it has died over again and again."""

    name: str
    state: State
    pid: int | None
    since_ms: int | None
    restarts: int
    log: str
    alarm: str = ""


@dataclass(slots=True)
class _Slot:
    """A child's place: the child in it comes and goes."""

    spec: ChildSpec
    log: Path
    child: Child | None = None
    pulse: Pulse | None = None
    alarm: Alarm = field(default_factory=Alarm)
    ready: bool = False
    started_at: float = 0.0
    due_at: float = 0.0
    restarts: int = 0
    failures: int = 0


class Supervisor:
    """Runs children in the order given; each is started when the one before is ready, or early.

    A child that dies takes its whole session with it and is started again after a back-off.
    Children die with the thread that runs the supervisor, even if that is killed.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        logs: Path,
        state_file: Path,
        backoff: Backoff = Backoff(),
    ) -> None:
        """Name the children, the folder of their logs and the file that tells their state."""
        self._slots = [_Slot(spec, logs / f"{spec.name}.log") for spec in specs]
        self._state_file = state_file
        self._backoff = backoff
        self._asked: set[str] = set()
        self._asked_lock = threading.Lock()
        self._logger = get_logger("supervisor")

    def run(self, request: StopRequest) -> None:
        """Start all, watch them until a stop is asked for, stop all. Nothing is left after it.

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
        """Start each child when the one before is ready; come back when all are."""
        early = [slot for slot in self._slots if slot.spec.is_early]
        for slot in early:
            self._launch(slot)
        for slot in self._slots:
            if slot.child is None:
                self._launch(slot)
            awaited = [slot, *(one for one in early if not one.ready)]
            while not slot.ready and not request.asked.is_set():
                for one in awaited:
                    self._refuse_dead_start(one)
                self._ask_ready(slot)
                self.watch(besides=awaited)
                request.asked.wait(_POLL_S)
            if request.asked.is_set():
                return

    def ask_restart(self, name: str) -> None:
        """Ask, from any thread, that a child is stopped in order and started again at once."""
        with self._asked_lock:
            self._asked.add(name)

    def watch(self, *, besides: Sequence[_Slot] = ()) -> None:
        """Look once at each child: bury the dead and the silent, start what is due."""
        for slot in self._slots:
            if any(slot is one for one in besides):
                continue
            if slot.alarm.is_over(slot.spec.unfinished):
                self._logger.info("alarm is over", child=slot.spec.name)
                self._tell_state()
            if slot.child is not None and self._is_restart_asked(slot.spec.name):
                self._restart(slot, slot.child)
            elif slot.child is not None:
                self._look_at(slot, slot.child)
            elif slot.due_at and time.monotonic() >= slot.due_at:
                self._relaunch(slot)

    def stop(self, request: StopRequest) -> None:
        """Stop the children in reverse order, each drained first, unless there is hurry."""
        with ExitStack() as in_reverse:
            for slot in self._slots:
                in_reverse.callback(self._stop, slot, request)

    def state(self) -> list[ChildState]:
        """Tell how each child is, in start order."""
        return [_describe(slot) for slot in self._slots]

    def _stop(self, slot: _Slot, request: StopRequest) -> None:
        child, slot.due_at = slot.child, 0.0
        if child is None:
            return
        drain = slot.spec.drain
        if drain is not None and slot.ready and not request.hurry.is_set():
            try:
                drain()
            except CrossfadeError as error:
                self._logger.warning("not drained", child=slot.spec.name, why=str(error))
        child.stop(hurry=request.hurry.is_set)
        self._empty(slot)
        self._logger.info("stopped", child=slot.spec.name, exit_code=child.exit_code)
        self._tell_state()

    def _launch(self, slot: _Slot) -> None:
        self._is_restart_asked(slot.spec.name)
        slot.child = Child(slot.spec, slot.log)
        slot.pulse = Pulse(slot.spec.alive) if slot.spec.alive is not None else None
        slot.ready, slot.due_at, slot.started_at = False, 0.0, time.monotonic()
        self._logger.info("started", child=slot.spec.name, pid=slot.child.pid)
        self._tell_state()

    def _relaunch(self, slot: _Slot) -> None:
        slot.restarts += 1
        try:
            self._launch(slot)
        except OSError as error:
            self._postpone(slot, f"cannot be started: {error.strerror}")

    def _restart(self, slot: _Slot, child: Child) -> None:
        self._logger.info("restart was asked for", child=slot.spec.name)
        child.stop()
        self._empty(slot)
        self._relaunch(slot)

    def _is_restart_asked(self, name: str) -> bool:
        with self._asked_lock:
            is_asked = name in self._asked
            self._asked.discard(name)
        return is_asked

    def _look_at(self, slot: _Slot, child: Child) -> None:
        alive_s = time.monotonic() - slot.started_at
        if child.exit_code is not None:
            self._bury(slot, child, f"ended with {child.exit_code}")
        elif not slot.ready:
            self._ask_ready(slot)
            if not slot.ready and alive_s > slot.spec.ready_within_s:
                self._bury(slot, child, f"not ready within {slot.spec.ready_within_s:.0f} s")
        elif slot.pulse is not None and slot.pulse.look() > slot.spec.silent_for_s:
            self._bury(slot, child, f"has not answered for {slot.spec.silent_for_s:.0f} s")
        elif slot.failures and alive_s > self._backoff.settled_after_s:
            slot.failures = 0

    def _ask_ready(self, slot: _Slot) -> None:
        try:
            slot.ready = slot.spec.ready()
        except BrokerError:
            return
        if slot.ready:
            self._logger.info("ready", child=slot.spec.name)
            self._tell_state()

    def _bury(self, slot: _Slot, child: Child, how: str) -> None:
        child.kill()
        self._empty(slot)
        slot.alarm.note_death(slot.spec.unfinished(), how, last_line(slot.log))
        self._postpone(slot, how)

    def _empty(self, slot: _Slot) -> None:
        if slot.pulse is not None:
            slot.pulse.end()
        slot.child, slot.pulse, slot.ready = None, None, False

    def _postpone(self, slot: _Slot, how: str) -> None:
        slot.failures += 1
        is_alarming = bool(slot.alarm.text)
        wait_s = self._backoff.most_s if is_alarming else self._backoff.wait_s(slot.failures)
        slot.due_at = time.monotonic() + wait_s
        if is_alarming:
            self._logger.error("alarm", child=slot.spec.name, over=slot.alarm.text)
        tell = self._logger.error if slot.failures >= _KEEPS_DYING_AT else self._logger.warning
        tell(
            "keeps dying" if slot.failures >= _KEEPS_DYING_AT else "died",
            child=slot.spec.name,
            how=how,
            failures=slot.failures,
            again_in_s=wait_s,
            said=last_line(slot.log),
            cure=f"{describe_full_disk(slot.log)}See the log.",
            log=str(slot.log),
        )
        self._tell_state()

    def _refuse_dead_start(self, slot: _Slot) -> None:
        child = slot.child
        late = time.monotonic() - slot.started_at > slot.spec.ready_within_s
        if child is None or (child.exit_code is None and not late):
            return
        how = "is not ready in time" if child.exit_code is None else "ended at its start"
        what = f"{slot.spec.name} {how}: {last_line(slot.log)}"
        raise StackError(what, f"{describe_full_disk(slot.log)}See {slot.log}.")

    def _tell_state(self) -> None:
        """Write the state; a full disk, which the children will meet, must not stop this one."""
        with suppress(OSError):
            write_atomically(self._state_file, msgspec.json.encode(self.state()))


def read_state(state_file: Path) -> list[ChildState]:
    """Read what a supervisor last told of its children; nothing when none ever ran."""
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
