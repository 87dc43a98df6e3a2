"""Records with their verdict: a file's bytes are the record, its folder says what becomes of it.

`accepted/` holds plays, `rejected/REASON/` what is refused for that reason; all are judged as if
Kafka had got them at `EXAMPLE_LOG_TIME_MS`. Adding a case is adding a file. Names begin with the
case's id in the list of hostile inputs (docs/contract.md), where it has one. What cannot be a file
is in `generated`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crossfade.contract.reasons import Reason

EXAMPLE_LOG_TIME_MS = 1_767_225_660_000
"""2026-01-01T00:01:00Z."""

_FOLDER = Path(__file__).parent


class Example(NamedTuple):
    """A record, and the reason for which it is rejected (None: it is accepted)."""

    name: str
    value: bytes | None
    reason: Reason | None


def read_examples() -> Iterator[Example]:
    """Return every example that is a file, accepted ones first, in the order of their names."""
    for path in sorted((_FOLDER / "accepted").iterdir()):
        yield Example(path.stem, path.read_bytes(), None)
    for path in sorted((_FOLDER / "rejected").glob("*/*")):
        reason = Reason(path.parent.name)
        yield Example(f"{reason}/{path.stem}", path.read_bytes(), reason)
