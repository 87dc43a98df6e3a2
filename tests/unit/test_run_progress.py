"""A failure to write a run's progress does not hide the run's own error."""

from pathlib import Path

import pytest

from crossfade.config import load_settings
from crossfade.folder import open_folder
from crossfade.processing import progress
from crossfade.processing.progress import record_run_times


def test_a_full_disk_does_not_hide_why_a_run_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path), len(content))

    folder = open_folder(load_settings(data=tmp_path / "data"))
    with pytest.raises(RuntimeError, match="what went wrong"), record_run_times(folder, 7):
        monkeypatch.setattr(progress, "write_atomically", refuse)
        what = "what went wrong"
        raise RuntimeError(what)
