"""`crossfade rejected` and its replay, dry runs only; integration tests cover the sending."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from crossfade.cli import app
from crossfade.cli.rejected import escape_for_terminal
from crossfade.clock import now_ms
from crossfade.contract.decode import decode_play, encode_play
from crossfade.contract.identities import derive_repaired_event_id
from crossfade.contract.play import Play
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.erasure.suppression import add_listener
from crossfade.errors import CrossfadeError, LakeError, MisuseError
from crossfade.folder import DataFolder
from crossfade.ingest import replay as replay_module
from crossfade.ingest.replay import judge_candidate
from crossfade.ingest.replay_report import Candidate
from support.handmade_lake import NOON, Record, a_lake, a_play

_RUN = CliRunner()

HOSTILE = b"[bold red]x[/] \x1b[2J\x07\xff\r\n\xe2\x80\xae \xc2\x9b done"
BAD_SONG_ID = encode_play(a_play(1, song_id=""))
BAD_ID = encode_play(a_play(2, event_id="short"))
COUNTED = a_play(3)

RECORDS = [
    Record(0, 0, HOSTILE, NOON),
    Record(0, 1, BAD_SONG_ID, NOON + 1),
    Record(1, 0, BAD_ID, NOON + 2),
    Record(1, 1, encode_play(COUNTED), NOON + 3),
    Record(1, 2, encode_play(a_play(3, song_id="")), NOON + 4),
]


@pytest.fixture
def folder(data_folder: DataFolder) -> DataFolder:
    return a_lake(RECORDS, boundary=NOON).write(data_folder)


def ask(folder: DataFolder, *words: str, code: int = 0) -> Result:
    result = _RUN.invoke(app, ["rejected", *words, "--data", str(folder.root)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def rows_of(folder: DataFolder, *words: str) -> list[dict[str, Any]]:
    shown = ask(folder, "--json", *words).stdout.splitlines()
    return [json.loads(line) for line in shown]


def a_line(row: dict[str, Any], **changes: object) -> str:
    """Return a row as a repaired line: its value's play with changed fields."""
    return json.dumps(row | {"value": json.dumps(json.loads(row["value"]) | changes)}) + "\n"


def dry_run(folder: DataFolder, *words: str, code: int = 0) -> dict[str, Any]:
    result = ask(folder, "replay", "--dry-run", "--json", *words, code=code)
    return dict(json.loads(result.stdout))


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(lines), "utf-8")
    return str(path)


def test_the_newest_are_shown_with_what_was_expected_and_all_counted(folder: DataFolder) -> None:
    shown = ask(folder, "--limit", "2").stdout
    assert shown.count("song_id_invalid: song_id must be") == 1
    assert shown.count("event_id_invalid: event_id must be") == 1
    assert " 2026-01-01 12:00 " in shown
    assert shown.splitlines()[-1] == (
        "The newest 2 of 4 are shown. 4 rejected in total: "
        "song_id_invalid 2, encoding_invalid 1, event_id_invalid 1."
    )


def test_control_characters_in_a_record_do_not_reach_the_terminal(folder: DataFolder) -> None:
    shown = ask(folder, "--reason", "encoding_invalid").stdout
    assert "[bold red]x[/]" in shown
    assert not set(shown.replace("\n", "")) & set(map(chr, (*range(32), *range(127, 160))))
    assert "\u202e" not in shown
    assert escape_for_terminal(HOSTILE) == (r"[bold red]x[/] \x1b[2J\x07\xff\r\n\u202e \x9b done")
    assert len(escape_for_terminal(b"x" * 5_000)) == 200
    assert escape_for_terminal("ö".encode() * 5_000) == "ö" * 200


def test_json_prints_one_line_per_record_with_all_its_bytes(folder: DataFolder) -> None:
    assert [(row["partition"], row["offset"]) for row in rows_of(folder, "--limit", "0")] == [
        (1, 2),
        (1, 0),
        (0, 1),
        (0, 0),
    ]
    [row] = rows_of(folder, "--reason", "event_id_invalid")
    assert row["value"] == BAD_ID.decode()
    assert row["detail"].startswith("event_id must be 8 to 64")
    [row] = rows_of(folder, "--reason", "encoding_invalid")
    assert "value_base64" in row
    assert "value" not in row


def test_no_matching_record_is_reported_plainly(folder: DataFolder) -> None:
    assert ask(folder, "--reason", "too_deep").stdout == "Nothing was rejected for too_deep.\n"
    assert rows_of(folder, "--reason", "too_deep") == []


def test_a_reason_that_does_not_exist_is_misuse_and_names_the_nearest(folder: DataFolder) -> None:
    for words in (["--reason", "song_ids_invalid"], ["replay", "--reason", "song_ids_invalid"]):
        with pytest.raises(MisuseError, match='Did you mean "song_id_invalid"'):
            ask(folder, *words)


def test_options_before_replay_are_misuse(folder: DataFolder) -> None:
    with pytest.raises(MisuseError, match="Write them after it"):
        ask(folder, "--reason", "song_id_invalid", "replay")


def test_without_a_run_the_error_says_how_to_get_one(data_folder: DataFolder) -> None:
    for words in ([], ["replay"]):
        with pytest.raises(LakeError, match="crossfade batch --once"):
            ask(data_folder, *words)


def test_a_repaired_line_would_be_sent_and_one_in_silver_would_not(
    folder: DataFolder, tmp_path: Path
) -> None:
    [in_silver, other] = rows_of(folder, "--reason", "song_id_invalid")
    lines = [a_line(row, song_id="s-1") for row in (in_silver, other)]
    file = write(tmp_path / "repaired", *lines)
    report = dry_run(folder, file)
    assert (report["sent"], report["already_counted"], report["rejected"]) == (1, 1, 0)
    shown = ask(folder, "replay", file, "--dry-run").stdout
    assert shown == "1 would be sent, 1 already counted, 0 still rejected.\n"


def test_no_record_of_an_erased_listener_would_be_sent(folder: DataFolder, tmp_path: Path) -> None:
    rows = [row for row in rows_of(folder) if row["reason"] == "song_id_invalid"]
    file = write(tmp_path / "repair.jsonl", *(a_line(row, song_id="s-1") for row in rows))
    before = dry_run(folder, file)
    add_listener(folder, a_play(1).user_id)
    after = dry_run(folder, file)
    assert (before["sent"], before["erased"]) == (1, 0)
    assert (after["sent"], after["erased"]) == (0, 1)


def test_a_line_that_is_still_rejected_is_named_and_exits_with_1(
    folder: DataFolder, tmp_path: Path
) -> None:
    [bad, other] = rows_of(folder, "--reason", "song_id_invalid")
    lines = [a_line(bad, song_id="s-1"), "\n", a_line(other, song_id="")]
    file = write(tmp_path / "repaired", *lines)
    report = dry_run(folder, file, code=1)
    assert report["reasons"] == {"song_id_invalid": 1}
    [problem] = report["problems"]
    assert (problem["line"], problem["partition"], problem["offset"]) == (3, 0, 1)
    assert "song_id must be" in ask(folder, "replay", file, "--dry-run", code=1).stdout


def test_lines_that_repair_no_rejected_record_are_refused_with_their_number(
    folder: DataFolder, tmp_path: Path
) -> None:
    [bad, other] = rows_of(folder, "--reason", "song_id_invalid")
    lines = [
        a_line(bad, song_id="s-1"),
        a_line(bad, country="NO"),
        a_line({**other, "offset": 77}, song_id="s-1"),
        a_line({**other, "partition": 1, "offset": 1}, song_id="s-1"),
        a_line({**other, "log_time": "2020-01-01T00:00:00Z"}, song_id="s-1"),
        '{"partition":0,"offset":0}\n',
        '{"partition":-1,"offset":0,"value":""}\n',
        '{"partition":0,"offset":99999999999999999999,"value":""}\n',
        "no json\n",
    ]
    report = dry_run(folder, write(tmp_path / "repaired", *lines), code=1)
    # Only the first line was judged; the others were refused before that.
    assert (report["judged"], report["refused"]) == (1, 8)
    whys = {refusal["line"]: refusal["why"] for refusal in report["refusals"]}
    assert whys.keys() == set(range(2, 10))
    assert whys[2] == "Line 1 has the same position."
    assert whys[3] == "No record was rejected at partition 0, offset 77."
    assert whys[4] == "No record was rejected at partition 1, offset 1."
    assert "it is from another data folder" in whys[5]
    assert whys[6] == "It has no value."
    assert whys[9].startswith("It is not a line of crossfade rejected --json")


def test_a_reason_option_selects_the_lines_of_a_file(folder: DataFolder, tmp_path: Path) -> None:
    lines = [json.dumps(row) + "\n" for row in rows_of(folder, "--limit", "0")]
    file = write(tmp_path / "repaired", *lines)
    report = dry_run(folder, file, "--reason", "event_id_invalid")
    assert (report["judged"], report["sent"]) == (1, 1)


def test_stored_records_that_the_current_rules_accept_would_be_sent(
    data_folder: DataFolder,
) -> None:
    past = a_play(1, event_time=now_ms() - 1_000)
    future = a_play(2, event_time=now_ms() + 2 * FUTURE_MS)
    records = [
        Record(0, 0, encode_play(past), past.event_time - FUTURE_MS - 1),
        Record(0, 1, encode_play(future), NOON),
        Record(0, 2, BAD_SONG_ID, NOON),
        Record(0, 3, b"erased soon", NOON),
    ]
    lake = a_lake(records, boundary=NOON)
    lake.tables["silver/rejected"][3]["value"] = None
    lake.write(data_folder)
    report = dry_run(data_folder, code=1)
    assert (report["judged"], report["sent"], report["erased"]) == (3, 1, 1)
    assert report["reasons"] == {"event_time_future": 1, "song_id_invalid": 1}
    assert report["problems"] == []


def test_a_missing_file_is_misuse_and_a_truncated_file_is_named(
    folder: DataFolder, tmp_path: Path
) -> None:
    with pytest.raises(MisuseError, match=r"Cannot read .*absent"):
        ask(folder, "replay", str(tmp_path / "absent"), "--dry-run")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
    with pytest.raises(CrossfadeError, match=r"cut.gz, line 1: expected more of the file"):
        ask(folder, "replay", str(cut), "--dry-run")


def judge(candidate: Candidate) -> Any:
    return judge_candidate(candidate, lambda value: decode_play(value, NOON + 10_000))[1]


@pytest.mark.parametrize("event_id", [None, "short", 7, "no spaces please", ["a"]])
def test_a_repaired_play_without_a_valid_event_id_gets_one_from_its_position(
    event_id: object,
) -> None:
    fields = json.loads(BAD_ID) | {"event_id": event_id}
    candidate = Candidate((2, 17), json.dumps(fields).encode(), line=1)
    first, again = judge(candidate), judge(candidate)
    assert isinstance(first, Play)
    assert first.event_id == derive_repaired_event_id("song-plays", 2, 17)
    assert first.identity == again.identity
    assert judge(candidate._replace(position=(2, 18))).event_id != first.event_id
    assert judge(candidate._replace(position=(1, 17))).event_id != first.event_id


def test_a_record_that_needs_no_event_id_is_unchanged() -> None:
    good = encode_play(a_play(5))
    value, verdict = judge_candidate(
        Candidate((0, 0), good, line=1), lambda value: decode_play(value, NOON + 10_000)
    )
    assert (value, verdict) == (good, a_play(5))
    for broken in (BAD_SONG_ID, b"[]", b"no", b'{"schema_version":2}'):
        assert judge(Candidate((0, 0), broken, line=1)) == judge(Candidate((0, 0), broken))
    assert judge(Candidate((0, 0), BAD_ID)).reason == "event_id_invalid"


def test_large_files_are_judged_in_batches(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [json.dumps(row) + "\n" for row in rows_of(folder, "--limit", "0")]
    file = write(tmp_path / "repaired", *lines)
    whole = [dry_run(folder, *words, code=1) for words in ([file], [])]
    assert (whole[0]["judged"], whole[1]["judged"]) == (4, 4)
    for name, limit in (("_BATCH_ROWS", 1), ("_BATCH_BYTES", 300)):
        with monkeypatch.context() as patch:
            patch.setattr(replay_module, name, limit)
            assert [dry_run(folder, *words, code=1) for words in ([file], [])] == whole


@pytest.fixture
def reading(folder: DataFolder) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a replay process that waits for more standard input."""
    command = [sys.executable, "-m", "crossfade", "rejected", "replay", "-", "--dry-run"]
    with subprocess.Popen(
        [*command, "--data", str(folder.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n" * 1_000_000)  # more than a pipe holds, so it is reading
        process.stdin.flush()
        yield process
        process.kill()


def test_an_interrupted_replay_leaves_no_trace(reading: subprocess.Popen[bytes]) -> None:
    reading.send_signal(signal.SIGINT)
    reading.wait(timeout=20)  # its input stays open until then
    stdout, stderr = reading.communicate(timeout=20)
    assert (reading.returncode, stdout, stderr) == (130, b"", b"Interrupted.\n")
