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
        return _manifest(made)
    except FileNotFoundError:
        raise MistakeError(f"there is no {path}") from None
    except OSError as error:
        raise MistakeError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
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
    fresh.chmod(0o600)
    fresh.replace(folder / NAME)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    found = sha256()
    with path.open("rb") as file:
        while some := file.read(1 << 20):
            found.update(some)
    return found.hexdigest()


def _manifest(made: dict[str, Any]) -> Manifest:
    parts = [_part(one) for one in made["parts"]]
    found = Manifest(_number(made["width"]), _number(made["words"]), parts)
    said = made["checkpoint"]
    if found.width < 1 or (said["size"], said["root"]) != (found.size, found.root):
        raise ValueError("a checkpoint of other files")
    return found


def _part(made: dict[str, Any]) -> Part:
    part = Part(
        _number(made["first"]),
        _number(made["last"]),
        _text(made["subtree_root"]),
        _text(made["log_root"]),
        _file(made["events"]),
        _file(made["subjects"]),
    )
    if not 0 < part.first <= part.last:
        raise ValueError("a range that is none")
    return part


def _file(made: dict[str, Any]) -> File:
    return File(_text(made["name"]), _number(made["rows"]), _text(made["sha256"]))


def _number(made: object) -> int:
    if not isinstance(made, int):
        raise TypeError("not a number")
    return made


def _text(made: object) -> str:
    if not isinstance(made, str):
        raise TypeError("not a text")
    return made
