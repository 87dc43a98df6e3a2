"""The API: compare answers for some ranges with the sums of silver's plays and speed's rows."""

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
from faults.oracle_plays import fold
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
class ExpectedCounts:
    """Counts the expected answer: silver's plays below the boundary, speed's rows from there on."""

    lake: Lake
    run: Run
    rules: TimeRules
    speed: Speed | None

    def count(self, begin: int, end: int, by: str) -> Sums:
        """Count the plays of a range; the daily cap is applied to its whole closed days."""
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
                _add(sums[_key(by, key)], is_charted, is_counted, 1, ms_played or 0)

    def _count_speed(self, sums: Sums, begin: int, end: int, by: str) -> None:
        assert self.speed is not None
        column = {"country": 0, "song_id": 1, "artist": 3}[by]
        for (window, grain), (_, _, value) in self.speed.generation.recent.items():
            if begin <= window < end:
                plays, counted, ms_played = value
                _add(sums[_key(by, str(grain[column]))], counted, counted, plays, ms_played)


class ApiAnswer(NamedTuple):
    """A question to the API, and its answer."""

    path: str
    query: Mapping[str, Any]
    answer: Mapping[str, Any]


def ask_api(run: Run, rules: TimeRules, address: str, *, is_speed_known: bool) -> list[ApiAnswer]:
    """Query ranges below the boundary and across it, and what is trending.

    The API serves a new run a moment after it was published, so wait for it for up to 10 s.
    """
    with httpx.Client(base_url=f"{address}/api/v1", timeout=_ANSWER_S) as client:
        deadline = time.monotonic() + _TAKEN_UP_WITHIN_S
        while not _is_at_boundary(run, client.get("status").json()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [
            ApiAnswer(path, query, client.get(path, params=query).raise_for_status().json())
            for path, query in _list_queries(run, rules, is_speed_known=is_speed_known)
        ]


def check_api(expected: ExpectedCounts, answers: Iterable[ApiAnswer], findings: Findings) -> None:
    """Compare the API's answers with the counts of batch and speed."""
    for one in answers:
        name = f"/{one.path}?{'&'.join(f'{key}={value}' for key, value in one.query.items())}"
        if _is_at_boundary(expected.run, one.answer):
            _compare(expected, name, one, findings)
        else:
            moved = one.answer["boundary"]
            findings.note(f"unchecked, {CHECK}: {name}: the boundary moved to {moved}")


def _list_queries(
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


def _is_at_boundary(run: Run, answer: Mapping[str, Any]) -> bool:
    boundary = answer["boundary"]
    return boundary is not None and _milliseconds(boundary) == run.boundary


def _compare(expected: ExpectedCounts, name: str, asked: ApiAnswer, findings: Findings) -> None:
    path, _, answer = asked
    by = _BY.get(path.split("/")[-1], "song_id")
    sums = expected.count(_milliseconds(answer["from"]), _milliseconds(answer["to"]), by)
    ranked = sorted(sums.items(), key=lambda one: ([-measure for measure in one[1]], one[0]))
    if path.startswith("charts"):
        ranked = [one for one in ranked if one[1][0] > 0]
    wanted = [_row(key, measures) for key, measures in ranked[:_LIMIT]]
    held = [
        (
            _key(by, row[by]),
            *(row[name] for name in ("charted_plays", "counted_plays", "plays", "minutes")),
        )
        for row in answer["rows"]
    ]
    wrong = Tally()
    for rank in range(max(len(wanted), len(held))):
        ours = wanted[rank] if rank < len(wanted) else None
        theirs = held[rank] if rank < len(held) else None
        if ours != theirs:
            wrong.add(f"{name}, rank {rank + 1}: {theirs} answered, {ours} counted")
    findings.add(Kind.WRONG, CHECK, wrong.names, total=wrong.total)
    findings.note_checked("rows of answers", len(held))


def _key(by: str, name: str) -> str:
    return fold(name) if by == "artist" else name


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
