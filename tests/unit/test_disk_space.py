from pathlib import Path

import pytest

from crossfade.errors import MachineError
from crossfade.stack.disk_space import free_bytes, require_disk_space


def test_a_full_disk_is_one_line_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as refusal:
        require_disk_space(tmp_path, least=free_bytes(tmp_path) * 2)
    line = str(refusal.value)
    assert f"The disk of {tmp_path} has " in line
    assert "Make room" in line
    assert "--data" in line
    assert "\n" not in line


def test_the_free_room_of_a_folder_not_yet_created_is_that_of_its_disk(tmp_path: Path) -> None:
    require_disk_space(tmp_path / "not" / "yet" / "there", least=1)
