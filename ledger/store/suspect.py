"""Reading rows that somebody may have tampered with: nothing is taken to be of its kind."""

import struct
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from google.protobuf.message import DecodeError

from ledger.store.entries import unpack
from ledger.v1.event_pb2 import Entry, Event


@dataclass(frozen=True, slots=True)
class SuspectRow:
    """A row of the log, with values of their kinds; what was of another counts as not there."""

    position: int
    event_id: bytes
    record_us: int
    type: int
    subjects: list[int]
    data: bytes


def suspect_row(row: Any) -> SuspectRow:
    """A row as it was read."""
    return SuspectRow(
        row.position,
        row.event_id if isinstance(row.event_id, bytes) else b"",
        row.record_us if isinstance(row.record_us, int) else -1,
        row.type if isinstance(row.type, int) else -1,
        numbers_of(row.subjects),
        row.data if isinstance(row.data, bytes) else b"",
    )


def numbers_of(packed: object) -> list[int]:
    """The numbers of subjects in a column; one that is no number where they cannot be read."""
    if not isinstance(packed, bytes):
        return [-1]
    try:
        return unpack(packed)
    except struct.error:
        return [-1]


def event_of(data: bytes) -> tuple[Event | None, int]:
    """The event in the bytes of an entry and its record time; None: they cannot be read."""
    try:
        made = Entry.FromString(data)
        UUID(made.event.event_id)
    except (DecodeError, ValueError):
        return None, 0
    if made.event.WhichOneof("fact") is None:
        return None, 0
    return made.event, made.record_time.ToMicroseconds()
