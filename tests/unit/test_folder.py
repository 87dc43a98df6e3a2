"""The data folder, its fixed settings, and the addresses of a running stack."""

import os
from pathlib import Path

import msgspec
import pytest

from crossfade.config import load_settings
from crossfade.errors import MisuseError, StackError
from crossfade.folder import StackAddresses, open_folder, read_stack, write_stack


def test_grain_lateness_and_slack_are_fixed_at_the_first_start(tmp_path: Path) -> None:
    root = tmp_path / "data"
    first = open_folder(load_settings(data=root, grain="10s", late_after="10s"))
    again = open_folder(load_settings(data=root))
    assert again.time_rules == first.time_rules
    assert again.time_rules.grain_ms == 10_000
    with pytest.raises(MisuseError, match="grain is fixed at 10s"):
        open_folder(load_settings(data=root, grain="1m"))


@pytest.mark.parametrize("sign", list("%,*?[]{}|^\\\"'`"))
def test_a_path_that_other_tools_would_read_differently_is_refused(
    tmp_path: Path, sign: str
) -> None:
    with pytest.raises(MisuseError, match="in it, which Kafka or Spark interprets") as refusal:
        open_folder(load_settings(data=tmp_path / f"rock{sign}pop" / "data"))
    assert f" has {sign} in it" in refusal.value.what
    assert not any(tmp_path.iterdir())


def test_another_format_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = open_folder(load_settings(data=tmp_path / "data"))
    path = folder.root / "crossfade.json"
    path.write_bytes(path.read_bytes().replace(b'"format_version":2', b'"format_version":99'))
    with pytest.raises(MisuseError, match="format 99"):
        open_folder(load_settings(data=folder.root))


def test_a_torn_identity_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "crossfade.json").write_bytes(b'{"format')
    with pytest.raises(StackError, match="Cannot read"):
        open_folder(load_settings(data=tmp_path))


def test_a_folder_with_other_files_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(MisuseError, match="not a data folder of Crossfade"):
        open_folder(load_settings(data=tmp_path))


def test_a_missing_folder_is_named_when_it_must_not_be_created(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No data folder"):
        open_folder(load_settings(data=tmp_path / "none"), create=False)


def test_a_stack_that_was_killed_is_not_running(tmp_path: Path) -> None:
    folder = open_folder(load_settings(data=tmp_path))
    assert read_stack(folder) is None
    alive = StackAddresses(os.getpid(), "2026-01-01T00:00:00Z", "127.0.0.1:1", "http://x")
    write_stack(folder, alive)
    assert read_stack(folder) == alive
    write_stack(folder, msgspec.structs.replace(alive, pid=2**22 - 3))
    assert read_stack(folder) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StackError, match="Cannot write the data folder"):
        open_folder(load_settings(data=tmp_path / "data"))
