"""Strict requests: what protobuf would let pass in silence, or answer as a fault of ours, refused.

A field that this edition does not know would be kept in the log and mean nothing: it is refused by
its number and place. Bytes that are no message at all are a refusal too, not an INTERNAL.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.errors import LedgerError, Violation, refuse
from ledger.v1.error_pb2 import ErrorReason

_validator = protovalidate.Validator()


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Stands for a request that could not be read, until its call can be answered."""

    refusal: LedgerError


def decoder(parse: Callable[[bytes], Message]) -> Callable[[bytes], Message | Undecodable]:
    """A deserializer that never fails."""

    def decode(data: bytes) -> Message | Undecodable:
        try:
            message = parse(data)
        except DecodeError:
            return Undecodable(
                LedgerError(
                    ErrorReason.ERROR_REASON_MALFORMED_REQUEST,
                    "not a message of the type asked for",
                )
            )
        size = message.ByteSize()
        message.DiscardUnknownFields()
        if message.ByteSize() == size:
            return message
        where = list(_unknown_fields(parse(data), ""))
        return Undecodable(
            refuse(
                [
                    (ErrorReason.ERROR_REASON_UNKNOWN_FIELD, path, "this ledger does not know it")
                    for path in where
                ]
            )
        )

    return decode


def _unknown_fields(message: Message, path: str) -> Iterator[str]:
    """Where unknown fields are, such as "events[0].#999"."""
    unknown_fields: Any = UnknownFieldSet(message)  # its stub knows nothing of it
    for unknown in unknown_fields:
        yield f"{path}#{unknown.field_number}"
    for field, value in message.ListFields():
        if not field.message_type:
            continue
        parts = enumerate(value) if field.is_repeated else [(None, value)]
        for index, part in parts:
            place = field.name if index is None else f"{field.name}[{index}]"
            yield from _unknown_fields(part, f"{path}{place}.")


def check(request: Message) -> None:
    """Raise INVALID_REQUEST unless the request has the shape that the words ask for."""
    violations = _validator.collect_violations(request)
    if violations:
        found = [_violation(one.proto) for one in violations]
        raise LedgerError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            f"{found[0].field}: {found[0].description}",
            violations=found,
        )


def _violation(proto: Any) -> Violation:
    parts = []
    for element in proto.field.elements if proto.field else ():
        index = f"[{element.subscript.value}]" if element.subscript else ""
        parts.append(f"{element.field_name}{index}")
    return Violation(".".join(parts), proto.message, proto.rule_id)
