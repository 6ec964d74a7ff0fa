"""Who calls: by the certificate of the connection, and the token of the call.

The agency comes from the SPIFFE id of the certificate and from nothing else. It is judged on each
call and on each message of a stream, so that whoever is revoked is out at once, and on connections
that are open.
"""

import time
from typing import Any

import grpc

from ledger.access.caller import LOOPBACK, Caller
from ledger.errors import LedgerError
from ledger.keys import certificates, tokens
from ledger.keys.certificates import Identities
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.options_pb2 import Role

TOKEN = "authorization"  # noqa: S105  # the name of a field
PURPOSE = "ledger-purpose"
METADATA_BYTES_MAX = 8 * 1024
# What HTTP/2 adds to a field in its own count (RFC 9113, 6.5.2).
_FIELD_BYTES = 32
_BEARER = "Bearer "


def caller_of(context: grpc.ServicerContext, identities: Identities | None) -> Caller:
    """Who makes a call. Without identities: somebody on this machine. Raises UNIDENTIFIED."""
    metadata = _metadata(context)
    purpose = metadata.get(PURPOSE, "")
    if identities is None:
        return Caller(purpose_code=purpose) if purpose else LOOPBACK
    told = context.auth_context()
    spiffe_ids, chain = told.get("peer_spiffe_id", ()), told.get("x509_pem_cert", ())
    if len(spiffe_ids) != 1 or len(chain) != 1:
        raise certificates.not_accepted()
    certificate, known = certificates.read(chain[0]), identities.current()
    if certificate.spiffe_id != _text(spiffe_ids[0]):
        raise certificates.not_accepted()
    now_us = time.time_ns() // 1_000
    known.require(certificate, now_us)
    role, actor_id = certificate.role, ""
    case_ids: tuple[str, ...] = ()
    if TOKEN in metadata:
        token = metadata[TOKEN].removeprefix(_BEARER)
        person = tokens.read(token, known=known, certificate=certificate, now_us=now_us)
        # What a program may do for itself is no wider for the people it speaks for.
        if role not in (Role.ROLE_UNSPECIFIED, person.role):
            raise certificates.not_accepted("token")
        role, actor_id, case_ids = person.role, person.actor_id, person.case_ids
    if role == Role.ROLE_UNSPECIFIED:
        raise certificates.not_accepted("token")
    return Caller(
        spiffe_id=certificate.spiffe_id,
        agency=certificate.agency,
        role=role,
        actor_id=actor_id,
        case_ids=case_ids,
        purpose_code=purpose,
        known=known,
    )


def _text(told: Any) -> str:
    return bytes(told).decode("utf-8", "replace")


def _metadata(context: grpc.ServicerContext) -> dict[str, str]:
    """The metadata of a call, each name once. Raises QUOTA_EXHAUSTED for more than it may be.

    A peer that never acknowledges the settings of a connection is not held to them by the library.
    """
    found: dict[str, str] = {}
    size = 0
    for name, value in context.invocation_metadata():
        size += len(name) + len(value) + _FIELD_BYTES
        if size > METADATA_BYTES_MAX:
            raise LedgerError(
                ErrorReason.ERROR_REASON_QUOTA_EXHAUSTED, "more metadata than a call may have"
            )
        if name in found and name in (TOKEN, PURPOSE):
            raise certificates.not_accepted("metadata")
        found[name] = value if isinstance(value, str) else ""
    return found
