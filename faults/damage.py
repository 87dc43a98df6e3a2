"""Tools that injure files, disks and clocks; each says what it did, and judges nothing."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from faults.lake_snapshot import newest_number
from faults.shifted_clock.sitecustomize import LIBRARY, SECONDS, fake_for_java

_MEGABYTE = 1_000_000
_FAKETIME = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib64/faketime/libfaketimeMT.so.1"),
)
_SHIFTED_CLOCK = Path(__file__).with_name("shifted_clock")


class CannotInjectError(Exception):
    """This machine lacks what a fault needs; says what."""


def flip_byte(
    path: Path, rng: random.Random, *, within: tuple[float, float] = (0.2, 0.8), keep_sum: bool
) -> int:
    """Change one byte of a file, and give its position.

    Args:
        path: the file.
        rng: chooses the position and the new byte.
        within: the part of the file in which the byte lies, as shares of its length.
        keep_sum: whether Hadoop's checksum beside the file stays; else it is removed.
    """
    content = bytearray(path.read_bytes())
    at = rng.randrange(int(len(content) * within[0]), max(1, int(len(content) * within[1])))
    content[at] ^= rng.randrange(1, 256)
    path.write_bytes(content)
    if not keep_sum:
        remove_sum(path)
    return at


def remove_sum(path: Path) -> None:
    """Remove Hadoop's checksum of a file, if it has one."""
    path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


def empty(path: Path) -> None:
    """Leave nothing of a file, as a power cut does with one that was not flushed."""
    path.write_bytes(b"")
    remove_sum(path)


def tear_off(path: Path, share: float) -> None:
    """Leave the beginning of a file only."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    remove_sum(path)


def replace_folder(target: Path, source: Path) -> bool:
    """Put a copy of another folder in the place of one, and tell whether it is another one."""
    before = _list_files(target)
    shutil.rmtree(target)
    shutil.copytree(source, target)
    return _list_files(target) != before


def _list_files(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def forget_newest_commit(checkpoint: Path) -> int:
    """Leave a checkpoint as a crash does between a micro-batch's output and its commit."""
    newest = newest_number(checkpoint / "commits")
    path = checkpoint / "commits" / str(newest)
    path.unlink()
    remove_sum(path)
    return newest


class SmallDisk:
    """A disk of its own in the place of a folder, with what the folder held; needs root."""

    def __init__(self, place: Path, at_end: ExitStack, megabytes: int = 64) -> None:
        """Move a folder to a disk; it is unmounted when `at_end` closes.

        Raises:
            CannotInjectError: this user may not mount.
        """
        self.place = place
        held = place.with_name(f"{place.name}-held")
        place.rename(held)
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            place.rmdir()
            held.rename(place)
            what = "only root may mount a small disk"
            raise CannotInjectError(what)
        at_end.callback(subprocess.run, ["umount", "--lazy", str(place)], check=True)
        shutil.copytree(held, place, dirs_exist_ok=True)
        shutil.rmtree(held)

    def fill(self) -> int:
        """Leave no room; give the bytes that are free then."""
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * _MEGABYTE)
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:
                ballast.write(b"\0")
        return shutil.disk_usage(self.place).free

    def make_room(self) -> None:
        """Make the disk larger; what fills it stays."""
        self._remount("size=8g")

    def forbid_writing(self) -> None:
        """Make the disk one that can only be read."""
        self._remount("ro")

    def allow_writing(self) -> None:
        """Make the disk one that can be written again."""
        self._remount("rw")

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.place)], check=True)

    @property
    def _ballast(self) -> Path:
        return self.place / "ballast"


def shifted_clock(seconds: int) -> dict[str, str]:
    """Return the environment in which a command, and the Java that it starts, read another clock.

    Args:
        seconds: how much it is ahead; behind, if negative.

    Raises:
        CannotInjectError: libfaketime is not installed.
    """
    library = next((path for path in _FAKETIME if path.exists()), None)
    if library is None:
        what = "libfaketime is not installed (Debian: faketime)"
        raise CannotInjectError(what)
    searched = (str(_SHIFTED_CLOCK), os.environ.get("PYTHONPATH", ""))
    return {
        SECONDS: str(seconds),
        LIBRARY: str(library),
        "PYTHONPATH": os.pathsep.join(filter(None, searched)),
    }


def java_clock(env: Mapping[str, str]) -> dict[str, str]:
    """Return what a Java that is started in that environment needs to read its clock."""
    return fake_for_java(env) if SECONDS in env else {}


def failing_calls(calls: str, report: Path) -> list[str]:
    """Return the words that run a program whose system calls fail with an I/O error.

    Args:
        calls: such as `fsync,fdatasync`.
        report: the file in which each failure is noted.

    Raises:
        CannotInjectError: strace is not installed.
    """
    strace = shutil.which("strace")
    if strace is None:
        what = "strace is not installed"
        raise CannotInjectError(what)
    chosen = ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    return [strace, "-f", "--seccomp-bpf", "-qq", "-o", str(report), *chosen]
