"""The comparison of hand-overs: reads speed's values from Kafka and batch's from the lake."""

from collections.abc import Sequence

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.errors import BrokerError
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.reach import require_broker
from crossfade.lake.handovers import Handover, HandoverVerdict, read_handovers
from crossfade.lake.runs import read_newest_run
from crossfade.proof.handover_facts import find_handovers
from crossfade.proof.pinned import PinnedLake, open_pinned_lake
from crossfade.proof.speed_log import read_speed_log
from crossfade.proof.verdicts import compare_handovers
from crossfade.telemetry import get_logger

_log = get_logger("proof")


def compare_new_handovers(folder: DataFolder, address: KafkaAddress | None) -> list[Handover]:
    """Compare the windows that were handed over by runs after the newest recorded one.

    Returns:
        A verdict for each window. Empty while Kafka is away: the next call compares the windows.
    """
    if address is None or read_newest_run(folder.lake) is None:
        return []
    last_run = max((one.run for one in read_handovers(folder.lake)), default=0)
    with open_pinned_lake(folder) as pinned:
        try:
            require_broker(address)
            return find_verdicts(pinned, address, after_run=last_run)
        except BrokerError as error:
            _log.warning("hand-overs wait: Kafka is away", reason=str(error))
            return []


def find_verdicts(
    pinned: PinnedLake, address: KafkaAddress, *, after_run: int = 0
) -> list[Handover]:
    """Compare all windows that the runs after `after_run` took over."""
    boundaries = {run: boundary for run, boundary, *_ in pinned.fetch("runs")}
    covered = {run: dict(ends) for run, _, ends, _ in pinned.fetch("runs")}
    windows_from, windows_to = boundaries.get(after_run, NO_BOUNDARY), pinned.run.boundary
    if windows_from == windows_to:
        return []
    speed = read_speed_log(address, windows_from=windows_from, windows_to=windows_to)
    facts = find_handovers(pinned, speed, after_run=after_run, windows_from=windows_from)
    return compare_handovers(
        facts, speed.progress, covered=covered, grain_ms=pinned.folder.time_rules.grain_ms
    )


def select_settled(handovers: Sequence[Handover]) -> list[Handover]:
    """Return the verdicts of the runs before the first one with a pending verdict."""
    pending = [one.run for one in handovers if one.verdict is HandoverVerdict.PENDING]
    first_pending = min(pending, default=None)
    return [one for one in handovers if first_pending is None or one.run < first_pending]
