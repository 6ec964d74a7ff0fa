"""Whom an event is about, read off the options that the words carry about themselves."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ledger.v1.event_pb2 import Event
from ledger.v1.options_pb2 import subject

# The fields that name those whom something happens to; others name relatives, sponsors, parents.
_PRINCIPAL = ("person_id", "person_ids", "child_id", "member_ids")

_PERSON = "person:"


def body_of(event: Event) -> Any:
    """The message in the event's `fact`."""
    fact = event.WhichOneof("fact")
    assert fact is not None  # noqa: S101  # its shape was checked
    return getattr(event, fact)


@cache
def _fields(message: Descriptor) -> tuple[tuple[FieldDescriptor, str], ...]:
    """(field, kind of subject) of the fields that name one; "" where one is named deeper down."""
    found = []
    for field in message.fields:
        if field.GetOptions().HasExtension(subject):
            found.append((field, str(field.GetOptions().Extensions[subject])))
        elif field.message_type and _fields(field.message_type):
            found.append((field, ""))
    return tuple(found)


@cache
def _steps(message: Descriptor) -> tuple[tuple[str, str, bool], ...]:
    """(field, what its subjects begin with, whether it is repeated); "": named deeper down."""
    return tuple(
        (field.name, f"{kind}:" if kind else "", bool(field.is_repeated))
        for field, kind in _fields(message)
    )


def named(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """(field path, subject) for each subject that a message names, such as "person:4b9f…"."""
    for field, kind in _fields(message.DESCRIPTOR):
        value = getattr(message, field.name)
        if field.is_repeated:
            for i, one in enumerate(value):
                where = f"{path}{field.name}[{i}]"
                if kind:
                    yield where, f"{kind}:{one}"
                else:
                    yield from named(one, f"{where}.")
        elif kind and value:
            yield f"{path}{field.name}", f"{kind}:{value}"
        elif not kind and message.HasField(field.name):
            yield from named(value, f"{path}{field.name}.")


def subjects_of(event: Event) -> list[str]:
    """Whom the event is about, each once, in the order of the fields.

    A retraction names nobody by itself: it is about whom the retracted event is about.
    """
    return subjects_in(body_of(event))


def subjects_in(body: Message) -> list[str]:
    """The same of the message in an event's `fact`."""
    found: list[str] = []
    _collect(body, found)
    return list(dict.fromkeys(found))


def mentions(message: Message) -> list[str]:
    """Whom a message names, such as an event or an answer, as often as it does."""
    found: list[str] = []
    _collect(message, found)
    return found


def _collect(message: Message, found: list[str]) -> None:
    """What `named` finds, without the paths: ten times as fast, and asked of every event."""
    if isinstance(message, Event):
        # One of some seventy fields, of which it need not be asked one by one.
        if message.WhichOneof("fact"):
            _collect(body_of(message), found)
        return
    for name, prefix, is_repeated in _steps(message.DESCRIPTOR):
        if not prefix and not is_repeated and not message.HasField(name):
            continue
        value = getattr(message, name)
        if not prefix:
            for one in value if is_repeated else (value,):
                _collect(one, found)
        elif is_repeated:
            found += [prefix + one for one in value[:]]
        elif value:
            found.append(prefix + value)


def people_of(event: Event) -> list[str]:
    """The ids of the persons whom an event names, each once; of no kind we know: nobody."""
    if event.WhichOneof("fact") is None:
        return []
    return people_among(subjects_of(event))


def people_among(names: Iterable[str]) -> list[str]:
    """The ids of the persons among subjects."""
    return [one.removeprefix(_PERSON) for one in names if one.startswith(_PERSON)]


def principals(body: Message) -> set[str]:
    """The ids of those whom something happens to."""
    found: set[str] = set()
    for name, is_repeated in _principal(body.DESCRIPTOR):
        value = getattr(body, name)
        found.update(value if is_repeated else (value,))
    return found


@cache
def _principal(message: Descriptor) -> tuple[tuple[str, bool], ...]:
    """(field, whether it is repeated) of those that name them."""
    fields = message.fields_by_name
    return tuple((one, bool(fields[one].is_repeated)) for one in _PRINCIPAL if one in fields)


def rename(message: Message, names: Mapping[str, str]) -> None:
    """Put other ids of persons into a message."""
    for field, kind in _fields(message.DESCRIPTOR):
        value = getattr(message, field.name)
        if kind == "person" and field.is_repeated:
            value[:] = [names.get(one, one) for one in value]
        elif kind == "person":
            setattr(message, field.name, names.get(value, value))
        elif not kind:
            for one in value if field.is_repeated else [value]:
                rename(one, names)
