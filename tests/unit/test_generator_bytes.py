"""The bytes of backfills are the same on every machine, Python and number of processes.

After a deliberate change of the model, print the new sums and put them below:

    .venv/bin/python tests/unit/test_generator_bytes.py

A sum that differs between two machines or two versions of Python or NumPy is a defect, because
then a backfill cannot be repeated elsewhere.
"""

import hashlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from crossfade.clock import HOUR_MS
from crossfade.generator.options import SimulationOptions
from crossfade.generator.produce import Simulation
from crossfade.generator.scenario import read_scenario
from crossfade.generator.sinks import FileSink

PLAIN = SimulationOptions(
    seed=7,
    rate=4.0,
    songs=500,
    listeners=5_000,
    start_ms=1_714_500_000_000,  # 2024-04-30T18:00:00Z
    events=20_000,
)
MESSY = replace(PLAIN, scenario=read_scenario("messy-clients"))
CASES = {
    "plain": PLAIN,
    "messy": MESSY,
    "all fields": replace(PLAIN, all_fields=True),
    "messy, all fields": replace(MESSY, all_fields=True),
    "growing, changing": replace(PLAIN, growth=0.3, stay_days=60),
}
SUMS = {
    "plain": "02bb1664e59956433d6b20f5c3b632fdce9eeb3f39f2bcbd088ee2bfa0d5c6bb",
    "messy": "cafb4eb4921a8179387580345e5591b1c34b003d6b32a8f3fa1f881c4577ad42",
    "all fields": "cec8159f31d3c19163217b0f9d6024a822e5776b3eeb7441ba966523c8cd2a47",
    "messy, all fields": "b8e4967dd5c00fd6b5ad1dc7e31c2cf1d47c7b47a4adfdfdc7091328982c1d8e",
    "growing, changing": "352323c23880c098445371a51e95b74a354490e1f6923f06196bc4cb4504facc",
}


def lines_of(options: SimulationOptions, folder: Path) -> list[bytes]:
    path = folder / "plays.jsonl"
    Simulation(options, is_file=True).play(FileSink(str(path)))
    return path.read_bytes().splitlines(keepends=True)


def sum_of(options: SimulationOptions, folder: Path) -> str:
    lines = lines_of(options, folder)
    assert len(lines) == options.events
    return hashlib.sha256(b"".join(lines)).hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_a_backfill_has_the_same_bytes_on_every_machine(name: str, tmp_path: Path) -> None:
    assert sum_of(CASES[name], tmp_path) == SUMS[name]


@pytest.mark.parametrize("name", ["messy, all fields"])
def test_four_processes_write_the_same_bytes_as_one(name: str, tmp_path: Path) -> None:
    assert sum_of(replace(CASES[name], processes=4), tmp_path) == SUMS[name]


def test_single_hours_have_the_same_bytes_as_in_a_longer_run(tmp_path: Path) -> None:
    begin = 1_714_500_000_000
    whole = lines_of(replace(PLAIN, events=None, end_ms=begin + 9 * HOUR_MS), tmp_path)
    part = replace(PLAIN, events=None, start_ms=begin + 5 * HOUR_MS, end_ms=begin + 8 * HOUR_MS)
    hours = lines_of(part, tmp_path)
    first = whole.index(hours[0])
    assert len(hours) > 10_000
    assert whole[first : first + len(hours)] == hours
    assert len(whole) > first + len(hours)


def test_another_seed_writes_other_bytes(tmp_path: Path) -> None:
    assert sum_of(replace(PLAIN, seed=8), tmp_path) not in SUMS.values()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for case, options in CASES.items():
            sys.stdout.write(f'    "{case}": "{sum_of(options, Path(folder))}",\n')
