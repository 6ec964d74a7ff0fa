"""What an agency says of its people: JSON Web Tokens (RFC 7519) that it signs with Ed25519.

A caller's token says who calls through the agency's certificate. It is bound to that certificate
(`cnf` with `x5t#S256`, RFC 8705), so that it is worth nothing on another connection. An approval
says that a second person approves one event, and is kept with it.

The algorithm is EdDSA (RFC 8037) and no other, whatever a token says of itself (RFC 8725, 3.1).
Each kind has its own `typ` (RFC 8725, 3.11), so that neither is taken for the other. Time is always
passed in, as microseconds since 1970 UTC; the times within a token are whole seconds.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import MistakeError
from ledger.keys.certificates import Certificate, Known, not_accepted
from ledger.keys.spiffe import AGENCY, ROLES, is_trust_domain
from ledger.keys.writers import read_key
from ledger.shape import is_id
from ledger.v1.options_pb2 import Role

CALLER, APPROVAL = "ledger-caller+jwt", "ledger-approval+jwt"
LIFETIME_S_MAX = 8 * 60 * 60
"""A day's work: who leaves an agency, or is no longer on a case, is out by the next morning."""
AHEAD_S_MAX = 60
"""Clocks of agencies differ from ours by so much."""
CASES_MAX = 100

_CHARS_MAX = 32 * 1024
_ALGORITHM = "EdDSA"
_JWS = jwt.PyJWS([_ALGORITHM])
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_ACTOR = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORDS = {number: word for word, number in ROLES.items()}


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls."""

    agency: str
    actor_id: str
    """As the agency names her: no name, but what it can trace to one."""
    role: Role.ValueType
    case_ids: tuple[str, ...]
    """The cases assigned to her."""


@dataclass(frozen=True, slots=True)
class Approved:
    """That a second person approves one event."""

    agency: str
    actor_id: str
    role: Role.ValueType
    event_id: str
    event_sha256: bytes
    """Of the event's bytes, as `ledger.entry.encode` gives them."""
    token: str
    """The statement itself, which can be verified again."""


def issue(
    private_key_pem: bytes,
    *,
    agency: str,
    actor_id: str,
    role: Role.ValueType,
    audience: str,
    thumbprint: str,
    lifetime_s: int,
    now_us: int,
    case_ids: Sequence[str] = (),
) -> str:
    """A caller's token for the trust domain `audience` and the certificate with this thumbprint.

    Raises MistakeError for what `read` would refuse.
    """
    claims = _both(agency, actor_id, role, audience, lifetime_s, now_us)
    claims |= {"case_ids": list(case_ids), "cnf": {"x5t#S256": thumbprint}}
    return _signed(private_key_pem, CALLER, claims, [*_faults(claims), *_caller_faults(claims)])


def read(token: str, *, known: Known, certificate: Certificate, now_us: int) -> Person:
    """Who calls, according to a token that came over a connection with this certificate.

    The certificate must have been let in by `known`, and only the keys of its own agency count.
    Raises UNIDENTIFIED, without the reason. A good signature is remembered; the time is not.
    """
    digest = sha256(token.encode(errors="replace")).digest()
    claims = known.once(
        ("token", digest, certificate.thumbprint), lambda: _callers(token, known, certificate)
    )
    if not _is_in_time(claims, now_us):
        raise not_accepted("token")
    return Person(
        agency=claims["iss"],
        actor_id=claims["sub"],
        role=ROLES[claims["role"]],
        case_ids=tuple(claims.get("case_ids", ())),
    )


def approve(
    private_key_pem: bytes,
    *,
    agency: str,
    actor_id: str,
    role: Role.ValueType,
    audience: str,
    event_id: str,
    event_sha256: bytes,
    lifetime_s: int,
    now_us: int,
) -> str:
    """A statement that this person approves one event, for the trust domain `audience`.

    Raises MistakeError for what `read_approval` would refuse.
    """
    claims = _both(agency, actor_id, role, audience, lifetime_s, now_us)
    claims |= {"approves": event_id, "event_sha256": event_sha256.hex()}
    return _signed(private_key_pem, APPROVAL, claims, [*_faults(claims), *_approval_faults(claims)])


def read_approval(token: str, *, known: Known, now_us: int) -> Approved:
    """What an approval says, signed with a key of the agency that it names.

    That it is for the event at hand, and from another person, is for the caller to compare. Raises
    UNIDENTIFIED, without the reason.
    """
    agency = (_opened(token, "", None) or {}).get("iss")
    keys = known.token_keys.get(agency, ()) if isinstance(agency, str) else ()
    claims = _verified(token, APPROVAL, keys)
    if (
        claims is None
        or claims.get("aud") != known.trust_domain
        or [*_faults(claims), *_approval_faults(claims)]
        or not _is_in_time(claims, now_us)
    ):
        raise not_accepted("approval")
    return Approved(
        agency=claims["iss"],
        actor_id=claims["sub"],
        role=ROLES[claims["role"]],
        event_id=claims["approves"],
        event_sha256=bytes.fromhex(claims["event_sha256"]),
        token=token,
    )


def _callers(token: str, known: Known, certificate: Certificate) -> dict[str, Any]:
    """The claims of a caller's token, good at some time. Raises UNIDENTIFIED."""
    claims = _verified(token, CALLER, known.token_keys.get(certificate.agency, ()))
    if (
        claims is None
        or claims.get("iss") != certificate.agency
        or claims.get("aud") != known.trust_domain
        or claims.get("cnf") != {"x5t#S256": certificate.thumbprint}
        or [*_faults(claims), *_caller_faults(claims)]
    ):
        raise not_accepted("token")
    return claims


def _verified(token: str, typ: str, keys: Sequence[Ed25519PublicKey]) -> dict[str, Any] | None:
    """The claims of a token of this kind that one of these keys signed; None: it is none."""
    found = (_opened(token, typ, key) for key in keys)
    return next((claims for claims in found if claims is not None), None)


def _opened(token: str, typ: str, key: Ed25519PublicKey | None) -> dict[str, Any] | None:
    """The claims of a token, without a key unverified; None: it is none."""
    if len(token) > _CHARS_MAX or not _FORM.fullmatch(token):
        return None
    try:
        if key is None:
            opened = _JWS.decode_complete(token, options={"verify_signature": False})
        else:
            opened = _JWS.decode_complete(token, key, algorithms=[_ALGORITHM])
        claims = json.loads(opened["payload"])
    # Nested too deeply, or numbers too long: the header is a stranger's until it is verified.
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    is_kind = key is None or opened["header"].get("typ") == typ
    return claims if is_kind and isinstance(claims, dict) else None


def _both(
    agency: str,
    actor_id: str,
    role: Role.ValueType,
    audience: str,
    lifetime_s: int,
    now_us: int,
) -> dict[str, Any]:
    """The claims that both kinds have."""
    now_s = now_us // 1_000_000
    return {
        "iss": agency,
        "sub": actor_id,
        "role": _WORDS.get(role, ""),
        "aud": audience,
        "iat": now_s,
        "exp": now_s + lifetime_s,
    }


def _signed(private_key_pem: bytes, typ: str, claims: dict[str, Any], faults: list[str]) -> str:
    key = read_key(private_key_pem)
    if faults:
        raise MistakeError(faults[0])
    return _JWS.encode(json.dumps(claims).encode(), key, _ALGORITHM, {"typ": typ})


def _is_in_time(claims: dict[str, Any], now_us: int) -> bool:
    """Whether a token has begun, by a clock that may be behind, and not yet ended."""
    begun_s = max(claims["iat"], claims.get("nbf", claims["iat"]))
    return bool((begun_s - AHEAD_S_MAX) * 1_000_000 <= now_us < claims["exp"] * 1_000_000)


def _faults(claims: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the claims that both kinds have."""
    if not _is_like(AGENCY, claims.get("iss")):
        yield "the agency is not a code such as CBP"
    if not _is_like(_ACTOR, claims.get("sub")):
        yield "the actor is not 1 to 64 letters, digits and . _ : -"
    if not _is_like("|".join(ROLES), claims.get("role")):
        yield f"the role is none of {', '.join(ROLES)}"
    if not isinstance(claims.get("aud"), str) or not is_trust_domain(claims["aud"]):
        yield "the audience is not a trust domain"
    begun, ended = claims.get("iat"), claims.get("exp")
    # Neither fractions nor true, which is a number to Python.
    if type(begun) is not int or type(ended) is not int or type(claims.get("nbf", 0)) is not int:
        yield "a time is not in whole seconds"
    elif not 0 < ended - begun <= LIFETIME_S_MAX:
        yield f"it must end, and within {LIFETIME_S_MAX // 3600} hours"


def _caller_faults(claims: dict[str, Any]) -> Iterator[str]:
    case_ids = claims.get("case_ids", [])
    if not isinstance(case_ids, list) or len(case_ids) > CASES_MAX:
        yield f"the cases are not a list of at most {CASES_MAX}"
    elif not all(isinstance(one, str) and is_id(one) for one in case_ids):
        yield "a case is not a UUID in lower case"
    told = claims.get("cnf")
    if not isinstance(told, dict) or not _is_like(_THUMBPRINT, told.get("x5t#S256")):
        yield "the thumbprint is not the SHA-256 of a certificate in base64url"


def _approval_faults(claims: dict[str, Any]) -> Iterator[str]:
    event_id = claims.get("approves")
    if not isinstance(event_id, str) or not is_id(event_id):
        yield "the event's id is not a UUID in lower case"
    if not _is_like(_SHA256, claims.get("event_sha256")):
        yield "the event's hash is not a SHA-256"


def _is_like(pattern: str | re.Pattern[str], told: Any) -> bool:
    return isinstance(told, str) and bool(re.fullmatch(pattern, told))
