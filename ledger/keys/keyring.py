"""The keys that are kept outside the database: in a file that only the ledger may read.

Persons' keys lie in the database, wrapped (AES key wrap, RFC 3394) by a key that lies here. When a
person's key is destroyed the others are wrapped anew and the old wrapping key is forgotten, so that
no copy of the database, no journal and no backup can give the destroyed one back.
"""

import base64
import binascii
import hmac
import json
import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ledger.errors import StartupError, TamperedError

KEY_BYTES = 32
_FORMAT = 1


class Keyring:
    """The wrapping keys, the newest of which wraps, and the key of the index of numbers."""

    def __init__(self, path: Path) -> None:
        """Read the file, or make it. Raises StartupError if it cannot be read or is none."""
        self.path = path
        self.wrapping: dict[int, bytes] = {}
        self.index = b""
        self._inode = 0
        if path.exists():
            self.reload()
        else:
            self.wrapping = {1: secrets.token_bytes(KEY_BYTES)}
            self.index = secrets.token_bytes(KEY_BYTES)
            self._write()

    def __repr__(self) -> str:
        return f"Keyring({str(self.path)!r}, numbers {sorted(self.wrapping)})"

    def refresh(self) -> None:
        """Read the file again where another process of the ledger has changed it."""
        if self.path.stat().st_ino != self._inode:
            self.reload()

    def reload(self) -> None:
        """Read the file. Raises StartupError if it is none, or others may read it."""
        try:
            self._inode = self.path.stat().st_ino
            if self.path.stat().st_mode & 0o077:
                raise StartupError(f"others may read the keys in {self.path}: chmod 600")
            kept: Any = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["format"] != _FORMAT:
                raise StartupError(f"{self.path} has a format that this edition does not read")
            wrapping = {int(n): base64.b64decode(key) for n, key in kept["wrapping"].items()}
            index = base64.b64decode(kept["index"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise StartupError(f"{self.path} cannot be read as keys of a ledger") from None
        if not wrapping or {len(key) for key in (*wrapping.values(), index)} != {KEY_BYTES}:
            raise StartupError(f"{self.path} cannot be read as keys of a ledger")
        self.wrapping, self.index = wrapping, index

    @property
    def newest(self) -> int:
        """The number of the key that wraps."""
        return max(self.wrapping)

    def wrap(self, key: bytes) -> bytes:
        """A key as the database may hold it."""
        return aes_key_wrap(self.wrapping[self.newest], key)

    def unwrap(self, number: int, wrapped: bytes) -> bytes:
        """A person's key. Raises TamperedError where the wrapped one is not what was wrapped."""
        if number not in self.wrapping:
            self.reload()
        if number not in self.wrapping:
            raise StartupError(f"{self.path} does not have the keys of this database")
        try:
            return aes_key_unwrap(self.wrapping[number], wrapped)
        except (InvalidUnwrap, ValueError):
            raise TamperedError("a person's key is not the one that was kept") from None

    def add(self) -> int:
        """Make a newer wrapping key, kept before it is used; return its number."""
        number = self.newest + 1
        self.wrapping[number] = secrets.token_bytes(KEY_BYTES)
        self._write()
        return number

    def forget_all_but(self, number: int) -> None:
        """Keep one wrapping key. What another one has wrapped cannot be had any more."""
        if set(self.wrapping) != {number}:
            self.wrapping = {number: self.wrapping[number]}
            self._write()

    def blind(self, text: str) -> str:
        """A text for an index: equal where it is equal, and not to be guessed (HMAC-SHA-256)."""
        return hmac.digest(self.index, text.encode(), sha256).hex()

    def _write(self) -> None:
        kept = {
            "format": _FORMAT,
            "wrapping": {str(n): _text(key) for n, key in sorted(self.wrapping.items())},
            "index": _text(self.index),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.new")
        _put(fresh, json.dumps(kept, indent=1).encode())
        old = self.path.with_name(f"{self.path.name}.old")
        if self.path.exists():
            old.unlink(missing_ok=True)
            os.link(self.path, old)
        fresh.replace(self.path)
        self._inode = self.path.stat().st_ino
        if old.exists():
            # What was forgotten is not left lying in a block that nobody uses.
            with old.open("r+b") as file:
                file.write(bytes(old.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            old.unlink()
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _put(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
