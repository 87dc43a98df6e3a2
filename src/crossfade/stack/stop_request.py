"""The request to stop a process in order, made by a signal or by the process itself."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(slots=True)
class StopRequest:
    """Set `asked` for an orderly stop; set `immediate` too for one that waits for nothing."""

    asked: threading.Event = field(default_factory=threading.Event)
    immediate: threading.Event = field(default_factory=threading.Event)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Yield a request that SIGINT, SIGTERM or SIGHUP sets; a second signal sets `immediate`."""
    request = StopRequest()

    def note(_signal: int, _frame: FrameType | None) -> None:
        (request.immediate if request.asked.is_set() else request.asked).set()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in signals}
    try:
        yield request
    finally:
        for number, action in before.items():
            signal.signal(number, action)
