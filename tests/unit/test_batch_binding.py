"""Silver and gold must be the tables that batch created: equal versions are not enough."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade.backup.backup_point import choose_point
from crossfade.clock import DAY_MS
from crossfade.config import load_settings
from crossfade.errors import LakeError
from crossfade.folder import DataFolder, open_folder
from crossfade.lake.binding import begin_batch, bind_batch
from crossfade.lake.runs import require_run
from crossfade.lake.tables import BATCH_TABLES, GOLD_RUN, TABLES, open_table
from crossfade.proof.pinned import open_pinned_lake
from crossfade.serving.snapshot import build_snapshot
from support.handmade_lake import NOON, a_lake, a_play, records_of, write_table

MADE = [*(table.name for table in BATCH_TABLES), GOLD_RUN.name]


def a_stack(folder: DataFolder) -> DataFolder:
    """Create a lake with a published run, bound as its next run would bind it."""
    records = records_of(a_play(1), a_play(2))
    written = a_lake(records, boundary=NOON + DAY_MS).write(folder)
    bind_batch(written, require_run(written.lake).pins)
    return written


@pytest.fixture
def stack(data_folder: DataFolder) -> DataFolder:
    """Return a folder in which batch created every table."""
    return a_stack(data_folder)


@pytest.fixture
def other(tmp_path: Path) -> DataFolder:
    """Return another stack's folder, whose tables are at the same versions."""
    return a_stack(open_folder(load_settings(data=tmp_path / "other")))


def version_of(folder: DataFolder, name: str) -> int:
    table = open_table(folder.lake, TABLES[name])
    assert table is not None
    return table.version()


def read_pinned_lake(folder: DataFolder) -> None:
    with open_pinned_lake(folder):
        pass


def swap(folder: DataFolder, other: DataFolder, name: str) -> None:
    assert version_of(folder, name) == version_of(other, name)
    shutil.rmtree(folder.lake / name)
    shutil.copytree(other.lake / name, folder.lake / name)


@pytest.mark.parametrize("name", MADE)
def test_a_table_of_another_stack_at_the_same_version_is_refused(
    stack: DataFolder, other: DataFolder, name: str
) -> None:
    pins = require_run(stack.lake).pins
    swap(stack, other, name)
    with pytest.raises(LakeError, match=rf"{name} is not the one that batch has created"):
        bind_batch(stack, pins)


@pytest.mark.parametrize("read", [build_snapshot, read_pinned_lake, choose_point])
def test_no_command_reads_a_table_of_another_stack(
    stack: DataFolder, other: DataFolder, read: Callable[[DataFolder], object]
) -> None:
    swap(stack, other, "gold/chart")
    with pytest.raises(LakeError, match="gold/chart is not the one"):
        read(stack)


def test_a_table_keeps_its_identity_while_it_changes(stack: DataFolder) -> None:
    write_table(stack, "gold/chart", [])
    bind_batch(stack, require_run(stack.lake).pins)
    build_snapshot(stack)


def test_a_folder_of_an_earlier_release_is_bound_by_its_next_run(
    stack: DataFolder, other: DataFolder
) -> None:
    (stack.checkpoints / "batch.binding.json").unlink()
    build_snapshot(stack)
    bind_batch(stack, require_run(stack.lake).pins)
    swap(stack, other, "silver/plays")
    with pytest.raises(LakeError, match="silver/plays is not the one"):
        build_snapshot(stack)


def test_a_table_that_no_published_run_pins_may_be_created_again(
    stack: DataFolder, other: DataFolder
) -> None:
    (stack.checkpoints / "batch.binding.json").unlink()
    pins = {name: pin for name, pin in require_run(stack.lake).pins.items() if "erased" not in name}
    bind_batch(stack, pins)
    swap(stack, other, "silver/erased")
    bind_batch(stack, pins)


def test_tables_without_their_runs_are_not_started_from_scratch(stack: DataFolder) -> None:
    shutil.rmtree(stack.lake / "gold/run")
    with pytest.raises(LakeError, match=r"gold/run is gone from .*, beside gold/activity_hour"):
        begin_batch(stack)


def test_all_of_silver_and_gold_may_be_computed_from_scratch(
    stack: DataFolder, other: DataFolder
) -> None:
    for layer in ("silver", "gold"):
        shutil.rmtree(stack.lake / layer)
    begin_batch(stack)
    for layer in ("silver", "gold"):
        shutil.copytree(other.lake / layer, stack.lake / layer)
    bind_batch(stack, require_run(stack.lake).pins)


def test_an_interrupted_set_up_continues(data_folder: DataFolder) -> None:
    write_table(data_folder, "silver/plays", [])
    begin_batch(data_folder)
