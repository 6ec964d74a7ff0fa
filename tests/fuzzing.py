"""Requests that nobody in earnest sends: made from good ones by a grammar of what goes wrong."""

import math
import struct
from base64 import urlsafe_b64encode
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.type.date_pb2 import Date
from test_bad_input import GOOD, KNOWN, METHOD_OF, PLACE, SECOND, THIRD

from ledger.v1.audit_service_pb2 import ExportEventsRequest, ListAccessesRequest
from ledger.v1.basis_pb2 import PageToken

CANARY = "Xochiquetzal"
"""A name that is in most texts sent, and in every personal field of the ledger: nothing repeats it."""

METHODS = sorted(METHOD_OF.values(), key=lambda method: method.full_name)
MORE = [*GOOD, ListAccessesRequest(person_id=KNOWN, page_size=2), ExportEventsRequest(kind=1)]
EXAMPLES: dict[str, list[Message]] = {
    method.full_name: [one for one in MORE if type(one).DESCRIPTOR is method.input_type]
    for method in METHODS
}

INTEGERS = (0, 1, -1, 2, 7, 2**31 - 1, -(2**31), 2**32 - 1, 2**53 - 1, 2**53, 2**63 - 1, -(2**63))
INTEGERS += (2**64 - 1, 9_999, 10_000, 1_483_228_799, 1_483_228_800, 253_402_300_799)
INTEGERS += (253_402_300_800, -62_135_596_800, -62_135_596_801, 999_999_999, 1_000_000_000)
FLOATS = (0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7e308)
DATES = ((0, 1, 1), (2012, 2, 30), (2013, 2, 29), (9999, 12, 31), (10_000, 1, 1), (2012, 13, 1))
DATES += ((2012, 0, 5), (-1, 1, 1), (0, 0, 0), (2**31 - 1, 1, 1))
TEXTS = (
    "", " ", "\0", CANARY, f"{CANARY}\r\n2026-11-26 [info] rpc reason=OK", f"\x1b[31m{CANARY}\x1b[0m",
    f"\u202e{CANARY}", f"{CANARY}\u200b", "\ufeff", "\U0001f4a5", "e\u0301", "\uff21", "\u2028",
    f"' OR 1=1 -- {CANARY}", f"../../{CANARY}", f"{{{CANARY}!r:>99999999}}", f"%s%n{CANARY}",
    "NaN", "null", "-1", "1e999", "١٢٣", KNOWN, SECOND, THIRD, KNOWN.upper(), f"person:{KNOWN}",
    "person:*", "00000000-0000-0000-0000-000000000000", f"{{{KNOWN}}}", PLACE, "CBP", "ORR", "XXX",
    "ZERO_TOLERANCE", "A_NUMBER", "L_02", "UTC", "America/Chicago", "Mars/Olympus", "../etc/passwd",
    "mam", "2018-07-10", "Separated", "Retracted", "GetPerson", '{"ListRoster":{"agency":"CBP"}}',
    '{"ListRoster":' * 40, "[" * 5_000, "a" * 65, "é" * 4_097,
)  # fmt: skip
PURPOSES = ("", "CUSTODY", "REUNIFICATION", "RECORDING", "AUDIT", "custody", CANARY, "x" * 9_000)

SELDOM = {"ListQueues", "ExportEvents", "ListFindings"}
"""Methods that read all there is, and are asked one time in ten."""


def any_method(random: Random) -> Any:
    """A method."""
    method = random.choice(METHODS)
    if method.name in SELDOM and random.random() < 0.9:
        return any_method(random)
    return method


def example(random: Random, method: Any) -> Message:
    """A good request of a method."""
    copied = type(one := random.choice(EXAMPLES[method.full_name]))()
    copied.CopyFrom(one)
    return copied


def mutated(random: Random, method: Any, data: bytes) -> bytes:
    """A request made worse: in what its fields say, or in how it is written."""
    request = GetMessageClass(method.input_type)()
    try:
        request.ParseFromString(data)
    except DecodeError:
        request = example(random, method)
    if random.random() < 0.1:
        request = example(random, method)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        _worsen(random, request)
    data = request.SerializePartialToString()
    return _rewritten(random, data) if random.random() < 0.15 else data


def _worsen(random: Random, message: Any) -> None:
    """Change one field of a message, or of one somewhere within it."""
    within = [(one, value) for one, value in message.ListFields() if one.message_type]
    if within and random.random() < 0.75:
        field, value = random.choice(within)
        if not field.is_repeated:
            return _worsen(random, value)
        if random.random() < 0.9:
            return _worsen(random, random.choice(value))
    fields = message.DESCRIPTOR.fields
    set_fields = [one for one, _ in message.ListFields()]
    field = random.choice(set_fields if set_fields and random.random() < 0.5 else fields)
    if field.is_repeated:
        return _repeated(random, message, field)
    if random.random() < 0.15:
        return message.ClearField(field.name)
    if field.message_type:
        _fill(random, getattr(message, field.name))
    else:
        setattr(message, field.name, _value(random, field))
    return None


def _repeated(random: Random, message: Any, field: FieldDescriptor) -> None:
    values = getattr(message, field.name)
    if values and random.random() < 0.3:
        del values[random.randrange(len(values))]
    elif field.message_type and field.message_type.GetOptions().map_entry:
        return
    elif field.message_type:
        if values and random.random() < 0.7:
            copies = random.choice((1, 1, 1, 2, 60, 600)) if random.random() < 0.1 else 1
            values.extend([random.choice(values)] * copies)
        else:
            _fill(random, values.add())
    else:
        values.extend([_value(random, field)] * random.choice((1, 1, 1, 1, 2, 100)))


def _fill(random: Random, message: Any) -> None:
    """Give a message something to say."""
    message.SetInParent()
    if isinstance(message, Date):
        message.year, message.month, message.day = random.choice(DATES)
        return
    for field in message.DESCRIPTOR.fields:
        if not field.is_repeated and not field.message_type and random.random() < 0.7:
            setattr(message, field.name, _value(random, field))
        elif field.message_type and not field.is_repeated and random.random() < 0.2:
            _fill(random, getattr(message, field.name))


def _value(random: Random, field: FieldDescriptor) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        is_bytes = field.type == FieldDescriptor.TYPE_BYTES
        return _bytes(random) if is_bytes else _text(random, field)
    if kind in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        return random.choice(FLOATS)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        known = [value.number for value in field.enum_type.values]
        return random.choice([*known, *known, 99, -1, 2**31 - 1, -(2**31)])
    return _number(random, kind)


def _number(random: Random, kind: int) -> int:
    """A whole number that fits its type."""
    bits = 64 if kind in {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64} else 32
    number = random.choice(INTEGERS) + random.choice((0, 0, 0, 1, -1))
    if kind in {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}:
        return number % 2**bits
    return (number + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def _text(random: Random, field: FieldDescriptor) -> str:
    if "page_token" in field.name:
        return _page_token(random)
    if random.random() < 0.001:
        return CANARY * random.choice((100, 10_000, 80_000))
    text = random.choice(TEXTS)
    return text + random.choice(TEXTS) if random.random() < 0.1 else text


def _bytes(random: Random) -> bytes:
    size = random.choice((0, 1, 8, 31, 32, 32, 32, 33, 64, 300))
    return random.choice((bytes(size), random.randbytes(size), CANARY.encode()))


def _page_token(random: Random) -> str:
    token = PageToken()
    _fill(random, token)
    told = urlsafe_b64encode(token.SerializeToString()).decode()
    return random.choice((told, told.rstrip("="), told[:-1], "====", CANARY, "A" * 9_000))


def _rewritten(random: Random, data: bytes) -> bytes:
    """The same, written as no message is."""
    at = random.randrange(len(data) + 1)
    canary = CANARY.encode()
    wrong = struct.pack("<BB", 0x0A, len(canary)) + canary
    return random.choice(
        (
            data[:at],
            data[:at] + random.randbytes(random.choice((1, 2, 8))) + data[at:],
            data[:at] + bytes([random.randrange(256)]) + data[at + 1 :],
            data + b"\xba\x3e" + wrong[1:],  # field 999
            data + wrong,
            data + b"\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            data + b"\x0d\x00\x00\x00\x00",
            data + b"\x0a\xff\xff\xff\xff\x0f",
            data + b"\x0b" * random.choice((1, 99, 101, 1_000)),
            b"\x0a\x02" * random.choice((50, 150, 5_000)) + data,
            data + b"\x0a\x02\xc3\x28",
            data * 2,
            b"",
        )
    )


def mutated_metadata(random: Random, metadata: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """What a call carries with it, made worse."""
    return random.choice(
        (
            [*metadata, ("ledger-purpose", random.choice(PURPOSES))],
            [("ledger-purpose", random.choice(PURPOSES))],
            [*metadata, ("authorization", f"Bearer {_token(random, metadata)}")],
            [
                (name, _token(random, metadata) if name == "authorization" else value)
                for name, value in metadata
            ],
            [*metadata, ("x-bin", random.randbytes(40)), ("x", CANARY)],
            [*metadata, ("x", "a" * random.choice((100, 8_000, 9_000, 200_000)))],
            [*metadata, ("ledger-purpose-bin", b"\xff"), ("te", "trailers")],
        )
    )


def _token(random: Random, metadata: list[tuple[str, Any]]) -> str:
    had = next((str(value) for name, value in metadata if name == "authorization"), "a.b.c")
    at = random.randrange(len(had) + 1)
    head = urlsafe_b64encode(b'{"alg":"none","typ":"ledger-caller+jwt"}').decode().rstrip("=")
    return random.choice(
        (
            had[:at],
            had[:at] + random.choice("aZ0_-.=é") + had[at + 1 :],
            f"{head}.{had.partition('.')[2]}",
            f"{head}..",
            CANARY,
            "." * 30_000,
            had + had,
        )
    )
