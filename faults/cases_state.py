"""Start cases: what speed keeps of its windows is damaged, gone, or made by other settings."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from faults.case import Case, Outcome
from faults.damage import flip_byte
from faults.lake_image import generation_of
from faults.outcomes import refused_or_exact, settle, settle_anew
from faults.place import Place
from faults.template import on_copy

_LEAST_BYTES = 1_000


def _snapshot_flipped(place: Place) -> Outcome:
    """Flip a byte of the newest file that a start reads; it may be made again from older ones."""
    generation = generation_of(place.data)
    files = filter(_is_large, place.dice.choice(_states(place)).glob("*.*"))
    path = max(files, key=lambda one: (one.suffix == ".snapshot", int(one.stem)))
    whole = path.read_bytes()
    flip_byte(path, place.dice, keep_sum=True)
    injected = int(path.read_bytes() != whole)
    outcome = settle(place, injected=injected, said=f"a byte of {path.name} flipped")
    which = "the same" if generation_of(place.data) == generation else "a new"
    return replace(outcome, said=f"{outcome.said}: {which} generation")


def _state_flipped(place: Place) -> Outcome:
    """Flip a byte of every file of the state, unseen by Hadoop: nothing can be made from it."""

    def injure() -> bool:
        files = [path for state in _states(place) for path in state.glob("*.*") if _is_large(path)]
        before = [path.read_bytes() for path in files]
        for path in files:
            flip_byte(path, place.dice, keep_sum=False)
        return all(path.read_bytes() != whole for path, whole in zip(files, before, strict=True))

    return settle_anew(place, injure, said="a byte of each file of the state flipped")


def _states(place: Place) -> list[Path]:
    """Return the folders of the state, one for each of Spark's partitions."""
    return sorted(place.checkpoints.glob("speed/state/0/[0-9]*"))


def _is_large(path: Path) -> bool:
    """Check whether a file holds windows, and is no checksum."""
    return path.suffix in (".delta", ".snapshot") and path.stat().st_size > _LEAST_BYTES


def _state_gone(place: Place) -> Outcome:
    state = place.checkpoints / "speed" / "state"

    def injure() -> bool:
        shutil.rmtree(state)
        return not state.exists()

    return settle_anew(place, injure, said="state gone")


def _other_settings(name: str, value: str) -> Callable[[Place], Outcome]:
    def run(place: Place) -> Outcome:
        """Start on speed's checkpoint with another shape of its state."""
        env = {f"CROSSFADE_SPEED_{name}": value}
        return refused_or_exact(place, "other settings", injected=1, env=env)

    return run


CASES = (
    Case(
        "F36-snapshot",
        "byte flipped in a snapshot of the state",
        "start",
        on_copy(_snapshot_flipped),
    ),
    Case("F36-state", "byte flipped in all of the state", "start", on_copy(_state_flipped)),
    Case("F37-state", "speed's state gone", "start", on_copy(_state_gone)),
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
