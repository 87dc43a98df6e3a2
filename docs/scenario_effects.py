"""Measure what each shipped scenario does to the charts, and write it into docs/scenarios.md.

Simulates ten minutes with each scenario and the same ten minutes without one, and queries both
ledgers with DuckDB. Takes a minute; the numbers change only when the model does.
"""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from crossfade.clock import MINUTE_MS, SECOND_MS, parse_time
from crossfade.generator.catalogue import make_catalogue
from crossfade.generator.options import DEFAULT_SONGS
from crossfade.generator.scenario import Scenario, read_scenario, shipped_scenarios

PAGE = Path(__file__).parent / "scenarios.md"
FROM, SEED, END = "2024-05-01T12:00:00Z", 1, 10 * MINUTE_MS
GIVEN = ("--from", FROM, "--for", "10m", "--rate", "2000", "--seed", str(SEED))
CATALOGUE = make_catalogue(SEED, DEFAULT_SONGS)
MOST_A_DAY = 10
"""How many plays of one song a listener can add to a chart in a day."""

WITH, WITHOUT = "here", "plain"
_RECORDS = f"""
CREATE OR REPLACE TABLE {{table}} AS
SELECT
  *, event_time - {parse_time(FROM)} AS at_ms, split_part(event_id, '-', 2) AS play,
  event_time - {parse_time(FROM)} + coalesce(late_by_ms, 0) AS sent_ms
FROM read_parquet('{{folder}}/records/*.parquet') LEFT JOIN songs USING (song_id)
ORDER BY country
"""
_CHART = """
WITH listened AS (
  SELECT {by} AS key, user_id, song_id, least(count(*), $cap) AS n
  FROM {table}
  WHERE answer = 'accepted' AND is_counted AND at_ms >= $begin AND at_ms < $end
    AND {place}
  GROUP BY ALL
)
SELECT key, sum(n)::BIGINT AS n FROM listened GROUP BY key ORDER BY n DESC, key
"""
_DIFFERENT = """
SELECT count(*) FROM (
  SELECT play, song_id, event_time, ms_played FROM plain WHERE country != $but
  EXCEPT ALL SELECT play, song_id, event_time, ms_played FROM here WHERE bot IS NULL
)
"""
_BOTS = """
SELECT
  coalesce(split_part(bot, '-', 1), 'people') AS who, count(DISTINCT user_id) AS accounts,
  sum(n)::BIGINT AS plays, sum(counted)::BIGINT AS counted, sum(least(counted, 10))::BIGINT
FROM (
  SELECT bot, user_id, song_id, count(*) AS n, count(*) FILTER (is_counted) AS counted
  FROM here GROUP BY ALL
)
GROUP BY who ORDER BY who
"""
_ANSWERS = """
SELECT
  answer, coalesce(replace(split_part(fault, ':', 1), '_', ' '), '') AS fault, count(*) AS n,
  count(*) FILTER (late_by_ms > $late)
FROM here GROUP BY answer, 2 ORDER BY answer, n DESC
"""
_REASONS = "SELECT reason, count(*) AS n FROM here GROUP BY reason ORDER BY n DESC, reason"


class Chart(dict[str, int]):
    """Counted plays by song or artist, in chart order."""

    def share(self, *keys: str) -> float:
        """Return the share of all plays that the keys have together."""
        return sum(self.get(key, 0) for key in keys) / sum(self.values())

    def places(self, *keys: str) -> list[int]:
        """Return the places of the keys that are in the chart; equal counts share a place."""
        found = [self[key] for key in keys if key in self]
        return sorted(1 + sum(n > one for n in self.values()) for one in found)

    def describe(self, *keys: str) -> str:
        """Format the keys' share and places."""
        places = "/".join(f"{place:,}" for place in self.places(*keys))
        return f"{_percent(self.share(*keys))}, {places or 'no place'}"


class Ledgers:
    """The records of a scenario, and those of the same time without it."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._db = duckdb.connect()
        songs = {"song_id": CATALOGUE.song_ids, "artist": CATALOGUE.artists}
        self._db.register("songs", pa.table(songs))
        self.simulate(WITHOUT)

    def simulate(self, table: str, *options: str) -> None:
        """Simulate with a ledger, and load its records into a table."""
        with TemporaryDirectory(dir=self._scratch) as folder:
            command = [sys.executable, "-m", "crossfade", "generate", *GIVEN, *options]
            command += ["--out", f"{folder}/plays.jsonl", "--ledger", f"{folder}/ledger"]
            subprocess.run(command, check=True)
            self._db.execute(_RECORDS.format(table=table, folder=f"{folder}/ledger"))

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._db.execute(query, values or None).fetchall()

    def count(self, condition: str, **values: object) -> int:
        """Count records of the scenario."""
        return int(self.ask(f"SELECT count(*) FROM here WHERE {condition}", **values)[0][0])

    def chart(self, begin: int = 0, end: int = END, table: str = WITH, **how: Any) -> Chart:
        """Return the chart of a span; `country`, `by` (the key) and `cap` are optional."""
        values = {name: how[name] for name in ("country",) if name in how}
        place = "country = $country" if values else "true"
        query = _CHART.format(by=how.get("by", "song_id"), table=table, place=place)
        return Chart(self.ask(query, begin=begin, end=end, cap=how.get("cap", END), **values))

    def countries(self, least: int) -> list[str]:
        """List the countries with at least this many counted plays."""
        return [code for code, n in self.chart(by="country").items() if n >= least]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _draw(*rows: tuple[object, ...]) -> str:
    """Format a table; the first row is its head."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    head, *lines = (f"| {' | '.join(row)} |" for row in texts)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *lines])


def show_viral_song(ledgers: Ledgers, scenario: Scenario) -> str:
    """Show the song's share and place, in its country and in the world."""
    (spike,) = scenario.spikes
    song, home = CATALOGUE.song_ids[spike.song or 0], spike.country or ""
    risen = spike.at_ms + spike.rise_ms
    spans = ((0, spike.at_ms), (0, MINUTE_MS), (risen, END), (risen, END, WITHOUT))
    places: dict[str, dict[str, Any]] = {"India": {"country": home}, "the world": {}}
    rows = {
        name: tuple(ledgers.chart(*span, **where).describe(song) for span in spans)
        for name, where in places.items()
    }
    second = list(ledgers.chart(risen, country=home))[1]
    seconds = (ledgers.chart(*span, country=home).describe(second) for span in spans)
    [(different,)] = ledgers.ask(_DIFFERENT, but=home)
    heads = ("before", "the first minute", "at the height", "same time, without the scenario")
    return _draw(
        ("share and place of the song", *heads),
        *((name, *cells) for name, cells in rows.items()),
        ("India: the song that is second at the height", *seconds),
        ("plays in other countries that differ", "", "", different, ""),
    )


def show_album_drop(ledgers: Ledgers, scenario: Scenario) -> str:
    """Show the places of the album's songs and artist, and the plays of other songs."""
    (spike,) = scenario.spikes
    both = list(zip(CATALOGUE.artists, CATALOGUE.albums, strict=True))
    one = both[spike.album_of or 0]
    album = [CATALOGUE.song_ids[song] for song, other in enumerate(both) if other == one]
    risen = spike.at_ms + spike.rise_ms
    spans = ((0, spike.at_ms), (risen, END), (risen, END, WITHOUT))
    charts = [ledgers.chart(*span) for span in spans]
    artists = [ledgers.chart(*span, by="artist") for span in spans]
    nexts = (chart.describe(next(name for name in chart if name != one[0])) for chart in artists)
    others = [[song for song in chart if song not in album] for chart in charts]
    moved = max(abs(place - others[1].index(song)) for place, song in enumerate(others[2][:20]))
    places = [ledgers.chart(risen, country=code).places(*album) for code in ledgers.countries(1000)]
    on_top = sum(len(each) == len(album) and max(each) <= len(album) for each in places)
    top = [len(set(list(chart)[:10]) & set(album)) for chart in charts]
    left = [sum(chart[song] for song in rest) for chart, rest in zip(charts, others, strict=True)]
    return _draw(
        ("what", "before", "at the height", "same time, without the scenario"),
        (f"the album's {len(album)} songs", *(chart.describe(*album) for chart in charts)),
        ("songs of the album in the top 10", *top),
        ("the artist", *(chart.describe(one[0]) for chart in artists)),
        ("the first of the other artists", *nexts),
        (
            "countries (1,000 plays or more) led by the album",
            "",
            f"{on_top} of {len(places)}",
            "",
        ),
        ("counted plays of all other songs", "", *left[1:]),
        ("largest change of place in the top 20 of these", "", moved, ""),
    )


def show_country_offline(ledgers: Ledgers, scenario: Scenario) -> str:
    """Show the plays a minute, and how many of the held plays are late."""
    (silence,) = scenario.silences
    begin, end = silence.at_ms, silence.at_ms + silence.for_ms
    back = end + MINUTE_MS
    rows: list[tuple[object, ...]] = []
    for name, span in (
        *(("before", (0, begin)), ("while it lasts", (begin, end))),
        *(("the minute of the return", (end, back)), ("after", (back, END))),
    ):
        values = {"begin": span[0], "end": span[1], "country": silence.country}
        counts = (
            ledgers.count(f"{where} AND {time} >= $begin AND {time} < $end", **values)
            for where in ("country = $country", "country != $country")
            for time in ("sent_ms", "at_ms")
        )
        rows.append((name, *(round(n * MINUTE_MS / (span[1] - span[0])) for n in counts)))
    late = [
        ledgers.count("late_by_ms > $limit", limit=limit)
        for limit in (0, 10 * SECOND_MS, MINUTE_MS, 30 * MINUTE_MS)
    ]
    [(different,)] = ledgers.ask(_DIFFERENT, but="")
    limits = (f"late with `late_after` {limit}" for limit in ("10s", "1m", "30m, the default"))
    heads = ("sent from the US", "heard there", "sent from elsewhere", "heard elsewhere")
    whole = _draw(("plays a minute", *heads), *rows)
    ends = _draw(("held", *limits, "plays that differ in the end"), (*late, different))
    return f"{whole}\n\n{ends}"


def show_bot_farm(ledgers: Ledgers, _scenario: Scenario) -> str:
    """Show the bots' share of plays, and the places of their songs."""
    *_, people = found = sorted(ledgers.ask(_BOTS), key=lambda row: row[0] == "people")
    bots = found[:-1]
    totals = [sum(column) for column in list(zip(*bots, strict=True))[1:]]
    rows = [
        (name, n, *(f"{k:,} ({_percent(k / all_)})" for k, all_ in zip(counts, sums, strict=True)))
        for name, n, *counts in [*bots, ("all bots", *totals)]
        for sums in [[a + b for a, b in zip(totals[1:], people[2:], strict=True)]]
    ]
    who = _draw(("who", "accounts", "plays", "counted plays", "charted plays"), *rows)
    ways = ((WITHOUT, END), (WITH, END), (WITH, MOST_A_DAY))
    heads = ("counted plays, without bots", "counted plays", "charted plays")
    names = (
        *("the world: places of the farm's songs", "the world: median place of the loopers' songs"),
        *("Iceland: plays", "Iceland: plays of each of the first six songs"),
        *(
            "of these six, songs of the farm",
            "countries (100 plays or more) where a bot's song is first",
        ),
    )
    columns = (_show_songs(ledgers, table, cap) for table, cap in ways)
    return f"{who}\n\n{_draw(('what', *heads), *zip(names, *columns, strict=True))}"


def _show_songs(ledgers: Ledgers, table: str, cap: int) -> tuple[object, ...]:
    songs = "SELECT DISTINCT song_id FROM here WHERE bot LIKE $kind"
    farm, loopers = (
        [song for (song,) in ledgers.ask(songs, kind=kind)] for kind in ("farm%", "looper%")
    )
    world = ledgers.chart(table=table, cap=cap)
    ice = ledgers.chart(table=table, country="IS", cap=cap)
    looped = world.places(*loopers)
    first = []
    for code in ledgers.countries(100):
        before = ledgers.chart(table=WITHOUT, country=code)
        after = ledgers.chart(table=table, country=code, cap=cap)
        if before.get(next(iter(after)), 0) < max(before.values()):
            first.append(code)
    return (
        "/".join(map(str, world.places(*farm))) or "not played",
        looped[len(looped) // 2],
        sum(ice.values()),
        "/".join(f"{n:,}" for n in list(ice.values())[:6]),
        sum(song in farm for song in list(ice)[:6]),
        ", ".join(sorted(first)) or "none",
    )


def show_messy_clients(ledgers: Ledgers, _scenario: Scenario) -> str:
    """Show the outcomes of the records, and what the charts lose."""
    answers = ledgers.ask(_ANSWERS, late=30 * MINUTE_MS)
    records = sum(n for _, _, n, _ in answers)
    reasons = [(reason, n) for reason, n in ledgers.ask(_REASONS) if reason]
    plain, chart = ledgers.chart(table=WITHOUT), ledgers.chart()
    without, inside = sum(plain.values()), sum(chart.values())
    counted = ledgers.count("is_counted AND answer = 'accepted'")
    [(unsent,)] = ledgers.ask("SELECT count(*) FROM plain")
    unsent -= ledgers.count("answer != 'duplicate'")
    tops = [list(one)[:50] for one in (plain, chart)]
    same = sum(a == b for a, b in zip(*tops, strict=True))
    heads = (f"of {records:,} records", "fault", "number", "more than 30 minutes late")
    return "\n\n".join(
        [
            _draw(heads, *answers),
            f"Rejected: {', '.join(f'`{reason}` {n:,}' for reason, n in reasons)}.",
            _draw(
                ("counted plays", "number"),
                ("without faults", without),
                ("with faults", f"{counted:,} ({100 * (counted / without - 1):+.2f} %)"),
                ("in the ten minutes", f"{inside:,} ({100 * (inside / without - 1):+.2f} %)"),
                ("plays not yet sent at the end, counted or not", unsent),
                ("first 50 songs: still among the first 50", len(set(tops[0]) & set(tops[1]))),
                ("first 50 songs: in the same place", same),
            ),
        ]
    )


SHOWN = {
    "viral-song": show_viral_song,
    "album-drop": show_album_drop,
    "country-offline": show_country_offline,
    "bot-farm": show_bot_farm,
    "messy-clients": show_messy_clients,
}


def _replace(page: str, name: str, tables: str) -> str:
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end -->\n"
    part = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    replaced, count = part.subn(lambda _: f"{begin}\n{tables}\n\n{end}", page)
    if count != 1:
        sys.exit(f"{PAGE} has {count} places for {name}; 1 needed. Add: {begin}{end}")
    return replaced


def main() -> None:
    """Measure every shipped scenario."""
    with TemporaryDirectory() as scratch:
        ledgers = Ledgers(scratch)
        for name in shipped_scenarios():
            ledgers.simulate(WITH, "--scenario", name)
            tables = SHOWN[name](ledgers, read_scenario(name))
            PAGE.write_text(_replace(PAGE.read_text("utf-8"), name, tables), "utf-8")


if __name__ == "__main__":
    main()
