"""Every record judged again, by the contract's decoder on bronze's own bytes."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.play import Play
from crossfade.erasure.suppression import ERASED, Suppression, is_blank, load_suppression
from crossfade.kafka.topics import LOG_APPEND_TIME
from crossfade.lake.findings import Finding, judge
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.positions import format_position

SAME_VERDICT = "judged again: the same verdict"
SAME_PLAY = "judged again: silver says what the bytes say"
SAME_WINNER = "judged again: the first copy wins"

JUDGED_AT_MOST = 2_000_000
"""Above this many records an even sample is judged again."""

_CHUNK = 50_000
_TEXTS = (
    *("event_id", "user_id", "country", "song_id", "title", "artist", "album", "genre"),
    *("album_artist", "city", "device", "tier", "kind", "source"),
)
_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("reason", pa.string()),
        *((name, pa.string()) for name in _TEXTS),
        ("event_time", pa.int64()),
        ("ms_played", pa.int64()),
        ("is_counted", pa.bool_()),
    ]
)
_FIELDS = _SCHEMA.names[3:]
_Row = tuple[Any, ...]


class _Erased:
    """The verdict on a record of an erased listener."""

    reason = ERASED


_Verdict = Play | Rejection | _Erased


def check_judgement(pinned: PinnedLake, *, at_most: int = JUDGED_AT_MOST) -> list[Finding]:
    """Decode bronze anew and compare verdict, reason, every column of silver, and who won.

    A record is to be erased if an erasure has blanked it, or if it is a suppressed listener's. One
    of a listener whose erasure is not done yet is left out: it may stand in either place.
    """
    [(total,)] = pinned.ask("row_count", table="bronze_song_plays")
    every = max(1, -(-total // max(at_most, 1)))
    judged = _judge_bronze(pinned, every)
    subject = f"{judged:,} records" + ("" if every == 1 else f", an even sample of {total:,}")
    findings = []
    for check, query in ((SAME_VERDICT, "other_verdicts"), (SAME_PLAY, "other_plays")):
        wrong = [f"{format_position(*place)}: {fault}" for *place, fault in pinned.ask(query)]
        same = judged - len(wrong)
        findings.append(judge(check, subject, expected=judged, found=same, wrong=wrong))
    if every == 1:
        wrong = [
            f"{format_position(*place)}: {fault}" for *place, fault in pinned.ask("other_winners")
        ]
        [(winners,)] = pinned.ask("winners")
        same = winners - len(wrong)
        findings.append(judge(SAME_WINNER, subject, expected=winners, found=same, wrong=wrong))
    return findings


def _judge_bronze(pinned: PinnedLake, every: int) -> int:
    pinned.prepare("judged")
    cursor = pinned.open("bronze_values", every=every)
    suppressed = load_suppression(pinned.folder)
    unsettled = load_suppression(pinned.folder, pending=True)
    judged = 0
    while rows := cursor.fetchmany(_CHUNK):
        # Each record by itself: the proof takes another road than Spark, which judges many at once.
        verdicts = [_judge_row(row, suppressed, unsettled) for row in rows]
        settled = [one for one in zip(rows, verdicts, strict=True) if one[1] is not None]
        pinned.connection.register("judged_now", _lay_out(settled))
        pinned.connection.execute("INSERT INTO judged SELECT * FROM judged_now")
        judged += len(settled)
    return judged


def _judge_row(row: _Row, suppressed: Suppression, unsettled: Suppression) -> _Verdict | None:
    """Judge a record; None if it may be judged in two ways for now."""
    _, _, log_time, kind, key, headers, value = row
    named = [(header["key"], header["value"]) for header in headers or ()]
    if is_blank(key, named, value):
        return _Erased()
    verdict = decode_play(value, log_time if kind == LOG_APPEND_TIME else None)
    user_id = None if isinstance(verdict, Rejection) else verdict.user_id
    if unsettled.covers_record(key, user_id, value):
        return None
    return _Erased() if suppressed.covers_record(key, user_id, value) else verdict


def _lay_out(judged: Sequence[tuple[_Row, _Verdict | None]]) -> pa.Table:
    verdicts = [verdict for _, verdict in judged]
    plays = [verdict if isinstance(verdict, Play) else None for verdict in verdicts]
    reasons = [
        None if one is None or isinstance(one, Play) else str(one.reason) for one in verdicts
    ]
    columns = [
        [row[0] for row, _ in judged],
        [row[1] for row, _ in judged],
        reasons,
        *([getattr(play, name, None) for play in plays] for name in _FIELDS),
    ]
    return pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)],
        schema=_SCHEMA,
    )
