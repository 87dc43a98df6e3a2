"""How a run signs its commits to Delta tables, so that a foreign commit is recognised."""

from deltalake import CommitProperties, Transaction, WriterProperties

WRITER = WriterProperties(compression="ZSTD")


def commit_note(run_uuid: str) -> str:
    """Return what every commit of a run carries, by which a foreign commit is known."""
    return f"crossfade run {run_uuid}"


def signed(run_uuid: str, *transactions: Transaction) -> CommitProperties:
    """Return a commit that is made without Spark the run's note, and what else it is to tell."""
    return with_note(commit_note(run_uuid), *transactions)


def with_note(note: str, *transactions: Transaction) -> CommitProperties:
    """Return commit properties that carry a note as Delta's `userMetadata`."""
    return CommitProperties(
        custom_metadata={"userMetadata": note}, app_transactions=list(transactions) or None
    )
