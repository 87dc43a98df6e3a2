"""The HTTP API: each answer comes from one snapshot of batch and the state of speed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Query, Response
from starlette.middleware.cors import CORSMiddleware

import crossfade
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.serving.alarms import read_alarms
from crossfade.serving.answers import (
    Answer,
    answer_chart,
    answer_geography,
    answer_trending,
)
from crossfade.serving.error_responses import error_response, install_error_handlers
from crossfade.serving.head_requests import HeadRequests
from crossfade.serving.metrics import Metrics, TimedRequests
from crossfade.serving.queries import NoQuery, RangeQuery, RejectedQuery, TrendingQuery
from crossfade.serving.rejected_records import answer_rejected
from crossfade.serving.rollup import By
from crossfade.serving.service import Service
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
from crossfade.serving.status import answer_reconciliation, answer_status

_METHODS = ("GET", "HEAD")
_ABOUT = "What are people listening to, right now and over the years, and can you prove it?"
_PAGE_RULES = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


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
