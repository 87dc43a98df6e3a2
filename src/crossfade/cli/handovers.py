"""Record, after a run of batch, what the proof found about the windows handed over."""

from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.lake.handovers import Handover, HandoverVerdict, append_handovers
from crossfade.proof.handover import compare_new_handovers, select_settled
from crossfade.telemetry import get_logger

_log = get_logger("proof")


def record_handovers(folder: DataFolder, address: KafkaAddress | None) -> list[Handover]:
    """Compare the windows handed over since the last call, and append the settled verdicts.

    A pending verdict is not written: that run and later ones are compared again by the next call.

    Returns:
        The verdicts of this call, the pending ones included.
    """
    compared = compare_new_handovers(folder, address)
    if settled := select_settled(compared):
        append_handovers(folder.lake, settled)
    for one in settled:
        if one.verdict is HandoverVerdict.UNEXPLAINED:
            _log.error("a hand-over is unexplained", **one._asdict())
    return compared
