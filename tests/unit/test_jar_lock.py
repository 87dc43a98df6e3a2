from pathlib import Path

import pytest

from crossfade.errors import MachineError
from crossfade.stack.jar_lock import LOCK, read_lock

ROW = f"spark io.delta:delta-storage:4.4.0 10 {'a' * 64}\n"


def test_the_lock_holds_both_sets_and_names_no_host() -> None:
    jars = read_lock()
    assert [sum(jar.jar_set == name for jar in jars) for name in ("broker", "spark")] == [45, 9]
    assert len({jar.path(Path()) for jar in jars}) == len(jars)
    assert "://" not in LOCK.read_text()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ROW * 2, "it ends after 2 jars"),
        (ROW + "end 2\n", 'line 2 is "end 2"'),
        (ROW + "end 1\n" + ROW, 'line 2 is "end 1"'),
        (ROW.replace("a" * 64, "a" * 63) + "end 1\n", 'line 1 is "spark io.delta'),
        (ROW.replace("spark", "other") + "end 1\n", 'line 1 is "other'),
        (ROW.replace("delta-storage", "../storage") + "end 1\n", "line 1 is"),
        ("<<<<<<< HEAD\n" + ROW + "end 1\n", 'line 1 is "<<<<<<< HEAD"'),
        ("", "it ends after 0 jars"),
    ],
)
def test_a_corrupt_lock_is_one_line_with_the_cure(
    tmp_path: Path, content: str, expected: str
) -> None:
    path = tmp_path / "jars.lock"
    path.write_text(content)
    with pytest.raises(MachineError, match="is corrupt") as refusal:
        read_lock(path)
    line = str(refusal.value)
    assert str(path) in line
    assert expected in line
    assert "git checkout" in line
    assert "\n" not in line


def test_a_missing_or_binary_lock_is_one_line_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "jars.lock"
    path.write_bytes(b"\xff\xfe")
    for place in (path, tmp_path / "none"):
        with pytest.raises(MachineError, match="cannot be read"):
            read_lock(place)
