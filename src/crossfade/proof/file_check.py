"""Every data file is what was written: a disk that changes a byte is found before any law is."""

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


def check_files(folder: DataFolder, run: Run) -> list[Finding]:
    """Hold each file of a run's tables against its checksums: those beside it, else Parquet's."""
    return [_check(folder, table, paths) for table, paths in list_pinned_files(folder, run).items()]


def _check(folder: DataFolder, table: Table, paths: list[str]) -> Finding:
    said = {path: _what_is_wrong(Path(path)) for path in paths}
    wrong = [
        f"{Path(path).relative_to(folder.lake)}: {what}" for path, what in said.items() if what
    ]
    count = len(paths)
    return judge(LAW, table.name, expected=count, found=count - len(wrong), wrong=wrong)


def _what_is_wrong(path: Path) -> str:
    try:
        if has_sum(path):
            return "" if is_as_written(path) else "its bytes are not those that were written"
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
    except FileNotFoundError:
        return "it is gone"
    except (OSError, pa.ArrowException) as error:
        return f"it cannot be read: {error}"
    return ""
