"""How far the archive had read with a version of bronze: its log names the micro-batch."""

from pathlib import Path

from deltalake import DeltaTable

from crossfade.lake.checkpoint import NO_BATCH, read_plan, read_query_id


def newest_archived(checkpoint: Path, bronze: DeltaTable) -> int:
    """Return the number of the newest micro-batch in a version of bronze; NO_BATCH if none."""
    query_id = read_query_id(checkpoint)
    written = None if query_id is None else bronze.transaction_version(query_id)
    return NO_BATCH if written is None else int(written)


def read_archived_ends(checkpoint: Path, bronze: DeltaTable) -> dict[int, int]:
    """Return the end offsets up to which a version of bronze holds every committed record.

    The last offsets below an end may have no record: they are of transactions.

    Raises:
        DamagedError: the plan of that micro-batch is missing or damaged.
    """
    batch = newest_archived(checkpoint, bronze)
    return {} if batch == NO_BATCH else read_plan(checkpoint, batch).end_offsets
