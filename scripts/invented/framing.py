"""Serialized events beside one another: in a file, and in a request."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

# The only field of a batch that is given here, length-delimited: `events`, number 1.
_EVENTS = b"\x0a"


def varint(number: int) -> bytes:
    """A length as protobuf writes it (Base 128 varint)."""
    found = bytearray()
    while number >> 7:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def framed(events: Iterable[bytes]) -> bytes:
    """Each event behind its length: what `google.protobuf.proto.parse_length_prefixed` reads."""
    return b"".join(part for one in events for part in (varint(len(one)), one))


def request_of(events: Iterable[bytes]) -> bytes:
    """The bytes of an AppendEventsRequest."""
    return b"".join(part for one in events for part in (_EVENTS, varint(len(one)), one))


def read_framed(file: BinaryIO) -> Iterator[bytes]:
    """The events of a file that `framed` wrote."""
    while first := file.read(1):
        size, shift = first[0] & 127, 7
        while first[0] & 128:
            first = file.read(1)
            size |= (first[0] & 127) << shift
            shift += 7
        yield file.read(size)
