"""Auditing the index of subjects against the entries, neither of them sorted or kept in memory.

Both are sets of pairs (subject, position). The product of (point - pair) over a set, modulo a
prime, is one number. Sets that are the same have the same; sets that differ have the same at no
more points than they have pairs (Schwartz 1980), and nobody knows the point beforehand: it is drawn
by each audit out of 2^127. Only where the two differ is it looked for where.
"""

import secrets
from collections.abc import Iterable, Iterator
from math import floor, isfinite

import sqlalchemy as sa

from ledger.store.entries import chunks
from ledger.store.statement import Statement
from ledger.store.suspect import numbers_of
from ledger.store.verdict import PROBLEMS_MAX, Problem

PRIME = 2**127 - 1
READ_MAX = 10_000

_ROWS = Statement(
    "SELECT subject, position FROM entry_subject WHERE log = ? AND (subject, position) > (?, ?) "
    "AND subject <= ? AND position BETWEEN 1 AND ? ORDER BY subject, position LIMIT ?"
)
_OUTSIDE = Statement(
    "SELECT min(position) FROM entry_subject WHERE log = ? "
    "AND NOT (subject BETWEEN 1 AND ? AND position BETWEEN 1 AND ? "
    "AND subject = CAST(subject AS BIGINT) AND position = CAST(position AS BIGINT))"
)
_ENTRIES = Statement(
    "SELECT position, subjects FROM entry WHERE log = ? AND position > ? AND position <= ? "
    "ORDER BY position LIMIT ?"
)
_INDEXED = Statement(
    "SELECT subject, position FROM entry_subject "
    "WHERE log = ? AND position BETWEEN ? AND ? AND subject IN (...)"
)
_ALL = Statement(
    "SELECT i.subject, i.position, e.subjects FROM entry_subject i "
    "LEFT JOIN entry e ON e.log = i.log AND e.position = i.position "
    "WHERE i.log = ? AND (i.subject, i.position) > (?, ?) "
    "ORDER BY i.subject, i.position LIMIT ?"
)


def draw() -> int:
    """A point for one audit."""
    return secrets.randbelow(PRIME)


def product(point: int, pairs: Iterable[tuple[int, int]]) -> int:
    """What a set of (subject, position) comes to, both from 1 to less than 2^63."""
    found = 1
    for subject, position in pairs:
        found = found * (point - (subject << 63) - position) % PRIME
    return found


def index_product(
    connection: sa.Connection, log: int, point: int, subjects: tuple[int, int], size: int
) -> int:
    """What the rows of the subjects from one number to another come to, in a log of this size."""
    found, (subject, last), position = 1, subjects, 0
    while rows := _ROWS.on(connection, log, subject, position, last, size, READ_MAX):
        found = found * product(point, rows) % PRIME
        subject, position = rows[-1]
    return found


def outside(connection: sa.Connection, log: int, terms: int, size: int) -> Iterator[Problem]:
    """The first row that is of no subject, or of no entry, that the log has."""
    ((position,),) = _OUTSIDE.on(connection, log, terms, size)
    if position is not None:
        yield _stray(position)


def faults(connection: sa.Connection, log: int, size: int) -> list[Problem]:
    """Where the index does not say what the entries say, entry by entry."""
    return [*_lacking(connection, log, size), *_strays(connection, log)]


def _lacking(connection: sa.Connection, log: int, size: int) -> list[Problem]:
    """The first entries that the index lacks a subject of."""
    found: list[Problem] = []
    position = 0
    while len(found) < PROBLEMS_MAX and (
        rows := _ENTRIES.on(connection, log, position, size, READ_MAX)
    ):
        # An entry at no whole position is one that is missing, which is said elsewhere.
        named = {at: numbers_of(packed) for at, packed in rows if isinstance(at, int)}
        indexed: set[tuple[int, int]] = set()
        for some in chunks({number for numbers in named.values() for number in numbers}):
            indexed.update(_INDEXED.on(connection, log, position, rows[-1][0], some))
        what = "the index of subjects does not say what the entry says"
        found += [
            Problem(at, what)
            for at, numbers in named.items()
            if any((number, at) not in indexed for number in numbers)
        ]
        position = rows[-1][0]
    return found[:PROBLEMS_MAX]


def _strays(connection: sa.Connection, log: int) -> Iterator[Problem]:
    """The first row that its entry does not name."""
    first: int | None = None
    at = (-(2**63), -(2**63))
    while rows := _ALL.on(connection, log, *at, READ_MAX):
        for number, position, packed in rows:
            is_named = packed is not None and number in numbers_of(packed)
            if not is_named and (first is None or _number(position) < first):
                first = _number(position)
        at = rows[-1][:2]
    if first is not None:
        yield _stray(first)


def _stray(position: object) -> Problem:
    first = _number(position)
    return Problem(first, "the index of subjects names one that the entry does not")


def _number(position: object) -> int:
    """The position that a value of any kind is at, or next behind."""
    if isinstance(position, int | float) and isfinite(position):
        return max(floor(position), 1)
    return 1
