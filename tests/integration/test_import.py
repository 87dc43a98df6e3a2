"""Import files into a real Kafka, and check its records."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Message, TopicPartition

from crossfade.config import load_settings
from crossfade.contract.decode import decode_play
from crossfade.contract.play import Play
from crossfade.erasure.suppression import add_listener
from crossfade.folder import DataFolder
from crossfade.ingest import delivery
from crossfade.ingest.delivery import Delivery
from crossfade.ingest.importing import import_files
from crossfade.ingest.readers import ImportOptions
from crossfade.ingest.report import ImportReport
from crossfade.ingest.sample import sample_year_path
from crossfade.ingest.sources import find_sources
from crossfade.ingest.tally import Tally
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_reader
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets, read_start_offsets
from crossfade.stack.broker import Broker
from crossfade.stack.kafka_for_command import reach_kafka

pytestmark = pytest.mark.kafka


def import_paths(
    paths: list[Path], address: KafkaAddress, on_progress: Callable[[int], None] = lambda _: None
) -> ImportReport:
    """Import files in a lake without a run."""
    with (
        find_sources([str(path) for path in paths], None) as sources,
        Tally(paths[0].parent / "no-lake", None) as tally,
    ):
        import_files(
            sources,
            ImportOptions(user_id="listener"),
            Delivery(address),
            tally,
            clock_slack_ms=1_000,
            on_progress=on_progress,
        )
    return tally.report


def read_since(address: KafkaAddress, starts: dict[int, int]) -> Iterator[Message]:
    """Return every record of the topic from the given offsets to its current end."""
    ends = read_end_offsets(address, SONG_PLAYS)
    reader = open_reader(address)
    reader.assign([TopicPartition(SONG_PLAYS, p, offset) for p, offset in starts.items()])
    missing = sum(ends[p] - starts[p] for p in ends)
    try:
        while missing:
            record = reader.poll(30.0)
            assert record is not None
            assert record.error() is None
            missing -= 1
            yield record
    finally:
        reader.close()


def write_plays(path: Path, count: int) -> Path:
    lines = [
        json.dumps(
            {
                "schema_version": 1,
                "event_id": f"{path.stem}-{n:08}",
                "user_id": f"u_{n % 7}",
                "song_id": "s_9",
                "title": "Jóga",
                "artist": "Björk",
                "event_time": 1_767_225_600_000 + n,
            }
        )
        for n in range(count)
    ]
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_the_real_year_arrives_completely_and_has_the_same_ids_when_imported_again(
    topics: Broker,
) -> None:
    starts = read_end_offsets(topics.address, SONG_PLAYS)
    for _ in range(2):
        report = import_paths([sample_year_path()], topics.address)
        assert report.is_whole
        assert (report.accepted, report.counted) == (29_632, 18_075)
    identities: dict[object, int] = {}
    for record in read_since(topics.address, starts):
        play = decode_play(record.value(), record.timestamp()[1])
        assert isinstance(play, Play)
        assert record.key() == play.user_id.encode()
        identities[play.identity] = identities.get(play.identity, 0) + 1
    assert len(identities) == 29_632
    assert set(identities.values()) == {2}


def test_the_good_lines_of_a_broken_file_are_imported(topics: Broker, tmp_path: Path) -> None:
    path = write_plays(tmp_path / "plays.jsonl", 100)
    path.write_text(path.read_text("utf-8") + '\nnot json\n{"title":', "utf-8")
    starts = read_end_offsets(topics.address, SONG_PLAYS)
    report = import_paths([path], topics.address)
    assert (report.accepted, report.rejected) == (100, 2)
    assert [problem.line for problem in report.problems] == [101, 102]
    assert sum(1 for _ in read_since(topics.address, starts)) == 100


def test_progress_reaches_the_size_of_the_files(topics: Broker, tmp_path: Path) -> None:
    paths = [write_plays(tmp_path / name, 1_200) for name in ("a.jsonl", "b.jsonl")]
    seen: list[int] = []
    import_paths(paths, topics.address, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == sum(path.stat().st_size for path in paths)


def test_plays_that_kafka_does_not_take_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_DELIVERY_TIMEOUT_MS", 1_000)
    nowhere = KafkaAddress("127.0.0.1:9")
    path = write_plays(tmp_path / "plays.jsonl", 10)
    report = import_paths([path], nowhere)
    assert (report.accepted, report.undelivered) == (10, 10)
    assert report.undelivered_why
    assert not report.is_whole


def test_without_a_stack_the_folders_own_broker_runs_during_the_import(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    settings = load_settings(data=data_folder.root)
    path = write_plays(tmp_path / "plays.jsonl", 10)
    with reach_kafka(data_folder, settings) as address:
        import_paths([path], address)
    with reach_kafka(data_folder, settings) as address:
        starts = read_start_offsets(address, SONG_PLAYS)
        assert sum(1 for _ in read_since(address, starts)) == 10


def test_the_ten_lines_of_python_on_the_page_send_a_play(topics: Broker) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sending-plays.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    starts = read_end_offsets(topics.address, SONG_PLAYS)
    exec(code.replace("127.0.0.1:9092", topics.address.bootstrap), {})  # noqa: S102
    [record] = read_since(topics.address, starts)
    play = decode_play(record.value(), record.timestamp()[1])
    assert isinstance(play, Play)
    assert record.key() == play.user_id.encode()


def run_import(*arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from crossfade.cli import main; main()", "import"]
    return subprocess.run(
        [*command, *arguments], input=lines, capture_output=True, text=True, check=False
    )


def test_a_broken_file_is_named_on_one_line_and_its_good_plays_are_imported(tmp_path: Path) -> None:
    row = {
        "endTime": "2018-10-05 00:01",
        "artistName": "Björk",
        "trackName": "Jóga",
        "msPlayed": 60_000,
    }
    path = tmp_path / "year.json"
    path.write_text(json.dumps([row, row], indent=1)[:-20], "utf-8")
    data = str(tmp_path / "data")
    outcome = run_import("spotify", str(path), "--user", "anna", "--data", data, "--json")
    assert outcome.returncode == 1
    report = json.loads(outcome.stdout)
    assert report["accepted"] == 1
    assert report["breaks"][0]["line"] == 12
    made, *_, line = outcome.stderr.splitlines()
    assert made == f"Created the data folder {data}."
    assert line.startswith(f"Error: {path}, line 12: expected well-formed JSON")


def test_rejected_lines_do_not_fail_an_import(tmp_path: Path) -> None:
    good = write_plays(tmp_path / "plays.jsonl", 2).read_text("utf-8")
    data = str(tmp_path / "data")
    outcome = run_import("jsonl", "-", "--data", data, lines=f"{good}\nnot json\n")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("2 plays accepted, 2 of them counted")
    assert "json_syntax" in outcome.stdout
    assert outcome.stderr.startswith(f"Created the data folder {data}.\n")


def test_what_is_reported_as_counted_is_new_and_of_no_erased_listener(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    add_listener(data_folder, "u_3")
    data = str(data_folder.root)
    path = write_plays(tmp_path / "plays.jsonl", 70)
    outcomes = [
        json.loads(run_import(str(path), str(path), "--data", data, "--json").stdout)
        for _ in range(2)
    ]
    numbers = [
        [one[name] for name in ("accepted", "counted", "known", "repeated", "erased")]
        for one in outcomes
    ]
    assert numbers == [[120, 60, 0, 60, 20], [120, 0, 120, 0, 20]]
    with reach_kafka(data_folder, load_settings(data=data_folder.root)) as address:
        starts = read_start_offsets(address, SONG_PLAYS)
        sent = [record.key() for record in read_since(address, starts)]
    assert len(sent) == 240
    assert b"u_3" not in sent


@pytest.mark.parametrize("lines", ["x\n", '{"title": "T"}\n' * 3])
def test_an_import_of_which_nothing_is_accepted_fails(tmp_path: Path, lines: str) -> None:
    refused = tmp_path / "refused.jsonl"
    data = str(tmp_path / "data")
    outcome = run_import("jsonl", "-", "--data", data, "--refused", str(refused), lines=lines)
    assert outcome.returncode == 1
    assert "Error: Nothing in standard input was accepted." in outcome.stderr
    rows = [json.loads(line) for line in refused.read_text("utf-8").splitlines()]
    assert "".join(row["value"] + "\n" for row in rows) == lines


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_what_generate_writes_import_reads(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plays.jsonl{suffix}"
    command = [sys.executable, "-m", "crossfade", "generate", "--events", "50", "--out", str(path)]
    subprocess.run([*command, "--from", "2024-01-01"], check=True, capture_output=True)
    outcome = run_import(str(path), "--data", str(tmp_path / "data"), "--json")
    assert json.loads(outcome.stdout)["accepted"] == 50


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["spotify", "absent.json"], "Cannot read absent.json"),
        (["spotify", "-"], "those of two people would be merged"),
        (["jsonl", "-", "--song-ids-of", ""], "--song-ids-of names no source"),
        (["spotify", "-", "--user", "a", "--song-ids-of", "x"], "its files have no song ids"),
        (["jsonl"], "No file is named after jsonl"),
        (["sptify", "x.json"], 'Did you mean "spotify"?'),
        (["listenbrainz", "x.json"], "Known formats: jsonl, spotify."),
        (["spotify", "-", "--user", "someone@example.org"], "is not a valid user_id"),
        (["jsonl", "-", "--user", "anna"], "each line has a user_id"),
    ],
)
def test_a_contradictory_command_is_refused_before_kafka_is_reached(
    tmp_path: Path, arguments: list[str], expected: str
) -> None:
    outcome = run_import(*arguments, "--data", str(tmp_path / "data"))
    assert outcome.returncode == 2
    assert expected in outcome.stderr
    assert not (tmp_path / "data").exists()
