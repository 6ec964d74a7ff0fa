"""The code lists: data with dates, one TOML file each.

A list grows by editions and never loses a code, so that what was recorded under an older edition
still reads. Beside a code stands what real records write for it. The rules are lists too: `clock`
has the legal time limits, `finding` what a record can lack, `reunification_step` who owes which
step by when. What else a list says of a code stands in its attributes.
"""

import tomllib
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from google.type.date_pb2 import Date

from ledger.v1.ledger_service_pb2 import Code, CodeList

_FIELDS = {"code", "meaning", "in_force_from", "in_force_to", "source", "said"}


@cache
def code_lists() -> dict[str, CodeList]:
    """Every code list by its name."""
    found = {}
    for resource in _resources():
        code_list = _parse(tomllib.loads(resource.read_text(encoding="utf-8")))
        found[code_list.name] = code_list
    return found


@cache
def codes_of(name: str) -> dict[str, Code]:
    """The codes of one list. Raises KeyError for a list that does not exist."""
    return {code.code: code for code in code_lists()[name].codes}


def folded(text: str) -> str:
    """White space folded, lower case, without a final full stop: how texts are compared."""
    return " ".join(text.split()).casefold().removesuffix(".").rstrip()


@cache
def said_in(name: str) -> dict[str, tuple[str, ...]]:
    """For each text, folded, that real records write for codes of a list: the codes it means."""
    found: dict[str, tuple[str, ...]] = {}
    for code in codes_of(name).values():
        for text in code.said:
            found[folded(text)] = (*found.get(folded(text), ()), code.code)
    return found


def is_in_force(code: Code, on: date) -> bool:
    """Whether a code was in force on a day. A bound that the list does not give is none."""
    return (not code.HasField("in_force_from_date") or _day(code.in_force_from_date) <= on) and (
        not code.HasField("in_force_to_date") or on <= _day(code.in_force_to_date)
    )


@cache
def edition() -> int:
    """A number that is another one when any list is: what was computed from lists goes by it."""
    contents = b"".join(one.read_bytes() for one in _resources())
    return int.from_bytes(sha256(contents).digest()[:4])


def _resources() -> list[Any]:
    found = (one for one in files(__name__).iterdir() if one.name.endswith(".toml"))
    return sorted(found, key=lambda one: one.name)


def _parse(table: dict[str, Any]) -> CodeList:
    return CodeList(
        name=table["name"],
        version=table["version"],
        title=table["title"],
        source=table["source"],
        codes=[
            Code(
                code=one["code"],
                meaning=one["meaning"],
                in_force_from_date=_date(one.get("in_force_from")),
                in_force_to_date=_date(one.get("in_force_to")),
                source=one.get("source", ""),
                attributes={key: str(one[key]) for key in one.keys() - _FIELDS},
                said=one.get("said", []),
            )
            for one in table["code"]
        ],
    )


def _date(day: date | None) -> Date | None:
    return Date(year=day.year, month=day.month, day=day.day) if day else None


def _day(of: Date) -> date:
    return date(of.year, of.month, of.day)
