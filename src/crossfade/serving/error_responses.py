"""One shape of error for every path: what happened, what to do, and the HTTP status."""

from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from crossfade.errors import CrossfadeError, MisuseError
from crossfade.telemetry import get_logger

_UNPROCESSABLE, _FAILED, _UNAVAILABLE = 422, 500, 503

_log = get_logger("serve")


def refuse(error: str, hint: str, status: int) -> Response:
    """Return an error's answer."""
    body = msgspec.json.encode({"error": error, "hint": hint, "status": status})
    return Response(body, status_code=status, media_type="application/json")


def install_refusals(app: FastAPI) -> None:
    """Let every error of an app have the one shape."""
    app.add_exception_handler(CrossfadeError, _refuse_ours)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    app.add_exception_handler(HTTPException, _refuse_http)
    app.add_exception_handler(Exception, _refuse_bug)


async def _refuse_ours(_: Request, error: Any) -> Response:
    status = _UNPROCESSABLE if isinstance(error, MisuseError) else _UNAVAILABLE
    return refuse(error.what, error.cure, status)


async def _refuse_parameters(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else "request"
    return refuse(f"Parameter {name}: {first['msg']}.", "See /docs.", _UNPROCESSABLE)


async def _refuse_http(_: Request, error: Any) -> Response:
    return refuse(f"{error.detail}.", "See /docs for what there is.", error.status_code)


async def _refuse_bug(request: Request, error: Any) -> Response:
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return refuse("The answer could not be made.", "See the log of serve.", _FAILED)
