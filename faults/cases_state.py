"""Start cases: speed's window state is damaged, missing, or made with other settings."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from faults.case import Case, Outcome
from faults.case_checks import check_refused_or_exact, recover, recover_with_new_generation
from faults.damage import flip_byte
from faults.lake_snapshot import generation_of
from faults.template import on_copy
from faults.workspace import Workspace

_LEAST_BYTES = 1_000


def _snapshot_flipped(workspace: Workspace) -> Outcome:
    """Flip a byte of the newest state file that a start reads; older files may replace it."""
    generation = generation_of(workspace.data)
    files = filter(_is_large, workspace.rng.choice(_states(workspace)).glob("*.*"))
    path = max(files, key=lambda one: (one.suffix == ".snapshot", int(one.stem)))
    whole = path.read_bytes()
    flip_byte(path, workspace.rng, keep_sum=True)
    injected = int(path.read_bytes() != whole)
    outcome = recover(workspace, injected=injected, seen=f"a byte of {path.name} flipped")
    which = "the same" if generation_of(workspace.data) == generation else "a new"
    return replace(outcome, seen=f"{outcome.seen}: {which} generation")


def _state_flipped(workspace: Workspace) -> Outcome:
    """Flip a byte of every state file, and remove Hadoop's checksums; no file is usable."""

    def damage() -> bool:
        files = [
            path for state in _states(workspace) for path in state.glob("*.*") if _is_large(path)
        ]
        before = [path.read_bytes() for path in files]
        for path in files:
            flip_byte(path, workspace.rng, keep_sum=False)
        return all(path.read_bytes() != whole for path, whole in zip(files, before, strict=True))

    return recover_with_new_generation(
        workspace, damage, seen="a byte of each file of the state flipped"
    )


def _states(workspace: Workspace) -> list[Path]:
    """List the state folders, one for each of Spark's partitions."""
    return sorted(workspace.checkpoints.glob("speed/state/0/[0-9]*"))


def _is_large(path: Path) -> bool:
    """Check whether a file holds windows and is not a checksum."""
    return path.suffix in (".delta", ".snapshot") and path.stat().st_size > _LEAST_BYTES


def _state_gone(workspace: Workspace) -> Outcome:
    state = workspace.checkpoints / "speed" / "state"

    def damage() -> bool:
        shutil.rmtree(state)
        return not state.exists()

    return recover_with_new_generation(workspace, damage, seen="state gone")


def _other_settings(name: str, value: str) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        """Start speed on its checkpoint with a setting that changes the state's format."""
        env = {f"CROSSFADE_SPEED_{name}": value}
        return check_refused_or_exact(workspace, "other settings", injected=1, env=env)

    return run


CASES = (
    Case(
        "F36-snapshot",
        "byte flipped in a snapshot of the state",
        "start",
        on_copy(_snapshot_flipped),
    ),
    Case("F36-state", "byte flipped in all of the state", "start", on_copy(_state_flipped)),
    Case("F37-state", "speed's state missing", "start", on_copy(_state_gone)),
    Case(
        "F60-store",
        "another kind of state store",
        "start",
        on_copy(_other_settings("STATE", "rocksdb")),
    ),
    Case(
        "F60-dedupe",
        "another stateful query",
        "start",
        on_copy(_other_settings("DEDUPE", "watermark")),
    ),
)
