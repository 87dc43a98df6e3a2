"""A query's two halves, its checkpoint and its output: are they of the same moment?

Sinks skip a micro-batch whose number they already hold. So a checkpoint that is older than its
output, as after a restore of one of them, would lose records in silence: a start refuses it.
"""

from pathlib import Path

from crossfade.errors import LakeError
from crossfade.lake.checkpoint import newest_committed, newest_planned


def require_output_match(checkpoint: Path, written: int, query: str) -> None:
    """Refuse an output whose newest micro-batch is none that the checkpoint may have just written.

    Args:
        checkpoint: the query's checkpoint.
        written: number of the newest micro-batch in the output; -1: none.
        query: the query's name.

    Raises:
        LakeError: one half is older than the other.
    """
    committed, planned = newest_committed(checkpoint), newest_planned(checkpoint)
    if not committed <= written <= planned:
        what = (
            f"The output of {query} holds micro-batch {written}, but its checkpoint {checkpoint} "
            f"is at {committed} to {planned}."
        )
        raise LakeError(what, "Restore both from one backup: else records would be lost.")
