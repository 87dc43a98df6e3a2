"""The door for plays closes before a disk is full and opens again when there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.folder import DataFolder
from crossfade.stack import disk_guard
from crossfade.stack.disk_guard import DiskGuard, read_door

LEAST = 1_000_000_000


class Disks:
    """Two disks whose room a test sets."""

    def __init__(self) -> None:
        self.free = {"kafka": 9 * LEAST, "lake": 9 * LEAST}

    def ask(self, path: Path) -> int:
        return self.free[path.name]


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disks]:
    disks = Disks()
    monkeypatch.setattr(disk_guard, "free_bytes", disks.ask)
    yield disks


def a_guard(folder: DataFolder, turns: list[bool]) -> DiskGuard:
    return DiskGuard(folder, [Path("kafka"), Path("lake")], LEAST, turns.append)


@pytest.mark.parametrize("disk", ["kafka", "lake"])
def test_the_door_closes_once_when_either_disk_has_too_little_room(
    data_folder: DataFolder, disks: Disks, disk: str
) -> None:
    turns: list[bool] = []
    guard = a_guard(data_folder, turns)
    guard.check()
    assert turns == []
    disks.free[disk] = LEAST - 1
    guard.check()
    guard.check()
    assert turns == [False]
    door = read_door(data_folder)
    assert door is not None
    assert not door.is_open
    assert f"The disk of {disk} has 1 GB free" in door.why
    assert "Make room" in door.why


def test_it_opens_again_only_with_a_quarter_more_than_the_limit(
    data_folder: DataFolder, disks: Disks
) -> None:
    turns: list[bool] = []
    guard = a_guard(data_folder, turns)
    for free in (LEAST - 1, LEAST, LEAST * 1.25 - 1, LEAST * 1.25):
        disks.free["lake"] = int(free)
        guard.check()
    assert turns == [False, True]
    door = read_door(data_folder)
    assert door is not None
    assert door.is_open


def test_the_door_has_no_state_once_the_stack_is_down(
    data_folder: DataFolder, disks: Disks
) -> None:
    guard = a_guard(data_folder, [])
    guard.start()
    assert read_door(data_folder) is not None
    guard.end()
    assert read_door(data_folder) is None
