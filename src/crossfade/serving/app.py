"""The HTTP API: each answer comes from one snapshot of batch and the state of speed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Query, Response
from starlette.middleware.cors import CORSMiddleware

import crossfade
from crossfade.clock import now_ms
from crossfade.folder import DataFolder, read_stack
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.log_files import read_embedded_ends
from crossfade.serving.alarms import read_alarms
from crossfade.serving.answer_cache import AnswerCache
from crossfade.serving.answers import (
    Answer,
    RankedRow,
    RequestView,
    answer_chart,
    answer_geography,
    answer_trending,
)
from crossfade.serving.error_responses import error_response, install_error_handlers
from crossfade.serving.head_requests import HeadRequests
from crossfade.serving.metrics import Metrics, TimedRequests
from crossfade.serving.queries import NoQuery, RangeQuery, RejectedQuery, TrendingQuery
from crossfade.serving.ranges import AskedRange, read_range
from crossfade.serving.rejected_records import answer_rejected
from crossfade.serving.rollup import By
from crossfade.serving.shapes import (
    ArtistRow,
    CountryRow,
    ErrorBody,
    Ranking,
    Reconciliation,
    RejectedRecords,
    SongRow,
    Status,
)
from crossfade.serving.snapshot import Snapshot, SnapshotWatcher
from crossfade.serving.status import answer_reconciliation, answer_status
from crossfade.serving.window_reader import WindowReader
from crossfade.serving.window_state import WindowState

_METHODS = ("GET", "HEAD")
_ABOUT = "What are people listening to, right now and over the years, and can you prove it?"
_PAGE_RULES = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Service:
    """Serves one data folder: watches batch, and reads speed if Kafka's address is known.

    `batch_every_ms` is the interval between runs of batch while a stack runs on the folder.
    """

    def __init__(
        self, folder: DataFolder, address: KafkaAddress | None, batch_every_ms: int | None = None
    ) -> None:
        self.folder = folder
        self._batch_every_ms = batch_every_ms
        self._is_batch_scheduled = False
        self._kafka_ends: Mapping[int, int] | None = None
        self._rules = folder.time_rules
        self._cache: AnswerCache[list[RankedRow]] = AnswerCache()
        self._status_cache: AnswerCache[Answer] = AnswerCache()
        self._state = WindowState() if address is not None else None
        self._watcher = SnapshotWatcher(folder, self._note_poll)
        self._reader = (
            WindowReader(address, self._state, self._rules, self._find_boundary)
            if address is not None and self._state is not None
            else None
        )

    @property
    def is_ready(self) -> bool:
        """Check whether gold was polled, and speed's records from before the start were read."""
        is_speed_read = self._state is None or self._state.status(now_ms()).is_ready
        return self._watcher.has_polled and is_speed_read

    def start(self) -> None:
        """Start watching and reading in the background."""
        self._watcher.start()
        if self._reader is not None:
            self._reader.start()

    def stop(self) -> None:
        """Stop watching and reading."""
        if self._reader is not None:
            self._reader.stop()
        self._watcher.stop()

    def view(self) -> RequestView:
        """Return what one request reads."""
        return RequestView(
            self._watcher.current,
            self._state,
            self._rules,
            now_ms(),
            self._cache,
            self._status_cache,
            self._batch_every_ms if self._is_batch_scheduled else None,
            self._kafka_ends,
        )

    def read_range(self, query: RangeQuery) -> AskedRange:
        """Read the range of a query."""
        return read_range(query.range_texts, now=now_ms(), rules=self._rules)

    def _find_boundary(self) -> int:
        """Return the boundary to read speed from; this can be the first poll of gold."""
        self._watcher.try_refresh()
        return self._watcher.current.boundary

    def _note_poll(self, before: Snapshot) -> None:
        """Forget what batch answers in the previous snapshot: requests may still need the rest."""
        if self._state is not None and before.run is not None:
            self._state.forget_before(before.boundary, before.run.end_offsets)
        self._is_batch_scheduled = read_stack(self.folder) is not None
        if self._state is None:
            self._kafka_ends = read_embedded_ends(self.folder)


def build_app(
    folder: DataFolder,
    address: KafkaAddress | None,
    *,
    batch_every_ms: int | None = None,
    cors: Sequence[str] = (),
) -> FastAPI:
    """Build the API of a data folder; answers before everything is read are marked incomplete.

    Pages of the origins in `cors` may read it; "*" stands for every origin.
    """
    service = Service(folder, address, batch_every_ms)

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="Crossfade",
        version=crossfade.__version__,
        description=_ABOUT,
        lifespan=live,
        docs_url=None,
        redoc_url=None,
    )
    metrics = Metrics(service.view, lambda: read_alarms(folder))
    app.add_middleware(TimedRequests, metrics=metrics)
    app.add_middleware(HeadRequests)
    if cors:
        app.add_middleware(CORSMiddleware, allow_origins=list(cors), allow_methods=_METHODS)
    app.include_router(_answers(service), prefix="/api/v1")
    app.include_router(_pages(service, metrics))
    install_error_handlers(app)
    return app


def _answers(service: Service) -> APIRouter:
    """Return the routes below /api/v1."""
    router = APIRouter(tags=["answers"])

    @router.get(
        "/trending",
        responses=_models(Ranking[SongRow]),
        summary="Songs of the newest 6 windows, the open one included",
    )
    def trending(query: Annotated[TrendingQuery, Query()]) -> Response:
        return _json(answer_trending(service.view(), limit=query.limit, country=query.country))

    @router.get(
        "/charts/songs",
        responses=_models(Ranking[SongRow]),
        summary="The most played songs of a range",
    )
    def chart_songs(query: Annotated[RangeQuery, Query()]) -> Response:
        return _chart(service, By.SONG, query)

    @router.get(
        "/charts/artists",
        responses=_models(Ranking[ArtistRow]),
        summary="The most played artists of a range",
    )
    def chart_artists(query: Annotated[RangeQuery, Query()]) -> Response:
        return _chart(service, By.ARTIST, query)

    @router.get(
        "/geography",
        responses=_models(Ranking[CountryRow] | Ranking[SongRow]),
        summary="Countries by plays, or the songs of one country",
    )
    def geography(query: Annotated[RangeQuery, Query()]) -> Response:
        asked = service.read_range(query)
        answer = answer_geography(service.view(), asked, limit=query.limit, country=query.country)
        return _json(answer)

    @router.get("/status", responses=_models(Status), summary="State of batch, speed and archive")
    def status(_: Annotated[NoQuery, Query()]) -> Response:
        return _json(answer_status(service.view(), service.folder))

    @router.get(
        "/reconciliation",
        responses=_models(Reconciliation),
        summary="What the newest run counted, and the hand-overs",
    )
    def reconciliation(_: Annotated[NoQuery, Query()]) -> Response:
        return _json(answer_reconciliation(service.view(), service.folder))

    @router.get(
        "/rejected",
        responses=_models(RejectedRecords),
        summary="Rejected records with their reasons, the newest first",
    )
    def rejected(query: Annotated[RejectedQuery, Query()]) -> Response:
        answer = answer_rejected(
            service.view(), service.folder, limit=query.limit, reason=query.reason
        )
        return _json(answer)

    return router


def _pages(service: Service, metrics: Metrics) -> APIRouter:
    """Return the routes of the pages, the health checks and the metrics."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="Whether the process answers")
    async def healthz() -> Response:
        return _json({"status": "up"})

    @router.get("/readyz", summary="Whether open windows were read, and Kafka takes plays")
    async def readyz() -> Response:
        if refused := read_alarms(service.folder).refused:
            return error_response(refused, "Only plays are refused: answers go on.", 503)
        if service.is_ready:
            return _json({"status": "ready"})
        what = "Not ready: gold or plays-by-window is still being read."
        return error_response(what, "Ask again soon.", 503)

    @router.get("/metrics", summary="Metrics for Prometheus")
    def read_metrics() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.get("/", include_in_schema=False)
    async def status_page() -> Response:
        return _page("page.html")

    @router.get("/docs", include_in_schema=False)
    async def docs_page() -> Response:
        return _page("docs.html")

    return router


def _chart(service: Service, by: By, query: RangeQuery) -> Response:
    asked = service.read_range(query)
    answer = answer_chart(service.view(), by, asked, limit=query.limit, country=query.country)
    return _json(answer)


def _models(shape: Any) -> dict[int | str, dict[str, Any]]:
    """Return the shapes of a route's answer and of its errors, for OpenAPI."""
    return {200: {"model": shape}, 422: {"model": ErrorBody, "description": "Refused"}}


def _json(answer: Answer) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)


def _page(name: str) -> Response:
    """Return a page of the package; its policy allows requests to this server only."""
    text = files("crossfade.serving").joinpath(name).read_bytes()
    headers = {"Content-Security-Policy": _PAGE_RULES, "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)
