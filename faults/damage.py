"""Tools that damage files, disks and clocks."""

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
    """This machine lacks something that a fault needs; the message names it."""


def flip_byte(
    path: Path, rng: random.Random, *, within: tuple[float, float] = (0.2, 0.8), keep_sum: bool
) -> int:
    """Change one byte of a file, and return its position.

    Args:
        path: the file.
        rng: chooses the position and the new byte.
        within: the range in which the byte lies, as shares of the file's length.
        keep_sum: whether to keep Hadoop's checksum file beside it.
    """
    content = bytearray(path.read_bytes())
    at = rng.randrange(int(len(content) * within[0]), max(1, int(len(content) * within[1])))
    content[at] ^= rng.randrange(1, 256)
    path.write_bytes(content)
    if not keep_sum:
        remove_sum(path)
    return at


def remove_sum(path: Path) -> None:
    """Remove Hadoop's checksum file of a file, if it exists."""
    path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


def empty(path: Path) -> None:
    """Truncate a file to zero bytes, as a power cut does with one that was not flushed."""
    path.write_bytes(b"")
    remove_sum(path)


def tear_off(path: Path, share: float) -> None:
    """Truncate a file to a share of its length."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    remove_sum(path)


def replace_folder(target: Path, source: Path) -> bool:
    """Replace a folder by a copy of another; return whether its files differ now."""
    before = _read_files(target)
    shutil.rmtree(target)
    shutil.copytree(source, target)
    return _read_files(target) != before


def _read_files(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def forget_newest_commit(checkpoint: Path) -> int:
    """Remove a checkpoint's newest commit, as a crash before it does; return its number."""
    newest = newest_number(checkpoint / "commits")
    path = checkpoint / "commits" / str(newest)
    path.unlink()
    remove_sum(path)
    return newest


class SmallDisk:
    """A small disk mounted in place of a folder, with a copy of its files; needs root."""

    def __init__(self, folder: Path, at_end: ExitStack, megabytes: int = 64) -> None:
        """Move a folder to a new disk, which is unmounted when `at_end` closes.

        Raises:
            CannotInjectError: this user may not mount disks.
        """
        self.folder = folder
        held = folder.with_name(f"{folder.name}-held")
        folder.rename(held)
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            folder.rmdir()
            held.rename(folder)
            what = "only root may mount a small disk"
            raise CannotInjectError(what)
        at_end.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        shutil.copytree(held, folder, dirs_exist_ok=True)
        shutil.rmtree(held)

    def fill(self) -> int:
        """Fill the disk; return the bytes that are still free."""
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * _MEGABYTE)
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:
                ballast.write(b"\0")
        return shutil.disk_usage(self.folder).free

    def make_room(self) -> None:
        """Enlarge the disk to 8 GB; the filler file stays."""
        self._remount("size=8g")

    def forbid_writing(self) -> None:
        """Remount the disk read-only."""
        self._remount("ro")

    def allow_writing(self) -> None:
        """Remount the disk writable."""
        self._remount("rw")

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.folder)], check=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


def shifted_clock(seconds: int) -> dict[str, str]:
    """Return the environment that shifts the clock of a command and of the Java that it starts.

    Args:
        seconds: how far the clock is ahead; behind, if negative.

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
    """Return the variables that shift the clock of a Java started in an environment."""
    return fake_for_java(env) if SECONDS in env else {}


def failing_calls(calls: str, report: Path) -> list[str]:
    """Return the strace command that makes some system calls of a program fail with EIO.

    Args:
        calls: the system calls, such as `fsync,fdatasync`.
        report: the file that lists each failed call.

    Raises:
        CannotInjectError: strace is not installed.
    """
    strace = shutil.which("strace")
    if strace is None:
        what = "strace is not installed"
        raise CannotInjectError(what)
    chosen = ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    return [strace, "-f", "--seccomp-bpf", "-qq", "-o", str(report), *chosen]
