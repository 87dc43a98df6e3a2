"""The topic partition of each key, by the hash of Kafka's default partitioner, vectorised."""

import numpy as np
from numpy.typing import NDArray

_SEED = 0x9747B28C
_FACTOR = np.uint32(0x5BD1E995)
_POSITIVE = np.uint32(0x7FFFFFFF)
_S13, _S15, _S24 = np.uint32(13), np.uint32(15), np.uint32(24)


def place_keys(keys: NDArray[np.uint8], partitions: int) -> NDArray[np.int64]:
    """Return the partition of each key, as Kafka's default partitioner does (murmur2).

    Args:
        keys: one key per row, of a length that is a multiple of four.
        partitions: the topic's number of partitions.
    """
    words = np.ascontiguousarray(keys).view("<u4")
    hashed = np.full(len(keys), np.uint32(_SEED ^ keys.shape[1]))
    for column in range(words.shape[1]):
        word = words[:, column] * _FACTOR
        hashed = (hashed * _FACTOR) ^ ((word ^ (word >> _S24)) * _FACTOR)
    hashed = (hashed ^ (hashed >> _S13)) * _FACTOR
    hashed ^= hashed >> _S15
    return ((hashed & _POSITIVE) % np.uint32(partitions)).astype(np.int64)
