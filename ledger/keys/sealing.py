"""Sealing: personal fields under the keys of persons, with a commitment to each.

Commitments are to the plain value and never to the ciphertext: keys can be changed without touching
the log, and a ciphertext that opens under two keys to two texts, as AES-GCM allows, is found.
"""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from ledger.errors import LedgerError
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Commitment, Opening, Openings, SealedFields

SALT_BYTES = 32

_COMMIT = b"custody/commit/v1"
_NONCE_BYTES = 12


def commitment(field: str, salt: bytes, value: bytes) -> Commitment:
    """The promise of what a field says; docs/entry.md has the format."""
    digest = sha256(b"\0".join((_COMMIT, field.encode(), salt + value))).digest()
    return Commitment(field=field, hash=digest)


def salt(keys: Sequence[bytes], event_id: str, field: str) -> bytes:
    """The salt of a field: random to whoever does not have the keys, and the same in a retry."""
    return hmac.digest(_key(keys, b"salt"), f"{event_id}\0{field}".encode(), sha256)


def digest(keys: Sequence[bytes], name: str, told: bytes) -> bytes:
    """HMAC-SHA-256 of what was told, under all of these keys and for one name alone."""
    return hmac.digest(_key(keys, b"digest"), name.encode() + b"\0" + told, sha256)


def close(
    keys: Sequence[bytes], person_ids: Sequence[str], event_id: str, openings: Sequence[Opening]
) -> SealedFields:
    """Seal fields under the keys of all of these persons, given in the same order."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = Openings(openings=openings).SerializeToString()
    box = AESGCM(_key(keys, b"fields"))
    return SealedFields(
        person_ids=person_ids,
        nonce=nonce,
        ciphertext=box.encrypt(nonce, plain, _bound(event_id, person_ids)),
    )


def open_(
    keys: Sequence[bytes],
    sealed: SealedFields,
    event_id: str,
    commitments: Sequence[Commitment],
) -> Sequence[Opening]:
    """The fields. Raises VERIFICATION_FAILED unless they are what the entry commits to."""
    try:
        plain = AESGCM(_key(keys, b"fields")).decrypt(
            sealed.nonce, sealed.ciphertext, _bound(event_id, sealed.person_ids)
        )
        openings = Openings.FromString(plain).openings
    except (InvalidTag, DecodeError, ValueError):
        raise _not_kept() from None
    made = [commitment(one.field, one.salt, one.value) for one in openings]
    if made != list(commitments):
        raise _not_kept()
    return openings


def read(stored: bytes) -> SealedFields:
    """Sealed fields as they are stored. Raises VERIFICATION_FAILED where they are none."""
    try:
        return SealedFields.FromString(stored)
    except DecodeError:
        raise _not_kept() from None


def close_state(
    keys: Sequence[bytes], person_ids: Sequence[str], subject_id: str, state: bytes
) -> SealedFields:
    """What a table shows of a subject, sealed under the keys of all whom it tells of."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    box = AESGCM(_key(keys, b"state"))
    return SealedFields(
        person_ids=person_ids,
        nonce=nonce,
        ciphertext=box.encrypt(nonce, state, _bound(subject_id, person_ids)),
    )


def open_state(keys: Sequence[bytes], sealed: SealedFields, subject_id: str) -> bytes:
    """The same in plain. Raises VERIFICATION_FAILED where it is not what was sealed there."""
    try:
        return AESGCM(_key(keys, b"state")).decrypt(
            sealed.nonce, sealed.ciphertext, _bound(subject_id, sealed.person_ids)
        )
    except (InvalidTag, ValueError):
        raise _not_kept() from None


def _key(keys: Sequence[bytes], purpose: bytes) -> bytes:
    """One key out of those of several persons: without any one of them it cannot be had."""
    return hmac.digest(b"".join(keys), b"custody/" + purpose + b"/v1", sha256)


def _bound(to: str, person_ids: Sequence[str]) -> bytes:
    return "\0".join((to, *person_ids)).encode()


def _not_kept() -> LedgerError:
    return LedgerError(
        ErrorReason.ERROR_REASON_VERIFICATION_FAILED,
        "sealed fields are not what the entry commits to",
    )
