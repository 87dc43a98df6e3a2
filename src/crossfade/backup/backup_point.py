"""Which versions of tables and checkpoint belong together, while all of them go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossfade.backup.version_files import check_copy, list_table_files
from crossfade.errors import LakeError
from crossfade.folder import ARCHIVE, DataFolder
from crossfade.lake.binding import read_archive_binding, refuse_other_tables
from crossfade.lake.checkpoint import (
    NO_BATCH,
    newest_committed,
    newest_planned,
    read_plan,
    read_query_id,
)
from crossfade.lake.runs import Run, read_newest_run
from crossfade.lake.tables import (
    BRONZE_SONG_PLAYS,
    GOLD_RUN,
    TABLES,
    open_table,
)

_BINDINGS = ("archive.binding.json", "batch.binding.json")
_KEPT_FOR_GOOD = ("suppression", "erasures")
"""Folders of a data folder that erasure writes, where there are some."""


@dataclass(frozen=True, slots=True)
class ArchiveMoment:
    """Bronze's version, and the archive's micro-batch that it ends with."""

    version: int | None
    micro_batch: int
    end_offsets: Mapping[int, int]
    topic_id: str | None


@dataclass(frozen=True, slots=True)
class Moment:
    """The newest published run, the versions of all tables, and the archive as bronze has it."""

    run: Run | None
    tables: Mapping[str, int]
    archive: ArchiveMoment

    def pin(self, table: str) -> int | None:
        """Return the version of a table that the run pins; None where it pins none."""
        return None if self.run is None else self.run.pins.get(table)


def choose_moment(folder: DataFolder) -> Moment:
    """Choose the versions in an order in which each goes on without spoiling the ones before.

    First the hand-overs, so that none is of a run that is not in it; then the newest published run,
    whose pins are never changed; then bronze, which is at the run's pin or beyond. Kafka is copied
    after all of it: what the archive has not read is still there.

    Raises:
        LakeError: the archive's checkpoint and bronze are not of one moment, or a table of silver
            or gold is another stack's.
    """
    refuse_other_tables(folder)
    tables = {}
    for name, table in TABLES.items():
        if name.startswith("ops/") and (opened := open_table(folder.lake, table)) is not None:
            tables[name] = opened.version()
    run = None
    if (published := open_table(folder.lake, GOLD_RUN)) is not None:
        run = read_newest_run(folder.lake, published.version())
        if run is not None:
            tables |= {GOLD_RUN.name: published.version(), **run.pins}
    archive = _read_archive(folder)
    if archive.version is not None:
        tables[BRONZE_SONG_PLAYS.name] = archive.version
    _refuse_cut_bronze(run, archive.version)
    return Moment(run, tables, archive)


def list_files(folder: DataFolder, moment: Moment) -> list[str]:
    """List all that is of the moment but Kafka's data, by path below the data folder.

    What a running stack takes away first comes first: Spark keeps a hundred micro-batches.
    """
    paths = [*_list_checkpoint(folder, moment.archive.micro_batch), folder.identity_file]
    for name in _KEPT_FOR_GOOD:
        paths += sorted(path for path in (folder.root / name).rglob("*") if path.is_file())
    named = [str(path.relative_to(folder.root)) for path in paths]
    lake = folder.lake.relative_to(folder.root)
    for name, version in moment.tables.items():
        files = list_table_files(folder.lake, TABLES[name], version, moment.pin(name))
        named += [str(lake / path) for path in files]
    return named


def check_copies(copy: DataFolder, moment: Moment) -> None:
    """Make sure that every table in a copy, and the checkpoint, is whole and of the moment.

    Raises:
        LakeError: one is not; something took files away while they were copied.
    """
    for name, version in moment.tables.items():
        check_copy(copy.lake, TABLES[name], version, moment.pin(name))
    batch = moment.archive.micro_batch
    if newest_planned(copy.checkpoints / ARCHIVE) != batch:
        what = f"The copy of the {ARCHIVE}'s checkpoint lacks micro-batch {batch}."
        raise LakeError(what, "Back up again.")


def _read_archive(folder: DataFolder) -> ArchiveMoment:
    """Take bronze's newest version, and from it the micro-batch; so the two cannot differ."""
    binding = read_archive_binding(folder)
    topic_id = None if binding is None else binding.topic_id
    checkpoint = folder.checkpoints / ARCHIVE
    committed = newest_committed(checkpoint)
    query_id = read_query_id(checkpoint)
    bronze = open_table(folder.lake, BRONZE_SONG_PLAYS)
    if bronze is None:
        return ArchiveMoment(None, NO_BATCH, {}, topic_id)
    found = None if query_id is None else bronze.transaction_version(query_id)
    batch = NO_BATCH if found is None else int(found)
    if batch < committed:
        what = f"Bronze ends with micro-batch {batch}, but {checkpoint} is at {committed}."
        raise LakeError(what, "Restore both from one backup.")
    ends = {} if batch == NO_BATCH else read_plan(checkpoint, batch).end_offsets
    if not ends and binding is not None:
        ends = binding.first_offsets
    return ArchiveMoment(bronze.version(), batch, ends, topic_id)


def _refuse_cut_bronze(run: Run | None, version: int | None) -> None:
    pin = -1 if run is None else run.pins.get(BRONZE_SONG_PLAYS.name, -1)
    if (-1 if version is None else version) < pin:
        what = f"Bronze is at version {version}, but the newest run is of its version {pin}."
        raise LakeError(what, "Its log was cut: restore an older backup.")


def _list_checkpoint(folder: DataFolder, batch: int) -> list[Path]:
    """List the archive's checkpoint as it was when its micro-batch had just been written."""
    root = folder.checkpoints / ARCHIVE
    numbered = [
        path
        for log in ("offsets", "commits")
        for path in sorted((root / log).glob("*"))
        if path.name.isdecimal() and int(path.name) <= batch
    ]
    fixed = [*(folder.checkpoints / name for name in _BINDINGS), root / "metadata"]
    fixed += sorted(path for path in (root / "sources").rglob("*") if path.is_file())
    listed = [path for path in (*numbered, *fixed) if path.exists() and path.suffix != ".crc"]
    sidecars = [path.with_name(f".{path.name}.crc") for path in listed]
    return [*listed, *(path for path in sidecars if path.exists())]
