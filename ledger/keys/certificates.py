"""Who a certificate says that a caller is (X.509, RFC 5280), and whom a server lets in.

What a server knows is a folder of files, which are read again when they change:

    server.pem         its certificate, spiffe://TRUST_DOMAIN/ledger, and those above it
    server.key         the private key to it
    authorities.pem    those that issue certificates to callers, each directly
    revoked.txt        a serial in lower-case hex or an exact SPIFFE id a line; # begins a comment
    tokens/CBP.pem     what CBP signs its people's tokens with: Ed25519; CBP-2027.pem as well
    writers.toml       what agencies sign their events with; may be missing

Keys, authorities and revocations change without a restart. A connection outlives them, because gRPC
asks who a caller is only when she connects: `Known.require` asks again on each call.
"""

import base64
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.errors import LedgerError
from ledger.keys.folder import (
    BrokenFileError,
    State,
    read_authorities,
    read_revoked,
    read_server,
    read_token_keys,
    read_writers,
    state_of,
    us_of,
)
from ledger.keys.spiffe import is_authority, spiffe_id, uris_of
from ledger.keys.writers import Writer
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.options_pb2 import Role

logger = structlog.get_logger()

LOOKED_AT_EVERY_S = 1.0
REMEMBERED = 4096
"""So many certificates or tokens are not looked at again on the next call."""

_CLIENT = x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A caller's certificate. That it can be read says nothing of who issued it."""

    spiffe_id: str
    trust_domain: str
    """As it is written: trust domains are compared exactly."""
    agency: str
    role: Role.ValueType
    """ROLE_UNSPECIFIED where the id names none."""
    serial: int
    not_before_us: int
    """The first moment of its validity, in microseconds since 1970 UTC."""
    not_after_us: int
    """The last one."""
    thumbprint: str
    """x5t#S256 of RFC 8705: base64url, without padding, of the SHA-256 of its DER."""
    whole: x509.Certificate = field(repr=False, compare=False)
    """All of it, to ask who issued it."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Who may call, as the files said at one moment."""

    certificate_chain: bytes
    """The server's, as PEM."""
    key: bytes = field(repr=False)
    """The private key to it, as PEM."""
    authorities: bytes
    """Those that issue to callers, as PEM."""
    trust_domain: str
    """That of the server's own SPIFFE id."""
    revoked: frozenset[str]
    """Serials in lower-case hex without leading zeros, and SPIFFE ids."""
    token_keys: Mapping[str, tuple[Ed25519PublicKey, ...]]
    """By agency, what its people's tokens are signed with."""
    writers: tuple[Writer, ...]
    number: int
    """The generation: 1 at start, one more each time that the files have changed."""
    issuers: tuple[x509.Certificate, ...] = field(repr=False)
    """The authorities, to ask whether they issued a certificate."""
    _once: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def require(self, certificate: Certificate, now_us: int) -> None:
        """Let a caller in. Raises UNIDENTIFIED, without the reason.

        Not for another trust domain, nor before or after its validity at `now_us` (microseconds
        since 1970 UTC; RFC 5280: both bounds are within), nor if it or its id is revoked, nor if
        no present authority issued it.
        """
        if (
            not belongs(certificate, self.trust_domain)
            or not certificate.not_before_us <= now_us <= certificate.not_after_us
            or f"{certificate.serial:x}" in self.revoked
            or certificate.spiffe_id in self.revoked
        ):
            raise not_accepted()
        self.once(("issued", certificate.thumbprint), lambda: self._require_issuer(certificate))

    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """What `find` found for this key, this time or before; what it raises is not remembered.

        It is forgotten with this generation: what was right under other keys says nothing.
        """
        kept = self._once
        # Asked once, because another thread may clear it meanwhile.
        if (before := kept.get(key)) is not None:
            return cast("Found", before)
        found = find()
        if len(kept) >= REMEMBERED:
            kept.clear()
        kept[key] = found
        return found

    def _require_issuer(self, certificate: Certificate) -> bool:
        for one in self.issuers:
            try:
                certificate.whole.verify_directly_issued_by(one)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        raise not_accepted()


class Identities:
    """The folder, as it is at present. Several threads may ask."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the files; `clock` gives seconds. Raises StartupError, which names the file."""
        self._folder = folder
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_s = clock()
        self._warned: tuple[State, str] | None = None
        self._state = state_of(folder)
        self._known = _read(folder, 1)

    def current(self) -> Known:
        """What is known now, or was a second ago. Never fails: what was good stays so."""
        if self._clock() - self._looked_s >= LOOKED_AT_EVERY_S and self._looking.acquire(
            blocking=False
        ):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._known

    def _look(self) -> None:
        """Read the files if they have changed; again and again if that cannot be done."""
        self._looked_s = self._clock()
        state = state_of(self._folder)
        if state == self._state:
            return
        try:
            known = _read(self._folder, self._known.number + 1)
        except BrokenFileError as error:
            if self._warned != (state, error.file):
                self._warned = (state, error.file)
                logger.warning("identities not read", file=error.file)
            return
        # Otherwise one file may be of before and another of after.
        if state_of(self._folder) == state:
            self._known, self._state, self._warned = known, state, None
            logger.info("identities read", number=known.number)


def not_accepted(what: str = "certificate") -> LedgerError:
    """The refusal of a stranger: it says no more, so that trying again teaches nothing."""
    return LedgerError(ErrorReason.ERROR_REASON_UNIDENTIFIED, f"the {what} is not accepted")


@lru_cache(maxsize=REMEMBERED)
def read(pem: bytes) -> Certificate:
    """The first certificate in a PEM, as gRPC gives it of a connection. Raises UNIDENTIFIED.

    It must be a client's own, not an authority's, and have one URI, an agency's SPIFFE id.
    Remembered by its bytes, because it is asked on each call; refusals are not.
    """
    try:
        found = _certificate(pem)
    except Exception:  # noqa: BLE001  # a dozen kinds: whatever cannot be read is not accepted
        found = None
    if found is None:
        raise not_accepted()
    return found


def _certificate(pem: bytes) -> Certificate | None:
    """The certificate, or None if it is no agency's. Raises whatever parsing raises."""
    found = x509.load_pem_x509_certificate(pem)
    (uri,) = uris_of(found)
    told = spiffe_id(uri)
    # A serial that is not positive (RFC 5280, 4.1.2.2) could not be revoked by its hex.
    if told is None or found.serial_number <= 0 or not _is_clients(found):
        return None
    return Certificate(
        spiffe_id=uri,
        trust_domain=told.trust_domain,
        agency=told.agency,
        role=told.role,
        serial=found.serial_number,
        not_before_us=us_of(found.not_valid_before_utc),
        not_after_us=us_of(found.not_valid_after_utc),
        thumbprint=base64.urlsafe_b64encode(found.fingerprint(SHA256())).rstrip(b"=").decode(),
        whole=found,
    )


def belongs(certificate: Certificate, trust_domain: str) -> bool:
    """Whether a certificate names this trust domain, and not one that looks like it."""
    return certificate.trust_domain == trust_domain


def _is_clients(certificate: x509.Certificate) -> bool:
    """Whether a certificate is for calling with.

    TLS asks this too. An authority's own certificate with an agency's id in it is refused by the
    X509-SVID standard: whoever has it could make more of them.
    """
    return not is_authority(certificate) and not any(
        isinstance(one.value, x509.ExtendedKeyUsage) and _CLIENT not in one.value
        for one in certificate.extensions
    )


def _read(folder: Path, number: int) -> Known:
    """The files as they are. Raises BrokenFileError."""
    try:
        if not folder.is_dir():
            raise BrokenFileError(folder, "is not a folder of identities")
        chain, key, trust_domain = read_server(folder)
        authorities, issuers = read_authorities(folder)
        return Known(
            certificate_chain=chain,
            key=key,
            authorities=authorities,
            trust_domain=trust_domain,
            revoked=read_revoked(folder),
            token_keys=read_token_keys(folder),
            writers=read_writers(folder),
            number=number,
            issuers=issuers,
        )
    except OSError as error:
        raise BrokenFileError(folder, f"cannot be read: {error.strerror}") from None
