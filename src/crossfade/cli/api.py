"""Requests of commands to the API of the running stack."""

from typing import Any

import httpx

from crossfade.errors import MisuseError, StackError

_TIMEOUT_S = 30.0
_MISUSE = 422


def fetch_answer(api: str, path: str, **params: str | int | None) -> dict[str, Any]:
    """Fetch an answer of the API, by its path below `/api/v1/`; leave out parameters that are None.

    Raises:
        MisuseError: the API refuses the parameters; its hint is the cure.
        StackError: the API does not answer, or failed.
    """
    given = {name: value for name, value in params.items() if value is not None}
    try:
        # No proxy of the environment: it could not reach our own API.
        answer = httpx.get(
            f"{api}/api/v1/{path}", params=given, timeout=_TIMEOUT_S, trust_env=False
        )
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        what = f"The API at {api} does not answer: {error}."
        raise StackError(what, 'See "crossfade status" and its log.') from None
    if answer.is_success:
        return dict(body)
    refusal = MisuseError if answer.status_code == _MISUSE else StackError
    raise refusal(str(body.get("error", answer.status_code)), str(body.get("hint", "")))
