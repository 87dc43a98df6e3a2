"""Start cases: checkpoint and output are from different times, or from different stacks."""

import shutil
from collections.abc import Callable
from pathlib import Path

from faults.case import Case, Outcome
from faults.case_checks import (
    add_up,
    check_healed,
    check_refused,
    check_refused_or_exact,
    recover,
    recover_with_new_generation,
    require,
)
from faults.damage import empty, forget_newest_commit, remove_sum, replace_folder
from faults.lake_snapshot import newest_number, take_snapshot, version_of
from faults.template import beside_other, on_copy
from faults.workspace import Workspace

_BRONZE = "bronze/song_plays"
_ONE_BACKUP = "one backup|from a backup"


def _commits_lost(workspace: Workspace) -> Outcome:
    """Remove the newest commit of both queries; they must run those micro-batches again."""
    numbers = {q: forget_newest_commit(workspace.checkpoints / q) for q in ("archive", "speed")}
    lost = [
        q
        for q, n in numbers.items()
        if newest_number(workspace.checkpoints / q / "commits") == n - 1
    ]
    return recover(workspace, injected=len(lost), seen=f"again: {numbers}")


def _killed_before_output(workspace: Workspace) -> Outcome:
    """Kill each query after its plan is written and before its output is."""
    injected = sum(_kill_when_planned(workspace, query) for query in ("archive", "speed"))
    outcome = recover(
        workspace, injected=injected, seen=f"{injected} of 2 killed before their output"
    )
    return require(
        outcome, condition=injected == 2, problem="an output was written before the kill"
    )


def _kill_when_planned(workspace: Workspace, query: str) -> bool:
    checkpoint = workspace.checkpoints / query
    planned, written = newest_number(checkpoint / "offsets"), version_of(workspace.data, _BRONZE)
    driver = workspace.start_streams(query)
    driver.wait_for("a plan", lambda: newest_number(checkpoint / "offsets") > planned)
    driver.kill()
    is_open = newest_number(checkpoint / "commits") == planned
    return is_open and (query == "speed" or version_of(workspace.data, _BRONZE) == written)


def _two_drivers(workspace: Workspace) -> Outcome:
    """Start two drivers at the same time: one must be refused, the other must continue."""
    one, another = workspace.start_streams(), workspace.start("streams")
    is_first = one.wait_until(lambda: another.exit_code is not None)
    winner, loser = (one, another) if is_first else (another, one)
    first = check_refused(workspace, loser, "Another driver", injected=1, before=None)
    healed_s = workspace.finish_streams(winner)
    workspace.publish()
    return add_up(
        [
            first,
            check_healed(
                workspace.judge(), injected=1, healed_s=healed_s, seen="the other continued"
            ),
        ]
    )


def _archive_checkpoint_gone(workspace: Workspace) -> Outcome:
    before = take_snapshot(workspace.data)
    injected = int(_remove(workspace.checkpoints / "archive"))
    workspace.ensure_kafka()
    driver = workspace.run("archive")
    return check_refused(workspace, driver, "archive is gone", injected=injected, before=before)


def _speed_checkpoint_gone(workspace: Workspace) -> Outcome:
    """Remove speed's checkpoint; it must count from scratch, and readers must see the result."""
    return recover_with_new_generation(
        workspace, lambda: _remove(workspace.checkpoints / "speed"), seen="checkpoint gone"
    )


def _remove(path: Path) -> bool:
    """Remove a file or a folder; return whether it existed and is gone."""
    was_there = path.exists()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
        remove_sum(path)
    return was_there and not path.exists()


def _archive_checkpoint_swapped(workspace: Workspace, other: Path) -> Outcome:
    """Replace the archive's checkpoint by another stack's; then its binding file too."""
    before, theirs = take_snapshot(workspace.data), other / "datalake" / "_checkpoint"
    workspace.ensure_kafka()
    injected = int(replace_folder(workspace.checkpoints / "archive", theirs / "archive"))
    alone = check_refused(
        workspace, workspace.run("archive"), _ONE_BACKUP, injected=injected, before=before
    )
    shutil.copy(theirs / "archive.binding.json", workspace.checkpoints)
    bound = check_refused(
        workspace, workspace.run("archive"), "belongs to", injected=injected, before=before
    )
    return add_up([alone, bound])


def _speed_checkpoint_swapped(workspace: Workspace, other: Path) -> Outcome:
    """Replace speed's checkpoint by another stack's; speed must not continue from its offsets."""
    theirs = other / "datalake" / "_checkpoint" / "speed"
    injected = int(replace_folder(workspace.checkpoints / "speed", theirs))
    return check_refused_or_exact(workspace, "checkpoint", injected=injected)


def _bronze_gone(workspace: Workspace) -> Outcome:
    injected = int(_remove(workspace.data / "datalake" / _BRONZE))
    before = take_snapshot(workspace.data)
    workspace.ensure_kafka()
    driver = workspace.run("archive")
    return check_refused(workspace, driver, "not the one|is gone", injected=injected, before=before)


def _bronze_swapped(workspace: Workspace, other: Path) -> Outcome:
    ours, theirs = (data / "datalake" / _BRONZE for data in (workspace.data, other))
    injected = int(replace_folder(ours, theirs))
    before = take_snapshot(workspace.data)
    workspace.ensure_kafka()
    driver = workspace.run("archive")
    return check_refused(workspace, driver, "not the one", injected=injected, before=before)


def _swapped(table: str) -> Callable[[Workspace, Path], Outcome]:
    def run(workspace: Workspace, other: Path) -> Outcome:
        """Replace a table by another stack's, which may have the version that a run pinned."""
        ours, theirs = (data / "datalake" / table for data in (workspace.data, other))
        injected = int(replace_folder(ours, theirs))
        before = take_snapshot(workspace.data, "silver", "gold")
        batch, words = workspace.run("batch", "--once"), f"{table} is not the one"
        outcome = check_refused(workspace, batch, words, injected=injected, before=None)
        is_same = take_snapshot(workspace.data, "silver", "gold") == before
        return require(outcome, condition=is_same, problem="batch wrote")

    return run


def _moved(*below: str) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        """Move the whole data folder; nothing in it may depend on its path."""
        target = workspace.root.joinpath(*below)
        target.parent.mkdir(parents=True)
        workspace.data = workspace.data.rename(target)
        return recover(workspace, injected=int(target.is_dir()), seen=f"moved to {'/'.join(below)}")

    return run


def _plan_torn(query: str) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        offsets = workspace.checkpoints / query / "offsets"

        def damage() -> bool:
            newest = offsets / str(newest_number(offsets))
            empty(newest)
            return not newest.read_bytes()

        return _damage_checkpoint(workspace, query, damage, seen="the newest plan is empty")

    return run


def _metadata_gone(query: str) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        path = workspace.checkpoints / query / "metadata"
        return _damage_checkpoint(workspace, query, lambda: _remove(path), seen="metadata gone")

    return run


def _damage_checkpoint(
    workspace: Workspace, query: str, damage: Callable[[], bool], *, seen: str
) -> Outcome:
    """Damage a query's checkpoint: the archive must refuse to start, speed must count again."""
    if query == "speed":
        return recover_with_new_generation(workspace, damage, seen=seen)
    before = take_snapshot(workspace.data)
    injected = int(damage())
    workspace.ensure_kafka()
    driver = workspace.run(query)
    return check_refused(
        workspace, driver, "damaged|is gone|missing", injected=injected, before=before
    )


CASES = (
    Case("F26-commits", "commits lost: both queries repeat", "start", on_copy(_commits_lost)),
    Case("F27-planned", "killed between plan and output", "start", on_copy(_killed_before_output)),
    Case("F29-drivers", "two drivers at the same time", "start", on_copy(_two_drivers)),
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
        "the data folder moved to a path with spaces, signs and other scripts",
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
