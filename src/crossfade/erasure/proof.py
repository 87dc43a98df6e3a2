"""The proof of an erasure: search every file of a data folder for the listener's id."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfade.clock import format_time, now_ms
from crossfade.erasure.suppression import load_suppression
from crossfade.erasure.traces import TELLING_BYTES, Needle, holds_bytes, search_columns
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_settings
from crossfade.lake.connection import connect, register_table
from crossfade.lake.findings import Finding, Verdict, judge, leave_out, name_some
from crossfade.lake.runs import Run, require_run
from crossfade.lake.tables import (
    BATCH_TABLES,
    BRONZE_SONG_PLAYS,
    SILVER_ERASED,
    TABLES,
    Table,
    list_files,
    table_path,
)

LISTED = "the listener is suppressed"
NO_ROW = "no row names the listener"
NO_BYTES = "no file holds the id"
ONE_VERSION = "old versions are removed"
SPEED = "speed counts open windows without the listener"

_FRESH_MS = 600_000
"""The archive commits a file of bronze at most this long after writing it."""


@dataclass(frozen=True, slots=True)
class Remains:
    """A place outside the lake that still has records of the listener, and until when."""

    place: str
    until: str
    why: str


@dataclass(frozen=True, slots=True)
class ErasureProof:
    """The findings at one run's pins, and what remains outside the reach of the proof."""

    run: int
    findings: tuple[Finding, ...]
    remains: tuple[Remains, ...]

    @property
    def holds(self) -> bool:
        """Check whether nothing is left that should have been removed."""
        return all(one.verdict is not Verdict.UNEXPLAINED for one in self.findings)


def prove_erasure(
    folder: DataFolder,
    address: KafkaAddress | None,
    user_id: str,
    *,
    is_speed_renewed: bool,
    retention_ms: int | None = None,
) -> ErasureProof:
    """Search a data folder, except Kafka's own files, for an erased listener.

    Args:
        folder: the data folder.
        address: where Kafka is; None: its retention is taken from the settings.
        user_id: the listener's id.
        is_speed_renewed: whether speed has taken the request for a new generation.
        retention_ms: the settings' retention, for when Kafka is away.

    Raises:
        LakeError: nothing was published yet.
    """
    run, needle = require_run(folder.lake), Needle(user_id)
    is_listed = load_suppression(folder).covers(user_id)
    findings = [
        judge(LISTED, "suppression/erased.json", expected=1, found=int(is_listed)),
        *(_search_table(folder, table, run, needle) for table in TABLES.values()),
        *_search_bytes(folder, needle),
        _count_old_files(folder, run),
        _judge_speed(is_speed_renewed=is_speed_renewed),
    ]
    return ErasureProof(
        run.run, tuple(findings), tuple(_list_remains(folder, run, address, retention_ms))
    )


def _search_table(folder: DataFolder, table: Table, run: Run, needle: Needle) -> Finding:
    """Search every data file on disk, of any version.

    Records that came into bronze after the run's pin are not a fault: the next run covers them.
    """
    pin = run.pins.get(table.name)
    pinned = _names(list_files(folder.lake, table, pin)) if pin is not None else set()
    newest = _names(list_files(folder.lake, table))
    left: list[str] = []
    later = 0
    paths = _data_files(folder, table)
    for path in paths:
        try:
            found = search_columns(path, needle)
            age_ms = now_ms() - path.stat().st_mtime_ns // 1_000_000
        except FileNotFoundError:
            continue
        is_new = path.name in newest or age_ms < _FRESH_MS
        if table is BRONZE_SONG_PLAYS and path.name not in pinned and is_new:
            later += sum(found.values())
            continue
        shown = path.relative_to(folder.root)
        left += [f"{shown}: {count:,} in {column}" for column, count in found.items()]
    subject = f"{table.name}: {len(paths):,} files"
    if later and not left:
        note = f"{later:,} values came during the erasure; the next run removes them"
        return Finding(NO_ROW, subject, 0, later, Verdict.PENDING, (), note)
    return judge(NO_ROW, subject, expected=0, found=len(left), wrong=left)


def _search_bytes(folder: DataFolder, needle: Needle) -> Iterator[Finding]:
    """Search the bytes of files, including the statistics in data files."""
    if not needle.is_telling:
        why = f"An id of less than {TELLING_BYTES} bytes occurs in any file by chance."
        yield leave_out(NO_BYTES, "all files", why)
        return
    logs = [path for table in TABLES.values() for path in _log_files(folder, table)]
    data = [path for table in TABLES.values() for path in _data_files(folder, table)]
    scratch = _files_below(*folder.run.glob("spark-*"))
    known = {*logs, *data, *scratch, *_files_below(folder.kafka)}
    others = [path for path in _files_below(folder.root) if path not in known]
    for subject, paths in (
        ("data files", data),
        ("table logs", logs),
        ("checkpoints", [path for path in others if path.is_relative_to(folder.checkpoints)]),
        ("other files", [p for p in others if not p.is_relative_to(folder.checkpoints)]),
    ):
        wrong = [str(path.relative_to(folder.root)) for path in paths if _holds(path, needle)]
        about = f"{subject}: {len(paths):,}"
        yield judge(NO_BYTES, about, expected=0, found=len(wrong), wrong=wrong)
    passing = [str(path.relative_to(folder.root)) for path in scratch if _holds(path, needle)]
    if passing:
        note = "Scratch files of a running process: they go when it ends."
        subject = f"scratch files: {len(scratch):,}"
        named = name_some(passing)
        yield Finding(NO_BYTES, subject, 0, len(passing), Verdict.PENDING, named, note)


def _holds(path: Path, needle: Needle) -> bool:
    """Check whether a file holds the id, in its bytes or, in a packed log checkpoint, in a row."""
    try:
        if holds_bytes(path, needle):
            return True
        is_packed = "_delta_log" in path.parts and path.suffix == ".parquet"
        return is_packed and bool(search_columns(path, needle))
    except FileNotFoundError:
        return False


def _count_old_files(folder: DataFolder, run: Run) -> Finding:
    """Find data files of silver and gold outside the run's version and the newest one."""
    old: list[str] = []
    for table in BATCH_TABLES:
        pin = run.pins.get(table.name)
        kept = _names(list_files(folder.lake, table, pin)) if pin is not None else set()
        kept |= _names(list_files(folder.lake, table))
        paths = [path for path in _data_files(folder, table) if path.name not in kept]
        old += [str(path.relative_to(folder.root)) for path in paths]
    note = "" if not old else 'Another run came after it; "crossfade erase" again removes them.'
    verdict = Verdict.PENDING if old else Verdict.HOLDS
    return Finding(ONE_VERSION, "silver and gold", 0, len(old), verdict, name_some(old), note)


def _judge_speed(*, is_speed_renewed: bool) -> Finding:
    if is_speed_renewed:
        note = "Speed has begun a new generation, without the listener."
        return Finding(SPEED, "open windows", "-", "-", Verdict.HOLDS, (), note)
    note = "Speed's open windows: renewed at the driver's next micro-batches."
    return Finding(SPEED, "open windows", "-", "-", Verdict.PENDING, (), note)


def _list_remains(
    folder: DataFolder, run: Run, address: KafkaAddress | None, retention_ms: int | None
) -> Iterator[Remains]:
    connection = connect()
    files = list_files(folder.lake, SILVER_ERASED, run.pins[SILVER_ERASED.name])
    register_table(connection, SILVER_ERASED, files)
    [(last,)] = connection.execute("SELECT max(epoch_ms(log_time)) FROM silver_erased").fetchall()
    connection.close()
    if last is not None:
        place = f"Kafka, {SONG_PLAYS}"
        newest = f"The newest erased record came {format_time(last)}"
        if address is None:
            known = "its retention" if retention_ms is None else format_time(last + retention_ms)
            yield Remains(place, known, f"{newest}. By the settings: Kafka could not be asked.")
        else:
            yield Remains(place, *_describe_retention(address, last, newest))
    why = "They hold what was there when they were made. Make a new one, then delete them."
    yield Remains("backups made before", "they are deleted", why)


def _describe_retention(address: KafkaAddress, last: int, newest: str) -> tuple[str, str]:
    settings = read_settings(address, SONG_PLAYS)
    retention, segment = int(settings["retention.ms"]), int(settings["segment.ms"])
    if retention < 0:
        return "never", f"{newest}, and the topic's retention.ms is -1: set it."
    until = format_time(last + retention)
    latest = format_time(last + retention + segment)
    return until, f"{newest}. Kafka removes whole segments, so at the latest {latest}."


def _data_files(folder: DataFolder, table: Table) -> list[Path]:
    found = table_path(folder.lake, table).rglob("*.parquet")
    return sorted(path for path in found if "_delta_log" not in path.parts)


def _log_files(folder: DataFolder, table: Table) -> list[Path]:
    return _files_below(table_path(folder.lake, table) / "_delta_log")


def _files_below(*folders: Path) -> list[Path]:
    return sorted(path for one in folders for path in one.rglob("*") if path.is_file())


def _names(paths: Iterable[str]) -> set[str]:
    return {path.rpartition("/")[2] for path in paths}
