"""`crossfade generate` without Kafka: to a file, to standard output, and with wrong options."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crossfade.cli import app
from crossfade.cli.generate_progress import KafkaSilence, describe_progress
from crossfade.contract.decode import decode_play
from crossfade.contract.play import Play
from crossfade.errors import CrossfadeError
from crossfade.generator.options import SimulationOptions
from crossfade.generator.produce import SimulationProgress

SMALL = ("--songs", "100", "--listeners", "5000")
PAST = ("--from", "2019-06-01", "--rate", "10", "--for", "1m")


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["generate", *SMALL, *options])


def test_a_past_minute_goes_to_standard_output() -> None:
    result = run(*PAST, "--out", "-")
    assert result.exit_code == 0
    plays = [decode_play(line.encode(), 2_000_000_000_000) for line in result.stdout.splitlines()]
    assert 450 < len(plays) < 750
    assert isinstance(plays[0], Play)
    assert 0 <= plays[0].event_time - 1_559_347_200_000 < 1_000
    assert result.stderr.splitlines()[-1].startswith(f"Sent {len(plays)} records in ")


def test_a_summary_for_programs_is_one_json_object(tmp_path: Path) -> None:
    result = run(*PAST, "--out", str(tmp_path / "plays"), "--json", "--seed", "3")
    summary = json.loads(result.stdout)
    assert (summary["failed"], summary["waiting"], summary["seed"]) == (0, 0, 3)
    assert (tmp_path / "plays").read_text("utf-8").count(summary["run"]) == summary["sent"] > 400


def test_the_rate_max_means_full_speed(tmp_path: Path) -> None:
    result = run("--rate", "max", "--events", "20000", "--out", str(tmp_path / "plays"))
    assert result.exit_code == 0
    assert len((tmp_path / "plays").read_bytes().splitlines()) == 20_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "fast"], '"fast" is not a rate. Give a number'),
        (["--rate", "0"], "rate must be above 0"),
        (["--rate", "nan"], "rate must be above 0"),
        (["--for", "soon"], '"soon" is not a duration'),
        (["--from", "yesterday", "--events", "1"], '"yesterday" is not a time'),
        ([*PAST, "--report", "end"], "--report has no meaning there"),
        ([*PAST, "--out", "-", "--json"], "both go to standard output"),
        ([*PAST, "--events", "5"], "contradict"),
        (["--from", "2999-01-01", "--events", "5"], "reach into the future"),
    ],
)
def test_nonsense_is_one_line_and_exit_code_two(options: list[str], message: str) -> None:
    error = run(*options).exception
    assert isinstance(error, CrossfadeError)
    assert message in str(error)
    assert error.exit_code == 2


def test_without_kafka_it_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CROSSFADE_BOOTSTRAP", raising=False)
    error = run("--data", str(tmp_path / "none")).exception
    assert isinstance(error, CrossfadeError)
    assert 'Start with "crossfade up"' in str(error)


def test_a_silent_kafka_is_reported_after_a_while_and_no_longer_once_it_answers() -> None:
    def after(elapsed_ms: int, *, sent: int, waiting: int) -> SimulationProgress:
        return SimulationProgress("run", sent, waiting, 0, elapsed_ms, 0, 0)

    silence = KafkaSilence()
    assert silence.describe(after(1_000, sent=500, waiting=100)).plain == ""
    assert silence.describe(after(3_900, sent=800, waiting=400)).plain == ""
    warning = silence.describe(after(5_000, sent=900, waiting=500)).plain
    assert warning.strip() == "Kafka has not answered for 4 s: waiting"
    assert silence.describe(after(5_200, sent=900, waiting=300)).plain == ""


@pytest.mark.parametrize(
    "options",
    [
        SimulationOptions(events=1_000_000),
        SimulationOptions(for_ms=600_000),
        SimulationOptions(start_ms=0, end_ms=3_600_000),
        SimulationOptions(),
    ],
)
def test_the_progress_line_fits_eighty_columns(options: SimulationOptions) -> None:
    busy = SimulationProgress("run", 987_654, 1_234, 0, 300_000, 1_200, 1_800_000)
    line = describe_progress(busy, options).plain
    assert len(line) <= 80
    assert "987,654 sent  1,234 waiting  1.2 s behind" in line
