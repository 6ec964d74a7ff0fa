"""Events and entries: what can never make sense, and the bytes of an entry.

Everything is read off the descriptors, so that a new event needs no line here.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.shape import CONTROL, is_plain
from ledger.v1.access_pb2 import Access
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.ledger_service_pb2 import EventFilter
from ledger.v1.options_pb2 import code_list
from projections.codes import codes_of
from projections.subjects import body_of, mentions, named
from projections.valid_time import start_us, unit_start_us

# Clocks of honest sources differ by so much.
FUTURE_TOLERANCE_US = 5 * 60 * 1_000_000

Fault = tuple[ErrorReason.ValueType, str, str]


def kind_of(event: Event) -> str:
    """The name of the message in the event's `fact`, such as "Separated"."""
    return _kind(str(event.WhichOneof("fact")))


@cache
def _kind(fact: str) -> str:
    message: Any = Event.DESCRIPTOR.fields_by_name[fact].message_type
    return str(message.name)


def faults(event: Event, path: str, now_us: int, *, is_plain: bool = False) -> Iterator[Fault]:
    """What can never make sense in an event of the right shape.

    `path` is where the event stands in the request; `now_us` is microseconds since 1970 UTC;
    `is_plain`: that its texts and codes are in order is known.
    """
    yield from _time_faults(event, f"{path}.valid_time", now_us)
    if not is_plain:
        yield from _text_faults(event, path)
    # Nobody who is named once is linked with herself.
    if len(names := mentions(event)) > len(set(names)):
        yield from _self_links(event, path)


def _self_links(event: Event, path: str) -> Iterator[Fault]:
    fact = event.WhichOneof("fact")
    seen: dict[tuple[str, str], str] = {}
    for field, name in named(body_of(event)):
        # A part of an event, such as the links of a minor, says something about its own subjects.
        role = (field.rpartition(".")[0], name)
        if role in seen:
            yield (
                ErrorReason.ERROR_REASON_SELF_LINK,
                f"{path}.{fact}.{field}",
                f"the same {name.split(':')[0]} as in {seen[role]}",
            )
        seen[role] = field


def access_subjects(access: Access) -> list[str]:
    """What an access is found by: whom it was about, and who looked."""
    people = [name for _, name in named(access)]
    who = f"actor:{access.agency}/{access.actor_id or access.spiffe_id}"
    return list(dict.fromkeys([*people, who]))


def filter_faults(wanted: EventFilter, path: str) -> list[Fault]:
    """The kinds of event in a filter that the words do not have."""
    facts = Event.DESCRIPTOR.oneofs_by_name["fact"].fields
    kinds = {fact.message_type.name for fact in facts if fact.message_type}
    return [
        (
            ErrorReason.ERROR_REASON_UNKNOWN_EVENT_TYPE,
            f"{path}.items[{i}].types[{j}]",
            "not a kind of event",
        )
        for i, item in enumerate(wanted.items)
        for j, kind in enumerate(item.types)
        if kind not in kinds
    ]


@cache
def _zones() -> frozenset[str]:
    """The zones of the IANA database, as the package brings them: the host may know others."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())


def _time_faults(event: Event, path: str, now_us: int) -> Iterator[Fault]:
    valid_time = event.valid_time
    us = start_us(valid_time)
    if valid_time.zone not in _zones():
        yield (
            ErrorReason.ERROR_REASON_UNKNOWN_ZONE,
            f"{path}.zone",
            "not a zone of the IANA database",
        )
        return
    aligned = unit_start_us(us, valid_time.precision, valid_time.zone)
    if us != aligned or valid_time.time.nanos % 1_000:
        yield (
            ErrorReason.ERROR_REASON_VALID_TIME_NOT_ALIGNED,
            f"{path}.time",
            "not the first moment of the unit that the precision states, in its zone",
        )
    if us > now_us + FUTURE_TOLERANCE_US:
        yield ErrorReason.ERROR_REASON_VALID_TIME_IN_FUTURE, f"{path}.time", "later than now"


def _control_characters(message: Message, path: str) -> Iterator[str]:
    """The paths of texts that have one."""
    for field, value in message.ListFields():
        where = f"{path}.{field.name}" if path else field.name
        if field.message_type:
            for place, one in _each(field, value, where):
                yield from _control_characters(one, place)
        elif field.type == FieldDescriptor.TYPE_STRING:
            for text in value if field.is_repeated else [value]:
                if CONTROL.search(text):
                    yield where


def _each(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Message]]:
    """(path, message) of the message, or of each of them, that a field holds."""
    if field.is_repeated:
        yield from ((f"{path}[{i}]", one) for i, one in enumerate(value))
    else:
        yield path, value


@cache
def _code_fields(message: Descriptor) -> tuple[tuple[FieldDescriptor, str | None], ...]:
    """The fields of a message that hold codes (with the list) or, deeper down, may do so (None)."""
    found: list[tuple[FieldDescriptor, str | None]] = []
    for field in message.fields:
        if field.GetOptions().HasExtension(code_list):
            found.append((field, field.GetOptions().Extensions[code_list]))
        elif field.message_type and _code_fields(field.message_type):
            found.append((field, None))
    return tuple(found)


def _codes(message: Message, path: str) -> Iterator[tuple[str, str, str]]:
    """(path, code, list) of every code in a message."""
    for field, name in _code_fields(message.DESCRIPTOR):
        value = getattr(message, field.name)
        where = f"{path}.{field.name}" if path else field.name
        if name is None:
            if field.is_repeated or message.HasField(field.name):
                for place, one in _each(field, value, where):
                    yield from _codes(one, place)
        elif field.is_repeated:
            yield from ((f"{where}[{i}]", code, name) for i, code in enumerate(value))
        else:
            yield where, value, name


def question_faults(message: Message) -> list[Fault]:
    """The codes of a question that are in no list, and its texts that are none."""
    return [] if is_plain(message) else list(_text_faults(message, ""))


def _text_faults(message: Message, path: str) -> Iterator[Fault]:
    for where in _control_characters(message, path):
        yield ErrorReason.ERROR_REASON_CONTROL_CHARACTER, where, "has a control character"
    for where, code, name in _codes(message, path):
        if code and code not in codes_of(name):
            yield ErrorReason.ERROR_REASON_UNKNOWN_CODE, where, f"not a code of the list {name}"


FORMAT = 1
"""The edition of the format of entries; docs/entry.md has it."""


def encode(event: Event) -> bytes:
    """The bytes of an event."""
    return event.SerializeToString(deterministic=True)


def seal(rest: bytes, record_us: int) -> bytes:
    """The bytes of an entry: record time first, then the rest as it is.

    Put together rather than serialized, so that what was signed is kept byte for byte.
    """
    return _recorded(record_us) + rest


@lru_cache(maxsize=64)
def _recorded(record_us: int) -> bytes:
    """The bytes of a record time in an entry: the same for all events of an append."""
    time = Timestamp(seconds=record_us // 1_000_000, nanos=record_us % 1_000_000 * 1_000)
    return Entry(record_time=time).SerializeToString()
