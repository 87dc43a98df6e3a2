"""The API: some ranges answered as the plays of silver, and speed's rows beyond them, add up to."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from faults.oracle_findings import Findings, Kind, Tally
from faults.oracle_gold import find_uncharted, read_plays
from faults.oracle_lake import DAY_MS, Lake, Run, TimeRules
from faults.oracle_speed import Speed

CHECK = "API"
_LIMIT = 1_000
_TRENDING = 6
_ANSWER_S = 30.0
_TAKEN_UP_WITHIN_S = 10.0
_BY = {"songs": "song_id", "artists": "artist", "geography": "country"}

Sums = dict[str, list[int]]
"""By key: charted, counted, plays, ms."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What an answer must be made of: batch below its boundary, speed's rows from there on."""

    lake: Lake
    run: Run
    rules: TimeRules
    speed: Speed | None

    def count(self, begin: int, end: int, by: str) -> Sums:
        """Count the plays of a range; charted plays are known of its whole closed days."""
        sums: Sums = defaultdict(lambda: [0] * 4)
        owned = min(max(self.run.boundary, begin), end)
        self._count_batch(sums, begin, owned, by)
        if self.speed is not None:
            self._count_speed(sums, owned, end, by)
        return sums

    def _count_batch(self, sums: Sums, begin: int, end: int, by: str) -> None:
        days = begin + -begin % DAY_MS, end - end % DAY_MS
        uncharted = find_uncharted(self.lake, self.run, days[1])
        columns = [by, "is_counted", "ms_played", "partition", "offset"]
        for batch, times in read_plays(self.lake, self.run, columns, begin, end):
            rows = zip(times.tolist(), *(batch[name].to_pylist() for name in columns), strict=True)
            for at, key, is_counted, ms_played, *place in rows:
                in_day = days[0] <= at < days[1]
                is_charted = is_counted and not (in_day and tuple(place) in uncharted)
                _add(sums[key], is_charted, is_counted, 1, ms_played or 0)

    def _count_speed(self, sums: Sums, begin: int, end: int, by: str) -> None:
        assert self.speed is not None
        column = {"country": 0, "song_id": 1, "artist": 3}[by]
        for (window, grain), (_, _, said) in self.speed.generation.recent.items():
            if begin <= window < end:
                plays, counted, ms_played = said
                _add(sums[str(grain[column])], counted, counted, plays, ms_played)


class Answered(NamedTuple):
    """A question to the API, and its answer."""

    path: str
    query: Mapping[str, Any]
    answer: Mapping[str, Any]


def ask_api(run: Run, rules: TimeRules, address: str, *, is_speed_known: bool) -> list[Answered]:
    """Ask for ranges below the boundary, across it, and for what is trending.

    The API takes up a new run a moment after it was published: so long it is asked again.
    """
    with httpx.Client(base_url=f"{address}/api/v1", timeout=_ANSWER_S) as client:
        deadline = time.monotonic() + _TAKEN_UP_WITHIN_S
        while not _stands_at(run, client.get("status").json()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [
            Answered(path, query, client.get(path, params=query).raise_for_status().json())
            for path, query in _questions(run, rules, is_speed_known=is_speed_known)
        ]


def check_api(sides: Sides, answers: Iterable[Answered], findings: Findings) -> None:
    """Compare the answers with what both sides add up to."""
    for one in answers:
        name = f"/{one.path}?{'&'.join(f'{key}={value}' for key, value in one.query.items())}"
        if _stands_at(sides.run, one.answer):
            _compare(sides, name, one, findings)
        else:
            moved = one.answer["boundary"]
            findings.note(f"unchecked, {CHECK}: {name}: the boundary moved to {moved}")


def _questions(
    run: Run, rules: TimeRules, *, is_speed_known: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    boundary, grain = run.boundary, rules.grain
    day = boundary - boundary % DAY_MS
    ranges = [(boundary - _TRENDING * grain, boundary), (day - DAY_MS, boundary)]
    ranges.append((day - 30 * DAY_MS, day))
    if is_speed_known:
        ranges.append((boundary - 3 * grain, boundary + 60 * grain))
        yield "trending", {"limit": _LIMIT}
    for begin, end in ranges:
        for path in ("charts/songs", "charts/artists", "geography"):
            yield path, {"from": _time(begin), "to": _time(end), "limit": _LIMIT}


def _stands_at(run: Run, answer: Mapping[str, Any]) -> bool:
    told = answer["boundary"]
    return told is not None and _milliseconds(told) == run.boundary


def _compare(sides: Sides, name: str, asked: Answered, findings: Findings) -> None:
    path, _, answer = asked
    by = _BY.get(path.split("/")[-1], "song_id")
    sums = sides.count(_milliseconds(answer["from"]), _milliseconds(answer["to"]), by)
    ranked = sorted(sums.items(), key=lambda one: ([-measure for measure in one[1]], one[0]))
    if path.startswith("charts"):
        ranked = [one for one in ranked if one[1][0] > 0]
    wanted = [_row(key, measures) for key, measures in ranked[:_LIMIT]]
    held = [
        (row[by], *(row[name] for name in ("charted_plays", "counted_plays", "plays", "minutes")))
        for row in answer["rows"]
    ]
    wrong = Tally()
    for rank in range(max(len(wanted), len(held))):
        ours = wanted[rank] if rank < len(wanted) else None
        told = held[rank] if rank < len(held) else None
        if ours != told:
            wrong.add(f"{name}, rank {rank + 1}: {told} answered, {ours} counted")
    findings.add(Kind.WRONG, CHECK, wrong.names, total=wrong.total)
    findings.looked_at("rows of answers", len(held))


def _row(key: str, measures: list[int]) -> tuple[Any, ...]:
    charted, counted, plays, ms_played = measures
    return key, charted, counted, plays, round(ms_played / 60_000, 2)


def _add(sums: list[int], *measures: int) -> None:
    for number, measure in enumerate(measures):
        sums[number] += measure


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat().replace("+00:00", "Z")


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)
