"""The classic lake's committed files, read from the log of Spark's file sink."""

from pathlib import Path
from urllib.parse import unquote, urlparse

import msgspec

from crossfade.errors import LakeError
from crossfade.lake.tables import CLASSIC_TABLE

_VERSION = "v1"
_COMPACT = ".compact"


class _Entry(msgspec.Struct):
    """A line of the log; only the fields that are used here."""

    path: str
    action: str = "add"


def list_classic_files(lake: Path) -> list[str]:
    """List the committed files; the folder may also hold files of failed attempts.

    The log's absolute paths are read relative to the table's folder, so a data folder can be moved.

    Raises:
        LakeError: there is no classic lake, or its log cannot be understood.
    """
    folder = lake / CLASSIC_TABLE
    batches = _find_batches(folder / "_spark_metadata")
    files: dict[str, None] = {}
    for path in batches:
        for entry in _read_batch(path):
            name = _find_in_folder(folder, entry.path)
            if entry.action == "delete":
                files.pop(name, None)
            else:
                files[name] = None
    return list(files)


def _find_batches(log: Path) -> list[Path]:
    """Return the newest compact batch, which includes all before it, and the batches after it."""
    if not log.is_dir():
        what = f"No classic lake at {log.parent}."
        raise LakeError(what, 'Start one with "crossfade archive --parquet".')
    numbered = {}
    for path in log.iterdir():
        number = path.name.removesuffix(_COMPACT)
        if number.isdecimal():
            numbered[int(number)] = path
    compact = max((n for n, path in numbered.items() if path.suffix == _COMPACT), default=0)
    return [numbered[number] for number in sorted(numbered) if number >= compact]


def _read_batch(path: Path) -> list[_Entry]:
    version, *lines = path.read_text(encoding="utf-8").splitlines()
    if version != _VERSION:
        what = f"{path} has version {version!r}, not {_VERSION}."
        raise LakeError(what, "Read it with the Spark that wrote it.")
    return [msgspec.json.decode(line, type=_Entry) for line in lines if line]


def _find_in_folder(folder: Path, address: str) -> str:
    path = unquote(urlparse(address).path)
    _, separator, name = path.partition(f"/{folder.name}/date=")
    if not separator:
        what = f"The log of {folder} names {path}, which is not below it."
        raise LakeError(what, "Read it with Spark.")
    return str(folder / f"date={name}")
