"""The code lists: data with dates, one TOML file each.

A list grows by editions and never loses a code, so that what was recorded under an older edition
still reads.
"""

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from google.type.date_pb2 import Date

from ledger.v1.ledger_service_pb2 import Code, CodeList


@cache
def code_lists() -> dict[str, CodeList]:
    """Every code list by its name."""
    found = {}
    for resource in sorted(files(__name__).iterdir(), key=lambda one: one.name):
        if resource.name.endswith(".toml"):
            code_list = _parse(tomllib.loads(resource.read_text(encoding="utf-8")))
            found[code_list.name] = code_list
    return found


@cache
def codes_of(name: str) -> frozenset[str]:
    """The codes of one list. Raises KeyError for a list that does not exist."""
    return frozenset(code.code for code in code_lists()[name].codes)


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
            )
            for one in table["code"]
        ],
    )


def _date(day: date | None) -> Date | None:
    return Date(year=day.year, month=day.month, day=day.day) if day else None
