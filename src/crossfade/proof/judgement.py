"""The check of every record's verdict: bronze's bytes are decoded again by the contract."""

from collections.abc import Sequence

import pyarrow as pa

from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.play import Play
from crossfade.erasure.suppression import ERASED, Suppression, is_blank, load_suppression
from crossfade.kafka.topics import LOG_APPEND_TIME
from crossfade.lake.findings import Finding, judge
from crossfade.proof.pinned import PinnedLake, SqlRow
from crossfade.proof.positions import format_position

SAME_VERDICT = "judged again: the same verdict"
SAME_VALUES = "judged again: silver equals the bytes"
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
        ("artist_key", pa.string()),
    ]
)
_FIELDS = _SCHEMA.names[3:]


class _Erased:
    """The verdict on a record of an erased listener."""

    reason = ERASED


_Verdict = Play | Rejection | _Erased


def check_judgement(pinned: PinnedLake, *, at_most: int = JUDGED_AT_MOST) -> list[Finding]:
    """Decode bronze again; compare verdict, reason, all columns of silver, and duplicates' winners.

    A record must be erased if an erasure has blanked it, or if its listener is suppressed. Records
    of a listener whose erasure is not finished are left out: both verdicts are right for them.
    """
    [(total,)] = pinned.fetch("row_count", table="bronze_song_plays")
    every = max(1, -(-total // max(at_most, 1)))
    judged = _judge_bronze(pinned, every)
    subject = f"{judged:,} records" + ("" if every == 1 else f", an even sample of {total:,}")
    findings = []
    for check, query in ((SAME_VERDICT, "other_verdicts"), (SAME_VALUES, "other_plays")):
        wrong = [f"{format_position(*place)}: {fault}" for *place, fault in pinned.fetch(query)]
        same = judged - len(wrong)
        findings.append(judge(check, subject, expected=judged, found=same, wrong=wrong))
    if every == 1:
        wrong = [
            f"{format_position(*place)}: {fault}" for *place, fault in pinned.fetch("other_winners")
        ]
        [(winners,)] = pinned.fetch("winners")
        same = winners - len(wrong)
        findings.append(judge(SAME_WINNER, subject, expected=winners, found=same, wrong=wrong))
    return findings


def _judge_bronze(pinned: PinnedLake, every: int) -> int:
    pinned.prepare("judged")
    suppressed = load_suppression(pinned.folder)
    unsettled = load_suppression(pinned.folder, pending=True)
    judged = 0
    with pinned.open_cursor("bronze_values", every=every) as cursor:
        while rows := cursor.fetchmany(_CHUNK):
            # One record at a time: another code path than Spark, which decodes many together.
            verdicts = [_judge_row(row, suppressed, unsettled) for row in rows]
            settled = [one for one in zip(rows, verdicts, strict=True) if one[1] is not None]
            pinned.connection.register("judged_now", _to_arrow(settled))
            pinned.connection.execute("INSERT INTO judged SELECT * FROM judged_now")
            judged += len(settled)
    return judged


def _judge_row(row: SqlRow, suppressed: Suppression, unsettled: Suppression) -> _Verdict | None:
    """Judge a record; None while two verdicts are right, as its listener is being erased."""
    _, _, log_time, kind, key, headers, value = row
    named = [(header["key"], header["value"]) for header in headers or ()]
    if is_blank(key, named, value):
        return _Erased()
    verdict = decode_play(value, log_time if kind == LOG_APPEND_TIME else None)
    user_id = None if isinstance(verdict, Rejection) else verdict.user_id
    if unsettled.covers_record(key, user_id, value):
        return None
    return _Erased() if suppressed.covers_record(key, user_id, value) else verdict


def _to_arrow(judged: Sequence[tuple[SqlRow, _Verdict | None]]) -> pa.Table:
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
