"""A throw-away authority, for trying out who may do what: certificates, keys, and whose they are.

    FOLDER/ca.pem, ca.key       the authority: ECDSA P-256
    FOLDER/server/              what `ledger serve --identities` takes
    FOLDER/clients/NAME/        what a caller has: client.pem, client.key, authorities.pem
    FOLDER/agencies/CODE/       token.key signs its people's tokens, writer.key its events: Ed25519

Its keys lie beside each other on one disk, which those of an authority in earnest must not do. The
certificates are X509-SVIDs (RFC 5280 with a SPIFFE id), as SPIRE and others issue them.
"""

import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ledger.errors import MistakeError
from ledger.keys.folder import AUTHORITIES, CERTIFICATE, KEY, REVOKED, TOKENS, WRITERS
from ledger.keys.spiffe import is_trust_domain

CLIENTS = {
    "cbp-field-agent": "CBP/role/field-agent",
    "cbp-agency-supervisor": "CBP/role/agency-supervisor",
    "ice-field-agent": "ICE/role/field-agent",
    "ice-agency-supervisor": "ICE/role/agency-supervisor",
    "orr-field-agent": "ORR/role/field-agent",
    "orr-case-manager": "ORR/role/case-manager",
    "orr-agency-supervisor": "ORR/role/agency-supervisor",
    "oig-investigator": "OIG/role/investigator",
    "gao-auditor": "GAO/role/auditor",
    "court-witness": "COURT/role/witness",
    "operator": "LEDGER/role/operator",
    "cbp": "CBP",
    "orr": "ORR",
}
"""The callers, and what their SPIFFE ids say; for the last two, people bring tokens."""

AGENCIES = tuple(dict.fromkeys(one.partition("/")[0] for one in CLIENTS.values()))

CLIENT_CERTIFICATE, CLIENT_KEY = "client.pem", "client.key"

_DAYS_MAX = 3650
# Clocks of machines that try it out may be behind.
_EARLIER = timedelta(minutes=5)
_SERVER_NAMES = (
    x509.DNSName("localhost"),
    x509.IPAddress(ip_address("127.0.0.1")),
    x509.IPAddress(ip_address("::1")),
)
_REVOKED = """\
# Who is no longer let in, from the next second on: a certificate's serial in lower-case hex, or an
# exact SPIFFE id, one a line. `openssl x509 -noout -serial -in client.pem` prints a serial.
"""
_WRITERS = """\
# The keys that agencies sign their events with. From `since` on, a day or a time in UTC, and before
# `until` if it is given, an agency that is listed here must sign what it appends: what it appended
# unsigned after that does not verify. To try it, take away the # before one agency's four lines.
"""

_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class _Authority:
    """What issues certificates."""

    certificate: x509.Certificate
    key: _Key


def make(folder: Path, trust_domain: str = "custody.example", days: int = 7) -> list[Path]:
    """Make it all, good for so many days from now; the files that were made.

    Raises MistakeError for a folder that holds something, or cannot be written.
    """
    if not is_trust_domain(trust_domain):
        raise MistakeError(f"{trust_domain} is no trust domain: a name such as custody.example")
    if not 1 <= days <= _DAYS_MAX:
        raise MistakeError(f"{days} days are not 1 to {_DAYS_MAX}")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise MistakeError(f"{folder} is not empty")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        _make_authority(folder, trust_domain, days)
        _make_server(folder, trust_domain)
        for name, path in CLIENTS.items():
            issue_client(folder, name, f"spiffe://{trust_domain}/agency/{path}")
    except OSError as error:
        raise MistakeError(f"{folder} cannot be written: {error.strerror}") from None
    made = (path for path in folder.rglob("*") if path.is_file())
    return sorted(made, key=lambda path: (path.parent, path.name))


def issue_client(
    folder: Path,
    name: str,
    spiffe_id: str,
    *,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    more_names: Sequence[x509.GeneralName] = (),
    subject: str = "",
    usage: ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    is_authority: bool = False,
    authority: Path | None = None,
) -> Path:
    """Make FOLDER/clients/NAME with a new key and a certificate, good or bad; that folder.

    The id is written as it is given, and "" is left out; `subject` is a common name. Times are with
    a zone, and those of the authority unless given. `authority` is the folder of another one to
    issue it; `is_authority` makes a certificate that could issue others. Raises MistakeError.
    """
    made = folder / "clients" / name
    if made.exists():
        raise MistakeError(f"{made} is there already")
    issuer = _read_authority(authority or folder)
    ids = [x509.UniformResourceIdentifier(spiffe_id)] if spiffe_id else []
    key, pem = _issue(
        issuer,
        [*ids, *more_names],
        subject=subject,
        usage=usage,
        is_authority=is_authority,
        not_before=not_before or issuer.certificate.not_valid_before_utc,
        not_after=not_after or issuer.certificate.not_valid_after_utc,
    )
    _write_key(made / CLIENT_KEY, key)
    _write(made / CLIENT_CERTIFICATE, pem)
    _write(made / AUTHORITIES, (folder / "ca.pem").read_bytes())
    return made


def _make_authority(folder: Path, trust_domain: str, days: int) -> None:
    now = datetime.now(UTC)
    key, pem = _issue(
        None,
        [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")],
        subject=f"throw-away authority of {trust_domain}"[:64],
        usage=None,
        is_authority=True,
        not_before=now - _EARLIER,
        not_after=now + timedelta(days=days),
    )
    _write_key(folder / "ca.key", key)
    _write(folder / "ca.pem", pem)


def _make_server(folder: Path, trust_domain: str) -> None:
    authority, server = _read_authority(folder), folder / "server"
    key, pem = _issue(
        authority,
        [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}/ledger"), *_SERVER_NAMES],
        subject="",
        usage=ExtendedKeyUsageOID.SERVER_AUTH,
        is_authority=False,
        not_before=authority.certificate.not_valid_before_utc,
        not_after=authority.certificate.not_valid_after_utc,
    )
    _write_key(server / KEY, key)
    _write(server / CERTIFICATE, pem)
    _write(server / AUTHORITIES, (folder / "ca.pem").read_bytes())
    _write(server / REVOKED, _REVOKED.encode())
    examples = [_make_agency(folder, agency) for agency in AGENCIES]
    _write(server / WRITERS, "\n".join([_WRITERS, *examples]).encode())


def _make_agency(folder: Path, agency: str) -> str:
    """Make an agency's two keys, and let the server know the first; of the second, an example."""
    token_key, writer_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    _write_key(folder / "agencies" / agency / "token.key", token_key)
    _write_key(folder / "agencies" / agency / "writer.key", writer_key)
    pem = token_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write(folder / "server" / TOKENS / f"{agency}.pem", pem)
    raw = b64encode(writer_key.public_key().public_bytes_raw()).decode()
    return (
        f'# [[writer]]\n# agency = "{agency}"\n# public_key = "{raw}"\n'
        f"# since = {datetime.now(UTC):%Y-%m-%d}\n"
    )


def _issue(
    issuer: _Authority | None,
    names: Sequence[x509.GeneralName],
    *,
    subject: str,
    usage: ObjectIdentifier | None,
    is_authority: bool,
    not_before: datetime,
    not_after: datetime,
) -> tuple[_Key, bytes]:
    """(key, certificate in PEM); issued by itself where there is no issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
    signing_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(_key_usage(is_authority=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
    )
    if names:
        # Where there is no subject, RFC 5280 wants the names to be critical.
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not subject)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return key, builder.sign(signing_key, SHA256()).public_bytes(Encoding.PEM)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    """To sign certificates, or to sign a handshake."""
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read_authority(folder: Path) -> _Authority:
    """The authority of a folder. Raises MistakeError."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    except (OSError, ValueError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MistakeError(f"{folder} has no authority: ca.pem and ca.key")
    return _Authority(certificate, key)


def _write_key(path: Path, key: _Key | Ed25519PrivateKey) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(path, pem, mode=0o600)


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a new file, in a folder that nobody else may look into."""
    for folder in reversed(path.parents):
        folder.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(content)
