"""The files that say who may call a server, each read and judged by itself.

`ledger.keys.certificates` says what they are for.
"""

import base64
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from ledger.errors import StartupError
from ledger.keys.spiffe import AGENCY, is_authority, is_trust_domain, spiffe_id, uris_of
from ledger.keys.writers import Writer

CERTIFICATE, KEY, AUTHORITIES = "server.pem", "server.key", "authorities.pem"
REVOKED, TOKENS, WRITERS = "revoked.txt", "tokens", "writers.toml"

_FILES = (CERTIFICATE, KEY, AUTHORITIES, REVOKED, WRITERS)
_SERVER = re.compile(r"spiffe://([^/]+)/ledger")
_SERIAL = re.compile(r"[0-9a-f]{1,64}")
_TOKENS_OF = re.compile(rf"({AGENCY})(?:-[\w.-]+)?\.pem")
_WRITER_KEYS = {"agency", "public_key", "since"}
_DAY_CHARS = len("2026-01-01")

State = frozenset[tuple[str, int, int, int]]
Parsed = TypeVar("Parsed")


class BrokenFileError(StartupError):
    """A file is missing, half-written or none of its kind."""

    def __init__(self, file: Path, what: str) -> None:
        super().__init__(f"{file} {what}")
        self.file = file.name


def state_of(folder: Path) -> State:
    """(name, inode, time of change in ns, bytes) of each file: when it differs, read them again."""
    found = []
    for path in (*(folder / name for name in _FILES), *_token_files(folder)):
        try:
            stat = path.stat()
        except OSError:
            continue  # missing, which is a state as well
        found.append((path.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return frozenset(found)


def read_server(folder: Path) -> tuple[bytes, bytes, str]:
    """(certificates, private key, trust domain), the first two as PEM. Raises BrokenFileError."""
    path = folder / CERTIFICATE
    chain, key = _content(path), _content(folder / KEY)
    own, uris = _parsed(path, "certificates", lambda: _with_uris(chain))
    found = [_SERVER.fullmatch(uri) for uri in uris]
    if len(found) != 1 or not found[0] or not is_trust_domain(found[0][1]):
        raise BrokenFileError(path, "has not the one URI spiffe://TRUST_DOMAIN/ledger")
    private = _parsed(
        folder / KEY, "a private key without a password", lambda: load_pem_private_key(key, None)
    )
    if private.public_key() != own.public_key():
        raise BrokenFileError(folder / KEY, f"is not the key of {CERTIFICATE}")
    return chain, key, found[0][1]


def read_authorities(folder: Path) -> tuple[bytes, tuple[x509.Certificate, ...]]:
    """(PEM, certificates) of those that issue to callers. Raises BrokenFileError."""
    path = folder / AUTHORITIES
    pem = _content(path)
    found = _parsed(path, "certificates", lambda: x509.load_pem_x509_certificates(pem))
    if not _parsed(path, "certificates", lambda: all(is_authority(one) for one in found)):
        raise BrokenFileError(path, "has a certificate that is no authority's")
    return pem, tuple(found)


def read_revoked(folder: Path) -> frozenset[str]:
    """Serials in lower-case hex without leading zeros, and SPIFFE ids. Raises BrokenFileError."""
    path = folder / REVOKED
    content = _content(path)
    text = _parsed(path, "text", content.decode)
    # Written in part, it would let in whom its missing lines keep out.
    if not text.endswith("\n"):
        raise BrokenFileError(path, "does not end with the end of a line: is it half-written?")
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        told = line.partition("#")[0].strip()
        if _SERIAL.fullmatch(told):
            found.add(f"{int(told, 16):x}")
        elif spiffe_id(told):
            found.add(told)
        elif told:
            raise BrokenFileError(
                path, f"line {number} is neither a serial in lower-case hex nor a SPIFFE id"
            )
    return frozenset(found)


def read_token_keys(folder: Path) -> Mapping[str, tuple[Ed25519PublicKey, ...]]:
    """What each agency signs its people's tokens with. Raises BrokenFileError."""
    if not (folder / TOKENS).is_dir():
        raise BrokenFileError(folder / TOKENS, "is missing, or not a folder")
    found: dict[str, tuple[Ed25519PublicKey, ...]] = {}
    for path in _token_files(folder):
        named = _TOKENS_OF.fullmatch(path.name)
        if not named:
            raise BrokenFileError(path, "is not named like CBP.pem or CBP-2027.pem")
        found[named[1]] = (*found.get(named[1], ()), _token_key(path))
    return found


def read_writers(folder: Path) -> tuple[Writer, ...]:
    """The keys that events are signed with; none where there is no file. Raises BrokenFileError."""
    path = folder / WRITERS
    if not path.exists():
        return ()
    content = _content(path)
    told = _parsed(path, "TOML", lambda: tomllib.loads(content.decode()))
    if told.keys() - {"writer"}:
        raise BrokenFileError(path, "has something other than [[writer]]")
    found = _parsed(
        path,
        "a list of [[writer]] with agency, public_key, since and, if it ends, until",
        lambda: tuple(_writer(one) for one in told.get("writer", [])),
    )
    # A signature must say by itself whose it is.
    if len({one.key_id for one in found}) != len(found):
        raise BrokenFileError(path, "has one key twice")
    return found


def us_of(moment: datetime) -> int:
    """A moment with its zone, in microseconds since 1970 UTC."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def _token_files(folder: Path) -> list[Path]:
    try:
        return sorted((folder / TOKENS).glob("*.pem"))
    except OSError:
        return []  # which is a state as well


def _token_key(path: Path) -> Ed25519PublicKey:
    pem = _content(path)
    key = _parsed(path, "a public key", lambda: load_pem_public_key(pem))
    if not isinstance(key, Ed25519PublicKey):
        raise BrokenFileError(path, "is not an Ed25519 key")
    return key


def _writer(told: dict[str, Any]) -> Writer:
    """One [[writer]]. Raises ValueError, TypeError."""
    public_key = base64.b64decode(told["public_key"], validate=True)
    Ed25519PublicKey.from_public_bytes(public_key)
    made = Writer(
        agency=told["agency"],
        public_key=public_key,
        since_us=_moment_us(told["since"]),
        until_us=_moment_us(told["until"], whole_day=True) if "until" in told else None,
    )
    if (
        told.keys() - {"until"} != _WRITER_KEYS
        or not re.fullmatch(AGENCY, made.agency)
        or (made.until_us is not None and made.until_us <= made.since_us)
    ):
        raise ValueError
    return made


def _moment_us(told: Any, *, whole_day: bool = False) -> int:
    """A date or time of TOML, or the same as text, in UTC if it names no zone.

    A day alone is its first moment, or, where it counts as a whole, the first one after it.
    """
    if isinstance(told, str):
        kind = date if len(told) == _DAY_CHARS else datetime
        told = kind.fromisoformat(told)
    if isinstance(told, datetime):
        return us_of(told if told.tzinfo else told.replace(tzinfo=UTC))
    day = datetime(told.year, told.month, told.day, tzinfo=UTC)
    return us_of(day + timedelta(days=1) if whole_day else day)


def _content(path: Path) -> bytes:
    """What is in a file, which is something. Raises BrokenFileError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BrokenFileError(path, "is missing") from None
    except OSError as error:
        raise BrokenFileError(path, f"cannot be read: {error.strerror}") from None
    # Who writes a file anew empties it first, and nobody revoked is not what was meant.
    if not content:
        raise BrokenFileError(path, "is empty: is it half-written?")
    return content


def _parsed(path: Path, kind: str, parse: Callable[[], Parsed]) -> Parsed:
    """What is in a file. Raises BrokenFileError."""
    try:
        return parse()
    except Exception:  # noqa: BLE001  # a dozen kinds, and their words may quote a key
        raise BrokenFileError(path, f"is not {kind}") from None


def _with_uris(chain: bytes) -> tuple[x509.Certificate, list[str]]:
    """The first certificate of several, and its URIs."""
    own = x509.load_pem_x509_certificates(chain)[0]
    return own, uris_of(own)
