"""The running stack's API, asked by commands."""

from typing import Any

import httpx

from crossfade.errors import MisuseError, StackError

_TIMEOUT_S = 30.0
_MISUSE = 422


def fetch_answer(api: str, path: str, **params: str | int | None) -> dict[str, Any]:
    """Ask the API below `/api/v1/` for an answer; parameters that are None are left out.

    Raises:
        MisuseError: the API refuses the parameters; its hint is the cure.
        StackError: the API is away or failed.
    """
    given = {name: value for name, value in params.items() if value is not None}
    try:
        answer = httpx.get(f"{api}/api/v1/{path}", params=given, timeout=_TIMEOUT_S)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        what = f"The API at {api} does not answer: {error}."
        raise StackError(what, 'See "crossfade status" and its log.') from None
    if answer.is_success:
        return dict(body)
    refusal = MisuseError if answer.status_code == _MISUSE else StackError
    raise refusal(str(body.get("error", answer.status_code)), str(body.get("hint", "")))
