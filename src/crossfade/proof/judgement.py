"""Every record judged again, by the contract's decoder on bronze's own bytes."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from crossfade.contract.decode import Rejection, decode_play
from crossfade.kafka import LOG_APPEND_TIME
from crossfade.proof.findings import Finding, judge
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.positions import name_position

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


def check_judgement(pinned: PinnedLake, *, at_most: int = JUDGED_AT_MOST) -> list[Finding]:
    """Decode bronze anew and compare verdict, reason, every column of silver, and who won."""
    [(total,)] = pinned.ask("row_count", table="bronze_song_plays")
    every = max(1, -(-total // max(at_most, 1)))
    judged = _judge_bronze(pinned, every)
    subject = f"{judged:,} records" + ("" if every == 1 else f", an even sample of {total:,}")
    findings = []
    for check, query in ((SAME_VERDICT, "other_verdicts"), (SAME_PLAY, "other_plays")):
        wrong = [f"{name_position(*place)}: {fault}" for *place, fault in pinned.ask(query)]
        same = judged - len(wrong)
        findings.append(judge(check, subject, expected=judged, found=same, wrong=wrong))
    if every == 1:
        wrong = [
            f"{name_position(*place)}: {fault}" for *place, fault in pinned.ask("other_winners")
        ]
        [(winners,)] = pinned.ask("winners")
        same = winners - len(wrong)
        findings.append(judge(SAME_WINNER, subject, expected=winners, found=same, wrong=wrong))
    return findings


def _judge_bronze(pinned: PinnedLake, every: int) -> int:
    pinned.prepare("judged")
    cursor = pinned.open("bronze_values", every=every)
    judged = 0
    while rows := cursor.fetchmany(_CHUNK):
        pinned.connection.register("judged_now", _judge_rows(rows))
        pinned.connection.execute("INSERT INTO judged SELECT * FROM judged_now")
        judged += len(rows)
    return judged


def _judge_rows(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    # Each record by itself: the proof takes another road than Spark, which judges many at once.
    verdicts = [
        decode_play(value, log_time if kind == LOG_APPEND_TIME else None)
        for _, _, log_time, kind, value in rows
    ]
    plays = [None if isinstance(verdict, Rejection) else verdict for verdict in verdicts]
    reasons = [str(one.reason) if isinstance(one, Rejection) else None for one in verdicts]
    columns = [
        [row[0] for row in rows],
        [row[1] for row in rows],
        reasons,
        *([getattr(play, name, None) for play in plays] for name in _FIELDS),
    ]
    return pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)],
        schema=_SCHEMA,
    )
