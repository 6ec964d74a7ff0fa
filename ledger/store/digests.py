"""Digests of tables whose rows come in any order: of each bucket of subjects a sum of hashes.

A sum takes no more memory for more rows. Modulo 2^2048, and with a hash as long, nobody finds other
rows of the same sum (AdHash: Bellare and Micciancio, A New Paradigm for Collision-Free Hashing,
EUROCRYPT 1997).
"""

from hashlib import sha256, shake_256
from typing import NamedTuple

BUCKETS = 256

_SUM_BYTES = 256
_MASK = (1 << 8 * _SUM_BYTES) - 1


class Row(NamedTuple):
    """A row of the table, in the order of its columns."""

    log: int
    generation: int
    population: str
    valid_from: int
    subject: str
    known_from: int
    valid_to: int
    known_to: int
    state: bytes


class Sums:
    """The sums of some rows."""

    def __init__(self) -> None:
        self._sums = [0] * BUCKETS

    def add(self, row: Row) -> None:
        """Add a row; of which generation it is does not count."""
        line = repr(row[2:-1]).encode() + row.state
        hashed = int.from_bytes(shake_256(line).digest(_SUM_BYTES))
        bucket = bucket_of(row.subject)
        self._sums[bucket] = (self._sums[bucket] + hashed) & _MASK

    def digests(self) -> list[bytes]:
        """The SHA-256 of the sum of each bucket."""
        return [sha256(one.to_bytes(_SUM_BYTES)).digest() for one in self._sums]


def bucket_of(subject_id: str) -> int:
    """The bucket of a subject."""
    return sha256(subject_id.encode()).digest()[0]
