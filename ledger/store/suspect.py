"""Reading rows that somebody may have tampered with: nothing is taken to be of its kind."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from ledger import merkle
from ledger.entry import access_subjects
from ledger.store.entries import unpack
from ledger.v1.access_pb2 import Access, AccessEntry
from ledger.v1.event_pb2 import Entry
from projections.subjects import subjects_in

UNREADABLE = b"\xff"
"""In the place of sealed fields that are of another kind: they are there, and nothing."""


class Columns(NamedTuple):
    """Some rows of the log by their columns; what was of another kind counts as not there."""

    positions: Sequence[int]
    event_ids: list[bytes]
    times: list[int]
    types: list[int]
    subjects: list[list[int]]
    data: list[bytes]
    sealed: list[bytes]
    """Empty where nothing is sealed."""


class Leaf(NamedTuple):
    """What the bytes of an entry say, as far as the columns and indexes repeat it."""

    event_id: bytes
    kind: str
    subjects: list[str]
    record_us: int
    retracts: bytes = b""
    """The id of the event that it retracts: it is about whom that is about."""
    entry: Entry | None = None
    """Of the custody log, the entry itself."""


def columns(rows: Sequence[Any]) -> Columns:
    """The columns of rows as the driver gave them."""
    positions, event_ids, times, types, subjects, data, sealed = zip(*rows, strict=True)
    return Columns(
        positions,
        _bytes(event_ids),
        _ints(times),
        _ints(types),
        list(map(numbers_of, subjects)),
        _bytes(data),
        [b"" if one is None else one if isinstance(one, bytes) else UNREADABLE for one in sealed],
    )


def _bytes(values: Sequence[Any]) -> list[bytes]:
    return [one if isinstance(one, bytes) else b"" for one in values]


def _ints(values: Sequence[Any]) -> list[int]:
    return [one if isinstance(one, int) else -1 for one in values]


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
        event = made.event
        event_id = _id_bytes(event.event_id)
        retracts = _id_bytes(event.retracted.retracted_event_id)
    except (DecodeError, ValueError):
        return None
    fact = event.WhichOneof("fact")
    if fact is None:
        return None
    body = getattr(event, fact)
    return Leaf(
        event_id,
        body.DESCRIPTOR.name,
        subjects_in(body),
        _micros(made.record_time),
        retracts,
        made,
    )


def access_leaf(data: bytes) -> Leaf | None:
    """What the bytes of an entry of the access log say; None: they cannot be read."""
    try:
        made = AccessEntry.FromString(data)
        event_id = _id_bytes(made.access.access_id)
    except (DecodeError, ValueError):
        return None
    about = access_subjects(made.access)
    return Leaf(event_id, Access.DESCRIPTOR.name, about, _micros(made.record_time))


def _id_bytes(event_id: str) -> bytes:
    """The bytes of a UUID: five times as fast as `UUID`, and asked of every entry."""
    return bytes.fromhex(event_id.replace("-", ""))


def _micros(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1_000


def first_other(kept: bytes, made: bytes) -> int:
    """The number of the first hash in which two tiles differ."""
    width = merkle.HASH_SIZE
    for number in range(max(len(kept), len(made)) // width):
        part = slice(number * width, (number + 1) * width)
        if kept[part] != made[part]:
            return number
    return 0
