"""Rules that have changed since the newest run: the next run computes everything again."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from crossfade.config import load_settings
from crossfade.contract.counting import RULES_VERSION
from crossfade.contract.decode import encode_play
from crossfade.folder import open_folder
from crossfade.lake.runs import require_run
from crossfade.processing.batch import job, run
from support.batch_bench import BatchBench, a_history, closing_records
from support.handmade_lake import NOON, Record, a_play

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def bench(spark: "SparkSession", tmp_path: Path) -> BatchBench:
    """Return an empty lake."""
    return BatchBench(spark, open_folder(load_settings(data=tmp_path / "data")))


def test_a_run_after_a_change_of_rules_computes_everything_again(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = a_history()
    with monkeypatch.context() as older:
        for module in (job, run):
            older.setattr(module, "RULES_VERSION", "0")
        bench.archive(history[:60])
        bench.published()
        bench.archive(history[60:])
        old = bench.published()
    charts = bench.rows("gold/chart")

    with monkeypatch.context() as broken, pytest.raises(KilledError):
        broken.setattr(run, "publish_run", _die)
        bench.run()
    assert require_run(bench.lake) == old

    new = bench.published()
    assert (new.rules, new.run) == (RULES_VERSION, old.run + 1)
    assert new.end_offsets == old.end_offsets
    assert set(new.start_offsets.values()) == {0}
    assert new.counts.bronze_rows == len(history)
    assert new.boundary >= old.boundary
    assert bench.rows("gold/chart") == charts
    assert new.counts.revised_charts == 0
    bench.assert_as_by_hand()
    assert bench.run() is None


def test_dropped_fields_are_counted_by_a_run_and_their_plays_are_kept(bench: BatchBench) -> None:
    changes: list[dict[str, object]] = [
        {"album": "x" * 513},
        {"album": "a\tb", "country": "UK"},
        {"isrc": "GB-AYE-68-00123", "recording_mbid": "8F3471B5-7E6A-48DA-86A9-C1C07A0F47AE"},
        {"isrc": "none", "client": "Mozilla/5.0 " * 30},
        {"title": "Live\tat the\u0085hall", "artist": "M1\u0000M2"},
        {"device": "toaster"},
    ]
    values = [
        msgspec.json.encode(
            msgspec.json.decode(encode_play(a_play(n, event_time=NOON + n, device="car"))) | change
        )
        for n, change in enumerate(changes)
    ]
    bench.archive(Record(0, n, value, NOON + 60_000) for n, value in enumerate(values))
    published = bench.published()
    assert (published.counts.accepted, published.counts.rejected) == (len(changes), 0)
    assert published.counts.dropped_by_field == {
        "album": 2,
        "country": 1,
        "isrc": 1,
        "client": 1,
        "device": 1,
    }
    rows = {row["offset"]: row for row in bench.rows("silver/plays")}
    assert [rows[n]["album"] for n in (0, 1)] == [None, None]
    assert rows[1]["country"] == "ZZ"
    assert (rows[4]["title"], rows[4]["artist"]) == ("Liveat thehall", "M1M2")
    assert rows[5]["device"] == "other"
    assert require_run(bench.lake).counts == published.counts


def test_spellings_of_an_artist_share_one_chart_entry_under_the_most_played_one(
    bench: BatchBench,
) -> None:
    played = [
        *("Charli XCX", "charli xcx", "Charli\u00a0XCX ", "Charli XCX"),
        *("Mot\u00f6rhead", "Moto\u0308rhead", "Other", "Other", "STRASSE", "Stra\u00dfe"),
    ]
    records = [
        Record(
            0,
            n,
            encode_play(a_play(n, event_time=NOON + n, artist=artist, song_id=f"song-{n}")),
            NOON + 60_000,
        )
        for n, artist in enumerate(played)
    ]
    bench.archive(records)
    bench.archive(closing_records([len(records), 0, 0], NOON + 3 * 86_400_000))
    bench.published()
    entries = bench.ask(
        "SELECT artist, plays FROM gold_chart WHERE chart = 'artists' AND period = 'day' "
        "AND period_start = DATE '2026-01-01' ORDER BY rank"
    )
    assert [tuple(entry.values()) for entry in entries] == [
        ("Charli XCX", 4),
        ("Mot\u00f6rhead", 2),
        ("Other", 2),
        ("Stra\u00dfe", 2),
    ]


def _die(*_: object, **__: object) -> None:
    raise KilledError
