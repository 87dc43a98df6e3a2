"""Replay of rejected records that were repaired, or that the current rules accept."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec

from crossfade.clock import now_ms, utc_date
from crossfade.contract.decode import decode_play
from crossfade.contract.identities import derive_repaired_event_id
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.rules import RULES, BrokenRuleError
from crossfade.erasure.suppression import Suppression
from crossfade.ingest.delivery import Delivery
from crossfade.ingest.replay_report import Candidate, ReplayReport
from crossfade.ingest.rows import Judge
from crossfade.kafka.topics import SONG_PLAYS
from crossfade.lake.connection import connect, register_table
from crossfade.lake.rejected_log import RejectedLog
from crossfade.lake.runs import Run
from crossfade.lake.tables import SILVER_PLAYS, list_files

_BATCH_ROWS = 10_000
_BATCH_BYTES = 32 * 1024 * 1024

_EVENT_ID = next(rule for rule in RULES if rule.name == "event_id")
_EVENT_ID_REASONS = (Reason.MISSING_FIELD, Reason.TYPE_MISMATCH, Reason.EVENT_ID_INVALID)
_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class SilverPlays:
    """The plays in silver at the version that a run pinned; use it as a context manager."""

    def __init__(self, lake: Path, run: Run) -> None:
        files = list_files(lake, SILVER_PLAYS, run.pins.get(SILVER_PLAYS.name))
        self._connection = connect()
        register_table(self._connection, SILVER_PLAYS, files)

    def __enter__(self) -> "SilverPlays":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def find(self, plays: Sequence[Play]) -> set[tuple[str, str, date]]:
        """Return the identities of those plays that silver contains."""
        if not plays:
            return set()
        users, events, days = zip(*map(_identify, plays), strict=True)
        months = ", ".join(sorted({f"'{day:%Y-%m}'" for day in days}))
        rows = self._connection.execute(
            "SELECT user_id, event_id, date FROM silver_plays SEMI JOIN (SELECT "
            "unnest(?::VARCHAR[]) AS user_id, unnest(?::VARCHAR[]) AS event_id, "
            "unnest(?::DATE[]) AS date) USING (user_id, event_id, date) "
            f"WHERE month IN ({months})",
            [users, events, days],
        ).fetchall()
        return set(rows)


def replay_records(
    batches: Iterable[Sequence[Candidate]],
    silver: SilverPlays,
    report: ReplayReport,
    *,
    clock_slack_ms: int,
    suppression: Suppression,
    open_delivery: Callable[[], Delivery] | None,
    on_progress: Callable[[ReplayReport], None] = lambda _report: None,
) -> None:
    """Judge records again, and send those that are plays now and are not in silver yet.

    Log time is replaced by the local clock minus `clock_slack_ms`, as for an import. A play keeps
    its identity, so one that is sent twice before batch has read it is counted once.

    Args:
        batches: the records, in batches.
        silver: the plays that batch has read already.
        report: gets all results.
        clock_slack_ms: the most by which the local clock may differ from the broker's.
        suppression: the erased listeners, whose plays are not sent.
        open_delivery: connects to Kafka; called before the first play is sent. None: a dry run.
        on_progress: called after each batch.
    """
    delivery: Delivery | None = None
    for batch in batches:
        plays = _judge_batch(batch, report, clock_slack_ms)
        known = silver.find([play for play, _ in plays])
        for play, value in plays:
            if suppression.covers(play.user_id):
                report.erased += 1
                continue
            if _identify(play) in known:
                report.already_counted += 1
                continue
            report.sent += 1
            if open_delivery is not None:
                delivery = delivery or open_delivery()
                delivery.send(play.user_id, value)
        on_progress(report)
        if delivery is not None and delivery.undelivered:
            break
    if delivery is not None:
        delivery.finish()
        report.undelivered, report.undelivered_why = delivery.undelivered, delivery.why


def read_stored(
    log: RejectedLog, report: ReplayReport, reason: Reason | None = None
) -> Iterator[list[Candidate]]:
    """Yield the lake's rejected records in batches, oldest first; count those without bytes."""

    def read() -> Iterator[Candidate]:
        for record in log.read(reason, is_newest_first=False):
            if record.value is None:
                report.erased += 1
            else:
                yield Candidate((record.partition, record.offset), record.value)

    return cut_batches(read())


def cut_batches(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    """Group records into batches: one query of the lake each, and small enough for memory."""
    batch: list[Candidate] = []
    size = 0
    for candidate in candidates:
        batch.append(candidate)
        size += len(candidate.value)
        if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _judge_batch(
    batch: Sequence[Candidate], report: ReplayReport, clock_slack_ms: int
) -> list[tuple[Play, bytes]]:
    plays = []
    for candidate in batch:
        value, verdict = judge_candidate(
            candidate, lambda value: decode_play(value, now_ms() - clock_slack_ms)
        )
        report.judged += 1
        if isinstance(verdict, Rejection):
            report.add_rejection(candidate, verdict)
        else:
            plays.append((verdict, value))
    return plays


def judge_candidate(candidate: Candidate, judge: Judge) -> tuple[bytes, Play | Rejection]:
    """Judge a record; a repaired one without a valid `event_id` gets one from its position."""
    verdict = judge(candidate.value)
    if candidate.line is None or not isinstance(verdict, Rejection):
        return candidate.value, verdict
    if verdict.reason not in _EVENT_ID_REASONS:
        return candidate.value, verdict
    fields = _read_object(candidate.value)
    if _has_event_id(fields):
        return candidate.value, verdict
    event_id = derive_repaired_event_id(SONG_PLAYS, *candidate.position)
    fields["event_id"] = msgspec.Raw(msgspec.json.encode(event_id))
    completed = msgspec.json.encode(fields)
    return completed, judge(completed)


def _has_event_id(fields: dict[str, msgspec.Raw]) -> bool:
    try:
        _EVENT_ID.judge(fields.get("event_id"))
    except BrokenRuleError:
        return False
    return True


def _identify(play: Play) -> tuple[str, str, date]:
    """Return a play's identity with the types of silver's columns."""
    return play.user_id, play.event_id, utc_date(play.event_time)
