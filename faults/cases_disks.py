"""Start cases: disks that are full or read-only, or that fail to flush."""

from collections.abc import Callable
from dataclasses import replace

from faults.case import Case, Outcome
from faults.case_checks import add_up, check_healed, check_refused, recover, require
from faults.damage import SmallDisk, failing_calls
from faults.lake_snapshot import snapshot_published, versions
from faults.stack import QUICK, run_stack
from faults.template import on_copy
from faults.workspace import Workspace

_BRONZE = "bronze/song_plays"
_FULL = r"[Dd]isk .*full|No space left|room"
_READ_ONLY = r"[Rr]ead-only"


def _full(below: str, *words: str) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        """Fill the disk under a part of the lake, then make room; the counts must stay exact."""
        disk = SmallDisk(workspace.data / "datalake" / below, workspace.at_end)
        workspace.ensure_kafka()
        snapshot, bronze = snapshot_published(workspace.data), versions(workspace.data)[_BRONZE]
        free = disk.fill()
        stopped = workspace.run(*words)
        outcome = check_refused(workspace, stopped, _FULL, injected=int(free < 4096), before=None)
        is_same = snapshot_published(workspace.data) == snapshot
        outcome = require(outcome, condition=is_same, problem="what is published changed")
        if words == ("archive",):
            is_same = versions(workspace.data)[_BRONZE] == bronze
            outcome = require(outcome, condition=is_same, problem="bronze got a commit")
        disk.make_room()
        return add_up([outcome, _run_after_repair(workspace)])

    return run


def _three_failures(workspace: Workspace) -> Outcome:
    """Fail three times on one micro-batch of a running stack; it must continue with free space."""
    disk = SmallDisk(workspace.data / "datalake" / "bronze", workspace.at_end)
    free = disk.fill()
    with run_stack(workspace.data, QUICK) as stack:

        def alarm() -> str:
            return str(stack.children().get("streams", {}).get("alarm", ""))

        stack.wait_for("an alarm", alarm, within_s=180)
        seen = alarm()
        disk.make_room()
        healed_s = stack.wait_for("the end of the alarm", lambda: not alarm(), within_s=180)
        ended = stack.stop()
    outcome = recover(workspace, injected=int(free < 4096), seen=f"alarm: {seen[:120]}")
    names_it = seen.startswith("archive, micro-batch") and "disk is full" in seen
    outcome = require(outcome, condition=names_it, problem=f"the alarm does not name it: {seen}")
    outcome = require(outcome, condition=ended == 0, problem=f"the stack ended with {ended}")
    return replace(outcome, healed_s=healed_s)


def _run_after_repair(workspace: Workspace) -> Outcome:
    """Run streams and batch after a repair, and judge everything."""
    healed_s = workspace.catch_up()
    workspace.publish()
    return check_healed(
        workspace.judge(), injected=1, healed_s=healed_s, seen="exact after the repair"
    )


def _read_only(workspace: Workspace) -> Outcome:
    """Remount the lake's disk read-only, as a kernel does after an error, then writable again."""
    disk = SmallDisk(workspace.data / "datalake", workspace.at_end)
    workspace.ensure_kafka()
    heads = versions(workspace.data)
    disk.forbid_writing()
    outcomes = [
        check_refused(workspace, workspace.run(word), _READ_ONLY, injected=1, before=None)
        for word in ("archive", "speed")
    ]
    is_same = versions(workspace.data) == heads
    outcomes = [require(one, condition=is_same, problem="a table got a commit") for one in outcomes]
    disk.allow_writing()
    return add_up([*outcomes, _run_after_repair(workspace)])


def _flush_fails(workspace: Workspace) -> Outcome:
    """Fail every flush (fsync) of the archive's processes; the archive must stop."""
    report = workspace.root / "calls.txt"
    workspace.ensure_kafka()
    heads = versions(workspace.data)
    driver = workspace.start("archive", before=failing_calls("fsync,fdatasync", report))
    driver.wait()
    failed = report.read_text("utf-8", "replace").count("(INJECTED)")
    outcome = check_refused(
        workspace, driver, r"Input/output error|I/O error", injected=failed, before=None
    )
    is_same = versions(workspace.data) == heads
    return add_up(
        [
            require(outcome, condition=is_same, problem="a table got a commit"),
            _run_after_repair(workspace),
        ]
    )


CASES = (
    Case("F41-bronze", "disk full under bronze", "start", on_copy(_full("bronze", "archive"))),
    Case(
        "F41-checkpoint",
        "disk full under the checkpoints",
        "start",
        on_copy(_full("_checkpoint", "archive")),
    ),
    Case("F41-alarm", "three failures of one micro-batch", "start", on_copy(_three_failures)),
    Case("F41-gold", "disk full under gold", "start", on_copy(_full("gold", "batch", "--once"))),
    Case("F42-read-only", "the lake's disk is read-only", "start", on_copy(_read_only)),
    Case("F43-flush", "flushing to the disk fails", "start", on_copy(_flush_fails)),
)
