"""The rows of a list, with its mess: the line they begin on, and the events they become.

A row may be a page header, bytes may be of another encoding. Nothing is dropped in silence: every
row is either events or a rejection with line, column and reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from google.protobuf.descriptor import FieldDescriptor

from ledger.imports.file import Likeness, ListFile
from ledger.imports.profile import (
    INTEGERS,
    EventRule,
    Profile,
    Rule,
    field_of,
    folded,
    integer,
    is_like,
)
from ledger.v1.event_pb2 import Event
from ledger.v1.time_pb2 import Precision
from projections.codes import folded as normal

# Ids of rows are derived from this and the file's hash, so that they are the same at each import.
SPACE = UUID("6f3a1c52-7a0e-4a6e-9d0c-2f4c3d1b5e90")


@dataclass
class Row:
    """A row of the list and what becomes of it."""

    number: int
    """Of the record in the file, the one after the header being 1."""
    line: int
    """On which it begins."""
    cells: Mapping[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(column, what there is to say)"""
    column: str = ""
    reason: str = ""
    """Why it is rejected; empty: it is not."""

    def reject(self, column: str, reason: str) -> None:
        """Say why the row becomes nothing. The first reason stands."""
        if not self.reason:
            self.column, self.reason, self.events = column, reason, []


class CellError(Exception):
    """A cell that cannot be read."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True, slots=True)
class List:
    """A list that has the form of its profile. Its rows are made each time they are asked for."""

    file: ListFile
    profile: Profile

    def __len__(self) -> int:
        return self.file.count

    def __iter__(self) -> Iterator[Row]:
        """The rows. Raises MistakeError where the file is not as it was when it was opened."""
        likeness = Likeness(self.file.alike)
        for number, line, cells in self.file.records():
            row = Row(number, line)
            if len(cells) == len(self.profile.columns):
                row.cells = dict(zip(self.profile.columns, cells, strict=True))
                _interpret(row, self.profile, self.file.sha256)
            else:
                row.reject("", f"has {len(cells)} cells, not {len(self.profile.columns)}")
            if not row.reason and (before := likeness.before(cells, line)):
                row.notes.append(("", f"is like the row of line {before} in every cell"))
            yield row


def read(path: Path, profile: Profile) -> List:
    """Open a list, and look through it. Raises MistakeError if it is not a list of this kind."""
    return List(ListFile(path, profile), profile)


def _interpret(row: Row, profile: Profile, digest: bytes) -> None:
    """Turn the cells of a row into events, notes or a rejection."""
    for column, cell in row.cells.items():
        if not cell.isprintable() and any("\udc80" <= char <= "\udcff" for char in cell):
            row.reject(column, "is not UTF-8")
            return
    for name, when in profile.skips.items():
        if is_like(row.cells, when):
            row.reject("", name)
            return
    try:
        row.events = [
            _event(row, profile, digest, rule)
            for rule in profile.events
            if is_like(row.cells, rule.when)
        ]
        _require_everything_taken(row, profile)
        for note in profile.notes:
            if not is_like(row.cells, note.when):
                continue
            if note.before and not _is_before(row, profile, note.column, note.before):
                continue
            row.notes.append((note.column, note.text))
    except CellError as error:
        row.reject(error.column, str(error))


def _require_everything_taken(row: Row, profile: Profile) -> None:
    """Raise CellError for a date that no event takes, or a text that no rule knows.

    Otherwise a child's discharge could be read past, and she would stay in care for ever.
    """
    taken = {rule.valid_time for rule in profile.events if is_like(row.cells, rule.when)}
    for column in {rule.valid_time for rule in profile.events} - taken:
        if row.cells[column].strip():
            raise CellError(column, "has a date that no event takes")
    for column, texts in profile.texts.items():
        if normal(row.cells[column]) not in texts:
            raise CellError(column, "is not one of the texts that the profile knows")


def _event(row: Row, profile: Profile, digest: bytes, rule: EventRule) -> Event:
    event = Event(event_id=_derived(digest, row, rule.id), vocabulary=profile.vocabulary)
    event.valid_time.time.FromDatetime(_instant(row, profile, rule.valid_time))
    event.valid_time.precision = profile.precision
    event.valid_time.zone = profile.zone
    event.source.system = profile.system
    event.source.file_sha256 = digest
    event.source.row = row.number
    event.source.line = row.line
    event.actor.agency = profile.agency
    fact = getattr(event, rule.fact)
    fact.SetInParent()
    for path, source in rule.fields.items():
        target = field_of(fact.DESCRIPTOR, path)
        if target is None or not is_like(row.cells, source.when):
            continue
        values = list(_values(row, profile, digest, source, target))
        *parents, name = path.split(".")
        owner = fact
        for parent in parents:
            owner = getattr(owner, parent)
        if target.is_repeated:
            getattr(owner, name).extend(dict.fromkeys(values))
        elif values:
            setattr(owner, name, values[0])
    return event


def _values(
    row: Row, profile: Profile, digest: bytes, rule: Rule, target: FieldDescriptor
) -> Iterator[Any]:
    """What a rule gives for a field: nothing where the cell is blank."""
    if rule.mint:
        yield _derived(digest, row, rule.mint)
    elif rule.value or rule.text:
        yield _converted(rule.value or rule.text, target, "")
    else:
        cell = row.cells[rule.column]
        for text in cell.split(rule.split) if rule.split else [cell]:
            if not text.strip():
                continue
            if not rule.codes:
                yield _converted(text, target, rule.column)
                continue
            codes = profile.codes[rule.codes].get(normal(text))
            if codes is None:
                raise CellError(rule.column, f"is not in the table codes.{rule.codes}")
            yield from (_converted(code, target, rule.column) for code in codes)


def _converted(text: str, target: FieldDescriptor, column: str) -> Any:
    """A text as a value of the field."""
    if target.enum_type:
        return target.enum_type.values_by_name[text].number
    if target.type in INTEGERS:
        number = integer(text, target)
        if number is None:
            raise CellError(column, "is not a number, or too small or too large a one")
        return number
    # Free text stays as it is; a name is one line, however the list was broken.
    return text if target.name.endswith("_text") else folded(text)


def _instant(row: Row, profile: Profile, column: str) -> datetime:
    text = row.cells[column].strip()
    if not text:
        raise CellError(column, "is blank")
    instant = _parsed(text, profile.formats, profile.zone)
    if instant is None:
        raise CellError(column, f"is not a date like {' or '.join(profile.formats)}")
    if profile.precision not in (Precision.PRECISION_DAY, Precision.PRECISION_MONTH):
        _look_at_clock(row, profile, column, instant)
    return instant


@lru_cache(maxsize=10_000)
def _parsed(text: str, forms: tuple[str, ...], zone: str) -> datetime | None:
    """The instant that a text states in the first form that it has. The same days come again."""
    for form in forms:
        try:
            return datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone))
        except ValueError:
            continue
    return None


def _look_at_clock(row: Row, profile: Profile, column: str, instant: datetime) -> None:
    """Reject a time that the clocks of the zone never showed; note one that they showed twice."""
    first, second = instant.utcoffset(), instant.replace(fold=1).utcoffset()
    if first is None or second is None or first == second:
        return
    if first < second:
        raise CellError(column, f"is a time that the clocks of {profile.zone} skipped that day")
    note = (column, f"is a time that the clocks of {profile.zone} showed twice: read as the first")
    if note not in row.notes:
        row.notes.append(note)


def _is_before(row: Row, profile: Profile, column: str, other: str) -> bool:
    if not row.cells[column].strip() or not row.cells[other].strip():
        return False
    return _instant(row, profile, column) < _instant(row, profile, other)


def _derived(digest: bytes, row: Row, what: str) -> str:
    return str(uuid5(SPACE, f"{digest.hex()}:{row.number}:{what}"))
