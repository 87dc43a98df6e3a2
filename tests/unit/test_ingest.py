"""Import formats without Kafka: the plays of each file and the problems reported."""

import gzip
import io
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.clock import now_ms, parse_time, utc_date
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason
from crossfade.errors import MisuseError
from crossfade.ingest.files import check_files, open_source
from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.importing import read_plays
from crossfade.ingest.json_array import read_elements
from crossfade.ingest.readers import ImportOptions, reader_of
from crossfade.ingest.report import PROBLEMS_KEPT, ImportReport
from crossfade.ingest.rows import BrokenFileError
from crossfade.ingest.sample import sample_year_path
from crossfade.ingest.spotify import check_user_id
from crossfade.ingest.tally import Tally

LINE = {
    "schema_version": 1,
    "event_id": "01JGE8Y4ZR0000000000000E01",
    "user_id": "u_123",
    "song_id": "s_9",
    "title": "Jóga",
    "artist": "Björk",
    "event_time": 1_767_225_600_000,
    "ms_played": 183_000,
}
EXPORTED = {
    "endTime": "2018-10-05 00:01",
    "artistName": "Björk",
    "trackName": "Jóga",
    "msPlayed": 120_000,
}


def read(
    path: Path, import_format: ImportFormat = ImportFormat.JSONL, song_ids_of: str = ""
) -> tuple[list[Play], ImportReport]:
    reader = reader_of(import_format, ImportOptions("listener", song_ids_of))
    with Tally(path.parent / "no-lake", None) as tally, open_source(str(path)) as file:
        plays = []
        for play, _ in read_plays(str(path), file, reader, tally.report, clock_slack_ms=1_000):
            tally.add(play)
            plays.append(play)
        tally.finish()
    return plays, tally.report


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return path


def without(*names: str, **changes: object) -> dict[str, object]:
    return {name: value for name, value in LINE.items() if name not in names} | changes


# --- the real year ---------------------------------------------------------------------------


def test_the_real_year_has_its_known_numbers() -> None:
    plays, report = read(sample_year_path(), ImportFormat.SPOTIFY)
    assert (report.accepted, report.counted, report.rejected) == (29_632, 18_075, 0)
    assert report.ms_played == 4_202_224_862
    assert report.is_whole
    october = [play for play in plays if str(utc_date(play.event_time)) == "2018-10-05"]
    assert sum(play.is_counted for play in october) == 72
    assert len({play.identity for play in plays}) == 29_632


def test_the_real_year_carries_its_licence() -> None:
    assert "MIT License" in sample_year_path().with_name("LICENSE").read_text("utf-8")


# --- spotify ---------------------------------------------------------------------------------


def test_an_exported_play_starts_at_its_end_less_the_time_heard(tmp_path: Path) -> None:
    [play], _ = read(write_lines(tmp_path / "year.json", [EXPORTED]), ImportFormat.SPOTIFY)
    assert play.event_time == parse_time("2018-10-04T23:59:00Z")
    assert (play.user_id, play.source, play.time_precision) == ("listener", "spotify", "min")


def test_identical_exported_rows_are_separate_plays_whose_ids_repeat_on_the_next_import(
    tmp_path: Path,
) -> None:
    path = write_lines(tmp_path / "year.json", [EXPORTED, EXPORTED, EXPORTED])
    first, _ = read(path, ImportFormat.SPOTIFY)
    again, _ = read(path, ImportFormat.SPOTIFY)
    assert len({play.event_id for play in first}) == 3
    assert first == again


@pytest.mark.parametrize(
    "row, reason",
    [
        ({**EXPORTED, "endTime": "05.10.2018"}, Reason.EVENT_TIME_INVALID),
        ({**EXPORTED, "endTime": "2018-02-30 00:01"}, Reason.EVENT_TIME_INVALID),
        ({**EXPORTED, "endTime": "2999-01-01 00:00"}, Reason.EVENT_TIME_FUTURE),
        ({**EXPORTED, "endTime": 5}, Reason.TYPE_MISMATCH),
        ({**EXPORTED, "msPlayed": -1}, Reason.MS_PLAYED_OUT_OF_RANGE),
        ({**EXPORTED, "msPlayed": 10**30}, Reason.MS_PLAYED_OUT_OF_RANGE),
        ({**EXPORTED, "msPlayed": "1"}, Reason.TYPE_MISMATCH),
        ({**EXPORTED, "trackName": ""}, Reason.TEXT_INVALID),
        ({**EXPORTED, "trackName": "\ud800"}, Reason.ENCODING_INVALID),
        ({"ts": "2018-10-05T00:01:00Z", "ms_played": 1}, Reason.MISSING_FIELD),
        (["a"], Reason.NOT_OBJECT),
        (None, Reason.NOT_OBJECT),
    ],
)
def test_a_bad_exported_row_is_rejected_and_the_others_are_read(
    tmp_path: Path, row: object, reason: Reason
) -> None:
    path = write_lines(tmp_path / "year.json", [EXPORTED, row, EXPORTED])
    plays, report = read(path, ImportFormat.SPOTIFY)
    assert len(plays) == 2
    assert report.reasons == {reason: 1}


def test_a_listener_id_that_breaks_the_contract_is_refused_before_reading() -> None:
    check_user_id("listener")
    with pytest.raises(MisuseError, match="is not a valid user_id"):
        check_user_id("someone@example.org")


# --- broken arrays ---------------------------------------------------------------------------


def pretty(*rows: object) -> str:
    return json.dumps(rows, indent=2)


@pytest.mark.parametrize(
    "text, good, line",
    [
        (pretty(EXPORTED, EXPORTED)[:-30], 1, 11),
        (pretty(EXPORTED, EXPORTED)[:-2], 2, 13),
        (pretty(EXPORTED, EXPORTED).replace("},", "}"), 1, 8),
        (pretty(EXPORTED) + "x", 1, 8),
        (
            pretty(EXPORTED, EXPORTED).replace('"msPlayed": 120000\n  }\n', '"msPlayed" 120000 }'),
            1,
            12,
        ),
        ("", 0, 1),
        ("\n\nnot json", 0, 3),
        ('{"endTime": 1}', 0, 1),
        (pretty(EXPORTED)[:-2] + ",\n" + "[" * 100_000, 1, 8),
    ],
)
def test_the_good_rows_of_a_broken_array_are_read_and_the_line_is_named(
    tmp_path: Path, text: str, good: int, line: int
) -> None:
    path = tmp_path / "year.json"
    path.write_text(text, "utf-8")
    plays, report = read(path, ImportFormat.SPOTIFY)
    assert len(plays) == good
    [found] = report.breaks
    assert (found.file, found.line) == (str(path), line)
    assert found.expected
    assert not report.is_whole


def test_bytes_that_are_not_utf8_reject_only_their_row(tmp_path: Path) -> None:
    path = tmp_path / "year.json"
    broken = json.dumps(EXPORTED, ensure_ascii=False).encode().replace("ö".encode(), b"\xf6")
    good = json.dumps(EXPORTED).encode()
    path.write_bytes(b"\xef\xbb\xbf[" + good + b"," + broken + b"," + good + b"]")
    plays, report = read(path, ImportFormat.SPOTIFY)
    assert len(plays) == 2
    assert report.reasons == {Reason.ENCODING_INVALID: 1}


@given(st.lists(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5)))
def test_an_array_is_read_as_pythons_json_reads_it_with_correct_line_numbers(
    elements: list[object],
) -> None:
    text = json.dumps(elements, indent=1)
    found = list(read_elements(io.BytesIO(text.encode())))
    assert [element.value for element in found] == elements
    assert [json.loads(element.original) for element in found] == elements
    lines = text.split("\n")
    assert all(
        json.dumps(one.value, indent=1).startswith(lines[one.line - 1].strip(" ,")[:3])
        for one in found
    )


@given(st.binary(max_size=200))
def test_no_bytes_make_the_array_reader_fail(content: bytes) -> None:
    try:
        list(read_elements(io.BytesIO(b"[" + content)))
    except BrokenFileError as error:
        assert error.line >= 1


# --- jsonl -----------------------------------------------------------------------------------


def test_a_line_is_sent_unchanged(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "plays.jsonl", {**LINE, "mood": "blue"})
    with open_source(str(path)) as file:
        reader = reader_of(ImportFormat.JSONL, ImportOptions())
        [(_, value)] = read_plays("x", file, reader, ImportReport(), clock_slack_ms=0)
    assert value == path.read_bytes()


def test_broken_lines_are_named_and_the_good_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plays.jsonl"
    good = json.dumps(LINE).encode()
    lines = [
        b"\xef\xbb\xbf" + good,
        b"",
        b"not json",
        good + b"\r",
        json.dumps(without("title")).encode(),
        b"x" * 2_000_000,
        b"\xff\xfe",
        good[:20],
    ]
    path.write_bytes(b"\n".join(lines))
    plays, report = read(path)
    assert len(plays) == 2
    assert [(problem.line, problem.reason) for problem in report.problems] == [
        (3, Reason.JSON_SYNTAX),
        (5, Reason.MISSING_FIELD),
        (6, Reason.EVENT_TOO_LARGE),
        (7, Reason.ENCODING_INVALID),
        (8, Reason.JSON_SYNTAX),
    ]
    assert report.problems[1].expected.startswith("title must be")
    assert report.is_whole


def test_a_line_without_ids_gets_ids_derived_from_its_content(tmp_path: Path) -> None:
    bare = without("event_id", "song_id")
    path = write_lines(tmp_path / "plays.jsonl", bare, bare, {**bare, "artist": "bjo\u0308rk"})
    first, _ = read(path)
    again, _ = read(path)
    assert len({play.event_id for play in first}) == 3
    assert len({play.song_id for play in first}) == 1
    assert first == again


def test_a_line_keeps_the_ids_that_it_has(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "plays.jsonl", without("event_id"), without("song_id"))
    [without_event, without_song], _ = read(path)
    assert without_event.song_id == "s_9"
    assert without_song.event_id == LINE["event_id"]


@pytest.mark.parametrize(
    "given", ["abc:def/ghi+==", "7", "x" * 500, "'; DROP TABLE--", "abcdefgh\n", "١٢٣٤٥٦٧٨"]
)
def test_an_event_id_of_another_form_costs_nothing(tmp_path: Path, given: str) -> None:
    line = {**LINE, "event_id": given}
    path = write_lines(tmp_path / "plays.jsonl", line, line, {**line, "user_id": "u_124"})
    [play, repeat, other], report = read(path)
    assert play.event_id == repeat.event_id != other.event_id
    assert (report.accepted, report.repeated, report.counted) == (3, 1, 2)
    is_kept = given.isprintable() and len(given) <= 256
    assert play.source_play_id == (given if is_kept else None)
    assert read(path)[0][0] == play


def test_a_sources_play_id_is_kept_beside_a_derived_event_id(tmp_path: Path) -> None:
    line = {**LINE, "event_id": "a/b", "source_play_id": "own"}
    path = write_lines(tmp_path / "plays.jsonl", line, {**line, "source": "other"})
    [play, other], _ = read(path)
    assert play.source_play_id == other.source_play_id == "own"
    assert play.event_id != other.event_id


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_event_id_is_none_so_equal_lines_are_separate_plays(
    tmp_path: Path, blank: str
) -> None:
    path = write_lines(tmp_path / "plays.jsonl", *[{**LINE, "event_id": blank}] * 2)
    plays, report = read(path)
    assert len({play.event_id for play in plays}) == report.counted == 2
    assert {play.source_play_id for play in plays} == {None}


def test_an_event_id_of_another_type_rejects_the_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "plays.jsonl", {**LINE, "event_id": 12_345_678})
    _, report = read(path)
    assert report.reasons == {Reason.TYPE_MISMATCH: 1}


def test_song_ids_of_two_sources_are_told_apart(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "plays.jsonl", LINE, without("event_id"), {**LINE, "event_id": "a/b"}
    )
    one, _ = read(path, song_ids_of="server-1")
    again, _ = read(path, song_ids_of="server-1")
    other, _ = read(path, song_ids_of="server-2")
    [song_id] = {play.song_id for play in one}
    assert len(song_id) == 22
    assert one == again
    assert song_id not in {play.song_id for play in other} | {LINE["song_id"]}


def test_a_derived_song_id_does_not_depend_on_the_source(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "plays.jsonl", without("song_id"))
    assert read(path, song_ids_of="server-1")[0] == read(path)[0]


@pytest.mark.parametrize("lacking", ["user_id", "title", "artist", "event_time", "schema_version"])
def test_a_line_without_ids_needs_all_other_required_fields(tmp_path: Path, lacking: str) -> None:
    path = write_lines(tmp_path / "plays.jsonl", without("event_id", "song_id", lacking))
    _, report = read(path)
    [problem] = report.problems
    assert problem.reason is Reason.MISSING_FIELD
    assert problem.expected.startswith(f"{lacking} must be")


def test_the_edge_is_stricter_about_the_future_than_kafka(tmp_path: Path) -> None:
    soon = now_ms() + 300_000
    path = write_lines(
        tmp_path / "plays.jsonl",
        {**LINE, "event_time": soon},
        {**LINE, "event_time": soon - 10_000},
    )
    plays, report = read(path)
    assert len(plays) == 1
    assert report.reasons == {Reason.EVENT_TIME_FUTURE: 1}


def test_problems_beyond_a_thousand_are_only_counted(tmp_path: Path) -> None:
    path = tmp_path / "plays.jsonl"
    path.write_text("x\n" * (PROBLEMS_KEPT + 5), "utf-8")
    _, report = read(path)
    assert report.rejected == report.reasons[Reason.JSON_SYNTAX] == PROBLEMS_KEPT + 5
    assert len(report.problems) == PROBLEMS_KEPT


# --- files -----------------------------------------------------------------------------------


def zstd(content: bytes) -> bytes:
    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, "zstd") as stream:
        stream.write(content)
    return target.getvalue().to_pybytes()


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstd, bytes])
def test_compression_is_recognised_by_a_files_first_bytes(tmp_path: Path, compress) -> None:
    path = tmp_path / "plays"
    path.write_bytes(compress(json.dumps(LINE).encode() + b"\n"))
    plays, report = read(path)
    assert len(plays) == 1
    assert report.is_whole


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstd])
def test_a_truncated_compressed_file_is_named_and_its_readable_part_is_read(
    tmp_path: Path, compress
) -> None:
    path = tmp_path / "plays.jsonl"
    lines = b"".join(
        json.dumps({**LINE, "event_id": f"event-{n:08}"}).encode() + b"\n" for n in range(20_000)
    )
    path.write_bytes(compress(lines)[:-1_000])
    plays, report = read(path)
    assert 0 < len(plays) < 20_000
    [found] = report.breaks
    assert found.line == len(plays)
    assert "more of the file" in found.expected


def test_a_missing_file_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"Cannot read .*absent.*No such file"):
        check_files([str(write_lines(tmp_path / "a", LINE)), str(tmp_path / "absent")])


def test_the_size_of_the_files_is_their_bytes_on_disk(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", LINE)
    assert check_files([str(path), "-"]) == path.stat().st_size
