"""Start cases: what people see and give: the API alone, secrets, two runs of batch at once."""

import time
from pathlib import Path
from typing import Any

import httpx

from crossfade.stack.ports import find_free_ports
from faults.case import Case, Outcome
from faults.commands import Command
from faults.lake_image import newest_run
from faults.oracle import Logs, Oracle
from faults.outcomes import also, both, healed, refused
from faults.place import Place
from faults.template import on_copy

_CANARY = "canary-7f3a91c2-not-to-be-seen"


def _api_alone(place: Place) -> Outcome:
    """Ask the API while nothing else runs, kill it, start it again: the same, and incomplete."""
    [port] = find_free_ports(1)
    api = f"http://127.0.0.1:{port}"
    answers = []
    for _ in range(2):
        server = place.start("serve", "--port", str(port))
        took = server.wait_for("an answer", lambda: _is_ready(api), within_s=60)
        answers.append(
            {path: _ask(api, path) for path in ("trending", "charts/songs", "geography")}
        )
        judgement = Oracle(place.data, Logs(), place.ledgers, api=api).check_all()
        assert server.kill()
    outcome = healed(judgement, injected=2, healed_s=took, said=answers[1]["trending"]["why"])
    wrong = [
        path
        for path, answer in answers[0].items()
        if answer["rows"] != answers[1][path]["rows"] or (answer["complete"] or not answer["why"])
    ]
    return also(outcome, is_so=not wrong, otherwise=f"{wrong} answered otherwise, or as complete")


def _is_ready(api: str) -> bool:
    try:
        return httpx.get(f"{api}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _ask(api: str, path: str) -> dict[str, Any]:
    return dict(httpx.get(f"{api}/api/v1/{path}", timeout=10).raise_for_status().json())


def _secret(place: Place) -> Outcome:
    """Return Kafka's password as people do; it may be told to Kafka, and to nobody else."""
    place.kafka()
    given = {
        "CROSSFADE_SASL_PASSWORD": _CANARY,
        "CROSSFADE_SASL_USERNAME": "somebody",
        "CROSSFADE_SASL_MECHANISM": "SCRAM-SHA-512",
    }
    done = [place.run(*words, env=given) for words in (["config"], ["config", "--json"])]
    shown = [one for one in done if "(set)" not in one.answer.read_text()]
    driver = place.start_streams(env=given)
    healed_s = place.finish_streams(driver)
    nonsense = {"CROSSFADE_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "CROSSFADE_SASL_MECHANISM": "NO"}
    for words in (["speed"], ["reconcile"], ["status"]):
        place.run(*words, env={**given, **nonsense})
    told = _find_secret(place.root)
    said = f"{len(list(place.root.glob('*.log')))} logs, config, status, the whole data folder"
    outcome = Outcome(
        injected=len(done) - len(shown), wrong=len(told) + len(shown), healed_s=healed_s, said=said
    )
    return also(outcome, is_so=not told, otherwise=f"told in {told[:3]}")


def _find_secret(root: Path) -> list[str]:
    """Name the files that hold the secret."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return [str(path.relative_to(root)) for path in files if _CANARY.encode() in path.read_bytes()]


def _two_runs(place: Place) -> Outcome:
    """Start batch twice at once: one is refused by name, one publishes."""
    place.kafka()
    run, _ = newest_run(place.data)
    began = time.monotonic()
    commands = [place.start("batch", "--once", "--json") for _ in range(2)]
    codes = [command.wait() for command in commands]
    losers = [command for command in commands if command.exit_code != 0]
    published, _ = newest_run(place.data)
    outcome = healed(
        place.judge(),
        injected=len(codes),
        healed_s=time.monotonic() - began,
        said=f"runs {run + 1} to {published}",
    )
    outcome = also(outcome, is_so=published > run, otherwise="nothing was published")
    named = [_named(place, one) for one in losers]
    is_one = len(losers) == 1
    return also(both([outcome, *named]), is_so=is_one, otherwise=f"{len(losers)} were refused")


def _named(place: Place, command: Command) -> Outcome:
    return refused(place, command, "Another (driver|process)", injected=1, before=None)


CASES = (
    Case("F53-runs", "two runs of batch at once", "start", on_copy(_two_runs)),
    Case("F55-api", "the API restarted, alone", "start", on_copy(_api_alone)),
    Case("F65-secret", "a password shows nowhere", "start", on_copy(_secret)),
)
