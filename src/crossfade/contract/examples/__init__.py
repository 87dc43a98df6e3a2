"""Example records and their verdicts; the bytes of a file are the record.

`accepted/` holds plays, `reduced/FIELD/` plays of which that field is dropped, and
`rejected/REASON/` records that are rejected for that reason. All are judged with
`EXAMPLE_LOG_TIME_MS` as log time. To add a case, add a file. A name begins with the
case's id in the list of hostile inputs (docs/contract.md), if it has one. `generated` has the
examples that cannot be files.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crossfade.contract.reasons import Reason

EXAMPLE_LOG_TIME_MS = 1_767_225_660_000
"""2026-01-01T00:01:00Z."""

_FOLDER = Path(__file__).parent


class Example(NamedTuple):
    """A record, and the reason for its rejection (None: it is accepted) or the dropped field."""

    name: str
    value: bytes | None
    reason: Reason | None
    dropped: str | None = None


def read_examples() -> Iterator[Example]:
    """Yield every example that is a file: accepted ones first, each group sorted by name."""
    for path in sorted((_FOLDER / "accepted").iterdir()):
        yield Example(path.stem, path.read_bytes(), None)
    for path in sorted((_FOLDER / "reduced").glob("*/*")):
        field = path.parent.name
        yield Example(f"reduced/{field}/{path.stem}", path.read_bytes(), None, field)
    for path in sorted((_FOLDER / "rejected").glob("*/*")):
        reason = Reason(path.parent.name)
        yield Example(f"{reason}/{path.stem}", path.read_bytes(), reason)
