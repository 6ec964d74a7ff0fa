"""Writers that sign: the agencies' public keys, and what they sign (Ed25519, RFC 8032)."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.v1.event_pb2 import Commitment, Entry, Event, WriterSignature

_CONTEXT = b"custody/event/v1\0"
_SIGNED_TAGS = {Entry.EVENT_FIELD_NUMBER << 3 | 2, Entry.COMMITMENTS_FIELD_NUMBER << 3 | 2}
KEY_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Writer:
    """A key that an agency signs its events with, over a stretch of record time."""

    agency: str
    public_key: bytes
    """Raw, 32 bytes."""
    since_us: int = 0
    """From then on everything that the agency asserts is signed; microseconds since 1970 UTC."""
    until_us: int | None = None

    @property
    def key_id(self) -> bytes:
        """The first eight bytes of its SHA-256."""
        return key_id(self.public_key)


class Writers:
    """The keys of every agency that signs."""

    def __init__(self, writers: Iterable[Writer]) -> None:
        self._by_agency: dict[str, list[Writer]] = {}
        for one in writers:
            self._by_agency.setdefault(one.agency, []).append(one)

    def must_sign(self, agency: str, record_us: int) -> bool:
        """Whether an agency signs what is recorded at an instant."""
        return bool(self._at(agency, record_us))

    def has_signed(self, data: bytes, entry: Entry, record_us: int | None = None) -> bool:
        """Whether an entry, given as bytes too, is as its agency signs; or it does not sign.

        `record_us`: when it is recorded, where its bytes do not say so yet.
        """
        agency = entry.event.actor.agency
        at_us = entry.record_time.ToMicroseconds() if record_us is None else record_us
        keys = self._at(agency, at_us)
        if not keys:
            # A signature that nobody can check is as good as none, and no worse.
            return True
        signed = entry.signature
        return any(
            one.key_id == signed.key_id and _is_valid(one.public_key, signed.signature, data)
            for one in keys
        )

    def _at(self, agency: str, record_us: int) -> list[Writer]:
        return [
            one
            for one in self._by_agency.get(agency, ())
            if one.since_us <= record_us and (one.until_us is None or record_us < one.until_us)
        ]


def key_id(public_key: bytes) -> bytes:
    """The name of a key."""
    return sha256(public_key).digest()[:KEY_ID_BYTES]


def sign(
    private_key: Ed25519PrivateKey, bare: Event, commitments: Iterable[Commitment]
) -> WriterSignature:
    """An agency's signature of an event without its personal fields, and of the commitments."""
    data = Entry(event=bare, commitments=commitments).SerializeToString(deterministic=True)
    public = private_key.public_key().public_bytes_raw()
    return WriterSignature(
        key_id=key_id(public), signature=private_key.sign(_CONTEXT + _signed(data))
    )


def _is_valid(public_key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _CONTEXT + _signed(data))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(data: bytes) -> bytes:
    """The bytes of an entry that are signed: the fields `event` and `commitments` as they stand."""
    at, found = 0, b""
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        if tag & 7 == 2:  # noqa: PLR2004  # bytes with their length
            length, at = _varint(data, at)
            at += length
        else:
            _, at = _varint(data, at)
        if tag in _SIGNED_TAGS:
            found += data[start:at]
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends) of the number at a place in the bytes of a message."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004
            return value, at
        shift += 7
