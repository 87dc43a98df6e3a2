"""Answers from a tiny gold, with and without speed, compared with plain counts."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasketches
import msgspec
import pytest

from crossfade.clock import DAY_MS, floor_to, format_time, now_ms, parse_time, utc_date
from crossfade.config import load_settings
from crossfade.contract.play import Play
from crossfade.contract.time_rules import TimeRules
from crossfade.errors import MisuseError
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.window_log import Grain, Marker, WindowKey, WindowRow, WindowValue
from crossfade.processing.progress import record_run_times
from crossfade.serving.answer_cache import AnswerCache
from crossfade.serving.answers import (
    RankedRow,
    RequestView,
    answer_chart,
    answer_geography,
    answer_trending,
)
from crossfade.serving.ranges import AskedRange, RangeTexts, read_range
from crossfade.serving.rollup import By
from crossfade.serving.snapshot import SnapshotWatcher, build_snapshot
from crossfade.serving.status import answer_status
from crossfade.serving.window_state import PlacedRecord, WindowState
from support import handmade_lake as handmade

RULES = TimeRules()
G = RULES.grain_ms
NOON = handmade.NOON
BOUNDARY = NOON + 3 * G
NOW = NOON + 5 * G + 1


def _plays() -> list[Play]:
    """Return plays of the three days before noon and of the windows around the boundary."""
    old = [
        handmade.a_play(
            n,
            event_id=f"oldevent-{n}",
            event_time=NOON - 3 * DAY_MS + n * 7_200_000,
            country="SE" if n % 3 else "DE",
            ms_played=60_000 if n % 5 else 10_000,
        )
        for n in range(36)
    ]
    new = [
        handmade.a_play(n, event_id=f"newevent-{n}", event_time=NOON + n * 150_000)
        for n in range(20)
    ]
    return old + new


def _write_gold(tmp_path: Path, plays: Iterable[Play]) -> DataFolder:
    folder = open_folder(load_settings(data=tmp_path / "data"))
    lake = handmade.a_lake(handmade.records_of(*plays), boundary=BOUNDARY)
    return lake.write(folder)


def _speed_of(plays: Iterable[Play], end: int = 1) -> WindowState:
    """Count all plays as speed does, including those that batch owns."""
    counted: dict[WindowKey, list[Play]] = {}
    for play in plays:
        key = WindowKey(
            generation="g1",
            epoch=1,
            window_start_ms=RULES.window_start(play.event_time),
            grain=Grain(play.country, play.song_id, play.title, play.artist, None, None),
        )
        counted.setdefault(key, []).append(play)
    state = WindowState()
    state.note_first_log_time(NOON - 30 * DAY_MS)
    state.note_end_offsets(NOW - 500, {0: end})
    state.feed([PlacedRecord(_to_row(key, of_key), NOW) for key, of_key in counted.items()])
    state.feed([PlacedRecord(Marker("g1", 1, 3, {0: end}, sent_at=NOW - 100), NOW)])
    state.finish_reading()
    return state


def _to_row(key: WindowKey, plays: list[Play]) -> WindowRow:
    sketch = datasketches.hll_sketch(10)
    for play in plays:
        sketch.update(play.user_id)
    counted = sum(play.is_counted for play in plays)
    ms_played = sum(play.ms_played or 0 for play in plays)
    return WindowRow(key, WindowValue(1, len(plays), counted, ms_played, _bytes(sketch)))


def _bytes(sketch: datasketches.hll_sketch) -> bytes:
    return bytes(sketch.serialize_compact())


def _view(folder: DataFolder, speed: WindowState | None) -> RequestView:
    snapshot = build_snapshot(folder)
    ends = snapshot.run.end_offsets if snapshot.run is not None else None
    return RequestView(snapshot, speed, RULES, NOW, kafka_ends=ends)


def _count(plays: Iterable[Play], field: str) -> dict[str, tuple[int, int, float]]:
    counts: dict[str, list[int]] = {}
    for play in plays:
        known = counts.setdefault(getattr(play, field), [0, 0, 0])
        known[0] += 1
        known[1] += play.is_counted
        known[2] += play.ms_played or 0
    return {key: (one[0], one[1], round(one[2] / 60_000, 2)) for key, one in counts.items()}


def _shown(answer: dict[str, Any], key: str) -> dict[str, tuple[int, int, float]]:
    return {
        row[key]: (row["plays"], row["counted_plays"], row["minutes"]) for row in answer["rows"]
    }


def _within(plays: Iterable[Play], begin: int, end: int) -> list[Play]:
    return [play for play in plays if begin <= play.event_time < end]


def test_all_time_counts_each_play_once_in_both_layers(tmp_path: Path) -> None:
    plays = _plays()
    view = _view(_write_gold(tmp_path, plays), _speed_of(plays))
    asked = read_range(RangeTexts(all_time=True), now=NOW, rules=RULES)
    songs = answer_chart(view, By.SONG, asked)
    assert _shown(songs, "song_id") == _count(plays, "song_id")
    assert (songs["complete"], songs["why"], songs["provisional"]) == (True, "", True)
    assert songs["from"] is None
    assert songs["boundary"] == format_time(BOUNDARY)
    assert [row["rank"] for row in songs["rows"]] == [1, 2, 3, 4]
    artists = answer_chart(view, By.ARTIST, asked)
    assert _shown(artists, "artist") == _count(plays, "artist")
    countries = answer_geography(view, asked)
    assert _shown(countries, "country") == _count(plays, "country")


def test_trending_crosses_the_boundary_without_counting_twice(tmp_path: Path) -> None:
    plays = _plays()
    view = _view(_write_gold(tmp_path, plays), _speed_of(plays))
    answer = answer_trending(view)
    recent = _within(plays, NOON, NOON + 6 * G)
    assert _shown(answer, "song_id") == _count(recent, "song_id")
    assert answer["complete"]
    assert (answer["from"], answer["to"]) == (format_time(NOON), format_time(NOON + 6 * G))
    row = answer["rows"][0]
    number = row["song_id"].removeprefix("song-")
    assert (row["title"], row["artist"]) == (f"Title {number}", f"Artist {int(number) % 2}")


def test_without_speed_the_open_windows_are_unknown_and_the_answer_says_so(tmp_path: Path) -> None:
    plays = _plays()
    view = _view(_write_gold(tmp_path, plays), None)
    answer = answer_trending(view)
    below = _within(plays, BOUNDARY - 6 * G, BOUNDARY)
    assert _shown(answer, "song_id") == _count(below, "song_id")
    assert not answer["complete"]
    assert format_time(BOUNDARY) in answer["why"]


def test_before_any_run_speed_answers_and_says_how_far_back_it_reaches(tmp_path: Path) -> None:
    plays = _within(_plays(), NOON, NOW)
    folder = open_folder(load_settings(data=tmp_path / "data"))
    view = _view(folder, _speed_of(plays))
    answer = answer_trending(view)
    assert _shown(answer, "song_id") == _count(plays, "song_id")
    assert (answer["complete"], answer["boundary"]) == (True, None)
    everything = answer_chart(view, By.SONG, AskedRange(0, NOON + 6 * G))
    assert everything["why"] == "no batch run yet"


def test_a_published_chart_is_what_is_computed_from_days(tmp_path: Path) -> None:
    plays = _plays()
    view = _view(_write_gold(tmp_path, plays), None)
    day = read_range(RangeTexts(day="2025-12-30"), now=NOW, rules=RULES)
    for by in (By.SONG, By.ARTIST):
        published = answer_chart(view, by, day, limit=2)
        computed = answer_chart(view, by, AskedRange(day.begin, day.end), limit=2)
        for answer in (published, computed):
            for row in answer["rows"]:
                row.pop("listeners")
        assert published == computed
        assert published["complete"]
        assert not published["provisional"]


def test_the_newest_revision_of_a_chart_is_answered(tmp_path: Path) -> None:
    folder = open_folder(load_settings(data=tmp_path / "data"))
    lake = handmade.a_lake(handmade.records_of(*_plays()), boundary=BOUNDARY)
    charts = lake.tables["gold/chart"]
    revised = [{**row, "revision": 2, "plays": 7_777, "listeners": 3} for row in charts]
    lake.tables["gold/chart"] = charts + revised
    view = _view(lake.write(folder), None)
    day = read_range(RangeTexts(day="2025-12-30"), now=NOW, rules=RULES)
    rows = answer_chart(view, By.SONG, day, limit=1)["rows"]
    assert [(row["plays"], row["listeners"]) for row in rows] == [(7_777, 3)]


def test_songs_of_one_country_count_only_plays_there(tmp_path: Path) -> None:
    plays = _plays()
    view = _view(_write_gold(tmp_path, plays), _speed_of(plays))
    asked = read_range(RangeTexts(), now=NOW, rules=RULES)
    answer = answer_geography(view, asked, country="DE")
    of_country = [play for play in plays if play.country == "DE"]
    assert _shown(answer, "song_id") == _count(of_country, "song_id")
    assert {row["listeners"] for row in answer["rows"]} == {None}


class _CountingCache(AnswerCache[list[RankedRow]]):
    """Counts the answers that are computed and not taken from the cache."""

    computed = 0

    def get_or_compute(
        self, source: object, key: Hashable, compute: Callable[[], list[RankedRow]]
    ) -> list[RankedRow]:
        def count() -> list[RankedRow]:
            self.computed += 1
            return compute()

        return super().get_or_compute(source, key, count)


def test_only_equal_questions_share_a_cached_answer(tmp_path: Path) -> None:
    cache = _CountingCache()
    folder = _write_gold(tmp_path, _plays())
    view = RequestView(build_snapshot(folder), None, RULES, NOW, cache)
    asked = read_range(RangeTexts(day="2025-12-30"), now=NOW, rules=RULES)

    answer_chart(view, By.SONG, asked, limit=5, country="DE")
    answer_chart(view, By.SONG, asked, limit=5, country="DE")
    assert cache.computed == 1
    answer_geography(view, asked, limit=5, country="DE")  # the same rows, but not a chart
    assert cache.computed == 2


def test_listeners_of_days_windows_and_speed_unite(tmp_path: Path) -> None:
    plays = _plays()
    folder = open_folder(load_settings(data=tmp_path / "data"))
    lake = handmade.a_lake(handmade.records_of(*plays), boundary=BOUNDARY)
    rows = lake.tables["gold/listeners"]
    for grain, step in (("day", DAY_MS), ("window", G)):
        for play in plays:
            sketch = datasketches.hll_sketch(10)
            sketch.update(play.user_id)
            start = floor_to(play.event_time, step)
            of_play = {"grain": grain, "period_start": start, "date": utc_date(play.event_time)}
            rows.append(
                {**of_play, "kind": "song", "key": play.song_id, "listeners": _bytes(sketch)}
            )
    view = _view(lake.write(folder), _speed_of(plays))
    answer = answer_chart(view, By.SONG, read_range(RangeTexts(), now=NOW, rules=RULES))
    assert {row["song_id"]: row["listeners"] for row in answer["rows"]} == {
        song: len({play.user_id for play in plays if play.song_id == song})
        for song in {play.song_id for play in plays}
    }
    assert {row["listeners"] for row in answer_trending(view)["rows"]} == {3}


def test_an_edge_inside_an_old_day_is_refused_with_the_nearest_midnight(tmp_path: Path) -> None:
    view = _view(_write_gold(tmp_path, _plays()), None)
    old = AskedRange(NOON - 2 * DAY_MS + G, NOON)
    with pytest.raises(MisuseError, match="nearest midnight is 2025-12-31T00:00:00Z"):
        answer_chart(view, By.SONG, old)
    yesterday = AskedRange(NOON - DAY_MS + G, NOON)
    answer = answer_chart(view, By.SONG, yesterday)
    expected = _within(_plays(), yesterday.begin, yesterday.end)
    assert sum(row["plays"] for row in answer["rows"]) == sum(
        1 for play in expected if any(row["song_id"] == play.song_id for row in answer["rows"])
    )


def test_the_watcher_finds_a_new_run_and_forgets_old_windows(tmp_path: Path) -> None:
    plays = _plays()
    folder = open_folder(load_settings(data=tmp_path / "data"))
    speed = _speed_of(plays)

    seen: list[int] = []
    watcher = SnapshotWatcher(folder, lambda before: seen.append(before.boundary))
    watcher.refresh()
    assert watcher.current.run is None
    handmade.a_lake(handmade.records_of(*plays), boundary=BOUNDARY).write(folder)
    watcher.refresh()
    watcher.refresh()
    assert watcher.current.boundary == BOUNDARY
    assert seen[-1] == BOUNDARY
    speed.forget_before(BOUNDARY, {0: 100})
    assert min(speed.roll_up(By.SONG, (0, BOUNDARY)), default=None) is None
    assert answer_trending(RequestView(watcher.current, speed, RULES, NOW))["complete"]


def _late_in_2019(folder: DataFolder) -> WindowState:
    """Return speed with two late plays of June 2019 beyond what the newest run covers."""
    run = build_snapshot(folder).run
    assert run is not None
    end = run.end_offsets[0] + 2
    speed = _speed_of([], end)
    june = parse_time("2019-06-09")
    marker = Marker("g1", 1, 4, {0: end}, sent_at=NOW - 50, late=2, newest_late=june + 1)
    marker = msgspec.structs.replace(marker, late_by_day={june // DAY_MS: 2})
    speed.feed([PlacedRecord(marker, NOW)])
    return speed


@pytest.mark.parametrize(
    ("texts", "is_complete"),
    [
        (RangeTexts(month="2019-06"), False),
        (RangeTexts(day="2019-06-09"), False),
        (RangeTexts(week="2019-06-07"), False),
        (RangeTexts(year="2019"), False),
        (RangeTexts(since="2019-06-01", until="2019-06-10"), False),
        (RangeTexts(all_time=True), False),
        (RangeTexts(month="2019-05"), True),
        (RangeTexts(day="2019-06-10"), True),
        (RangeTexts(since="2019-06-10", until="2025-12-30"), True),
        (RangeTexts(day="2025-12-30"), True),
    ],
    ids=str,
)
def test_an_answer_with_late_plays_on_their_way_is_incomplete_also_without_rows(
    tmp_path: Path, texts: RangeTexts, is_complete: bool
) -> None:
    folder = _write_gold(tmp_path, _plays())
    snapshot, speed = build_snapshot(folder), _late_in_2019(folder)
    view = RequestView(snapshot, speed, RULES, NOW, batch_every_ms=60_000)
    asked = read_range(texts, now=NOW, rules=RULES)

    for answer in (answer_chart(view, By.SONG, asked), answer_geography(view, asked)):
        assert answer["complete"] == is_complete
        assert answer["why"].startswith("" if is_complete else "2 late plays wait for batch")
        assert is_complete or answer["why"].endswith("at the next run, at most 1m from now")
    assert answer_trending(view)["complete"]


def test_gold_only_is_complete_while_kafka_holds_no_more_than_batch_has_read(
    tmp_path: Path,
) -> None:
    view = _view(_write_gold(tmp_path, _plays()), None)
    asked = read_range(RangeTexts(month="2019-06"), now=NOW, rules=RULES)
    assert view.kafka_ends is not None
    more = {partition: end + 1 for partition, end in view.kafka_ends.items()}

    assert answer_chart(view, By.SONG, asked)["complete"]
    waiting = answer_chart(replace(view, kafka_ends=more), By.SONG, asked)
    assert waiting["why"].startswith(f"{len(more)} records in Kafka wait for batch")
    unknown = answer_chart(replace(view, kafka_ends=None), By.SONG, asked)
    assert unknown["why"].startswith("Kafka is not read here")
    assert not waiting["complete"]
    assert not unknown["complete"]


def test_late_plays_are_answered_once_a_run_covers_them(tmp_path: Path) -> None:
    plays = _plays()
    speed = _late_in_2019(_write_gold(tmp_path / "before", plays))
    after = [*plays, *(handmade.a_play(n, event_id=f"more-events-{n}") for n in range(9))]
    view = _view(_write_gold(tmp_path / "after", after), speed)
    asked = read_range(RangeTexts(month="2019-06"), now=NOW, rules=RULES)

    assert answer_chart(view, By.SONG, asked)["why"] == ""


def test_listeners_never_exceed_the_plays_whatever_their_sketch_estimates(
    tmp_path: Path,
) -> None:
    plays = _plays()
    folder = open_folder(load_settings(data=tmp_path / "data"))
    lake = handmade.a_lake(handmade.records_of(*plays), boundary=BOUNDARY)
    many = datasketches.hll_sketch(10)
    for number in range(1_000):
        many.update(f"user-{number}")
    for kind, key in (("song", "song-1"), ("artist", "artist 1"), ("country", "SE")):
        for grain in ("day", "window"):
            of_key = {"grain": grain, "kind": kind, "key": key, "listeners": _bytes(many)}
            for play in plays:
                start = floor_to(play.event_time, DAY_MS if grain == "day" else G)
                day = {"period_start": start, "date": utc_date(play.event_time)}
                lake.tables["gold/listeners"].append({**of_key, **day})
    for row in lake.tables["gold/chart"]:
        row["listeners"] = row["plays"] + 1
    view = _view(lake.write(folder), _speed_of(plays))
    day = read_range(RangeTexts(day="2025-12-30"), now=NOW, rules=RULES)
    ever = read_range(RangeTexts(), now=NOW, rules=RULES)
    answers = [
        *(
            answer_chart(view, by, asked, limit=2)
            for by in (By.SONG, By.ARTIST)
            for asked in (day, ever)
        ),
        answer_geography(view, ever),
        answer_trending(view),
    ]

    for answer in answers:
        assert answer["rows"]
        listeners = [(row["listeners"], row["plays"]) for row in answer["rows"]]
        assert all(people <= plays for people, plays in listeners)
        assert any(people == plays for people, plays in listeners)


def test_the_shares_of_countries_are_of_all_counted_plays_whatever_the_limit(
    tmp_path: Path,
) -> None:
    plays = _plays()
    view = _view(_write_gold(tmp_path, plays), _speed_of(plays))
    asked = read_range(RangeTexts(), now=NOW, rules=RULES)

    shares = {row["country"]: row["share"] for row in answer_geography(view, asked)["rows"]}
    [first] = answer_geography(view, asked, limit=1)["rows"]

    of_sweden = sum(play.is_counted for play in plays if play.country == "SE")
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert shares["SE"] == round(of_sweden / sum(play.is_counted for play in plays), 4)
    assert first["share"] == shares[first["country"]]


@pytest.mark.parametrize(("age", "known"), [(100, 2), (11_000, None)], ids=["fresh", "silent"])
def test_pending_late_plays_are_unknown_once_speed_is_silent(
    tmp_path: Path, age: int, known: int | None
) -> None:
    folder = _write_gold(tmp_path, _plays())
    speed = _speed_of([])
    marker = Marker("g1", 1, 4, {0: 1_000}, sent_at=NOW, late=2)
    speed.feed([PlacedRecord(marker, NOW)])
    view = RequestView(build_snapshot(folder), speed, RULES, NOW + age)

    assert answer_status(view, folder)["speed"]["late_pending"] == known


def test_status_names_song_ids_that_different_songs_share(tmp_path: Path) -> None:
    def song(number: int, song_id: str, title: str, artist: str) -> Play:
        names = {"song_id": song_id, "title": title, "artist": artist}
        return handmade.a_play(number, event_time=NOON - DAY_MS + number, **names)

    plays = [
        song(1, "42", "Song of server one", "Artist One"),
        song(2, "42", "Song of server two", "Artist Two"),
        song(3, "43", "One title", "Two"),
        song(4, "43", "One title", "Artists"),
        song(5, "44", "Straße  44", "Björk"),
        song(6, "44", "STRASSE 44", "Bjo\u0308rk"),
        song(7, "45", "Other", "Artist"),
    ]
    folder = _write_gold(tmp_path, plays)

    conflicts = answer_status(_view(folder, None), folder)["song_id_conflicts"]

    assert conflicts == {"count": 2, "examples": ["42", "43"]}


def test_song_id_conflicts_are_counted_once_for_a_snapshot_and_few_are_named(
    tmp_path: Path,
) -> None:
    yesterday = NOON - DAY_MS
    plays = [
        handmade.a_play(n, event_time=yesterday + n, song_id=f"id-{n % 9}", title=f"Title {n}")
        for n in range(18)
    ]
    folder = _write_gold(tmp_path, plays)
    view = _view(folder, None)
    first = answer_status(view, folder)["song_id_conflicts"]

    assert first == {"count": 9, "examples": [f"id-{n}" for n in range(5)]}
    assert answer_status(view, folder)["song_id_conflicts"] is first


def test_the_run_in_progress_is_reported(tmp_path: Path) -> None:
    folder = _write_gold(tmp_path, _plays())
    view = RequestView(build_snapshot(folder), _speed_of([]), RULES, NOW)
    assert answer_status(view, folder)["run_at_work"] is None

    with record_run_times(folder, 7):
        at_work = answer_status(view, folder)["run_at_work"]
    assert at_work is not None
    assert at_work["run"] == 7
    assert now_ms() - parse_time(at_work["began_at"]) < 60_000
    assert answer_status(view, folder)["run_at_work"] is None

    with pytest.raises(RuntimeError), record_run_times(folder, 8):
        raise RuntimeError
    assert answer_status(view, folder)["run_at_work"] is None
