"""SPIFFE ids: which agency, and in which role (SPIFFE-ID and X509-SVID standards).

    spiffe://custody.example/agency/CBP                          its people bring tokens
    spiffe://custody.example/agency/CBP/role/field-agent
    spiffe://custody.example/agency/CBP/role/field-agent/program/intake

An id is a certificate's one URI. Common names and other names are never looked at: anybody's
authority may write into them what it likes.
"""

import re
from dataclasses import dataclass

from cryptography import x509

from ledger.v1.options_pb2 import Role

AGENCY = r"[A-Z][A-Z0-9_]{0,31}"
"""An agency's code. Courts and inspectors hold nobody and are in no code list, but may ask."""

ROLES: dict[str, Role.ValueType] = {
    name.removeprefix("ROLE_").lower().replace("_", "-"): number
    for name, number in Role.items()
    if number
}
"""The roles by their words in ids and tokens, such as "field-agent"."""

_ID_BYTES_MAX = 2048
_TRUST_DOMAIN = r"[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?"
_PROGRAM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_ID = re.compile(
    rf"spiffe://(?P<trust_domain>{_TRUST_DOMAIN})/agency/(?P<agency>{AGENCY})"
    rf"(?:/role/(?P<role>{'|'.join(ROLES)})(?:/program/{_PROGRAM})?)?"
)


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """What a SPIFFE id of an agency, or of one of its roles, says."""

    trust_domain: str
    agency: str
    role: Role.ValueType
    """ROLE_UNSPECIFIED where it names none."""


def spiffe_id(uri: str) -> SpiffeId | None:
    """What an agency's SPIFFE id says; None: it is not one, character for character."""
    if len(uri.encode()) > _ID_BYTES_MAX:
        return None
    found = _ID.fullmatch(uri)
    if not found:
        return None
    role = ROLES[found["role"]] if found["role"] else Role.ROLE_UNSPECIFIED
    return SpiffeId(found["trust_domain"], found["agency"], role)


def is_trust_domain(text: str) -> bool:
    """Whether this may name a trust domain: as a host's name, in lower case."""
    return bool(re.fullmatch(_TRUST_DOMAIN, text))


def uris_of(certificate: x509.Certificate) -> list[str]:
    """The URIs among the alternative names of a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate may issue others."""
    return any(
        isinstance(one.value, x509.BasicConstraints) and one.value.ca
        for one in certificate.extensions
    )
