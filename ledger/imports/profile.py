"""A profile: how the columns of one kind of list become events. Data, not code.

`profiles/orr-separations.toml` shows nearly every feature, `profiles/cbp-daily-counts-later.toml`
the `id` of an event. A profile is checked when it is read: a column that nothing uses, a field that
an event does not have or a code that no list has is an error before the first row.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ledger.errors import MistakeError
from ledger.v1.event_pb2 import Event
from ledger.v1.options_pb2 import code_list
from ledger.v1.time_pb2 import Precision
from projections.codes import codes_of, said_in
from projections.codes import folded as normal

PRESENT, BLANK = "present", "blank"

INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
"""The kinds of whole numbers, with the least and the greatest."""

# No more digits than the greatest has: int() refuses a cell of thousands of them in its own way.
_INTEGER = re.compile(r"-?[0-9]{1,20}")

_KEYS = {"name", "title", "system", "agency", "zone", "vocabulary", "file"}
_KEYS |= {"skip", "event", "note", "texts", "codes"}
_EVENT_KEYS = {"id", "fact", "valid_time", "fields", "when"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a field of an event gets its value from; exactly one of the first four."""

    value: str = ""
    """Always this."""
    column: str = ""
    """The text of a column."""
    mint: str = ""
    """An id of this kind, derived from the file and the row: the same at each import."""
    text: str = ""
    """Always this text, told apart from `value` for free text."""
    codes: str = ""
    """The table that the text is looked up in."""
    split: str = ""
    """What separates several texts in one cell."""
    when: Mapping[str, Any] = field(default_factory=dict)
    """Only where the row is like this."""


@dataclass(frozen=True, slots=True)
class EventRule:
    """One event that a row becomes, where it is like `when`."""

    id: str
    """What the event's id is derived from, with the file and the row; the fact where not given.

    By it one row gives two events of one fact, and two profiles each give an event of their own.
    """
    fact: str
    valid_time: str
    """The column with the date."""
    fields: Mapping[str, Rule]
    when: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """Something to say of a row that is accepted all the same."""

    column: str
    text: str
    when: Mapping[str, Any]
    before: str = ""
    """The note is made where the date in `column` is before the one in this column."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of list is read."""

    name: str
    title: str
    system: str
    agency: str
    zone: str
    vocabulary: str
    """The edition of the words that the source wrote in, a date; empty: the import's day."""
    delimiter: str
    title_lines: int
    columns: tuple[str, ...]
    unused: tuple[str, ...]
    formats: tuple[str, ...]
    precision: Precision.ValueType
    skips: Mapping[str, Mapping[str, Any]]
    events: tuple[EventRule, ...]
    notes: tuple[Note, ...]
    codes: Mapping[str, Mapping[str, tuple[str, ...]]]
    texts: Mapping[str, frozenset[str]]
    """For columns that rules look at: every text that may stand there, "" where it may be blank."""


def load(name_or_file: str) -> Profile:
    """A profile that comes with the ledger, by its name, or one of your own, by its file.

    Raises MistakeError, naming what is wrong with it.
    """
    shipped = files(__package__) / "profiles"
    resource: Any = Path(name_or_file)
    if "/" not in name_or_file and not name_or_file.endswith(".toml"):
        resource = shipped / f"{name_or_file}.toml"
        if not resource.is_file():
            names = sorted(p.name.removesuffix(".toml") for p in shipped.iterdir())
            raise MistakeError(f"no profile is named {name_or_file}: there are {', '.join(names)}")
    try:
        profile = _read(tomllib.loads(resource.read_text(encoding="utf-8")))
    except OSError as error:
        raise MistakeError(f"the profile {name_or_file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MistakeError(f"the profile {name_or_file} is not TOML: {error}") from None
    except KeyError as error:
        raise MistakeError(f"the profile {name_or_file} lacks {error}") from None
    except TypeError as error:
        raise MistakeError(f"the profile {name_or_file} has a key too many: {error}") from None
    faults = list(_faults(profile))
    if faults:
        raise MistakeError(f"the profile {name_or_file}: {faults[0]}")
    return profile


def _read(table: dict[str, Any]) -> Profile:
    file = table["file"]
    # Otherwise an optional key that is misspelled would be passed over in silence.
    for keys, part in ((_KEYS, table), *((_EVENT_KEYS, one) for one in table["event"])):
        if unknown := sorted(part.keys() - keys):
            raise TypeError(unknown[0])
    return Profile(
        name=table["name"],
        title=table["title"],
        system=table["system"],
        agency=table["agency"],
        zone=table["zone"],
        vocabulary=table.get("vocabulary", ""),
        delimiter=file.get("delimiter", ","),
        title_lines=file.get("title_lines", 0),
        columns=tuple(file["columns"]),
        unused=tuple(file.get("unused", [])),
        formats=tuple(file["formats"]),
        precision=Precision.Value(f"PRECISION_{file['precision'].upper()}"),
        skips={one["name"]: one["when"] for one in table.get("skip", [])},
        events=tuple(
            EventRule(
                id=one.get("id", one["fact"]),
                fact=one["fact"],
                valid_time=one["valid_time"],
                fields={name: Rule(**rule) for name, rule in one["fields"].items()},
                when=one.get("when", {}),
            )
            for one in table["event"]
        ),
        notes=tuple(
            Note(one["column"], one["text"], one.get("when", {}), one.get("before", ""))
            for one in table.get("note", [])
        ),
        texts={column: frozenset(texts) for column, texts in table.get("texts", {}).items()},
        codes={
            # A table of its own, or the name of a code list, which knows what records write.
            name: said_in(rows)
            if isinstance(rows, str)
            else {text: (to,) if isinstance(to, str) else tuple(to) for text, to in rows.items()}
            for name, rows in table.get("codes", {}).items()
        },
    )


def _faults(profile: Profile) -> Iterator[str]:
    """What is wrong with a profile."""
    try:
        ZoneInfo(profile.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"{profile.zone} is not a zone of the IANA database"
    yield from _vocabulary_faults(profile.vocabulary)
    ids = Counter(one.id for one in profile.events)
    yield from (
        f"{n} events have the id {one}: each needs its own" for one, n in ids.items() if n > 1
    )
    used = {*profile.unused, *profile.texts}
    for when in (*profile.skips.values(), *(note.when for note in profile.notes)):
        used |= when.keys()
    for note in profile.notes:
        used |= {note.column, note.before or note.column}
    facts = Event.DESCRIPTOR.oneofs_by_name["fact"].fields
    bodies = {one.name: one.message_type for one in facts if one.message_type}
    for event in profile.events:
        used |= {event.valid_time, *event.when}
        if event.fact not in bodies:
            yield f"there is no event {event.fact}"
            continue
        for name, rule in event.fields.items():
            used |= {*rule.when, *([rule.column] if rule.column else [])}
            yield from _field_faults(profile, bodies[event.fact], f"{event.fact}.{name}", rule)
    yield from (f"nothing uses the column {one}" for one in profile.columns if one not in used)
    yield from (f"there is no column {one}" for one in sorted(used - {*profile.columns}))


def _vocabulary_faults(vocabulary: Any) -> Iterator[str]:
    try:
        # Other ways of writing a date are refused by the ledger.
        is_date = not vocabulary or date.fromisoformat(vocabulary).isoformat() == vocabulary
    except (TypeError, ValueError):
        is_date = False
    if not is_date:
        yield f'the vocabulary {vocabulary} is not a date in quotes, such as "2019-04-01"'


def _field_faults(profile: Profile, body: Descriptor, path: str, rule: Rule) -> Iterator[str]:
    target = field_of(body, path.partition(".")[2])
    if target is None:
        yield f"there is no field {path}"
        return
    if target.type not in {*INTEGERS, FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM}:
        yield f"{path} holds neither text, nor a whole number, nor one of several values"
        return
    if rule.codes and rule.codes not in profile.codes:
        yield f"{path} asks for codes.{rule.codes}, which is not there"
        return
    codes = {one for row in profile.codes.get(rule.codes, {}).values() for one in row}
    codes |= {rule.value, rule.text} - {""}
    if target.GetOptions().HasExtension(code_list):
        listed = codes_of(target.GetOptions().Extensions[code_list])
        yield from (f"{path}: {code} is in no code list" for code in sorted(codes - listed.keys()))
    elif target.enum_type:
        known = frozenset(target.enum_type.values_by_name)
        yield from (f"{path}: {code} is not a value of it" for code in sorted(codes - known))
        if rule.column and not rule.codes:
            yield f"{path} needs a table of codes for the texts of {rule.column}"
    elif target.type in INTEGERS:
        bad = (code for code in sorted(codes) if integer(code, target) is None)
        yield from (f"{path}: {code} is not a number, or out of its range" for code in bad)


def field_of(body: Descriptor, path: str) -> FieldDescriptor | None:
    """The field at a path such as "facility.name" in an event's message."""
    name, _, rest = path.partition(".")
    found = body.fields_by_name.get(name)
    if found is None or not rest:
        return found
    return field_of(found.message_type, rest) if found.message_type else None


def integer(text: str, target: FieldDescriptor) -> int | None:
    """A text as a whole number that the field can hold; None: it is not one.

    White space around it does not matter. `target.type` must be one of INTEGERS.
    """
    least, greatest = INTEGERS[target.type]
    if not _INTEGER.fullmatch(text.strip()):
        return None
    number = int(text)
    return number if least <= number <= greatest else None


def is_like(cells: Mapping[str, str], when: Mapping[str, Any]) -> bool:
    """Whether each column is "present", "blank", or one of the texts listed."""
    for column, wanted in when.items():
        text = normal(cells[column])
        if wanted == PRESENT:
            matches = bool(text)
        elif wanted == BLANK:
            matches = not text
        else:
            matches = text in wanted
        if not matches:
            return False
    return True


def folded(text: str) -> str:
    """The text on one line, its words parted by single spaces."""
    return " ".join(text.split())
