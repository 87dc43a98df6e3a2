"""What an import reads: formats found by content, ZIP archives, and the parts of one export."""

import bz2
import gzip
import io
import json
import lzma
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.contract.play import Play
from crossfade.errors import CrossfadeError
from crossfade.ingest.formats import ImportFormat, recognise
from crossfade.ingest.importing import read_plays
from crossfade.ingest.readers import ImportOptions, reader_of
from crossfade.ingest.report import ImportReport
from crossfade.ingest.sources import Sources, find_sources

PLAY = {
    "schema_version": 1,
    "event_id": "u-00002101",
    "user_id": "anna",
    "song_id": "s1",
    "title": "T",
    "artist": "A",
    "event_time": 1_596_276_000_000,
    "ms_played": 180_000,
}
EXTENDED = {
    "ts": "2021-11-15T13:41:44Z",
    "username": "user1",
    "ms_played": 182_932,
    "conn_country": "DE",
    "master_metadata_track_name": "Song A",
    "master_metadata_album_artist_name": "Artist A",
    "spotify_track_uri": "spotify:track:0000000000000000000001",
    "episode_name": None,
}
LISTEN = {
    "listened_at": 1_596_276_000,
    "track_metadata": {
        "artist_name": "Artist H",
        "track_name": "H1",
        "additional_info": {"duration_ms": 180_000},
    },
    "user_name": "user1",
}
MALOJA = {
    "scrobbles": [
        {
            "time": 1_596_276_000,
            "track": {"artists": ["Artist H"], "title": "H2", "album": None, "length": 180},
            "duration": None,
            "origin": "client:x",
        }
    ]
}
KOITO = {
    "version": "1",
    "exported_at": "2025-06-15T00:00:00Z",
    "user": "test",
    "listens": [{"listened_at": "2020-08-01T10:00:00Z", "track": {"duration": 180}}],
}
EVENTSIM = {"ts": 1_596_276_000_000, "userId": 7, "sessionId": 3, "itemInSession": 0, "song": "T"}
YOUTUBE = {"header": "YouTube Music", "title": "Watched T", "titleUrl": "x", "time": "2020-08-01"}
PODCAST = {"endTime": "2020-02-01 10:00", "podcastName": "P", "episodeName": "E", "msPlayed": 1}


def row(minute: str, track: str = "Loop", ms_played: int = 31_000) -> dict[str, object]:
    return {
        "endTime": f"2020-02-01 {minute}",
        "artistName": "Artist C",
        "trackName": track,
        "msPlayed": ms_played,
    }


HISTORY = [row("10:00", "Other"), row("10:10"), row("10:10"), row("10:20", "Other")]


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in rows)


def array(*rows: object, indent: int | None = 2) -> bytes:
    return json.dumps(rows, indent=indent).encode()


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def zstd(content: bytes) -> bytes:
    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, "zstd") as stream:
        stream.write(content)
    return target.getvalue().to_pybytes()


def write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def read(sources: Sources, user_id: str = "anna") -> list[Play]:
    """Return the plays of all files, as an import reads them."""
    report = ImportReport()
    plays = []
    for export in sources.exports:
        options = ImportOptions(user_id)
        reader = reader_of(export.import_format, options, is_one_export=export.is_certain)
        for file in export.files:
            with file.open() as opened:
                found = read_plays(file.label, opened, reader, report, clock_slack_ms=1_000)
                plays += [play for play, _ in found]
    assert (report.rejected, report.breaks) == (0, [])
    return plays


def identities(names: Iterable[str], wanted: ImportFormat | None = None) -> set[object]:
    with find_sources(list(names), wanted) as sources:
        return {play.identity for play in read(sources)}


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, title",
    [
        (array(EXTENDED), "is Spotify's extended streaming history"),
        (array(EXTENDED, indent=None), "is Spotify's extended streaming history"),
        (array(*[EXTENDED] * 500), "is Spotify's extended streaming history"),
        (array(PODCAST), "is Spotify's podcast history"),
        (lines(LISTEN), "is a ListenBrainz export"),
        (array(LISTEN), "is a ListenBrainz export"),
        (json.dumps({"payload": {"listens": [LISTEN]}}).encode(), "is a ListenBrainz export"),
        (json.dumps(MALOJA, indent=2).encode(), "is a Maloja export"),
        (json.dumps(MALOJA).encode()[:130], "is a Maloja export"),
        (json.dumps(KOITO).encode(), "is a Koito export"),
        (lines(EVENTSIM), "holds events of eventsim"),
        (array(YOUTUBE), "is a history of YouTube"),
        (b"Artist H,R,H3,01 Aug 2020 10:00\n", "is a CSV of Last.fm"),
        (b'"Artist, H","R","H3","1 Aug 2020, 10:00"\r\n', "is a CSV of Last.fm"),
        (b"uts,utc_time,artist,artist_mbid,album\n", "is a CSV of Last.fm"),
        (b"user_000001\t2009-05-04T23:08:57Z\t\tA\t\tT\n", "is the data set lastfm-1k"),
        (b"#AUDIOSCROBBLER/1.1\n", "is a log of an Audioscrobbler player"),
        (array(PLAY), "is a JSON array of plays, not JSON lines"),
        (array({"foo": 1}), "is a JSON array, not JSON lines"),
        (json.dumps(PLAY, indent=2).encode(), "holds plays as JSON over several lines"),
    ],
)
def test_a_known_format_is_refused_in_one_line_with_its_name_and_the_cure(
    tmp_path: Path, content: bytes, title: str
) -> None:
    name = write(tmp_path / "file", content)
    for wanted in (None, ImportFormat.JSONL):
        with pytest.raises(CrossfadeError) as caught, find_sources([name], wanted):
            pass
        assert caught.value.what == f"{name} {title}."
        assert "jsonl" in caught.value.cure
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    "content, wanted, cure",
    [
        (lines(PLAY), ImportFormat.SPOTIFY, "crossfade import jsonl"),
        (array(*HISTORY), ImportFormat.JSONL, "crossfade import spotify"),
        (array(*HISTORY, indent=None), ImportFormat.JSONL, "--user USER_ID"),
    ],
)
def test_a_format_that_the_content_contradicts_is_refused_with_the_right_command(
    tmp_path: Path, content: bytes, wanted: ImportFormat, cure: str
) -> None:
    name = write(tmp_path / "file", content)
    with pytest.raises(CrossfadeError, match=cure), find_sources([name], wanted):
        pass


@pytest.mark.parametrize(
    "content, found",
    [
        (lines(PLAY), ImportFormat.JSONL),
        (b"\xef\xbb\xbf\r\n" + lines(PLAY), ImportFormat.JSONL),
        (lines({**PLAY, "more": LISTEN}), ImportFormat.JSONL),
        (b"not json\n" + lines(PLAY), ImportFormat.JSONL),
        (b'{"broken\n' + lines(PLAY), ImportFormat.JSONL),
        (lines({**PLAY, "event_id": None, "album": "x" * 60_000}), ImportFormat.JSONL),
        (array(*HISTORY), ImportFormat.SPOTIFY),
        (array(*HISTORY, indent=None), ImportFormat.SPOTIFY),
        (array({**HISTORY[0], "msPlayed": "?"}), ImportFormat.SPOTIFY),
    ],
)
def test_without_a_format_the_content_decides(
    tmp_path: Path, content: bytes, found: ImportFormat
) -> None:
    for pack in (bytes, gzip.compress, lzma.compress, zstd):
        with find_sources([write(tmp_path / "file", pack(content))], None) as sources:
            assert sources.formats == {found}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b"hello", b"a,b\n1,2\n", b'{"a": 1}\n'])
def test_content_that_is_not_recognised_needs_a_format(tmp_path: Path, content: bytes) -> None:
    name = write(tmp_path / "file", content)
    with pytest.raises(CrossfadeError, match="is not recognised"), find_sources([name], None):
        pass
    for wanted in ImportFormat:
        with find_sources([name], wanted) as sources:
            assert sources.formats == {wanted}


@given(st.binary(max_size=300) | st.text('{}[]":, \nabendTime', max_size=60).map(str.encode))
def test_no_content_makes_recognition_fail(content: bytes) -> None:
    recognise(content)


# --- compression and encoding ------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, kind, cure",
    [
        (bz2.compress(lines(PLAY)), "compressed with bzip2", "bunzip2"),
        (lines(PLAY).decode().encode("utf-16"), "UTF-16, not UTF-8", "iconv"),
        (lines(PLAY).decode().encode("utf-16-le"), "UTF-16, not UTF-8", "iconv"),
        (array(*HISTORY).decode().encode("utf-16-be"), "UTF-16, not UTF-8", "iconv"),
        (array(*HISTORY).decode().encode("utf-32"), "UTF-32, not UTF-8", "iconv"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive", "7z x"),
        (lzma.compress(lines(PLAY), lzma.FORMAT_ALONE), "compressed with LZMA", "unlzma"),
        (b"x" * 257 + b"ustar\x00", "a tar archive", "tar -xf"),
        (gzip.compress(b"x" * 257 + b"ustar\x00"), "a tar archive", "tar -xf"),
        (gzip.compress(lines(PLAY).decode().encode("utf-16")), "UTF-16, not UTF-8", "iconv"),
        (gzip.compress(zstd(lines(PLAY))), "compressed twice", "Unpack it once"),
        (b"PAR1\x15\x04", "a Parquet file", "JSON lines"),
    ],
)
def test_a_compression_or_encoding_that_is_not_read_is_named_with_the_cure(
    tmp_path: Path, content: bytes, kind: str, cure: str
) -> None:
    name = write(tmp_path / "plays.jsonl", content)
    for wanted in (None, *ImportFormat):
        with pytest.raises(CrossfadeError, match=cure) as caught, find_sources([name], wanted):
            pass
        assert caught.value.what == f"{name} is {kind}."


# --- ZIP archives ------------------------------------------------------------------------------


def test_an_archive_as_spotify_sends_it_is_one_export(tmp_path: Path) -> None:
    parts = {
        f"MyData/StreamingHistory{n}.json": array(*HISTORY[begin:end])
        for n, (begin, end) in enumerate([(0, 1), (1, 2), (2, 4)])
    }
    name = write(
        tmp_path / "my_spotify_data.zip",
        zipped(**{"MyData/Userdata.json": b"{}", "MyData/Podcasts.json": array(PODCAST)}, **parts),
    )
    joined = write(tmp_path / "joined.json", array(*HISTORY))
    with find_sources([name], None) as sources:
        [export] = sources.exports
        assert [file.label for file in export.files] == [f"{name}/{part}" for part in parts]
        assert [text.removeprefix(f"{name}/MyData/") for text in sources.left_out] == [
            "Userdata.json is not recognised as plays.",
            "Podcasts.json is Spotify's podcast history.",
        ]
    assert identities([name]) == identities([joined])
    assert len(identities([name])) == 4


def test_an_archive_with_compressed_lines_is_read(tmp_path: Path) -> None:
    name = write(tmp_path / "plays.zip", zipped(a=zstd(lines(PLAY)), b=b"hello"))
    for wanted in (None, ImportFormat.JSONL):
        assert len(identities([name], wanted)) == 1


@pytest.mark.parametrize(
    "content, what",
    [
        (zipped(a=array(EXTENDED), b=b"x"), "Spotify's extended streaming history"),
        (zipped(a=b"{}", b=b"x"), "has no file of plays"),
        (zipped(), "has no file of plays"),
        (zipped(a=lines(PLAY))[:60], "is a damaged ZIP archive"),
    ],
)
def test_an_archive_without_plays_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    name = write(tmp_path / "file.zip", content)
    with pytest.raises(CrossfadeError, match=what), find_sources([name], None):
        pass


# --- the files of one export -------------------------------------------------------------------


@given(st.lists(st.sampled_from([row("10:00"), row("10:10"), row("10:10", "Other")]), max_size=6))
def test_an_export_may_be_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    folder = tmp_path_factory.mktemp("export")
    parts = [write(folder / f"StreamingHistory{n}.json", array(one)) for n, one in enumerate(rows)]
    joined = write(folder / "joined.json", array(*rows))
    assert identities(parts, ImportFormat.SPOTIFY) == identities([joined], ImportFormat.SPOTIFY)
    assert len(identities(parts)) == len(rows)


@pytest.mark.parametrize(
    "names",
    [
        ["StreamingHistory0.json", "StreamingHistory1.json"],
        ["StreamingHistory_music_9.json", "StreamingHistory_music_10.json"],
        ["StreamingHistory1.json", "StreamingHistory2.json.gz"],
        ["history-0.json", "history-1.json"],
        ["part.00", "part.01"],
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_numbered_files_are_one_export(tmp_path: Path, names: list[str], order: int) -> None:
    halves = (HISTORY[:2], HISTORY[2:])
    paths = [write(tmp_path / name, array(*half)) for name, half in zip(names, halves, strict=True)]
    assert len(identities(paths[::order])) == 4


@pytest.mark.parametrize(
    "names",
    [
        ["old/StreamingHistory0.json", "new/StreamingHistory0.json"],
        ["old/StreamingHistory0.json", "new/StreamingHistory1.json"],
        ["StreamingHistory0.json", "StreamingHistory_music_0.json"],
        ["StreamingHistory0.json", "StreamingHistory0 (1).json"],
        ["StreamingHistory0.json", "StreamingHistory0.json.gz"],
        ["first.json", "second.json"],
        ["history2020.json", "history2021.json"],
        ["export1.json", "export2.json"],
    ],
)
def test_two_exports_that_overlap_add_each_play_once(tmp_path: Path, names: list[str]) -> None:
    later = [*HISTORY[1:], row("10:30"), row("10:30")]
    paths = [
        write(tmp_path / name, array(*rows))
        for name, rows in zip(names, (HISTORY, later), strict=True)
    ]
    assert len(identities(paths)) == 6


def test_a_file_that_is_named_twice_adds_nothing(tmp_path: Path) -> None:
    name = write(tmp_path / "StreamingHistory0.json", array(*HISTORY))
    assert identities([name, name]) == identities([name])


def test_equal_lines_without_ids_run_on_over_numbered_files(tmp_path: Path) -> None:
    bare = {name: value for name, value in PLAY.items() if name != "event_id"}
    paths = [write(tmp_path / f"plays-{n}.jsonl", lines(bare, bare)) for n in range(3)]
    assert len(identities(paths)) == 6
    assert len(identities([*paths, *paths])) == 6
    other = write(tmp_path / "plays.jsonl", lines(bare, bare))
    assert len(identities([*paths, other])) == 6


# --- the page ------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("jq") is None, reason="the page's conversions need jq")
@pytest.mark.parametrize(
    "start, content, times",
    [
        (
            ".[] | select",
            array(EXTENDED, {**EXTENDED, "master_metadata_track_name": None}),
            [1_636_983_521_068],
        ),
        ("{\n", lines(LISTEN), [1_596_276_000_000]),
    ],
)
def test_the_conversions_on_the_page_give_plays(
    tmp_path: Path, start: str, content: bytes, times: list[int]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sending-plays.md").read_text("utf-8")
    programs = re.findall(r"jq -c '([^']+)' \S+ \| crossfade import jsonl -", page)
    [program] = [one for one in programs if one.startswith(start)]
    converted = subprocess.run(
        ["jq", "-c", program], input=content, capture_output=True, check=True
    )
    with find_sources([write(tmp_path / "plays", converted.stdout)], None) as sources:
        assert [play.event_time for play in read(sources)] == times
