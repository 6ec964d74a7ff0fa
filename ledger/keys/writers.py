"""Writers that sign: the agencies' public keys, and what they sign (Ed25519, RFC 8032)."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger.errors import MistakeError
from ledger.keys.sealing import SALT_BYTES, commitment
from ledger.personal import take_out
from ledger.v1.event_pb2 import Commitment, Entry, Event, Opening, WriterSignature
from ledger.v1.ledger_service_pb2 import SignedEvent
from projections.subjects import people_of

_CONTEXT = b"custody/event/v1\0"
_VARINT, _BYTES = 0, 2
_EVENT_TAG = Entry.EVENT_FIELD_NUMBER << 3 | _BYTES
_SIGNED_TAGS = {_EVENT_TAG, Entry.COMMITMENTS_FIELD_NUMBER << 3 | _BYTES}
_TAGS = {
    one.number << 3 | (_VARINT if one.type == one.TYPE_UINT32 else _BYTES)
    for one in Entry.DESCRIPTOR.fields
}
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


def signed_event(private_key: Ed25519PrivateKey, event: Event) -> SignedEvent:
    """What an agency sends with an event that it signs: the signature, and salts of its choosing.

    An event that names nobody has nothing to commit to: the ledger keeps it as it is.
    """
    bare = Event.FromString(event.SerializeToString())
    # Whom a retraction is about, its event does not say.
    is_about_somebody = bool(people_of(event)) or event.HasField("retracted")
    fields = take_out(bare) if is_about_somebody else []
    salts = [secrets.token_bytes(SALT_BYTES) for _ in fields]
    made = [
        commitment(path, salt, value) for (path, _, value), salt in zip(fields, salts, strict=True)
    ]
    return SignedEvent(
        signature=sign(private_key, bare, made),
        openings=[
            Opening(field=path, salt=salt) for (path, _, _), salt in zip(fields, salts, strict=True)
        ],
    )


def read_key(pem: bytes) -> Ed25519PrivateKey:
    """A private key that an agency signs with. Raises MistakeError."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise MistakeError("the key is not an Ed25519 private key in PEM, without a password")
    return key


def _is_valid(public_key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _CONTEXT + _signed(data))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(data: bytes) -> bytes:
    """The bytes of an entry that are signed: the fields `event` and `commitments` as they stand.

    Raises ValueError for bytes that could be read in two ways: the fields of an entry, each as its
    kind is written, one event among them, and nothing else.
    """
    at, found, events = 0, b"", 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        if tag not in _TAGS:
            raise ValueError(tag)
        length, at = _varint(data, at)
        if tag & 7 == _BYTES:
            at += length
        if tag in _SIGNED_TAGS:
            found += data[start:at]
        events += tag == _EVENT_TAG
    if at != len(data) or events != 1:
        raise ValueError(at)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends) of the number at a place in the bytes of a message. ValueError."""
    value = shift = 0
    while True:
        if at == len(data):
            raise ValueError(at)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004
            return value, at
        shift += 7
