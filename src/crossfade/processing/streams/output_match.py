"""The check that a query's checkpoint and its output are equally new.

A sink skips a micro-batch whose number it already holds. If the checkpoint is older than the
output, for example after a restore of only one of them, records would be lost silently.
"""

from pathlib import Path

from crossfade.errors import LakeError
from crossfade.lake.checkpoint import newest_committed, newest_planned


def require_output_match(checkpoint: Path, written: int, query: str) -> None:
    """Raise unless the output's newest micro-batch is one that this checkpoint can have written.

    Args:
        checkpoint: the query's checkpoint.
        written: the number of the newest micro-batch in the output; -1 if there is none.
        query: the query's name.

    Raises:
        LakeError: one of them is older than the other.
    """
    committed, planned = newest_committed(checkpoint), newest_planned(checkpoint)
    if not committed <= written <= planned:
        what = (
            f"The output of {query} holds micro-batch {written}, but its checkpoint {checkpoint} "
            f"is at {committed} to {planned}."
        )
        raise LakeError(what, "Restore both from one backup: otherwise records would be lost.")
