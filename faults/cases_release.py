"""Start cases: open the data folder of an earlier release with this one."""

import random
import shutil
import tarfile
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from faults.case import Case, Outcome
from faults.case_checks import add_up, recover
from faults.lake_snapshot import live_files
from faults.template import Bench
from faults.workspace import Workspace

RELEASES = Path(__file__).with_name("old_release")


def unpack_release(archive: Path, folder: Path) -> None:
    """Unpack a release's folder, which holds `data` and `ledgers` like a template."""
    folder.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")


def _opened(bench: Bench) -> Outcome:
    """Open the folder of every kept release; each must continue with exact counts."""
    bench.scratch.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for archive in sorted(RELEASES.glob("*.tar.xz")):
        folder = Path(tempfile.mkdtemp(dir=bench.scratch)) / "release"
        unpack_release(archive, folder)
        ledgers = sorted((folder / "ledgers").iterdir())
        workspace = Workspace(folder, ledgers, random.Random(bench.seed))
        try:
            outcomes.append(
                recover(workspace, injected=1, seen=f"made by {_made_by(folder / 'data')}")
            )
        finally:
            workspace.close()
        shutil.rmtree(folder)
    return add_up(outcomes)


def _made_by(data: Path) -> str:
    """Return the versions of the code that published the runs."""
    rows = (
        pq.read_table(path, columns=["code_version"], partitioning=None)["code_version"].to_pylist()
        for path in live_files(data, "gold/run")
    )
    return ", ".join(sorted({version for some in rows for version in some}))


CASES = (Case("F60-release", "an earlier release's folder", "start", _opened),)
