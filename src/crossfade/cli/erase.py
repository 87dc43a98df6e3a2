"""`crossfade erase`: remove a listener from every table, and suppress later records."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from crossfade.cli.options import DataOption, JsonOption
from crossfade.cli.tables import open_console, shorten_times
from crossfade.cli.waiting import Report, show_wait
from crossfade.clock import format_time, now_ms, parse_duration
from crossfade.config import Settings, load_settings
from crossfade.contract.text import has_control, normalise
from crossfade.errors import CrossfadeError, MisuseError
from crossfade.folder import DataFolder, StackAddresses, open_folder, read_stack, write_atomically
from crossfade.kafka.address import KafkaAddress, address_from

if TYPE_CHECKING:
    from crossfade.erasure.erase import Erasure
    from crossfade.erasure.proof import ErasureProof
    from crossfade.lake.runs import Run

_LONGEST_ID = 256
_POLL_S = 0.5
_READERS_WITHIN_S = 15.0
_IN_FLIGHT_S = 2.0
_SPEED_WITHIN_S = 90.0

UserOption = Annotated[
    str, typer.Option("--user", metavar="ID", help="The listener's user_id.", show_default=False)
]
ProveOption = Annotated[
    bool,
    typer.Option("--prove", help="Then search every file, and report what remains."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def erase(
    user: UserOption,
    data: DataOption = None,
    *,
    prove: ProveOption = False,
    as_json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Erase a listener permanently: plays, copies and rejected records, in every layer.

    Charts and counts are computed again without them, old files are removed, and later records of
    the listener are not accepted. Works with a running stack and without one. With --prove, exit
    code 1 if anything is left.

    Example:
        crossfade erase --user user-000042 --prove
    """
    user_id = _require_id(user)
    _hide_argument(user)
    settings = load_settings(data=data)
    folder = open_folder(settings, create=False)
    _confirm(folder, yes=yes)
    stack = read_stack(folder)
    proof = None
    with show_wait("Starting Kafka …" if stack is None else "Starting Spark …") as report:
        erasure = (
            _erase_beside(folder, settings, stack, user_id, report)
            if stack is not None
            else _erase_alone(folder, settings, user_id, report)
        )
        summary = _summarize(erasure)
        if prove and erasure.run is not None:
            proof = _prove(folder, settings, user_id, report)
    if proof is not None:
        summary |= _summarize_proof(proof)
        path = folder.root / "erasures" / f"{summary['erased_at'].replace(':', '')}.json"
        write_atomically(path, msgspec.json.encode(summary))
        sys.stderr.write(f"The proof is stored in {path}.\n")
    if as_json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        _show(summary, proof)
    if proof is not None and not proof.holds:
        raise typer.Exit(1)


def _require_id(user: str) -> str:
    user_id = normalise(user)
    if not 1 <= len(user_id) <= _LONGEST_ID or has_control(user_id):
        what = f"A user id has 1 to {_LONGEST_ID} characters, and no control character."
        raise MisuseError(what, "Write it exactly as in the plays' user_id.")
    return user_id


def _hide_argument(user: str) -> None:
    """Keep the id out of files that record this command line, such as the folder's hold."""
    sys.argv = [word.replace(user, "…") for word in sys.argv]


def _confirm(folder: DataFolder, *, yes: bool) -> None:
    if yes:
        return
    what = f"This permanently erases every record of the listener in {folder.root}."
    if not sys.stdin.isatty():
        raise MisuseError(what, "Add --yes to do it.")
    typer.confirm(f"{what} Continue?", abort=True, err=True)


def _erase_alone(folder: DataFolder, settings: Settings, user_id: str, report: Report) -> "Erasure":
    from crossfade.erasure.erase import erase_listener, refuse_classic_lake
    from crossfade.processing.batch.job import run_locked
    from crossfade.processing.without_stack import run_without_stack

    def work(spark: Any, address: KafkaAddress) -> "Erasure":
        report("Erasing …")
        run_batch = partial(run_locked, spark, folder, settings, address)
        return erase_listener(folder, address, user_id, run_batch=run_batch)

    refuse_classic_lake(folder)
    return run_without_stack(folder, settings, work, report=report)


def _erase_beside(
    folder: DataFolder, settings: Settings, stack: StackAddresses, user_id: str, report: Report
) -> "Erasure":
    """Erase beside a running stack, whose own batch process waits meanwhile."""
    from crossfade.erasure.erase import erase_listener, refuse_classic_lake
    from crossfade.processing.batch.job import build_batch_session, run_locked

    refuse_classic_lake(folder)
    address = address_from(settings, stack.readers)
    spark = build_batch_session(folder, settings, scratch="spark-erase")
    try:
        report("Erasing: the stack's batch runs wait until it is done …")
        return erase_listener(
            folder,
            address,
            user_id,
            run_batch=partial(run_locked, spark, folder, settings, address),
            before_vacuum=lambda run: _await_readers(stack, run),
        )
    finally:
        spark.stop()


def _await_readers(stack: StackAddresses, run: "Run") -> None:
    """Wait until the API answers from the new run, so that no request meets a removed file."""
    from crossfade.cli.api import fetch_answer

    def is_read() -> bool:
        try:
            batch = fetch_answer(stack.api, "status")["batch"]
        except CrossfadeError:
            return False
        return batch is not None and batch["run"] >= run.run

    if not _wait(is_read, _READERS_WITHIN_S):
        sys.stderr.write("The API does not answer; old files are removed anyway.\n")
    time.sleep(_IN_FLIGHT_S)


def _prove(folder: DataFolder, settings: Settings, user_id: str, report: Report) -> "ErasureProof":
    from crossfade.erasure.proof import prove_erasure
    from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST

    stack = read_stack(folder)
    is_renewed = stack is not None
    if stack is not None:
        report("Waiting for speed's new generation …")
        is_renewed = _wait(lambda: not SPEED_RENEWAL_REQUEST.is_pending(folder), _SPEED_WITHIN_S)
    report("Searching every file …")
    bootstrap = stack.readers if stack else ""
    has_kafka = bool(bootstrap or settings.bootstrap)
    address = address_from(settings, bootstrap) if has_kafka else None
    return prove_erasure(
        folder,
        address,
        user_id,
        is_speed_renewed=is_renewed,
        retention_ms=parse_duration(settings.topic_retention),
    )


def _wait(is_so: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _summarize(erasure: "Erasure") -> dict[str, Any]:
    return {
        "listener": erasure.entry.hash,
        "erased_at": format_time(now_ms()),
        "suppressed_since": format_time(erasure.entry.at),
        "run": erasure.run,
        "records": erasure.records,
        "removed_files": erasure.files,
    }


def _summarize_proof(proof: "ErasureProof") -> dict[str, Any]:
    return {
        "holds": proof.holds,
        "findings": [asdict(one) for one in proof.findings],
        "remains": [asdict(one) for one in proof.remains],
    }


def _show(summary: dict[str, Any], proof: "ErasureProof | None") -> None:
    from crossfade.cli.reconcile import show_findings

    console = open_console()
    run = "no run yet" if summary["run"] is None else f"run {summary['run']}"
    console.print(
        f"{summary['records']:,} records found and erased ({run}), {summary['removed_files']:,} "
        "old files removed. Later records of this listener are not accepted."
    )
    if proof is None:
        return
    show_findings(console, proof.findings)
    console.print("\nWhat remains, beyond this folder's tables:", style="bold")
    for one in proof.remains:
        console.print(f"  {one.place}, until {shorten_times(one.until)}: {one.why}")
    end = "nothing is left" if proof.holds else "something is left"
    console.print(f"\nRun {proof.run}: {end}.", style="bold")
