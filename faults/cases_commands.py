"""Start cases on commands that users give: the API without a stack, a password, batch twice."""

import time
from pathlib import Path
from typing import Any

import httpx

from crossfade.stack.ports import find_free_ports
from faults.case import Case, Outcome
from faults.case_checks import add_up, check_healed, check_refused, require
from faults.commands import Command
from faults.lake_snapshot import newest_run
from faults.oracle import Logs, Oracle
from faults.template import on_copy
from faults.workspace import Workspace

_CANARY = "canary-7f3a91c2-not-to-be-seen"


def _api_without_stack(workspace: Workspace) -> Outcome:
    """Run only the API, kill it, start it again; both must answer alike, and as incomplete."""
    [port] = find_free_ports(1)
    api = f"http://127.0.0.1:{port}"
    answers = []
    for _ in range(2):
        server = workspace.start("serve", "--port", str(port))
        took = server.wait_for("an answer", lambda: _is_ready(api), within_s=60)
        answers.append(
            {path: _ask(api, path) for path in ("trending", "charts/songs", "geography")}
        )
        judgement = Oracle(workspace.data, Logs(), workspace.ledgers, api=api).check_all()
        assert server.kill()
    outcome = check_healed(judgement, injected=2, healed_s=took, seen=answers[1]["trending"]["why"])
    wrong = [
        path
        for path, answer in answers[0].items()
        if answer["rows"] != answers[1][path]["rows"] or (answer["complete"] or not answer["why"])
    ]
    return require(
        outcome, condition=not wrong, problem=f"{wrong} answered differently, or as complete"
    )


def _is_ready(api: str) -> bool:
    try:
        return httpx.get(f"{api}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _ask(api: str, path: str) -> dict[str, Any]:
    return dict(httpx.get(f"{api}/api/v1/{path}", timeout=10).raise_for_status().json())


def _secret(workspace: Workspace) -> Outcome:
    """Set Kafka's password as users do; no log, output or file may contain it."""
    workspace.ensure_kafka()
    given = {
        "CROSSFADE_SASL_PASSWORD": _CANARY,
        "CROSSFADE_SASL_USERNAME": "somebody",
        "CROSSFADE_SASL_MECHANISM": "SCRAM-SHA-512",
    }
    done = [workspace.run(*words, env=given) for words in (["config"], ["config", "--json"])]
    shown = [one for one in done if "(set)" not in one.stdout_file.read_text()]
    driver = workspace.start_streams(env=given)
    healed_s = workspace.finish_streams(driver)
    nonsense = {"CROSSFADE_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "CROSSFADE_SASL_MECHANISM": "NO"}
    for words in (["speed"], ["reconcile"], ["status"]):
        workspace.run(*words, env={**given, **nonsense})
    leaks = _find_secret(workspace.root)
    seen = f"{len(list(workspace.root.glob('*.log')))} logs, config, status, the whole data folder"
    outcome = Outcome(
        injected=len(done) - len(shown), wrong=len(leaks) + len(shown), healed_s=healed_s, seen=seen
    )
    return require(outcome, condition=not leaks, problem=f"found in {leaks[:3]}")


def _find_secret(root: Path) -> list[str]:
    """List the files that contain the secret."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return [str(path.relative_to(root)) for path in files if _CANARY.encode() in path.read_bytes()]


def _two_runs(workspace: Workspace) -> Outcome:
    """Start batch twice at the same time: one must be refused with an error, one must publish."""
    workspace.ensure_kafka()
    run, _ = newest_run(workspace.data)
    began = time.monotonic()
    commands = [workspace.start("batch", "--once", "--json") for _ in range(2)]
    codes = [command.wait() for command in commands]
    losers = [command for command in commands if command.exit_code != 0]
    published, _ = newest_run(workspace.data)
    outcome = check_healed(
        workspace.judge(),
        injected=len(codes),
        healed_s=time.monotonic() - began,
        seen=f"runs {run + 1} to {published}",
    )
    outcome = require(outcome, condition=published > run, problem="nothing was published")
    named = [_check_locked_out(workspace, one) for one in losers]
    is_one = len(losers) == 1
    return require(
        add_up([outcome, *named]), condition=is_one, problem=f"{len(losers)} were refused"
    )


def _check_locked_out(workspace: Workspace, command: Command) -> Outcome:
    return check_refused(workspace, command, "Another (driver|process)", injected=1, before=None)


CASES = (
    Case("F53-runs", "two runs of batch at the same time", "start", on_copy(_two_runs)),
    Case(
        "F55-api",
        "the API restarted without the rest of the stack",
        "start",
        on_copy(_api_without_stack),
    ),
    Case("F65-secret", "a password appears nowhere", "start", on_copy(_secret)),
)
