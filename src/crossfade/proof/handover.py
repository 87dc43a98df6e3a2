"""Hand-overs recorded: each window's verdict goes to ops/handover once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from deltalake import write_deltalake

from crossfade.clock import now_ms
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.errors import BrokerError
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import require_broker
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import read_newest_run
from crossfade.lake.tables import (
    OPS_HANDOVER,
    list_files,
    table_path,
)
from crossfade.proof.handover_facts import find_handovers
from crossfade.proof.pinned import PinnedLake, open_pinned_lake
from crossfade.proof.speed_log import read_speed_log
from crossfade.proof.verdicts import Handover, HandoverVerdict, compare_handovers
from crossfade.telemetry import get_logger

_log = get_logger("proof")

_SCHEMA = pa.schema(
    [
        ("run", pa.int32()),
        ("window_start", pa.timestamp("us", tz="UTC")),
        ("speed_plays", pa.int64()),
        ("batch_plays", pa.int64()),
        ("repeated_plays", pa.int64()),
        ("verdict", pa.string()),
        ("compared_at", pa.timestamp("us", tz="UTC")),
    ]
)


def record_handovers(folder: DataFolder, address: KafkaAddress | None) -> list[Handover]:
    """Compare what was handed over since the last call and append the verdicts.

    What speed has not reached yet stays pending: it is not written, and compared again at the next
    call, and so is everything while Kafka is away. A window is written once, by the run that took
    it over.

    Returns:
        The verdicts of this call, the pending ones too.
    """
    if address is None or read_newest_run(folder.lake) is None:
        return []
    pinned = open_pinned_lake(folder)
    try:
        known = read_recorded(folder)
        last_run = max((one.run for one in known), default=0)
        try:
            require_broker(address)
            found = find_verdicts(pinned, address, after_run=last_run)
        except BrokerError as error:
            _log.warning("hand-overs wait: Kafka is away", reason=str(error))
            return []
        if settled := _settled(found):
            append_handovers(folder, settled)
            _tell_unexplained(settled)
    finally:
        pinned.connection.close()
    return found


def find_verdicts(
    pinned: PinnedLake, address: KafkaAddress, *, after_run: int = 0
) -> list[Handover]:
    """Compare all windows that the runs after `after_run` took over."""
    boundaries = {run: boundary for run, boundary, _ in pinned.ask("runs")}
    covered = {run: dict(ends) for run, _, ends in pinned.ask("runs")}
    windows_from, windows_to = boundaries.get(after_run, NO_BOUNDARY), pinned.run.boundary
    if windows_from == windows_to:
        return []
    speed = read_speed_log(address, windows_from=windows_from, windows_to=windows_to)
    facts = find_handovers(pinned, speed, after_run=after_run, windows_from=windows_from)
    return compare_handovers(
        facts, speed.progress, covered=covered, grain_ms=pinned.folder.time_rules.grain_ms
    )


def read_recorded(folder: DataFolder) -> list[Handover]:
    """Read every verdict that was recorded."""
    connection = connect()
    register_table(connection, OPS_HANDOVER, list_files(folder.lake, OPS_HANDOVER))
    rows = connection.execute(
        "SELECT run, epoch_ms(window_start), speed_plays, batch_plays, repeated_plays, verdict "
        "FROM ops_handover ORDER BY run, window_start"
    ).fetchall()
    connection.close()
    return [
        Handover(run, window, speed, batch, repeated, HandoverVerdict(verdict))
        for run, window, speed, batch, repeated, verdict in rows
    ]


def _settled(found: Sequence[Handover]) -> list[Handover]:
    """Leave out the first run that is pending and all after it, so that none is ever skipped."""
    pending = [one.run for one in found if one.verdict is HandoverVerdict.PENDING]
    first_pending = min(pending, default=None)
    return [one for one in found if first_pending is None or one.run < first_pending]


def append_handovers(folder: DataFolder, handovers: Sequence[Handover]) -> None:
    """Add rows to ops/handover, in one commit."""
    compared_at = _moment(now_ms())
    rows = [
        {
            **one._asdict(),
            "window_start": _moment(one.window_start),
            "verdict": str(one.verdict),
            "compared_at": compared_at,
        }
        for one in handovers
    ]
    write_deltalake(
        table_path(folder.lake, OPS_HANDOVER), pa.Table.from_pylist(rows, _SCHEMA), mode="append"
    )


def _tell_unexplained(settled: Sequence[Handover]) -> None:
    for one in settled:
        if one.verdict is HandoverVerdict.UNEXPLAINED:
            _log.error("a hand-over is unexplained", **one._asdict())


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms)
