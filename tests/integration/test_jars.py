"""The real Ivy against a repository on loopback that serves this machine's own verified jars."""

import functools
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crossfade.errors import MachineError
from crossfade.stack import jars as jars_module
from crossfade.stack.jar_lock import Jar, read_lock
from crossfade.stack.jars import can_fetch, check_jars, fetch_jars, require_jars

FEW = {"jspecify", "jopt-simple", "commons-pool2"}


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[Jar]:
    """Return a lock of three small jars, so that a test takes a second."""
    few = [jar for jar in read_lock() if jar.module in FEW]
    monkeypatch.setattr(jars_module, "read_lock", lambda: few)
    return few


class Repository:
    """A Maven repository in a folder, and the paths requested from it."""

    def __init__(self, root: Path, cache: Path, jars: list[Jar]) -> None:
        self.root = root
        self.asked: list[str] = []
        self.url = ""
        for jar in jars:
            self.path(jar).parent.mkdir(parents=True)
            shutil.copy(jar.path(cache), self.path(jar))

    def path(self, jar: Jar) -> Path:
        folder = self.root / jar.organisation.replace(".", "/") / jar.module / jar.revision
        return folder / f"{jar.module}-{jar.revision}.jar"


@contextmanager
def serving(repository: Repository) -> Iterator[Repository]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002
            repository.asked.append(self.path)

    handler = functools.partial(Quiet, directory=str(repository.root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        repository.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield repository
        server.shutdown()
        thread.join()


@pytest.fixture
def repository(tmp_path: Path, cache: Path, locked: list[Jar]) -> Iterator[Repository]:
    with serving(Repository(tmp_path / "repository", cache, locked)) as running:
        yield running


def test_jars_are_fetched_once_and_verified(
    tmp_path: Path, repository: Repository, locked: list[Jar]
) -> None:
    seen = []
    fetched = fetch_jars(tmp_path / "c", repository.url, lambda *progress: seen.append(progress))
    assert fetched == locked
    assert [(done, total) for _, done, total in seen] == [(1, 3), (2, 3), (3, 3)]
    assert [path.name for path in require_jars("spark", tmp_path / "c")] == [
        "commons-pool2-2.13.1.jar"
    ]
    asked = len(repository.asked)
    assert fetch_jars(tmp_path / "c", repository.url) == []
    assert len(repository.asked) == asked
    assert sorted(path.name for path in (tmp_path / "c" / "jars").iterdir()) == [
        ".lock",
        ".verified.json",
        "broker",
        "spark",
    ]


def test_a_jar_with_a_wrong_hash_never_enters_and_is_named(
    tmp_path: Path, repository: Repository, locked: list[Jar]
) -> None:
    bad = locked[1]
    repository.path(bad).write_bytes(b"x" * bad.size)
    with pytest.raises(MachineError) as refusal:
        fetch_jars(tmp_path / "c", repository.url)
    line = str(refusal.value)
    assert bad.coordinates in line
    assert "SHA-256" in line
    assert "do not trust the mirror" in line
    assert not bad.path(tmp_path / "c").exists()
    assert list((tmp_path / "c").rglob("*.jar")) == [locked[0].path(tmp_path / "c")]


def test_an_interrupted_fetch_is_continued(
    tmp_path: Path, repository: Repository, locked: list[Jar]
) -> None:
    def stop(jar: Jar, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_jars(tmp_path / "c", repository.url, stop)
    assert not list((tmp_path / "c" / "jars").glob(".fetch-*"))
    assert fetch_jars(tmp_path / "c", repository.url) == [locked[2]]


def test_a_changed_jar_in_the_cache_is_refused_and_fetched_again(
    tmp_path: Path, repository: Repository, locked: list[Jar]
) -> None:
    fetch_jars(tmp_path / "c", repository.url)
    path = locked[0].path(tmp_path / "c")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(MachineError, match=r"its locked SHA-256\. Run .crossfade jars"):
        require_jars("broker", tmp_path / "c")
    assert fetch_jars(tmp_path / "c", repository.url) == [locked[0]]
    require_jars("broker", tmp_path / "c")


def test_a_missing_jar_is_refused_with_the_cure(tmp_path: Path) -> None:
    refused = r'(\d+) of \1 jars \(spark\).* Run "crossfade jars fetch"'
    with pytest.raises(MachineError, match=refused):
        require_jars("spark", tmp_path)


def test_a_jar_is_hashed_once(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_jars(tmp_path / "c", repository.url)
    monkeypatch.setattr(jars_module, "_hash", lambda path: pytest.fail(f"{path} is hashed again"))
    require_jars("spark", tmp_path / "c")


def test_a_thorough_check_finds_a_change_that_keeps_size_and_time(
    tmp_path: Path, repository: Repository, locked: list[Jar]
) -> None:
    import os

    fetch_jars(tmp_path / "c", repository.url)
    path = locked[0].path(tmp_path / "c")
    status = path.stat()
    path.write_bytes(b"?" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    states = [check.state for check in check_jars(tmp_path / "c", thorough=True)]
    assert states == ["wrong", "good", "good"]


def test_a_repository_that_lacks_a_jar_is_one_line_with_the_cure(
    tmp_path: Path, repository: Repository, locked: list[Jar]
) -> None:
    repository.path(locked[2]).unlink()
    with pytest.raises(MachineError, match="CROSSFADE_MAVEN_MIRROR") as refusal:
        fetch_jars(tmp_path / "c", repository.url)
    assert locked[2].coordinates in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_unreachable_repository_is_one_line_with_the_cure(
    tmp_path: Path, locked: list[Jar]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(MachineError, match=r"Cannot fetch 3 jars.*https_proxy") as refusal:
        fetch_jars(tmp_path / "c", f"http://127.0.0.1:{port}/")
    assert "\n" not in str(refusal.value)
    assert not can_fetch(f"http://127.0.0.1:{port}/")


def test_a_repository_is_checked_with_its_smallest_jar(repository: Repository) -> None:
    assert can_fetch(repository.url)
