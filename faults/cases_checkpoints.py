"""Start cases: checkpoint and output are not of one moment, or not of one stack."""

import shutil
from collections.abc import Callable
from pathlib import Path

from faults.case import Case, Outcome
from faults.damage import empty, forget_newest_commit, remove_sum, replace_folder
from faults.lake_image import newest_of, take_image, version_of
from faults.outcomes import (
    also,
    both,
    healed,
    refused,
    refused_or_exact,
    settle,
    settle_anew,
)
from faults.place import Place
from faults.template import beside_other, on_copy

_BRONZE = "bronze/song_plays"
_ONE_BACKUP = "one backup|from a backup"


def _commits_lost(place: Place) -> Outcome:
    """Take away the newest commit of both queries: their micro-batches are run again."""
    numbers = {q: forget_newest_commit(place.checkpoints / q) for q in ("archive", "speed")}
    lost = [q for q, n in numbers.items() if newest_of(place.checkpoints / q / "commits") == n - 1]
    return settle(place, injected=len(lost), said=f"again: {numbers}")


def _killed_before_output(place: Place) -> Outcome:
    """Kill each query once its plan is written, before its output is."""
    injected = sum(_kill_when_planned(place, query) for query in ("archive", "speed"))
    outcome = settle(place, injected=injected, said=f"{injected} of 2 killed before their output")
    return also(outcome, is_so=injected == 2, otherwise="an output was quicker than the kill")


def _kill_when_planned(place: Place, query: str) -> bool:
    checkpoint = place.checkpoints / query
    planned, written = newest_of(checkpoint / "offsets"), version_of(place.data, _BRONZE)
    driver = place.start_streams(query)
    driver.wait_for("a plan", lambda: newest_of(checkpoint / "offsets") > planned)
    driver.kill()
    is_open = newest_of(checkpoint / "commits") == planned
    return is_open and (query == "speed" or version_of(place.data, _BRONZE) == written)


def _two_drivers(place: Place) -> Outcome:
    """Start two drivers at once: one is refused, the other one goes on."""
    one, another = place.start_streams(), place.start("streams")
    is_first = one.wait_until(lambda: another.exit_code is not None)
    winner, loser = (one, another) if is_first else (another, one)
    first = refused(place, loser, "Another driver", injected=1, before=None)
    healed_s = place.finish_streams(winner)
    place.publish()
    return both([first, healed(place.judge(), injected=1, healed_s=healed_s, said="one went on")])


def _archive_checkpoint_gone(place: Place) -> Outcome:
    before = take_image(place.data)
    injected = int(_remove(place.checkpoints / "archive"))
    place.kafka()
    driver = place.run("archive")
    return refused(place, driver, "archive is gone", injected=injected, before=before)


def _speed_checkpoint_gone(place: Place) -> Outcome:
    """Take away speed's checkpoint: it counts anew, and readers see it once it is there."""
    return settle_anew(place, lambda: _remove(place.checkpoints / "speed"), said="checkpoint gone")


def _remove(path: Path) -> bool:
    """Remove a file or a folder, and tell whether it was there and is gone."""
    was_there = path.exists()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
        remove_sum(path)
    return was_there and not path.exists()


def _archive_checkpoint_swapped(place: Place, other: Path) -> Outcome:
    """Put another stack's checkpoint there; then its binding as well."""
    before, theirs = take_image(place.data), other / "datalake" / "_checkpoint"
    place.kafka()
    injected = int(replace_folder(place.checkpoints / "archive", theirs / "archive"))
    alone = refused(place, place.run("archive"), _ONE_BACKUP, injected=injected, before=before)
    shutil.copy(theirs / "archive.binding.json", place.checkpoints)
    bound = refused(place, place.run("archive"), "belongs to", injected=injected, before=before)
    return both([alone, bound])


def _speed_checkpoint_swapped(place: Place, other: Path) -> Outcome:
    """Put another stack's checkpoint of speed there: it must not go on from its offsets."""
    theirs = other / "datalake" / "_checkpoint" / "speed"
    injected = int(replace_folder(place.checkpoints / "speed", theirs))
    return refused_or_exact(place, "checkpoint", injected=injected)


def _bronze_gone(place: Place) -> Outcome:
    injected = int(_remove(place.data / "datalake" / _BRONZE))
    before = take_image(place.data)
    place.kafka()
    driver = place.run("archive")
    return refused(place, driver, "not the one|is gone", injected=injected, before=before)


def _bronze_swapped(place: Place, other: Path) -> Outcome:
    ours, theirs = (data / "datalake" / _BRONZE for data in (place.data, other))
    injected = int(replace_folder(ours, theirs))
    before = take_image(place.data)
    place.kafka()
    driver = place.run("archive")
    return refused(place, driver, "not the one", injected=injected, before=before)


def _swapped(table: str) -> Callable[[Place, Path], Outcome]:
    def run(place: Place, other: Path) -> Outcome:
        """Put another stack's table there, which may be at the version that a run has pinned."""
        ours, theirs = (data / "datalake" / table for data in (place.data, other))
        injected = int(replace_folder(ours, theirs))
        before = take_image(place.data, "silver", "gold")
        batch, words = place.run("batch", "--once"), f"{table} is not the one"
        outcome = refused(place, batch, words, injected=injected, before=None)
        is_same = take_image(place.data, "silver", "gold") == before
        return also(outcome, is_so=is_same, otherwise="batch wrote")

    return run


def _moved(*below: str) -> Callable[[Place], Outcome]:
    def run(place: Place) -> Outcome:
        """Move the whole folder: nothing in it may know where it lay."""
        target = place.root.joinpath(*below)
        target.parent.mkdir(parents=True)
        place.data = place.data.rename(target)
        return settle(place, injected=int(target.is_dir()), said=f"moved to {'/'.join(below)}")

    return run


def _plan_torn(query: str) -> Callable[[Place], Outcome]:
    def run(place: Place) -> Outcome:
        offsets = place.checkpoints / query / "offsets"

        def injure() -> bool:
            newest = offsets / str(newest_of(offsets))
            empty(newest)
            return not newest.read_bytes()

        return _refuse_or_begin_anew(place, query, injure, said="the newest plan is empty")

    return run


def _metadata_gone(query: str) -> Callable[[Place], Outcome]:
    def run(place: Place) -> Outcome:
        path = place.checkpoints / query / "metadata"
        return _refuse_or_begin_anew(place, query, lambda: _remove(path), said="metadata gone")

    return run


def _refuse_or_begin_anew(
    place: Place, query: str, injure: Callable[[], bool], *, said: str
) -> Outcome:
    """Judge: the archive's checkpoint has to be restored, speed's can be made anew."""
    if query == "speed":
        return settle_anew(place, injure, said=said)
    before = take_image(place.data)
    injected = int(injure())
    place.kafka()
    driver = place.run(query)
    return refused(place, driver, "damaged|is gone|missing", injected=injected, before=before)


CASES = (
    Case("F26-commits", "commits lost: both queries repeat", "start", on_copy(_commits_lost)),
    Case("F27-planned", "killed between plan and output", "start", on_copy(_killed_before_output)),
    Case("F29-drivers", "two drivers at once", "start", on_copy(_two_drivers)),
    Case("F30-archive", "archive's checkpoint gone", "start", on_copy(_archive_checkpoint_gone)),
    Case("F30-speed", "speed's checkpoint gone", "start", on_copy(_speed_checkpoint_gone)),
    Case(
        "F30-archive-swapped",
        "another stack's checkpoint of the archive",
        "start",
        beside_other(_archive_checkpoint_swapped),
    ),
    Case(
        "F30-speed-swapped",
        "another stack's checkpoint of speed",
        "start",
        beside_other(_speed_checkpoint_swapped),
    ),
    Case("F31-bronze", "bronze gone", "start", on_copy(_bronze_gone)),
    Case("F33-bronze", "another stack's bronze", "start", beside_other(_bronze_swapped)),
    Case("F33-silver", "another stack's silver", "start", beside_other(_swapped("silver/plays"))),
    Case("F33-gold", "another stack's charts", "start", beside_other(_swapped("gold/chart"))),
    Case("F33-run", "another stack's runs", "start", beside_other(_swapped("gold/run"))),
    Case("F33-moved", "the whole data folder moved", "start", on_copy(_moved("elsewhere", "data"))),
    Case(
        "F33-spaces",
        "the same, to a path with spaces, signs and other scripts",
        "start",
        on_copy(_moved("my music", "björk & 音楽 (#1) +=;:!$~@<>")),
    ),
    Case("F34-archive", "torn plan: archive", "start", on_copy(_plan_torn("archive"))),
    Case("F34-speed", "torn plan: speed", "start", on_copy(_plan_torn("speed"))),
    Case(
        "F35-archive",
        "metadata of the archive's checkpoint gone",
        "start",
        on_copy(_metadata_gone("archive")),
    ),
    Case(
        "F35-speed",
        "metadata of speed's checkpoint gone",
        "start",
        on_copy(_metadata_gone("speed")),
    ),
)
