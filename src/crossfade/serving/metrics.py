"""Metrics for Prometheus: the progress of each layer, and the duration of requests."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossfade.clock import SECOND_MS
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.serving.alarms import Alarms
from crossfade.serving.answers import RequestView

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The metrics of one app, in their own registry."""

    def __init__(self, view: Callable[[], RequestView], alarms: Callable[[], Alarms]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Layers(view))
        self._registry.register(_Stack(alarms))
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
    """Reads the state of both layers at each scrape."""

    def __init__(self, view: Callable[[], RequestView]) -> None:
        self._view = view

    def collect(self) -> Iterator[GaugeMetricFamily]:
        view = self._view()
        run, boundary = view.snapshot.run, view.snapshot.boundary
        if run is not None:
            yield _gauge("batch_run", "Number of the newest batch run.", run.run)
        if boundary > NO_BOUNDARY:
            age = (view.now - boundary) / SECOND_MS
            yield _gauge("boundary_age_seconds", "Age of the time boundary.", age)
        status = view.speed_status
        if view.speed is None or status is None:
            return
        yield _gauge("speed_ready", "Whether open windows were read.", int(status.is_ready))
        yield _gauge("speed_rows", "Rows held of open windows.", view.speed.count_rows())
        if status.lag_ms is not None:
            yield _gauge("speed_lag_seconds", "How far speed lags.", status.lag_ms / SECOND_MS)
        if status.sent_at is not None:
            what = "Late plays that batch does not answer yet."
            yield _gauge("late_pending", what, status.late_pending)


class _Stack(Collector):
    """Reads the stack's alarms at each scrape."""

    def __init__(self, alarms: Callable[[], Alarms]) -> None:
        self._alarms = alarms

    def collect(self) -> Iterator[GaugeMetricFamily]:
        alarms = self._alarms()
        refused = bool(alarms.refused)
        yield _gauge("plays_refused", "1 while plays are refused: a disk is nearly full.", refused)
        what = "1 for a process that repeatedly fails at the same work."
        family = GaugeMetricFamily("crossfade_alarm", what, labels=("process",))
        for name in alarms.active:
            family.add_metric((name,), 1)
        yield family


class TimedRequests:
    """Middleware that times requests by path and status; unknown paths count as "other"."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and record its time."""
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
