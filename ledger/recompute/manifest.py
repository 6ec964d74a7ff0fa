"""The manifest of an export: which files there are, and what each must be to be of the log."""

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.errors import MistakeError

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class File:
    """A Parquet file."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """The files of a closed range of positions."""

    first: int
    last: int
    subtree_root: str
    """Of the leaf hashes of the range alone (RFC 6962, 2.1)."""
    log_root: str
    """Of the log up to the last position."""
    events: File
    subjects: File

    @property
    def files(self) -> tuple[File, File]:
        """Both of them."""
        return self.events, self.subjects


@dataclass
class Manifest:
    """What an export has."""

    width: int
    """How many positions a range has; the last may have fewer."""
    words: int
    """A number that is another one when the words and their lists are; see `codes.edition`."""
    parts: list[Part] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many entries are in the files."""
        return self.parts[-1].last if self.parts else 0

    @property
    def root(self) -> str:
        """The root of the log at this size."""
        return self.parts[-1].log_root if self.parts else ""


def read(folder: Path) -> Manifest:
    """The manifest of a folder. Raises MistakeError where there is none, or it is not one."""
    path = folder / NAME
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
        if made["format"] != FORMAT:
            raise MistakeError(f"{path} is of another format: {made['format']}")
        parts = [_part(one) for one in made["parts"]]
        return Manifest(int(made["width"]), int(made["words"]), parts)
    except FileNotFoundError:
        raise MistakeError(f"there is no {path}") from None
    except (ValueError, KeyError, TypeError):
        raise MistakeError(f"{path} is not a manifest of an export") from None


def write(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one before, whole or not at all."""
    made = {
        "format": FORMAT,
        "width": manifest.width,
        "words": manifest.words,
        "checkpoint": {"size": manifest.size, "root": manifest.root},
        "parts": [asdict(one) for one in manifest.parts],
    }
    fresh = folder / f"{NAME}.part"
    fresh.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    fresh.replace(folder / NAME)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    found = sha256()
    with path.open("rb") as file:
        while some := file.read(1 << 20):
            found.update(some)
    return found.hexdigest()


def _part(made: dict[str, Any]) -> Part:
    events, subjects = File(**made.pop("events")), File(**made.pop("subjects"))
    part = Part(**made, events=events, subjects=subjects)
    if not 0 < part.first <= part.last:
        raise ValueError("a range that is none")
    return part
