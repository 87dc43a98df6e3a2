"""A user's catalogue as CSV or JSON lines, checked by the contract's rules, and its errors."""

import csv
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.contract.identities import derive_song_id
from crossfade.contract.rules import RULES
from crossfade.errors import MisuseError
from crossfade.generator import catalogue_file
from crossfade.generator.catalogue_file import MAX_WEIGHT, CatalogueRow, read_catalogue

RULE = {rule.name: rule.expected for rule in RULES}
WHOLE = CatalogueRow(
    title="So What",
    artist="Miles Davis",
    song_id="so-what",
    album="Kind of Blue, again",
    album_artist="Miles Davis",
    genre="jazz",
    duration_ms=562_000,
    weight=12,
    country="US",
    release_day=-3_790,
    isrc="USSM15900113",
    recording_mbid="0f0b0c0d-1234-4567-89ab-0123456789ab",
)
WRITTEN = {
    **{name: value for name, value in WHOLE._asdict().items() if name != "release_day"},
    "release_date": "1959-08-17",
}


def write(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


def message(name: str, folder: Path) -> str:
    with pytest.raises(MisuseError) as caught:
        read_catalogue(name)
    assert caught.value.exit_code == 2
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(f"{folder}/", "")


def write_csv(path: Path, rows: list[dict[str, object]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_a_song_with_all_fields_is_read_alike_from_csv_and_json_lines(tmp_path: Path) -> None:
    sparse: dict[str, object] = dict.fromkeys(WRITTEN) | {"title": "B", "artist": "A"}
    expected = (
        WHOLE,
        CatalogueRow(
            "B", "A", derive_song_id("A", "B"), None, None, None, 205_000, 1, None, None, None, None
        ),
    )
    assert read_catalogue(write_csv(tmp_path / "songs.csv", [WRITTEN, sparse])) == expected
    for suffix in (".jsonl", ".json", ".JSON"):
        lines = f"{json.dumps(WRITTEN)}\n\n{json.dumps(sparse)}"
        assert read_catalogue(write(tmp_path / f"songs{suffix}", lines)) == expected


def test_two_columns_are_enough_in_any_order_and_with_windows_line_ends(tmp_path: Path) -> None:
    name = write(tmp_path / "songs.csv", '\ufeffartist, title\r\nMe, "One, two"\r\n\r\nMe,Three')
    assert [(row.title, row.artist) for row in read_catalogue(name)] == [
        ("One, two", "Me"),
        ("Three", "Me"),
    ]


def test_texts_are_normalised_as_the_contract_does(tmp_path: Path) -> None:
    (row,) = read_catalogue(write(tmp_path / "songs.csv", "title,artist\nu\u0308ber,e\u0301\n"))
    assert (row.title, row.artist) == ("\u00fcber", "\u00e9")
    assert row.song_id == derive_song_id("\u00e9", "\u00fcber")


def test_an_unknown_country_is_read_as_absent(tmp_path: Path) -> None:
    (row,) = read_catalogue(write(tmp_path / "songs.csv", "title,artist,country\na,b,ZZ\n"))
    assert row.country is None


def weigh(folder: Path, *weights: str) -> list[int]:
    lines = [f"{number},me,{weight}" for number, weight in enumerate(weights)]
    name = write(folder / "songs.csv", "\n".join(["title,artist,weight", *lines]))
    return [row.weight for row in read_catalogue(name)]


def test_whole_weights_are_kept(tmp_path: Path) -> None:
    assert weigh(tmp_path, "1", "7", "", str(MAX_WEIGHT), "3.0", "1e3") == [
        1, 7, 1, MAX_WEIGHT, 3, 1_000,
    ]  # fmt: skip


def test_other_weights_are_scaled_in_proportion(tmp_path: Path) -> None:
    assert weigh(tmp_path, "0.5", "1", ".25") == [MAX_WEIGHT // 2, MAX_WEIGHT, MAX_WEIGHT // 4]
    assert weigh(tmp_path, str(MAX_WEIGHT * 2), "2", "1") == [MAX_WEIGHT, 1, 1]
    assert weigh(tmp_path, "1e300", "1e-300") == [MAX_WEIGHT, 1]


@given(st.lists(st.floats(min_value=1e-300, max_value=1e300), min_size=1, max_size=9))
def test_weights_keep_their_order_and_limits(weights: list[float]) -> None:
    scaled = catalogue_file._scale(weights)
    assert all(1 <= weight <= MAX_WEIGHT for weight in scaled)
    pairs = sorted(zip(weights, scaled, strict=True))
    assert [weight for _, weight in pairs] == sorted(scaled)


TOO_LONG = "x" * 513
CURE = " Correct that line."
NUMBER = "weight must be a number above 0."
DAY = "release_date must be a day such as 2019-06-28."


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("album", TOO_LONG, f"album must be {RULE['album']}."),
        ("album", "a\x07b", f"album must be {RULE['album']}."),
        ("album", '"a\nb"', f"album must be {RULE['album']}."),
        ("song_id", "y" * 65, f"song_id must be {RULE['song_id']}."),
        ("duration_ms", "0", "duration_ms must be above 0."),
        ("duration_ms", "86400001", f"duration_ms must be {RULE['duration_ms']}."),
        ("duration_ms", "-1", f"duration_ms must be {RULE['duration_ms']}."),
        ("duration_ms", "3:25", f"duration_ms must be {RULE['duration_ms']}."),
        ("duration_ms", "205000.5", f"duration_ms must be {RULE['duration_ms']}."),
        ("weight", "0", NUMBER),
        ("weight", "-2", NUMBER),
        ("weight", "many", NUMBER),
        ("weight", "1e999", NUMBER),
        ("weight", "9" * 65, NUMBER),
        ("country", "UK", f"country must be {RULE['country']}."),
        ("country", "us", f"country must be {RULE['country']}."),
        ("release_date", "1959", DAY),
        ("release_date", "19590817", DAY),
        ("release_date", "1959-02-30", DAY),
        ("isrc", "US-SM1-59-0011", f"isrc must be {RULE['isrc']}."),
        ("recording_mbid", "So What", f"recording_mbid must be {RULE['recording_mbid']}."),
    ],
)
def test_a_cell_that_breaks_a_rule_is_refused(
    column: str, cell: str, expected: str, tmp_path: Path
) -> None:
    name = write(tmp_path / "songs.csv", f"title,artist,{column}\nA,me,\nB,me,{cell}\n")
    line = 4 if "\n" in cell else 3
    assert message(name, tmp_path) == f"songs.csv line {line}: {expected}{CURE}"


def test_numbers_as_a_spreadsheet_writes_them_are_accepted(tmp_path: Path) -> None:
    name = write(tmp_path / "songs.csv", "title,artist,duration_ms\nA,me,205000.0\nB,me, 7 \n")
    assert [row.duration_ms for row in read_catalogue(name)] == [205_000, 7]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("title", 5, f"title must be {RULE['title']}."),
        ("title", None, f"title must be {RULE['title']}."),
        ("artist", "", f"artist must be {RULE['artist']}."),
        ("artist", "x" * 70_000, "It has 70"),
        ("duration_ms", "205000", f"duration_ms must be {RULE['duration_ms']}."),
        ("duration_ms", 10**30, f"duration_ms must be {RULE['duration_ms']}."),
        ("weight", "3", NUMBER),
        ("weight", True, NUMBER),
        ("weight", [1], NUMBER),
        ("weight", 10**400, NUMBER),
        ("release_date", 1959, DAY),
        ("release_date", "\u0661\u0669\u0665\u0669-08-17", DAY),
    ],
)
def test_a_field_that_breaks_a_rule_is_refused(
    field: str, value: object, expected: str, tmp_path: Path
) -> None:
    song = {"title": "A", "artist": "me", field: value}
    name = write(tmp_path / "songs.jsonl", f"\n{json.dumps(song)}\n")
    assert message(name, tmp_path).startswith(f"songs.jsonl line 2: {expected}")
    assert message(name, tmp_path).endswith(CURE)


def test_the_error_for_a_song_without_a_title_names_the_rule(tmp_path: Path) -> None:
    expected = f"songs.csv line 2: title must be {RULE['title']}.{CURE}"
    assert message(write(tmp_path / "songs.csv", "title,artist\n,me\n"), tmp_path) == expected
    name = write(tmp_path / "songs.jsonl", '{"artist":"me"}')
    assert message(name, tmp_path) == expected.replace(".csv line 2", ".jsonl line 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title,artists\n", 'songs.csv: unknown column "artists". Did you mean "artist"?'),
        ("Title,artist\n", 'songs.csv: unknown column "Title". Did you mean "title"?'),
        (
            "title;artist\n",
            "songs.csv is not separated by commas. Save it as CSV with commas.",
        ),
        (
            "title\tartist\n",
            "songs.csv is not separated by commas. Save it as CSV with commas.",
        ),
        (
            "title,artist,plays\n",
            'songs.csv: unknown column "plays". Known columns: title, artist, song_id, album, '
            "album_artist, genre, duration_ms, weight, country, release_date, isrc, "
            "recording_mbid.",
        ),
        (
            "title,weight\na,1\n",
            "songs.csv has no column artist. The first line must name title and artist.",
        ),
        ("", "songs.csv has no column title. The first line must name title and artist."),
        (
            "title,artist,title\n",
            "songs.csv has the column title twice. Remove one.",
        ),
        (
            "title,artist\na,b,c\n",
            "songs.csv line 2 has 3 cells, the header 2. "
            "Put texts that contain a comma into quotation marks.",
        ),
        (
            "title,artist\na\n",
            "songs.csv line 2 has 1 cells, the header 2. "
            "Put texts that contain a comma into quotation marks.",
        ),
        (
            'title,artist\n"a,b\n',
            "songs.csv line 2 is not CSV: unexpected end of data. "
            "Close quotation marks, and double them within a text.",
        ),
        ("title,artist\n\n", "songs.csv has no song. Give at least one, with title and artist."),
        (
            "title,artist\nSo What,Miles Davis\nx,y\nso  what,MILES Davis\n",
            "songs.csv line 4 is the song of line 2 again. "
            "Remove one, or give them different song_ids.",
        ),
    ],
)
def test_an_invalid_csv_file_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert message(write(tmp_path / "songs.csv", text), tmp_path) == expected


@pytest.mark.parametrize("text", ["[", "5", "{", '{"title":"a" "artist":"b"}', "{" + "[" * 9_999])
def test_a_line_that_is_not_a_json_object_is_refused(text: str, tmp_path: Path) -> None:
    line = message(write(tmp_path / "songs.json", text), tmp_path)
    assert line.startswith("songs.json line 1 is not a JSON object: ")
    assert line.endswith(
        'Write one on each line, such as {"title": "So What", "artist": "Miles Davis"}.'
    )


def test_an_unknown_field_is_named_with_its_line(tmp_path: Path) -> None:
    name = write(tmp_path / "songs.jsonl", '{"title":"a","artist":"b","gener":"c"}')
    expected = 'songs.jsonl line 1: unknown field "gener". Did you mean "genre"?'
    assert message(name, tmp_path) == expected


def test_a_file_without_songs_is_refused(tmp_path: Path) -> None:
    expected = "songs.jsonl has no song. Give at least one, with title and artist."
    assert message(write(tmp_path / "songs.jsonl", "\n\n"), tmp_path) == expected


def test_a_song_id_given_twice_is_the_same_song(tmp_path: Path) -> None:
    songs = [{"title": str(n), "artist": "me", "song_id": "x"} for n in range(2)]
    name = write(tmp_path / "songs.jsonl", "\n".join(map(json.dumps, songs)))
    assert message(name, tmp_path).startswith("songs.jsonl line 2 is the song of line 1 again.")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_that_is_not_utf_8_is_named_with_its_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"songs{suffix}"
    good = {".csv": b"title,artist\n", ".jsonl": b'{"title":"a","artist":"b"}\n'}[suffix]
    path.write_bytes(good + b'"\xe4"')
    expected = f"songs{suffix} line 2 is not UTF-8. Save it as UTF-8."
    assert message(str(path), tmp_path) == expected


def test_more_songs_than_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_file, "MAX_SONGS", 2)
    name = write(tmp_path / "songs.csv", "title,artist\na,me\nb,me\n")
    assert len(read_catalogue(name)) == 2
    name = write(tmp_path / "songs.csv", "title,artist\na,me\nb,me\nc,me\n")
    assert message(name, tmp_path) == "songs.csv line 4 is one song too many. Give at most 2."


def test_a_file_that_cannot_be_read_or_has_another_suffix_is_refused(tmp_path: Path) -> None:
    assert message(str(tmp_path / "none.csv"), tmp_path) == (
        "Cannot read none.csv: No such file or directory. Name a file of songs that exists."
    )
    assert message(str(tmp_path / "songs.xlsx"), tmp_path) == (
        "songs.xlsx is not a catalogue file by its name. "
        "The name must end in one of .csv, .jsonl, .json."
    )


SAFE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)


@given(title=SAFE, artist=SAFE)
def test_any_text_that_the_contract_allows_is_read_alike_from_both_formats(
    tmp_path_factory: pytest.TempPathFactory, title: str, artist: str
) -> None:
    folder = tmp_path_factory.mktemp("songs")
    song = {"title": title, "artist": artist}
    lines = msgspec.json.encode(song).decode()
    (from_json,) = read_catalogue(write(folder / "songs.jsonl", lines))
    with (folder / "songs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([song, song.values()])
    (from_csv,) = read_catalogue(str(folder / "songs.csv"))
    assert from_csv == from_json
