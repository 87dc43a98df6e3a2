"""Error responses of the API: `error`, `hint` and `status` for every path."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from crossfade.errors import CrossfadeError, MisuseError
from crossfade.telemetry import get_logger

_UNPROCESSABLE, _FAILED, _UNAVAILABLE = 422, 500, 503

_HEADERS = {405: {"Allow": "GET, HEAD"}}
"""Every path has these methods."""

_log = get_logger("serve")


def error_response(
    error: str, hint: str, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error as JSON."""
    body = msgspec.json.encode({"error": error, "hint": hint, "status": status})
    return Response(body, status, headers, media_type="application/json")


def install_error_handlers(app: FastAPI) -> None:
    """Make an app answer every error in this shape."""
    app.add_exception_handler(CrossfadeError, _answer_ours)
    app.add_exception_handler(RequestValidationError, _answer_parameters)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_bug)


async def _answer_ours(_: Request, error: Any) -> Response:
    status = _UNPROCESSABLE if isinstance(error, MisuseError) else _UNAVAILABLE
    return error_response(error.what, error.cure, status)


async def _answer_parameters(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else "request"
    return error_response(f"Parameter {name}: {first['msg']}.", "See /docs.", _UNPROCESSABLE)


async def _answer_http(_: Request, error: Any) -> Response:
    headers = _HEADERS.get(error.status_code)
    return error_response(
        f"{error.detail}.", "See /docs for the paths.", error.status_code, headers
    )


async def _answer_bug(request: Request, error: Any) -> Response:
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return error_response("The request failed.", "See the log of serve.", _FAILED)
