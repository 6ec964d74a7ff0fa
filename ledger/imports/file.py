"""A list as a file: its hash, its records by the line they begin on, and which of them are alike.

It is looked through once before the first record is given, so that what is no list is refused
whole; what is kept of it meanwhile is a few bytes a record, however long it is.
"""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import BinaryIO

from ledger.errors import MistakeError
from ledger.imports.profile import Profile, folded

# With two bits a record of a hundred bytes among so many, one in some hundred is looked at in vain.
_BYTES_A_BIT = 4
_BITS_MIN = 1 << 16
_READ_BYTES = 1 << 20

Record = tuple[int, int, list[str]]


class ListFile:
    """A list of the form that a profile describes."""

    def __init__(self, path: Path, profile: Profile) -> None:
        """Look through it. Raises MistakeError if it is not a list of this kind."""
        self._path = path
        self._profile = profile
        try:
            with path.open("rb") as file:
                # What cannot be read twice, such as a pipe, is kept.
                self._content = None if file.seekable() else file.read()
            with self._open() as file:
                self._state = _state_of(file)
                digest = sha256()
                while content := file.read(_READ_BYTES):
                    digest.update(content)
                self.sha256, size = digest.digest(), file.tell()
        except OSError as error:
            raise MistakeError(f"{path} cannot be read: {error.strerror}") from None
        self.count = 0
        """How many records there are after the header."""
        alike: set[bytes] = set()
        seen = _Seen(size // _BYTES_A_BIT)
        for _, _, cells in self.records():
            self.count += 1
            likeness = _digest(cells)
            if seen.add(likeness):
                alike.add(likeness)
        self.alike = frozenset(alike)
        """The digests of the records that are like another in every cell, and of a few others."""

    def records(self) -> Iterator[Record]:
        """(number, line, cells) of each record after the header; the first has number 1.

        Raises MistakeError where it is not as it was when it was opened.
        """
        with self._open() as file:
            # Other bytes than UTF-8 become surrogates, and are found in the cell where they stand.
            text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
            yield from _parsed(text, self._profile)
            if _state_of(file) != self._state:
                raise MistakeError(f"{self._path} was changed while it was read")

    def _open(self) -> BinaryIO:
        return self._path.open("rb") if self._content is None else io.BytesIO(self._content)


def _state_of(file: BinaryIO) -> tuple[int, ...]:
    """Which file it is, how large, and when it was changed last."""
    if isinstance(file, io.BytesIO):
        return ()
    state = os.fstat(file.fileno())
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


class Likeness:
    """Which records are like an earlier one in every cell: twins, or entered twice."""

    def __init__(self, alike: frozenset[bytes]) -> None:
        self._alike = alike
        self._lines: dict[bytes, int] = {}

    def before(self, cells: Sequence[str], line: int) -> int:
        """The line of the first record with these cells; 0: this is the first."""
        digest = _digest(cells)
        if digest not in self._alike:
            return 0
        first = self._lines.setdefault(digest, line)
        return 0 if first == line else first


class _Seen:
    """What was seen: never forgotten, sometimes made up (a Bloom filter, with two bits each)."""

    def __init__(self, size: int) -> None:
        self._size = max(_BITS_MIN, size)
        self._bits = bytearray(self._size // 8 + 1)

    def add(self, digest: bytes) -> bool:
        """Whether it may have been seen before; from now on it was."""
        was_seen = True
        for part in (digest[:8], digest[8:]):
            place, bit = divmod(int.from_bytes(part) % self._size, 8)
            was_seen = was_seen and bool(self._bits[place] >> bit & 1)
            self._bits[place] |= 1 << bit
        return was_seen


def _digest(cells: Sequence[str]) -> bytes:
    made = blake2b(digest_size=16)
    for cell in cells:
        content = cell.encode(errors="surrogateescape")
        made.update(len(content).to_bytes(8) + content)
    return made.digest()


def _parsed(text: io.TextIOWrapper, profile: Profile) -> Iterator[Record]:
    """The records after the header. Raises MistakeError for what is not of the form."""
    reader = csv.reader(text, delimiter=profile.delimiter, strict=True)
    number, header = 0, False
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise MistakeError(f"line {line}: not a list of this form: {error}") from None
        if line <= profile.title_lines or not cells:
            continue
        if not header:
            _check_header(cells, line, profile)
            header = True
            continue
        number += 1
        yield number, line, cells
    if not header:
        raise MistakeError("the file has no header line")


def _check_header(cells: list[str], line: int, profile: Profile) -> None:
    found = [folded(cell) for cell in cells]
    for wanted, cell in zip(profile.columns, found, strict=False):
        if wanted != cell:
            raise MistakeError(f"line {line}: the column {wanted!r} is expected, not {cell!r}")
    if len(found) != len(profile.columns):
        raise MistakeError(
            f"line {line}: {len(profile.columns)} columns are expected, not {len(found)}"
        )
