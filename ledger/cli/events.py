"""Events in files: protobuf JSON, and where it is not."""

import difflib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pool import Default
from google.protobuf.json_format import ParseDict, ParseError

from ledger.errors import LedgerError, MistakeError, refuse
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Event

_AT = re.compile(r' at "?Event([.\w\[\]]*?)"?\.*$')
_WITHIN = re.compile(r"^Failed to parse (\w+) field: ")
_UNKNOWN = re.compile(r'has no field named "([^"]*)"')
_ENUM = re.compile(r"^Invalid enum value (.*) for enum type ([\w.]+)")
_TYPE = re.compile(r'^Message type "[\w.]+" ')
# What Python's reader says of what follows a whole value.
_MORE = "Extra data"
_KNOWN = re.compile(r"'(\w+)'")


def read_bytes(file: Path) -> bytes:
    """What is in a file, or on standard input for "-". Raises MistakeError."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise MistakeError(f"{file} cannot be read: {error.strerror}") from None


def text_of(content: bytes, where: object) -> str:
    """The text that a file, or a line of it, holds. Raises MistakeError, which says `where`."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MistakeError(f"{where}: byte {error.start} is not UTF-8") from None


def read_json(file: Path) -> Any:
    """The JSON in a file. Raises MALFORMED_REQUEST naming line and column."""
    return _parsed(text_of(read_bytes(file), file), file, 1)


def read_lines(file: Path) -> Iterator[tuple[int, Event]]:
    """(line, event) of each line of a file that is not blank, one at a time.

    Raises LedgerError, MistakeError.
    """
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as lines:
            for line, content in enumerate(lines, 1):
                if text := text_of(content, f"{file}: line {line}").strip():
                    yield line, _event(_parsed(text, file, line), f"line {line}")
    except OSError as error:
        raise MistakeError(f"{file} cannot be read: {error.strerror}") from None


def _parsed(text: str, file: Path, first_line: int) -> Any:
    """The JSON in a text that begins on a line of a file."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        said = f"not JSON: {error.msg}"
        if error.msg == _MORE and error.lineno > 1:
            said += "; a file with an event on each line is appended with --lines"
        raise _malformed(f"{file}: line {line}, column {error.colno}", said) from None
    except RecursionError:
        raise _malformed(str(file), "nested too deeply") from None
    except ValueError as error:
        raise _malformed(str(file), str(error)) from None


def read_events(file: Path) -> list[Event]:
    """The events in a file: one, or a list. Raises LedgerError, MistakeError."""
    found = read_json(file)
    listed = found if isinstance(found, list) else [found]
    return [_event(one, f"events[{index}]") for index, one in enumerate(listed)]


def _event(told: Any, path: str) -> Event:
    if not isinstance(told, dict):
        raise _malformed(path, "not an event: an object like {…} is expected")
    try:
        return ParseDict(told, Event())
    except ParseError as error:
        raise _refused(str(error), path) from None


def _refused(said: str, path: str) -> LedgerError:
    """What protobuf says of JSON, as a refusal that names the place."""
    what, _, rest = said.partition("\n")
    fields = []
    while within := _WITHIN.match(what):
        fields.append(within[1])
        what = what[within.end() :]
    at = _AT.search(what)
    what = _TYPE.sub("", what[: at.start()] if at else what.rstrip("."))
    place = path + (at[1] if at else "".join(f".{name}" for name in fields[:-1]))
    if fields and not _UNKNOWN.search(what) and not place.endswith(f".{fields[-1]}"):
        place = f"{place}.{fields[-1]}"
    if unknown := _UNKNOWN.search(what):
        near = difflib.get_close_matches(unknown[1], _KNOWN.findall(rest), 1)
        meant = f"; is {near[0]} meant?" if near else ""
        return refuse(
            [
                (
                    ErrorReason.ERROR_REASON_UNKNOWN_FIELD,
                    place,
                    f"there is no field {unknown[1]}{meant}",
                )
            ]
        )
    if wrong := _ENUM.match(what):
        words = Default().FindEnumTypeByName(wrong[2]).values_by_name
        what = f"{wrong[1]} is none of {', '.join(list(words)[1:])}"
    return _malformed(place, what)


def _malformed(place: str, what: str) -> LedgerError:
    return refuse([(ErrorReason.ERROR_REASON_MALFORMED_REQUEST, place, what)])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose fields are each given once, however spelt."""
    seen = set()
    for name, _ in pairs:
        spelt = name.replace("_", "").lower()
        if spelt in seen:
            raise ValueError(f"{name} is given twice in one object")
        seen.add(spelt)
    return dict(pairs)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
