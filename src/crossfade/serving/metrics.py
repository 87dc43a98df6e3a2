"""What Prometheus reads: how far each layer is, and how requests fare."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossfade.clock import SECOND_MS
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.serving.alarms import Alarms
from crossfade.serving.answers import Sight

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The metrics of one app, in a registry of their own."""

    def __init__(self, see: Callable[[], Sight], ask_alarms: Callable[[], Alarms]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Layers(see))
        self._registry.register(_Stack(ask_alarms))
        self.requests = Histogram(
            "crossfade_request_seconds",
            "Time to answer, by path and status.",
            ("path", "status"),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def render(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self._registry)


class _Layers(Collector):
    """Asks both layers at the moment of a scrape."""

    def __init__(self, see: Callable[[], Sight]) -> None:
        self._see = see

    def collect(self) -> Iterator[GaugeMetricFamily]:
        sight = self._see()
        run, boundary = sight.snapshot.run, sight.snapshot.boundary
        if run is not None:
            yield _gauge("batch_run", "Number of the newest batch run.", run.run)
        if boundary > NO_BOUNDARY:
            age = (sight.now - boundary) / SECOND_MS
            yield _gauge("boundary_age_seconds", "How far the time boundary lies back.", age)
        if sight.speed is None:
            return
        progress = sight.speed.progress(sight.now)
        yield _gauge("speed_ready", "Whether open windows were read.", int(progress.is_ready))
        yield _gauge("speed_rows", "Rows held of open windows.", sight.speed.count_rows())
        if progress.lag_ms is not None:
            yield _gauge("speed_lag_seconds", "How far speed lags.", progress.lag_ms / SECOND_MS)
        if progress.late_pending is not None:
            what = "Late plays that batch has not counted yet."
            yield _gauge("late_pending", what, progress.late_pending)


class _Stack(Collector):
    """Asks what is wrong with the stack."""

    def __init__(self, ask_alarms: Callable[[], Alarms]) -> None:
        self._ask_alarms = ask_alarms

    def collect(self) -> Iterator[GaugeMetricFamily]:
        alarms = self._ask_alarms()
        refused = bool(alarms.refused)
        yield _gauge("plays_refused", "1 while a nearly full disk lets no plays in.", refused)
        what = "1 for a process that fails at the same work again and again."
        ringing = GaugeMetricFamily("crossfade_alarm", what, labels=("process",))
        for name in alarms.ringing:
            ringing.add_metric((name,), 1)
        yield ringing


class TimedRequests:
    """Middleware that notes how long each answer took; paths that do not exist are one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = "500"

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            path = scope["path"] if scope.get("route") is not None else "other"
            took = time.perf_counter() - began
            self._metrics.requests.labels(path, status).observe(took)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"crossfade_{name}", what, value=value)
