"""Records ready to be sent: values, keys, and the sendings they were made from."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossfade.generator.encode import PlayEncoder
from crossfade.generator.faults import BrokenRecord, Fault
from crossfade.generator.outbox import Sendings
from crossfade.generator.pieces import hex_digits

_CLOSE = ord("}")
_PADDING = b',"note":"'
_PADDING_END = b'"}'


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Some records, numbered from `first`."""

    run: str
    """The prefix of their event ids."""
    first: int
    sendings: Sendings
    values: pa.BinaryArray
    keys: NDArray[np.uint8]
    """A row of 16 bytes per record."""

    def __len__(self) -> int:
        """Count the records."""
        return len(self.keys)


def write_records(
    encoder: PlayEncoder, broken: tuple[BrokenRecord, ...], sendings: Sendings, first: int
) -> Records:
    """Encode sendings: plays as plays, malformed and oversized ones by their fault."""
    plays = sendings.plays
    values = encoder.encode(plays)
    is_malformed = sendings.fault == Fault.MALFORMED
    is_oversized = sendings.fault == Fault.OVERSIZED
    if (is_other := is_malformed | is_oversized).any():
        others = [
            broken[extent].value + encoder.end if malformed else _pad(value.as_py(), extent)
            for extent, malformed, value in zip(
                sendings.extent[is_other].tolist(),
                is_malformed[is_other].tolist(),
                values.filter(pa.array(is_other)),
                strict=True,
            )
        ]
        values = pc.replace_with_mask(values, pa.array(is_other), pa.array(others, pa.binary()))
    return Records(encoder.run, first, sendings, values, hex_digits(plays.user))


def _pad(value: bytes, size: int) -> bytes:
    """Enlarge a record to a size with a field that the contract does not know."""
    end = value.rindex(_CLOSE)
    padding = max(size - end - len(_PADDING) - len(_PADDING_END), 1)
    return value[:end] + _PADDING + b"x" * padding + _PADDING_END + value[end + 1 :]
