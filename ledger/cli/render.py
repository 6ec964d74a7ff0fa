"""Answers as tables for people and as JSON for programs, the stamp last so that it can be cited."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from ledger.v1.basis_pb2 import Stamp

TIMESTAMP = "google.protobuf.Timestamp"
MIDNIGHT = "T00:00:00Z"


def plain(message: Message) -> dict[str, Any]:
    """A message as JSON: snake case, 64-bit numbers as numbers, hashes as hex, absent as null."""
    made: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            made[field.name] = dict(sorted(value.items()))
        elif field.is_repeated:
            made[field.name] = [_plain(field, one) for one in value]
        elif field.has_presence and not message.HasField(field.name):
            if field.containing_oneof is None:
                made[field.name] = None
        else:
            made[field.name] = _plain(field, value)
    return made


def _plain(field: Any, value: Any) -> Any:
    if field.message_type:
        return value.ToJsonString() if field.message_type.full_name == TIMESTAMP else plain(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return value.hex()
    if field.enum_type:
        return word(field.enum_type, value)
    return value


def word(enum: EnumDescriptor, value: int) -> str:
    """A value of an enum without the prefix that all of them share."""
    names = enum.values_by_number
    if value not in names:
        return str(value)
    zero = names[0].name.removesuffix("UNSPECIFIED")
    return str(names[value].name.removeprefix(zero))


def enum_word(message: Message, field: str) -> str:
    """The value of an enum field as people read it, such as "held"; nothing if it is not set."""
    enum: Any = message.DESCRIPTOR.fields_by_name[field].enum_type
    value = word(enum, getattr(message, field))
    return "" if value == "UNSPECIFIED" else value.replace("_", " ").lower()


def time_of(message: Message, field: str) -> str:
    """A time as people read it: midnight UTC is a day."""
    if not message.HasField(field):
        return ""
    return str(getattr(message, field).ToJsonString()).removesuffix(MIDNIGHT)


def words_of(enum: EnumDescriptor) -> dict[str, int]:
    """The values of an enum by the words that people choose them by, such as "still-apart"."""
    return {
        word(enum, one.number).replace("_", "-").lower(): one.number
        for one in enum.values
        if one.number
    }


def show_json(value: dict[str, Any]) -> None:
    """One object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output; on a pipe every cell is in one piece, whatever the width."""
    console = console_out()
    whole = (Column(one, overflow="fold") for one in columns)
    table = Table(*whole, box=SIMPLE)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    # A title of the table would be broken at the table's width.
    console.print(title, style="bold", soft_wrap=True)
    console.print(table)


def show_some(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output, where there is anything to show."""
    if found := list(rows):
        show_table(title, columns, found)


def console_out() -> Console:
    """Standard output."""
    console = Console(highlight=False, markup=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=400)


def show_stamp(stamp: Stamp) -> None:
    """What the answer was computed from, as one line to cite."""
    parts = [f"size {stamp.size}", f"root {stamp.root.hex()}"]
    if stamp.HasField("as_of_time"):
        parts.append(f"as of {stamp.as_of_time.ToJsonString()}")
    if stamp.HasField("known_at_time"):
        parts.append(f"known at {stamp.known_at_time.ToJsonString()}")
    typer.echo("Cite this: " + ", ".join(parts))
