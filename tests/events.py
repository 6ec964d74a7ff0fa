"""Events for tests: short to write, complete, and the same each time for the same names."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from ledger.v1.event_pb2 import Actor, Event, Source
from ledger.v1.place_pb2 import Place
from ledger.v1.time_pb2 import Precision, ValidTime

SPACE = uuid.UUID("0190a000-0000-7000-8000-000000000000")
DAY_1 = datetime(2018, 5, 1, tzinfo=UTC)
DAY = Precision.PRECISION_DAY
MINUTE = Precision.PRECISION_MINUTE


def id_of(name: str) -> str:
    """The id that stands for a name such as "p-1"."""
    return str(uuid.uuid5(SPACE, name))


def day(number: float) -> datetime:
    """Midnight UTC of a day, the first being 2018-05-01; 1.5 is noon of the first."""
    return DAY_1 + timedelta(days=number - 1)


def event(
    body: Message,
    on: float | datetime = 1,
    *,
    event_id: str | None = None,
    agency: str = "CBP",
    precision: Precision.ValueType = DAY,
    zone: str = "UTC",
    **envelope: Any,
) -> Event:
    """An event with this fact, valid on a day (a number) or at an instant."""
    made = Event(
        event_id=event_id or str(uuid.uuid4()),
        valid_time=ValidTime(precision=precision, zone=zone),
        source=Source(system="test"),
        actor=Actor(agency=agency),
        **envelope,
    )
    made.valid_time.time.FromDatetime(day(on) if isinstance(on, int | float) else on)
    name = next(
        field.name
        for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields
        if field.message_type is body.DESCRIPTOR
    )
    getattr(made, name).CopyFrom(body)
    return made


def place(name: str) -> Place:
    """A place of this name."""
    return Place(name=name)
