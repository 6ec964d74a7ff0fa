"""The keys that are kept outside the database: in a file that only the ledger may read.

Persons' keys lie in the database, wrapped (AES key wrap, RFC 3394) by a key that lies here. When a
person's key is destroyed the others are wrapped anew and the old wrapping key is forgotten, so that
no copy of the database, no journal and no backup can give the destroyed one back.
"""

import base64
import binascii
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ledger.errors import StartupError, TamperedError

KEY_BYTES = 32
_FORMAT = 1

_State = tuple[int, int, int]


class Keyring:
    """The wrapping keys, the newest of which wraps, and the key of the index of numbers."""

    def __init__(self, path: Path) -> None:
        """Read the file, or make it. Raises StartupError if it cannot be read or is none."""
        self.path = path
        self.wrapping: dict[int, bytes] = {}
        self.index = b""
        self._read_state: _State | None = None
        if path.exists():
            self.reload()
            return
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            _flush(path.parent.parent)
        # Two that start at once must not each make one.
        with self.alone():
            if not path.exists():
                self.wrapping = {1: secrets.token_bytes(KEY_BYTES)}
                self.index = secrets.token_bytes(KEY_BYTES)
                self._write()

    def __repr__(self) -> str:
        return f"Keyring({str(self.path)!r}, numbers {sorted(self.wrapping)})"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process changes the file."""
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            self._wipe_old()
            if self.path.exists():
                self.refresh()
            yield

    def refresh(self) -> None:
        """Read the file again where another process of the ledger has changed it."""
        if self._state() != self._read_state:
            self.reload()

    def reload(self) -> None:
        """Read the file. Raises StartupError if it is none, or others may read it."""
        try:
            state = self._state()
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
        self.wrapping, self.index, self._read_state = wrapping, index, state

    @property
    def newest(self) -> int:
        """The number of the key that wraps."""
        return max(self.wrapping)

    @property
    def is_settled(self) -> bool:
        """Whether no change was broken off: one key wraps, and nothing is left of another."""
        return len(self.wrapping) == 1 and not self._old.exists()

    def wrap(self, number: int, key: bytes) -> bytes:
        """A key as the database may hold it, wrapped by the key of this number."""
        return aes_key_wrap(self.wrapping[number], key)

    def unwrap(self, number: int, wrapped: bytes) -> bytes:
        """A person's key. Raises TamperedError where the wrapped one is not what was wrapped."""
        if number not in self.wrapping:
            self.refresh()
        try:
            return aes_key_unwrap(self.wrapping[number], wrapped)
        except (KeyError, InvalidUnwrap, ValueError):
            raise TamperedError("a person's key is not the one that was kept") from None

    def add(self) -> int:
        """Make a newer wrapping key, kept before it is used; return its number."""
        number = self.newest + 1
        # Another dictionary, because others may be looking through this one.
        self.wrapping = {**self.wrapping, number: secrets.token_bytes(KEY_BYTES)}
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

    def _state(self) -> _State:
        """What differs between any two files that were ever here: an inode alone is used again."""
        stat = self.path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _write(self) -> None:
        kept = {
            "format": _FORMAT,
            "wrapping": {str(n): _text(key) for n, key in sorted(self.wrapping.items())},
            "index": _text(self.index),
        }
        fresh, old = self.path.with_name(f"{self.path.name}.new"), self._old
        _put(fresh, json.dumps(kept, indent=1).encode())
        if self.path.exists():
            os.link(self.path, old)
        fresh.replace(self.path)
        self._read_state = self._state()
        # Before the old one is wiped: a power cut must not leave its name on zeros.
        _flush(self.path.parent)
        self._wipe_old()

    @property
    def _old(self) -> Path:
        return self.path.with_name(f"{self.path.name}.old")

    def _wipe_old(self) -> None:
        """What was forgotten is not left lying in a block that nobody uses, nor after a crash."""
        if not self._old.exists():
            return
        if not (self.path.exists() and self._old.samefile(self.path)):
            with self._old.open("r+b") as file:
                file.write(bytes(self._old.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
        self._old.unlink()


def _flush(folder: Path) -> None:
    """See to it that names in a folder are kept."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _put(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
