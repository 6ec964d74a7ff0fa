"""What many commands take: where the ledger is, as of when, known at what, in which form."""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.v1.basis_pb2 import Basis

if TYPE_CHECKING:
    from ledger.rpc.client import Client

LISTEN = "127.0.0.1:7018"
DATABASE = "sqlite:///ledger.db"
# Longer than the tables take after the largest list that we know.
PATIENCE_S = 180.0

_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}([T ]|$)")
_SIZE = re.compile(r"^\d{1,15}$")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


class Output(StrEnum):
    """The form of an answer."""

    TABLE = "table"
    JSON = "json"


ServerOption = Annotated[
    str, typer.Option("--server", envvar="LEDGER_SERVER", help="The ledger to ask, HOST:PORT.")
]
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="LEDGER_DATABASE",
        help="sqlite:///PATH or postgresql://USER@HOST/NAME.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        help="So many processes fold what the tables show; 0: none but this one. Default: one for "
        "each processor, if it is worth it.",
    ),
]
AsOfOption = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="What was true then: 2018-06-20 (the whole day), 2018-06-20T14:00Z. Default: now.",
    ),
]
KnownAtOption = Annotated[
    str,
    typer.Option(
        "--known-at",
        metavar="TIME|SIZE",
        help="As the ledger knew it then: a time, or a size from a stamp. Default: all it knows.",
    ),
]
AtSizeOption = Annotated[
    int | None,
    typer.Option("--at-size", min=0, help="As the first so many entries say; repeats a stamp."),
]
CountOption = Annotated[bool, typer.Option("--count", help="Only count them.")]
CiteOption = Annotated[
    bool,
    typer.Option("--cite", help="Instead, as JSON, what `ledger list certify` certifies."),
]
KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="LEDGER_KEYS",
        help="The keys that are kept outside the database: a file, or a folder for one. "
        "Default, on SQLite: beside the database.",
    ),
]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="The form of the answer.")]


@dataclass
class Shown:
    """What every command shows of whoever runs it."""

    identity: Path | None = None
    token: str = ""
    purpose: str = ""


SHOWN = Shown()


def connected(server: str) -> "Client":
    """A client, as a context whose refusals are LedgerErrors."""
    # Imported here because it takes a good part of a second.
    from ledger.rpc.client import Client

    return Client(
        server,
        patience_s=PATIENCE_S,
        identity=SHOWN.identity,
        token=SHOWN.token,
        purpose=SHOWN.purpose,
    )


def basis(as_of: str, known_at: str, at_size: int | None) -> Basis:
    """The basis of a question. Raises BadParameter."""
    made = Basis()
    if as_of:
        made.as_of_time.FromDatetime(instant("--as-of", as_of))
    if known_at and at_size is not None:
        raise typer.BadParameter("give --known-at or --at-size, not both")
    if _SIZE.match(known_at):
        at_size = int(known_at)
    if at_size is not None:
        made.at_size = at_size
    elif known_at:
        moment = instant("--known-at", known_at)
        now = datetime.now(UTC)
        if _DAY.match(known_at) and moment.date() == now.date():
            moment = now  # of today, what is known by now
        made.known_at_time.FromDatetime(moment)
    return made


def chosen(option: str, words: dict[str, int], texts: list[str] | None) -> list[Any]:
    """The values of an enum that were chosen by their words. Raises BadParameter."""
    for text in texts or []:
        if text not in words:
            raise typer.BadParameter(f"{option}: {text} is none of {', '.join(words)}")
    return [words[text] for text in texts or []]


def beginning(option: str, text: str) -> Timestamp | None:
    """A time as people write it, a day alone being its first moment; nothing: no bound."""
    if not text:
        return None
    made = Timestamp()
    made.FromDatetime(instant(option, f"{text}T00:00" if _DAY.match(text) else text))
    return made


def instant(option: str, text: str) -> datetime:
    """A time as people write it; without a zone it is UTC, a day alone is its last microsecond."""
    try:
        # The other forms of ISO 8601 look like numbers, and like sizes.
        found = datetime.fromisoformat(text if _TIME.match(text) else "")
        if _DAY.match(text):
            found += timedelta(days=1, microseconds=-1)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{option}: not a time like 2018-06-20 or 2018-06-20T14:00:00Z"
        ) from None
