"""Strict requests: what protobuf would let pass in silence, or answer as a fault of ours, refused.

A field that this edition does not know would be kept in the log and mean nothing: it is refused by
its number and place. Bytes that are no message at all are a refusal too, not an INTERNAL.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.errors import LedgerError, Violation, refuse
from ledger.shape import is_plain, is_time
from ledger.v1 import _validate_pb2
from ledger.v1.error_pb2 import ErrorReason

_Request = TypeVar("_Request", bound=Message)

_validator = protovalidate.Validator()
_rules: Any = _validate_pb2.DESCRIPTOR.extensions_by_name["field"]


def decode(request_type: type[_Request]) -> Callable[[bytes], _Request]:
    """Reads requests of a type. Raises MALFORMED_REQUEST, UNKNOWN_FIELD."""

    def read(data: bytes) -> _Request:
        try:
            message = request_type.FromString(data)
        except DecodeError:
            raise LedgerError(
                ErrorReason.ERROR_REASON_MALFORMED_REQUEST, "not a message of the type asked for"
            ) from None
        size = message.ByteSize()
        message.DiscardUnknownFields()
        if message.ByteSize() != size:
            raise _unknown(_unknown_fields(request_type.FromString(data), ""))
        return message

    return read


def require_none(request: Message, numbers: Container[int]) -> None:
    """Raise UNKNOWN_FIELD where a request has a field of these numbers."""
    if found := [field.number for field, _ in request.ListFields() if field.number in numbers]:
        raise _unknown(f"#{number}" for number in found)


def _unknown(paths: Iterable[str]) -> LedgerError:
    reason = ErrorReason.ERROR_REASON_UNKNOWN_FIELD
    return refuse([(reason, path, "this ledger does not know it") for path in paths])


def _unknown_fields(message: Message, path: str) -> Iterator[str]:
    """Where unknown fields are, such as "events[0].#999"."""
    unknown_fields: Any = UnknownFieldSet(message)  # its stub knows nothing of it
    for unknown in unknown_fields:
        yield f"{path}#{unknown.field_number}"
    for place, part in _parts(message):
        yield from _unknown_fields(part, f"{path}{place}.")


def _parts(message: Message) -> Iterator[tuple[str, Message]]:
    """(place, message) of the messages within one, such as ("events[0]", …)."""
    for field, value in message.ListFields():
        if field.message_type and field.is_repeated:
            yield from ((f"{field.name}[{index}]", part) for index, part in enumerate(value))
        elif field.message_type:
            yield field.name, value


def check(request: Message) -> bool:
    """Raise INVALID_REQUEST unless the request has the shape that the words ask for.

    Return whether it is plain; see `ledger.shape`.
    """
    if is_plain(request):
        return True
    # What is too much is not looked into: each of two million empty events has faults of its own.
    # What is no time cannot be compared with one.
    found = (
        _too_many(request)
        or list(_no_times(request, ""))
        or [_violation(one.proto) for one in _validator.collect_violations(request)]
    )
    if found:
        raise LedgerError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            f"{found[0].field}: {found[0].description}",
            violations=found,
        )
    return False


def _too_many(request: Message) -> list[Violation]:
    """The lists that are longer than the words allow."""
    return [
        Violation(field.name, f"must contain no more than {most} items", "repeated.max_items")
        for field, value in request.ListFields()
        if field.is_repeated
        and (most := field.GetOptions().Extensions[_rules].repeated.max_items)
        and len(value) > most
    ]


def _no_times(message: Message, path: str) -> Iterator[Violation]:
    """Timestamps beyond the years 1 to 9999, or with a fraction that is none."""
    if isinstance(message, Timestamp):
        if not is_time(message):
            yield Violation(path.removesuffix("."), "is not a time", "timestamp")
        return
    for place, part in _parts(message):
        yield from _no_times(part, f"{path}{place}.")


def _violation(proto: Any) -> Violation:
    parts = []
    for element in proto.field.elements if proto.field else ():
        index = f"[{element.subscript.value}]" if element.subscript else ""
        parts.append(f"{element.field_name}{index}")
    return Violation(".".join(parts), proto.message, proto.rule_id)
