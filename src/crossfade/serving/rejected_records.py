"""The answer about rejected records as of the newest run: counts by reason, and the newest."""

from crossfade.clock import format_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.reasons import Reason
from crossfade.folder import DataFolder
from crossfade.lake.rejected_log import RejectedLog, describe
from crossfade.serving.answers import Answer, RequestView

_FIRST_BYTES = 4_096
"""How many of a record's bytes an answer holds; nearly every record has fewer."""


def answer_rejected(
    view: RequestView, folder: DataFolder, *, limit: int, reason: Reason | None = None
) -> Answer:
    """Return the newest rejected records, of one reason if given; none before the first run."""
    run, boundary = view.snapshot.run, view.snapshot.boundary
    answer: Answer = {"rows": [], "by_reason": {}, "boundary": None, "as_of": None}
    if run is None:
        return answer
    with RejectedLog(folder.lake, run) as log:
        return {
            "rows": [describe(record, _FIRST_BYTES) for record in log.read(reason, limit=limit)],
            "by_reason": log.count_by_reason(),
            "boundary": format_time(boundary) if boundary > NO_BOUNDARY else None,
            "as_of": format_time(run.published_at_ms),
        }
