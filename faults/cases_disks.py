"""Start cases: disks that are full, that can only be read, or that do not keep what they took."""

from collections.abc import Callable
from dataclasses import replace

from faults.case import Case, Outcome
from faults.damage import SmallDisk, failing_calls
from faults.lake_image import published_image, versions
from faults.outcomes import also, both, healed, refused, settle
from faults.place import Place
from faults.stack import QUICK, a_running_stack
from faults.template import on_copy

_BRONZE = "bronze/song_plays"
_FULL = r"[Dd]isk .*full|No space left|room"
_READ_ONLY = r"[Rr]ead-only"


def _full(below: str, *words: str) -> Callable[[Place], Outcome]:
    def run(place: Place) -> Outcome:
        """Fill the disk below a part of the lake; make room; all must go on exactly."""
        disk = SmallDisk(place.data / "datalake" / below, place.at_end)
        place.kafka()
        image, bronze = published_image(place.data), versions(place.data)[_BRONZE]
        free = disk.fill()
        stopped = place.run(*words)
        outcome = refused(place, stopped, _FULL, injected=int(free < 4096), before=None)
        is_same = published_image(place.data) == image
        outcome = also(outcome, is_so=is_same, otherwise="what is published changed")
        if words == ("archive",):
            is_same = versions(place.data)[_BRONZE] == bronze
            outcome = also(outcome, is_so=is_same, otherwise="bronze got a commit")
        disk.make_room()
        return both([outcome, _go_on(place)])

    return run


def _three_failures(place: Place) -> Outcome:
    """Let a running stack fail three times over one micro-batch; once there is room, it goes on."""
    disk = SmallDisk(place.data / "datalake" / "bronze", place.at_end)
    free = disk.fill()
    with a_running_stack(place.data, QUICK) as stack:

        def alarm() -> str:
            return str(stack.children().get("streams", {}).get("alarm", ""))

        stack.wait_for("an alarm", alarm, within_s=180)
        said = alarm()
        disk.make_room()
        healed_s = stack.wait_for("the end of the alarm", lambda: not alarm(), within_s=180)
        ended = stack.stop()
    outcome = settle(place, injected=int(free < 4096), said=f"alarm: {said[:120]}")
    names_it = said.startswith("archive, micro-batch") and "disk is full" in said
    outcome = also(outcome, is_so=names_it, otherwise=f"the alarm does not name it: {said}")
    outcome = also(outcome, is_so=ended == 0, otherwise=f"the stack ended with {ended}")
    return replace(outcome, healed_s=healed_s)


def _go_on(place: Place) -> Outcome:
    """Publish after a repair, and judge; the streams must read on as well."""
    healed_s = place.catch_up()
    place.publish()
    return healed(place.judge(), injected=1, healed_s=healed_s, said="exact after the repair")


def _read_only(place: Place) -> Outcome:
    """Forbid writing below the lake, as a kernel does after an error; allow it again."""
    disk = SmallDisk(place.data / "datalake", place.at_end)
    place.kafka()
    heads = versions(place.data)
    disk.forbid_writing()
    outcomes = [
        refused(place, place.run(word), _READ_ONLY, injected=1, before=None)
        for word in ("archive", "speed")
    ]
    is_same = versions(place.data) == heads
    outcomes = [also(one, is_so=is_same, otherwise="a table got a commit") for one in outcomes]
    disk.allow_writing()
    return both([*outcomes, _go_on(place)])


def _flush_fails(place: Place) -> Outcome:
    """Let each flush of the archive's processes fail: it must stop, or have had no need of one."""
    report = place.root / "calls.txt"
    place.kafka()
    heads = versions(place.data)
    driver = place.start("archive", before=failing_calls("fsync,fdatasync", report))
    driver.wait()
    failed = report.read_text("utf-8", "replace").count("(INJECTED)")
    outcome = refused(place, driver, r"Input/output error|I/O error", injected=failed, before=None)
    is_same = versions(place.data) == heads
    return both([also(outcome, is_so=is_same, otherwise="a table got a commit"), _go_on(place)])


CASES = (
    Case("F41-bronze", "disk full below bronze", "start", on_copy(_full("bronze", "archive"))),
    Case(
        "F41-checkpoint",
        "disk full below the checkpoints",
        "start",
        on_copy(_full("_checkpoint", "archive")),
    ),
    Case("F41-alarm", "three failures of one micro-batch", "start", on_copy(_three_failures)),
    Case("F41-gold", "disk full below gold", "start", on_copy(_full("gold", "batch", "--once"))),
    Case("F42-read-only", "the lake's disk can only be read", "start", on_copy(_read_only)),
    Case("F43-flush", "flushing to the disk fails", "start", on_copy(_flush_fails)),
)
