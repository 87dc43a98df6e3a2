"""The files of an import: their formats, the members of ZIP archives, the parts of exports."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from crossfade.errors import CrossfadeError
from crossfade.ingest.files import STDIN, SourceFile, is_zip, open_member, open_source, open_zip
from crossfade.ingest.formats import SUPPORTED, ImportFormat, recognise, require_format

_STDIN_LABEL = "standard input"
_COMPRESSED = {".gz", ".xz", ".zst"}
_PART = re.compile(r"(?P<base>(?:.*\D)?)(?P<number>\d{1,3})(?P<suffix>(?:\.[A-Za-z]\w*)*)")
"""A name with a number, too short to be a year, before its suffixes."""
_SPOTIFYS_BASE = re.compile("StreamingHistory(?:_music_)?", re.IGNORECASE)


class PlayFile(NamedTuple):
    """A file of plays, or a member of a ZIP archive: its name for users, and how to open it."""

    label: str
    import_format: ImportFormat
    folder: str
    open: Callable[[], AbstractContextManager[SourceFile]]


class Export(NamedTuple):
    """The files of one export, in order: one file, or files that differ only in their number.

    `is_certain`: the name is one that a service gives to the parts of an export.
    """

    import_format: ImportFormat
    files: Sequence[PlayFile]
    is_certain: bool


class Sources(NamedTuple):
    """What an import reads, and the members of ZIP archives that it leaves out."""

    exports: Sequence[Export]
    left_out: Sequence[str]

    @property
    def formats(self) -> set[ImportFormat]:
        """Return the formats of all files."""
        return {export.import_format for export in self.exports}


@contextmanager
def find_sources(names: Sequence[str], wanted: ImportFormat | None) -> Iterator[Sources]:
    """Find the format of each file, and the files that are parts of one export.

    Args:
        names: files that exist, or "-" for standard input.
        wanted: the format that the user named; None: by content.

    Raises:
        CrossfadeError: a file cannot be read, or is in a format that is not supported.
    """
    files: list[PlayFile] = []
    left_out: list[str] = []
    with ExitStack() as opened:
        for name in names:
            if name == STDIN:
                file = opened.enter_context(open_source(name))
                found = require_format(_STDIN_LABEL, recognise(file.peek()), wanted)
                files.append(PlayFile(_STDIN_LABEL, found, "", _stay_open(file)))
            elif is_zip(name):
                members, others = _find_members(name, wanted)
                files += members
                left_out += others
            else:
                files.append(_find_file(name, wanted))
        yield Sources(_group(files), left_out)


def _stay_open(file: SourceFile) -> Callable[[], AbstractContextManager[SourceFile]]:
    """Return what opens a file that is open already; standard input can be opened only once."""
    return lambda: nullcontext(file)


def _find_file(name: str, wanted: ImportFormat | None) -> PlayFile:
    with open_source(name) as file:
        found = require_format(name, recognise(file.peek()), wanted)
    return PlayFile(name, found, str(Path(name).resolve().parent), partial(open_source, name))


def _find_members(archive: str, wanted: ImportFormat | None) -> tuple[list[PlayFile], list[str]]:
    """Find the members of a ZIP archive that are in the wanted format, else in a supported one.

    Raises:
        CrossfadeError: there is none.
    """
    files, left_out, known = [], [], []
    with open_zip(archive) as opened:
        members = [one for one in opened.infolist() if not one.is_dir()]
    for member in members:
        label, content = f"{archive}/{member.filename}", None
        try:
            with open_member(archive, member) as file:
                content = recognise(file.peek())
            if content is None:
                left_out.append(f"{label} is not recognised as plays.")
                continue
            found = require_format(label, content, wanted)
        except CrossfadeError as error:
            left_out.append(error.what)
            if content is not None:
                known.append(error)
            continue
        folder = f"{Path(archive).resolve()}/{PurePosixPath(member.filename).parent}"
        files.append(PlayFile(label, found, folder, partial(open_member, archive, member)))
    if not files and known:
        raise known[0]
    if not files:
        what = f"{archive} has no file of plays."
        raise CrossfadeError(what, f"{SUPPORTED}.")
    return files, left_out


def _group(files: Sequence[PlayFile]) -> list[Export]:
    """Put files with the same name, but for a number, into one export, in the numbers' order.

    A number that occurs again, as that of a file which is named twice, begins another export.
    """
    exports: dict[tuple[object, ...], dict[int, PlayFile]] = {}
    certain: set[tuple[object, ...]] = set()
    for position, file in enumerate(files):
        part = _PART.fullmatch(_bare_name(file.label))
        if part is None:
            exports[position,] = {0: file}
            continue
        key = (file.folder, file.import_format, part["base"], part["suffix"])
        number, copy = int(part["number"]), 0
        while number in exports.get((*key, copy), {}):
            copy += 1
        exports.setdefault((*key, copy), {})[number] = file
        if _SPOTIFYS_BASE.fullmatch(part["base"]):
            certain.add((*key, copy))
    return [
        Export(
            next(iter(parts.values())).import_format,
            [parts[number] for number in sorted(parts)],
            key in certain,
        )
        for key, parts in exports.items()
    ]


def _bare_name(label: str) -> str:
    """Return a file's name without its folder and its suffixes of compression."""
    path = PurePath(label)
    while path.suffix in _COMPRESSED:
        path = path.with_suffix("")
    return path.name
