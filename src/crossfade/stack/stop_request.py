"""The wish that a stack stops: from a signal, or from the command that runs it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(slots=True)
class StopRequest:
    """Set `asked` for an orderly stop; `hurry` as well for one that waits for nothing."""

    asked: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGHUP into a request; a second one asks for hurry."""
    request = StopRequest()

    def note(_signal: int, _frame: FrameType | None) -> None:
        (request.hurry if request.asked.is_set() else request.asked).set()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in signals}
    try:
        yield request
    finally:
        for number, action in before.items():
            signal.signal(number, action)
