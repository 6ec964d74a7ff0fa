"""Reading rows that somebody may have tampered with: nothing is taken to be of its kind."""

import struct
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from google.protobuf.message import DecodeError

from ledger import merkle
from ledger.entry import access_subjects, kind_of
from ledger.store.entries import unpack
from ledger.v1.access_pb2 import Access, AccessEntry
from ledger.v1.event_pb2 import Entry
from projections.subjects import subjects_of


@dataclass(frozen=True, slots=True)
class SuspectRow:
    """A row of the log, with values of their kinds; what was of another counts as not there."""

    position: int
    event_id: bytes
    record_us: int
    type: int
    subjects: list[int]
    data: bytes
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the bytes of an entry say, as far as the columns and indexes repeat it."""

    event_id: str
    kind: str
    subjects: list[str]
    record_us: int
    retracts: str = ""
    """The event that it retracts: it is about whom that is about."""
    entry: Entry | None = None
    """Of the custody log, the entry itself."""


def suspect_row(row: Any) -> SuspectRow:
    """A row as it was read."""
    return SuspectRow(
        row.position,
        row.event_id if isinstance(row.event_id, bytes) else b"",
        row.record_us if isinstance(row.record_us, int) else -1,
        row.type if isinstance(row.type, int) else -1,
        numbers_of(row.subjects),
        row.data if isinstance(row.data, bytes) else b"",
        row.sealed if isinstance(row.sealed, bytes) or row.sealed is None else b"",
    )


def numbers_of(packed: object) -> list[int]:
    """The numbers of subjects in a column; one that is no number where they cannot be read."""
    if not isinstance(packed, bytes):
        return [-1]
    try:
        return unpack(packed)
    except struct.error:
        return [-1]


def custody_leaf(data: bytes) -> Leaf | None:
    """What the bytes of an entry of the custody log say; None: they cannot be read."""
    try:
        made = Entry.FromString(data)
        UUID(made.event.event_id)
    except (DecodeError, ValueError):
        return None
    if made.event.WhichOneof("fact") is None:
        return None
    return Leaf(
        made.event.event_id,
        kind_of(made.event),
        subjects_of(made.event),
        made.record_time.ToMicroseconds(),
        made.event.retracted.retracted_event_id,
        made,
    )


def access_leaf(data: bytes) -> Leaf | None:
    """What the bytes of an entry of the access log say; None: they cannot be read."""
    try:
        made = AccessEntry.FromString(data)
        UUID(made.access.access_id)
    except (DecodeError, ValueError):
        return None
    return Leaf(
        made.access.access_id,
        Access.DESCRIPTOR.name,
        access_subjects(made.access),
        made.record_time.ToMicroseconds(),
    )


def first_other(kept: bytes, made: bytes) -> int:
    """The number of the first hash in which two tiles differ."""
    width = merkle.HASH_SIZE
    for number in range(max(len(kept), len(made)) // width):
        part = slice(number * width, (number + 1) * width)
        if kept[part] != made[part]:
            return number
    return 0
