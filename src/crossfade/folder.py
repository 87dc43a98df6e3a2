"""A data folder: its paths, its format and the settings fixed in it."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crossfade.clock import format_duration, parse_duration
from crossfade.config import Settings
from crossfade.contract.time_rules import TimeRules
from crossfade.errors import MisuseError, StackError

FORMAT_VERSION = 2
"""Since 2, a row of `plays-by-window` has its grain as one array."""

_IDENTITY_FILE = "crossfade.json"
_SPECIAL = frozenset("%,*?[]{}|^\\\"'`")
"""Characters that Delta, Kafka or Spark interpret in a path, as escapes, patterns or quotes."""

ARCHIVE, SPEED, CLASSIC = "archive", "speed", "classic"
"""The streaming queries; their checkpoints and locks have these names."""


class FolderIdentity(msgspec.Struct, frozen=True):
    """What never changes in a data folder (the content of `crossfade.json`)."""

    format_version: int
    folder_id: str
    grain: str
    late_after: str
    clock_slack: str


class StackAddresses(msgspec.Struct, frozen=True):
    """The addresses of a running stack (`stack.json`); the file exists while the stack runs.

    `bootstrap` is Kafka's door for producers, which is closed while a disk is nearly full.
    `inside` is the door for Crossfade's own processes, which stays open.
    """

    pid: int
    started_at: str
    bootstrap: str
    api: str
    inside: str = ""

    @property
    def readers(self) -> str:
        """Return the bootstrap servers for consumers."""
        return self.inside or self.bootstrap


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths in one data folder, and its fixed settings."""

    root: Path
    identity: FolderIdentity

    @property
    def lake(self) -> Path:
        """Return the lake's folder, which contains the tables."""
        return self.root / "datalake"

    @property
    def checkpoints(self) -> Path:
        """Return the folder of the streaming queries' checkpoints."""
        return self.lake / "_checkpoint"

    @property
    def kafka(self) -> Path:
        """Return the embedded broker's folder."""
        return self.root / "kafka"

    @property
    def logs(self) -> Path:
        """Return the folder of the child processes' logs."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Return the folder of locks and requests between processes."""
        return self.root / "run"

    @property
    def identity_file(self) -> Path:
        """Return the file with the folder's format and fixed settings."""
        return self.root / _IDENTITY_FILE

    @property
    def stack_file(self) -> Path:
        """Return the file with a running stack's addresses."""
        return self.root / "stack.json"

    @property
    def children_file(self) -> Path:
        """Return the file in which the supervisor reports its child processes."""
        return self.run / "children.json"

    @property
    def streams_file(self) -> Path:
        """Return the file in which a driver reports the progress of its queries."""
        return self.run / "streams.json"

    @property
    def batch_file(self) -> Path:
        """Return the file in which batch reports its current run."""
        return self.run / "batch.json"

    def checkpoint(self, query: str) -> Path:
        """Return the checkpoint of a streaming query."""
        return self.checkpoints / query

    def lock_file(self, name: str) -> Path:
        """Return the file that a process locks so that it is the only one with this name."""
        return self.run / f"{name}.lock"

    @property
    def time_rules(self) -> TimeRules:
        """Return grain, lateness and clock slack as fixed at the first start."""
        return TimeRules(
            grain_ms=parse_duration(self.identity.grain),
            late_after_ms=parse_duration(self.identity.late_after),
            clock_slack_ms=parse_duration(self.identity.clock_slack),
        )


def open_folder(settings: Settings, *, create: bool = True) -> DataFolder:
    """Open the data folder that the settings name; create it if it does not exist.

    Raises:
        MisuseError: the folder is not a data folder or has another format, a fixed setting
            differs, or the path has a character that Kafka, Spark or Delta interprets.
        StackError: the folder does not exist and `create` is false, or it cannot be written.
    """
    root = settings.data.absolute()
    check_path(root)
    path = root / _IDENTITY_FILE
    if path.exists():
        identity = _read_identity(path)
        _refuse_other_settings(identity, settings)
        return DataFolder(root, identity)
    if not create and root.exists():
        what = f"{root} is not a data folder of Crossfade."
        raise MisuseError(what, 'Name another one with --data, or start with "crossfade up".')
    if not create:
        what = f"No data folder at {root}."
        raise StackError(what, 'Start with "crossfade up", or name another one with --data.')
    return DataFolder(root, _create(root, settings))


def is_data_folder(root: Path) -> bool:
    """Check whether a path is a data folder, of whatever format."""
    return (root / _IDENTITY_FILE).exists()


def check_path(root: Path) -> None:
    """Check that Kafka, Spark and Delta can all use an absolute path.

    Raises:
        MisuseError: it has a character that one of them interprets.
    """
    if special := sorted(set(str(root)) & _SPECIAL):
        what = f"The path {root} has {' '.join(special)} in it, which Kafka or Spark interprets."
        raise MisuseError(what, "Choose another folder with --data or CROSSFADE_DATA.")


def read_stack(folder: DataFolder) -> StackAddresses | None:
    """Read the addresses of the stack that runs on this folder; None if no stack runs."""
    try:
        stack = msgspec.json.decode(folder.stack_file.read_bytes(), type=StackAddresses)
        os.kill(stack.pid, 0)
    except (FileNotFoundError, ProcessLookupError, msgspec.DecodeError):
        return None
    except PermissionError:
        return stack
    return stack


def write_stack(folder: DataFolder, stack: StackAddresses) -> None:
    """Write the addresses of a stack for other commands, atomically."""
    write_atomically(folder.stack_file, msgspec.json.encode(stack))


def heartbeat_path(folder: DataFolder, name: str) -> Path:
    """Return the file that a process touches regularly while it makes progress."""
    return folder.run / f"{name}.heartbeat"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new content, never a mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _create(root: Path, settings: Settings) -> FolderIdentity:
    identity = FolderIdentity(
        format_version=FORMAT_VERSION,
        folder_id=uuid.uuid4().hex,
        grain=_canonical(settings.grain),
        late_after=_canonical(settings.late_after),
        clock_slack=_canonical(settings.clock_slack),
    )
    DataFolder(root, identity).time_rules  # noqa: B018 - checks the durations
    try:
        root.mkdir(parents=True, exist_ok=True)
        if foreign := sorted(path.name for path in root.iterdir() if path.name != "logs"):
            what = f"{root} is not empty ({foreign[0]}) and is not a data folder of Crossfade."
            raise MisuseError(what, "Choose an empty or new folder with --data.")
        write_atomically(root / _IDENTITY_FILE, msgspec.json.encode(identity))
    except OSError as error:
        what = f"Cannot write the data folder {root}: {error.strerror}."
        raise StackError(what, "Choose a folder that you may write with --data.") from None
    return identity


def _read_identity(path: Path) -> FolderIdentity:
    try:
        identity = msgspec.json.decode(path.read_bytes(), type=FolderIdentity)
    except (msgspec.DecodeError, OSError) as error:
        what = f"Cannot read {path}: {error}."
        raise StackError(what, "Restore the file, or choose another folder with --data.") from None
    if identity.format_version != FORMAT_VERSION:
        what = (
            f"{path.parent} has format {identity.format_version}; "
            f"this Crossfade reads format {FORMAT_VERSION}."
        )
        raise MisuseError(what, "Use the release that made it, or a new folder with --data.")
    return identity


def _refuse_other_settings(identity: FolderIdentity, settings: Settings) -> None:
    for name in ("grain", "late_after", "clock_slack"):
        if name not in settings.model_fields_set:
            continue
        fixed, asked = getattr(identity, name), _canonical(getattr(settings, name))
        if fixed != asked:
            what = f"{name} is fixed at {fixed} in {settings.data}, not {asked}."
            raise MisuseError(what, "Leave it out, or start a new folder with --data.")


def _canonical(duration: str) -> str:
    return format_duration(parse_duration(duration))
