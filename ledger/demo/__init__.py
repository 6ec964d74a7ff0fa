"""An invented history, told through the public API.

It has the shape and the mess of the real list and none of its rows. A list of two dozen invented
children is imported as the real one is. Beside it `story.toml` tells one family's way through
custody, with a mistake that is corrected, a report that comes late, and a reunification.
"""

import random
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import typer
from google.protobuf.json_format import ParseDict

from ledger.imports import profile, rows
from ledger.imports.run import Import
from ledger.rpc.client import Client
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.time_pb2 import Precision

CHILDREN = 24
SPACE = UUID("0f9f0f5c-8a5e-4d0e-9a51-1a2b3c4d5e6f")

# The step that the questions come back to: the last before the mistake is corrected.
MISTAKEN = 6


def tell(address: str, *, default: str, stay: bool) -> None:
    """Append the history at an address, and print what to ask of it."""
    sizes = []
    with Client(address) as client:
        imported = _import(client)
        typer.echo(
            f"\nA list of {imported.rows} rows is imported: {CHILDREN} children, and "
            f"{imported.rejected} page headers, which are named and left out.\n"
            "\nThen, one append at a time, a family:"
        )
        for step, (say, events) in enumerate(story(), 1):
            response = client.ledger.AppendEvents(AppendEventsRequest(events=events))
            sizes.append(response.stamp.size)
            typer.echo(f"  {step}. {say}  [size {sizes[-1]}]")
    server = f" --server {address}" if stay and address != default else ""
    typer.echo("\nNow ask, in another terminal:" if stay else "\nWhile `ledger demo` runs, ask:")
    for question, command in _questions(sizes):
        typer.echo(f"  {question}\n    ledger {command}{server}")
    if stay:
        typer.echo("\nCtrl-C stops it.")


def _questions(sizes: list[int]) -> Iterator[tuple[str, str]]:
    child = _id("@child")
    known = f"--known-at {sizes[MISTAKEN - 1]}"
    yield "Who has the child today?", f"person show {child}"
    yield (
        "Where was she on 12 June, as the ledger knew it before the correction?",
        f"person show {child} --as-of 2018-06-12 {known}",
    )
    yield "And as it is known now?", f"person show {child} --as-of 2018-06-12"
    yield "What was said of her, when, and what was taken back?", f"person timeline {child}"
    yield "Who belongs to her, and where is each of them?", f"family show {child}"
    yield (
        "How many children did ORR hold on 20 June?",
        "roster --agency ORR --as-of 2018-06-20 --count",
    )
    yield "For which children is there no record of reunification?", "separation list"
    yield "What must every later state of this ledger agree with?", "audit checkpoint"


def story() -> Iterator[tuple[str, list[Event]]]:
    """What happens to the family: (a sentence, the events of one append)."""
    told = tomllib.loads((files(__name__) / "story.toml").read_text(encoding="utf-8"))
    zone = ZoneInfo(told["zone"])
    for step in told["step"]:
        yield step["say"], [_event(_with_ids(one), zone) for one in step["events"]]


def _event(told: dict[str, Any], zone: ZoneInfo) -> Event:
    """An event as the story tells it."""
    day_only = "T" not in told["on"]
    on = datetime.fromisoformat(told.pop("on")).replace(tzinfo=zone)
    event = Event(event_id=told.pop("id"), corrects_event_id=told.pop("corrects", ""))
    event.valid_time.time.FromDatetime(on.astimezone(UTC))
    event.valid_time.precision = Precision.PRECISION_DAY if day_only else Precision.PRECISION_MINUTE
    event.valid_time.zone = zone.key
    event.source.system = "demo"
    event.actor.agency = told.pop("by")
    return ParseDict(told, event)


def _with_ids(told: Any) -> Any:
    """The same with ids for their names."""
    if isinstance(told, dict):
        return {key: _with_ids(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_with_ids(value) for value in told]
    return _id(told) if isinstance(told, str) and told.startswith("@") else told


def _id(name: str) -> str:
    return str(uuid5(SPACE, name))


def _import(client: Client) -> Import:
    """Import an invented list as the real one is imported."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "invented.csv"
        file.write_text("\r\n".join(_invented_list()) + "\r\n", encoding="utf-8")
        imported = Import(client, rows.read(file, profile.load("orr-separations")))
        for _ in imported.verdicts():
            pass
    return imported


def _invented_list() -> Iterator[str]:
    """Lines of a list: page headers, broken cells, blanks, a row twice, an end without a date."""
    chance = random.Random(CHILDREN)  # noqa: S311  # invented, and the same each time
    yield ",".join(profile.load("orr-separations").columns)
    line = ""
    for number in range(CHILDREN):
        if number % 10 == 0:
            yield ",".join("ABCDEFGHIJKL")
        if number != CHILDREN // 2:  # otherwise the row before comes twice
            line = _invented_row(chance, undated=number == CHILDREN // 3)
        yield line


def _invented_row(chance: random.Random, *, undated: bool) -> str:
    taken = date(2018, 5, 6) + timedelta(days=chance.randrange(50))
    referred = taken + timedelta(days=chance.randrange(3))
    placed = referred + timedelta(days=chance.randrange(3))
    end = f"{placed + timedelta(days=chance.randrange(15, 70)):%m/%d/%Y}"
    outcome = chance.choice(
        ["Reunited with Sep Parent", "Reunited with Sep. Parent", "Other approp. Circumstances", ""]
    )
    if undated:
        outcome, end = "Reunited with Sep Parent", ""
    status = "DISCHARGED" if outcome else "ADMITTED"
    cells = [
        str(chance.randrange(1, 18)),
        chance.choice("MF"),
        chance.choice(["Guatemala", "Honduras", "El Salvador", "Brazil"]),
        *(f"{day:%m/%d/%Y}" for day in (taken, referred, placed)),
        chance.choice(["North Valley  (NVY)", "East Bridge (EBR)", ""]),
        chance.choice(["Willow House", "Casa Robledal", "Harbor Center"]),
        outcome or "Still in Care",
        status,
        end if outcome else "",
        chance.choice(
            [
                "Zero Tolerance Policy",
                "Parent has Criminal\nhistory (US or Home Country)",
                "Criminal History; sent for\nimmigration prosecution",
            ]
        ),
    ]
    return ",".join(f'"{cell}"' for cell in cells)
