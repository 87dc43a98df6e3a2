"""The check that no data file has changed since it was written, for example on a faulty disk."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crossfade.folder import DataFolder
from crossfade.lake.file_sums import has_sum, is_as_written
from crossfade.lake.findings import Finding, judge
from crossfade.lake.runs import Run
from crossfade.lake.tables import Table
from crossfade.proof.pinned import list_pinned_files

LAW = "every data file is as it was written"


def check_data_files(folder: DataFolder, run: Run) -> list[Finding]:
    """Compare each file of a run's tables with its checksum file, or else with Parquet's own."""
    return [_check(folder, table, paths) for table, paths in list_pinned_files(folder, run).items()]


def _check(folder: DataFolder, table: Table, paths: list[str]) -> Finding:
    faults = {path: _find_fault(Path(path)) for path in paths}
    wrong = [
        f"{Path(path).relative_to(folder.lake)}: {fault}" for path, fault in faults.items() if fault
    ]
    count = len(paths)
    return judge(LAW, table.name, expected=count, found=count - len(wrong), wrong=wrong)


def _find_fault(path: Path) -> str:
    """Return what is wrong with a file; empty if nothing is."""
    try:
        if has_sum(path):
            return "" if is_as_written(path) else "its bytes have changed since it was written"
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
    except FileNotFoundError:
        return "it is gone"
    except (OSError, pa.ArrowException) as error:
        return f"it cannot be read: {error}"
    return ""
