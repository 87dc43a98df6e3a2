"""Make the folder of a small stopped stack, and copies of it for cases to damage."""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.case import Outcome
from faults.stack import RunningStack, run_stack
from faults.workspace import ENVIRONMENT, Workspace, copy_folder

_EVERYTHING = Path(__file__).with_name("everything.toml")
_SETTINGS = {
    **ENVIRONMENT,
    # One run at the first archived records, then only explicit runs.
    "CROSSFADE_BATCH_EVERY": "1h",
    # Nothing else needs this stack, so batch need not yield.
    "CROSSFADE_BATCH_NICE": "0",
    # A template may be kept for years.
    "CROSSFADE_TOPIC_RETENTION": "36500d",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How many plays the template has."""

    rate: int = 400
    """Plays a second."""
    seconds: int = 7
    """Length of each of the two audiences that batch reads."""
    past: int = 300
    """Plays of an earlier year, so that closed days and charts exist."""
    unread: int = 900
    """Records that are sent after the stack was stopped, and that no process has read."""
    songs: int = 20_000
    listeners: int = 1_000_000


def make_template(folder: Path, seed: int = 1, size: Size = Size()) -> None:
    """Make a template folder with `data` and `ledgers`.

    Batch has published and every record was processed. After that, unread records were sent: plays
    of the present and of an earlier year.
    """
    ledgers = folder / "ledgers"
    ledgers.mkdir(parents=True)
    with run_stack(folder / "data", _SETTINGS) as stack:
        for turn in (1, 2):
            _send(stack, ledgers / f"present-{turn}", _present(size, seed + turn))
            _send(stack, ledgers / f"past-{turn}", _past(size, seed + turn, year=2022 + turn))
            done = stack.run("batch", "--once")
            assert done.returncode == 0, done.stderr
        assert stack.stop() == 0
    workspace = Workspace(folder, [], random.Random(seed))
    try:
        few = ["--events", str(size.unread), "--rate", str(size.rate)]
        workspace.generate("unread", *few, *_present(size, seed + 3)[2:])
        workspace.generate("unread-past", *_past(size, seed + 3, year=2025))
    finally:
        workspace.close()
    for name in ("run", "logs"):
        shutil.rmtree(folder / "data" / name)
    for path in folder.glob("*.*"):
        path.unlink()


def make_other(folder: Path, seed: int) -> None:
    """Make a stopped stack that is unrelated to the template, with other topics and tables."""
    folder.mkdir(parents=True)
    workspace = Workspace(folder, [], random.Random(seed))
    try:
        workspace.generate("other", "--rate", "max", "--events", "400", "--seed", str(seed + 50))
        workspace.catch_up()
        for turn in range(3):
            workspace.generate(f"past-{turn}", *_past(Size(), seed + 60 + turn, year=2020 + turn))
            workspace.publish()
    finally:
        workspace.close()


@dataclass(frozen=True, slots=True)
class Bench:
    """The test bench of start and batch cases: a template, a folder for copies, and a seed."""

    template: Path
    scratch: Path
    seed: int

    @contextmanager
    def copy(self) -> Iterator[Workspace]:
        """Yield a copy of the template; at the end, stop its processes and undo its mounts.

        The copy is deleted unless the case failed.
        """
        ledgers = sorted((self.template / "ledgers").iterdir())
        with self._open_workspace(ledgers) as workspace:
            copy_folder(self.template / "data", workspace.data)
            yield workspace

    @contextmanager
    def new_folder(self) -> Iterator[Workspace]:
        """Yield a workspace without a data folder, and clean up as `copy` does."""
        with self._open_workspace([]) as workspace:
            yield workspace

    @contextmanager
    def _open_workspace(self, ledgers: Sequence[Path]) -> Iterator[Workspace]:
        self.scratch.mkdir(parents=True, exist_ok=True)
        root = Path(tempfile.mkdtemp(dir=self.scratch))
        workspace = Workspace(root, ledgers, random.Random(self.seed))
        try:
            yield workspace
        finally:
            workspace.close()
        if not workspace.is_kept:
            shutil.rmtree(root)

    def other(self) -> Path:
        """Return the data folder of another stopped stack; it is made on first use."""
        folder = self.template.with_name(f"{self.template.name}-other")
        if not folder.exists():
            try:
                make_other(folder, self.seed)
            except BaseException:
                shutil.rmtree(folder)
                raise
        return folder / "data"


def on_copy(case: Callable[[Workspace], Outcome]) -> Callable[[Bench], Outcome]:
    """Run a case on a copy of the template."""

    def run(bench: Bench) -> Outcome:
        with bench.copy() as workspace:
            return _keep_if_wrong(workspace, case(workspace))

    return run


def in_new_folder(case: Callable[[Workspace], Outcome]) -> Callable[[Bench], Outcome]:
    """Run a case in an empty workspace."""

    def run(bench: Bench) -> Outcome:
        with bench.new_folder() as workspace:
            return _keep_if_wrong(workspace, case(workspace))

    return run


def beside_other(case: Callable[[Workspace, Path], Outcome]) -> Callable[[Bench], Outcome]:
    """Run a case on a copy of the template, with the data folder of another stack."""

    def run(bench: Bench) -> Outcome:
        other = bench.other()
        with bench.copy() as workspace:
            return _keep_if_wrong(workspace, case(workspace, other))

    return run


def _keep_if_wrong(workspace: Workspace, outcome: Outcome) -> Outcome:
    workspace.is_kept = not outcome.holds
    return outcome


def _send(stack: RunningStack, ledger: Path, words: list[str]) -> None:
    done = stack.run("generate", *words, "--ledger", str(ledger))
    assert done.returncode == 0, done.stderr


def _present(size: Size, seed: int) -> list[str]:
    audience = ["--listeners", str(size.listeners), "--songs", str(size.songs)]
    length = ["--for", f"{size.seconds}s"]
    pace = ["--rate", str(size.rate), "--report", "start", "--scenario", str(_EVERYTHING)]
    return [*length, *pace, *audience, "--seed", str(seed)]


def _past(size: Size, seed: int, year: int) -> list[str]:
    span = ["--from", f"{year}-05-01T00:00:00Z", "--rate", "50", "--events", str(size.past)]
    audience = ["--listeners", str(size.listeners), "--songs", str(size.songs)]
    return [*span, *audience, "--seed", str(seed)]
