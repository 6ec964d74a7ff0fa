"""Events with every personal field filled, and looking for what they say where it must not be."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from events import event, id_of
from examples import every_kind
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from ledger.personal import take_out
from ledger.store.database import KEYS, Database
from ledger.store.tables import metadata
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import code_list, personal, subject
from ledger.v1.oversight_pb2 import Retracted
from projections.codes import codes_of

KINDS = [field.message_type for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields]


def personal_fields(message: Descriptor, path: str = "") -> Iterator[tuple[str, FieldDescriptor]]:
    """(path, field) of every personal field that a message can have, at whatever depth."""
    for field in message.fields:
        if field.GetOptions().HasExtension(personal):
            yield f"{path}{field.name}", field
        elif field.message_type and field.message_type.file.package == "ledger.v1":
            yield from personal_fields(field.message_type, f"{path}{field.name}.")


def fill(message: Any, name: str, number: int = 0) -> None:
    """Put something to be looked for into every personal field, also where there was nothing."""
    for field in message.DESCRIPTOR.fields:
        where = f"{name}.{field.name}"
        if field.GetOptions().HasExtension(personal):
            if field.message_type:
                getattr(message, field.name).CopyFrom(birth_date(number))
            elif listed := field.GetOptions().Extensions[code_list]:
                setattr(message, field.name, list(codes_of(listed))[-1])
            else:
                setattr(message, field.name, f"{name[:40]} {field.name[:12]}")
        elif field.message_type and any(personal_fields(field.message_type)):
            if field.is_repeated:
                for index, one in enumerate(getattr(message, field.name)):
                    fill(one, f"{where}-{index}", number)
            else:
                fill(getattr(message, field.name), where, number)


def birth_date(number: int) -> Date:
    """A day that nobody else was born on, within what can be told apart."""
    return Date(year=1900 + number // 336 % 100, month=1 + number // 28 % 12, day=1 + number % 28)


def renamed(body: Message, names: Mapping[str, str]) -> Any:
    """The same fact with other ids in it, which are of one length."""
    content = body.SerializeToString()
    for old, new in names.items():
        content = content.replace(old.encode(), new.encode())
    return type(body).FromString(content)


def ids_in(body: Message) -> set[str]:
    """Every id by which a fact names a subject."""
    found: set[str] = set()
    for field, value in body.ListFields():
        if field.GetOptions().HasExtension(subject):
            found |= set(value) if field.is_repeated else {value}
        elif field.message_type:
            for one in value if field.is_repeated else [value]:
                found |= ids_in(one)
    return found


def filled_events(but: Iterable[str] = ()) -> list[Event]:
    """An event of every kind with every personal field filled; "kept" is for the retraction.

    Not of those kinds whose names are given.
    """
    kept = renamed(next(one for one in every_kind() if one.DESCRIPTOR.name == "AgeDisputed"), {})
    fill(kept, "canary-kept")
    made = [event(kept, event_id=id_of("kept"))]
    for number, body in enumerate(every_kind()):
        if body.DESCRIPTOR.name in but:
            continue
        if body.DESCRIPTOR is not Retracted.DESCRIPTOR:
            fill(body, f"canary-{number:02d}", number)
        else:
            body.reason_text = "canary-retracted reason"
        made.append(event(body, event_id=id_of(f"filled {body.DESCRIPTOR.name}")))
    return made


def values_of(events: Iterable[Event]) -> set[bytes]:
    """What the personal fields of events say: as text, and as a message has it."""
    found = set()
    for one in events:
        for _, field, value in take_out(Event.FromString(one.SerializeToString())):
            found.add(value)
            if field.message_type:
                year, month, day = (int(part) for part in value.split(b"-"))
                # Two bytes of a date alone are anywhere.
                if year and month and day:
                    found.add(Date(year=year, month=month, day=day).SerializeToString())
    return found


def found_in(content: bytes, values: Iterable[bytes]) -> list[bytes]:
    """Those of these values that stand in some bytes."""
    return [one for one in values if one in content]


def rows_of(database_url: str) -> Iterator[tuple[str, str, Any]]:
    """(table, column, value) of everything that a database holds."""
    database = Database(database_url)
    try:
        with database.reading.connect() as connection:
            for table in metadata.sorted_tables:
                for row in connection.execute(sa.select(table)).mappings():
                    for column, value in row.items():
                        yield table.name, column, value
    finally:
        database.close()


def dump(database_url: str) -> bytes:
    """Everything that a database holds, one value after another."""
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode()
        for _, _, value in rows_of(database_url)
    )


def files_of(database_url: str) -> dict[Path, bytes]:
    """Every file of a database and of its keys, by path; of PostgreSQL all that the server has."""
    url = sa.make_url(database_url)
    folder = Path(str(url.query["host"])) / "data" if url.query else Path(str(url.database)).parent
    paths = [*folder.rglob("*"), *Path(os.environ[KEYS]).iterdir()]
    found = {}
    for path in paths:
        try:
            if path.is_file():
                found[path] = path.read_bytes()
        except OSError:
            continue  # gone again
    return found


def appending(*events: Event, **more: Any) -> AppendEventsRequest:
    """A request that appends events."""
    return AppendEventsRequest(events=events, **more)
