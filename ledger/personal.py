"""The personal fields of an event, by the option that the words carry: taken out, and put back.

A field is known by its path, such as "transfer_departed.links[2].no_known_relative_text". Its value
is written as text in UTF-8, a date as YYYY-MM-DD, so that a commitment to it can be checked by
whoever is shown it, in any language.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.type.date_pb2 import Date

from ledger.v1.event_pb2 import Event
from ledger.v1.options_pb2 import personal

Field = tuple[str, FieldDescriptor, bytes]
"""(path, field, value) of a personal field that says something."""

# Whatever a source says: of a date that is none, a part may be below zero.
_DATE = re.compile(r"(-?\d+)-(-?\d+)-(-?\d+)")
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


def take_out(event: Event) -> list[Field]:
    """Remove the personal fields from an event, and give them in the order of the fields."""
    found = list(_found(event, ""))
    for path, field, _ in found:
        _holder(event, path).ClearField(field.name)
    return found


def put_back(event: Event, values: Iterable[tuple[str, bytes]]) -> None:
    """Put (path, value) of fields that were taken out where they were.

    Raises LookupError or ValueError for what cannot have been taken out of this event.
    """
    for path, value in values:
        holder = _holder(event, path)
        field = holder.DESCRIPTOR.fields_by_name[path.rpartition(".")[2]]
        if not _is_personal(field):
            raise LookupError(path)
        if field.message_type:
            getattr(holder, field.name).CopyFrom(_date(value.decode()))
        else:
            setattr(holder, field.name, value.decode())


def has_personal_fields(event: Event) -> bool:
    """Whether an event says anything that is to be sealed."""
    return next(_found(event, ""), None) is not None


def approved_sha256(event: Event) -> bytes:
    """What somebody approves of an event: its SHA-256 without the personal fields.

    It stays in the entry for ever, and what was erased must not be found by guessing at it.
    """
    bare = Event.FromString(event.SerializeToString())
    take_out(bare)
    return sha256(bare.SerializeToString(deterministic=True)).digest()


def _found(message: Any, path: str) -> Iterator[Field]:
    fields, choices = _fields(message.DESCRIPTOR)
    for field in fields:
        yield from _found_in(message, field, f"{path}{field.name}")
    for choice, among in choices:
        # Of the many facts that there may be, the one that there is.
        if chosen := among.get(message.WhichOneof(choice)):
            yield from _found_in(message, chosen, f"{path}{chosen.name}")


def _found_in(message: Any, field: FieldDescriptor, where: str) -> Iterator[Field]:
    value = getattr(message, field.name)
    if field.is_repeated:
        for index, one in enumerate(value):
            yield from _found(one, f"{where}[{index}].")
    elif not (message.HasField(field.name) if field.has_presence else value):
        return
    elif _is_personal(field):
        yield where, field, _written(value)
    else:
        yield from _found(value, f"{where}.")


_Choices = tuple[tuple[str, Mapping[Any, FieldDescriptor]], ...]


@cache
def _fields(message: Descriptor) -> tuple[tuple[FieldDescriptor, ...], _Choices]:
    """The fields of a message that are personal, or hold what is further down; and its choices."""
    wanted = [
        field
        for field in message.fields
        if _is_personal(field) or (field.message_type and any(_fields(field.message_type)))
    ]
    choices = [one for one in message.oneofs if len(one.fields) > 1]
    among = [
        (choice.name, {one.name: one for one in wanted if one.containing_oneof is choice})
        for choice in choices
    ]
    return (
        tuple(one for one in wanted if one.containing_oneof not in choices),
        tuple((name, fields) for name, fields in among if fields),
    )


@cache
def _is_personal(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().HasExtension(personal))


def _written(value: Any) -> bytes:
    if isinstance(value, Date):
        return f"{value.year:04d}-{value.month:02d}-{value.day:02d}".encode()
    return str(value).encode()


def _date(text: str) -> Date:
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day = map(int, found.groups())
    return Date(year=year, month=month, day=day)


def _holder(event: Event, path: str) -> Any:
    """The message that has the field at a path."""
    message: Any = event
    for step in path.split(".")[:-1]:
        found = _STEP.fullmatch(step)
        if found is None or found[1] not in message.DESCRIPTOR.fields_by_name:
            raise LookupError(path)
        message = getattr(message, found[1])
        if found[2]:
            message = message[int(found[2])]
    return message
