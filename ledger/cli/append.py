"""The command that appends events from a file, or says what they would cause."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from ledger.cli.events import read_bytes, read_events, read_lines
from ledger.cli.options import LISTEN, Output, OutputOption, ServerOption, connected
from ledger.cli.phrases import show_findings
from ledger.cli.render import plain, show_json, show_stamp, show_table, time_of
from ledger.errors import LedgerError, MistakeError
from ledger.v1.basis_pb2 import Stamp
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    AppendEventsRequest,
    AppendEventsResponse,
    SignedEvent,
)
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import Severity

if TYPE_CHECKING:
    from ledger.rpc.client import Client

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would become of it, and append nothing.")
]


class Strict(StrEnum):
    """How grave a finding must be to stop an append."""

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


StrictOption = Annotated[
    Strict | None,
    typer.Option("--strict", help="Append nothing if a finding as grave as this comes of it."),
]
ApprovalsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--approval",
        metavar="TOKEN",
        help="That somebody else approves an event, as `ledger token approve` prints it; may be "
        "repeated.",
    ),
]
SignOption = Annotated[
    Path | None,
    typer.Option(
        "--sign",
        metavar="KEY.pem",
        help="Sign the events as your agency: its private key, Ed25519.",
    ),
]


LinesOption = Annotated[
    bool, typer.Option("--lines", help="FILE has an event on each line: append them in batches.")
]
BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 2 * 1024 * 1024
_INDEX = re.compile(r"^events\[(\d+)\]")


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("append")(append)


def append(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="One event or a list, as JSON; -: standard input."),
    ],
    dry_run: DryRunOption = False,
    strict: StrictOption = None,
    approvals: ApprovalsOption = None,
    sign: SignOption = None,
    lines: LinesOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Append the events of a file, all or none, and say what they cause in the record.

    An event without an id gets one, which is printed before anything is sent. Put it into the file
    to send again what was not answered: an event that is there already is not appended again.

    With --lines the file may be of any length. It is sent in batches, each all or none, and what
    the events cause is not looked for. It stops where a batch is refused and says how many are
    kept, which are those of the others that were sent. Mend the line and run it again.

    Example: ledger append apprehended.json --dry-run, where the file has

    {"valid_time":  {"time": "2018-06-06T00:00:00Z",
                     "precision": "PRECISION_DAY", "zone": "UTC"},
     "source":      {"system": "training"},
     "actor":       {"agency": "CBP"},
     "apprehended": {"person_ids": ["e9110b8e-3ed2-5654-9d07-46329f6bd545"],
                     "agency": "CBP"}}
    """
    if lines:
        if dry_run or strict or approvals:
            raise typer.BadParameter("--lines goes with --sign alone")
        _append_lines(file, sign, server, output)
        return
    events = read_events(file)
    for index, event in enumerate(events):
        if not event.event_id:
            event.event_id = str(uuid4())
            typer.echo(f"ledger: events[{index}].event_id made: {event.event_id}", err=True)
    found = send(
        server,
        events,
        dry_run=dry_run,
        strict=strict,
        approvals=approvals or (),
        signatures=_signatures(sign)(events) if sign else (),
    )
    if output == Output.JSON:
        show_json(plain(found))
        return
    show_table(
        "Events",
        ["event", "what", "position", "recorded", ""],
        [
            (
                receipt.event_id,
                (event.WhichOneof("fact") or "").replace("_", " "),
                receipt.position or "",
                time_of(receipt, "record_time"),
                _became(already=receipt.already_recorded, dry_run=dry_run),
            )
            for receipt, event in zip(found.receipts, events, strict=True)
        ],
    )
    show_caused(found)
    show_stamp(found.stamp)


def send(
    server: str,
    events: list[Event],
    *,
    dry_run: bool,
    strict: Strict | None = None,
    approvals: Sequence[str] = (),
    signatures: Sequence[SignedEvent] = (),
) -> AppendEventsResponse:
    """Append events at once."""
    request = AppendEventsRequest(
        events=events,
        validate_only=dry_run,
        strict=Severity.Value(f"SEVERITY_{strict.name if strict else 'UNSPECIFIED'}"),
        approvals=approvals,
        signatures=signatures,
    )
    with connected(server) as client:
        return client.ledger.AppendEvents(request)


def _signatures(key: Path) -> Callable[[Iterable[Event]], list[SignedEvent]]:
    """Signs events by an agency's key. Raises MistakeError."""
    # Imported here because few sign, and it takes a good part of a second.
    from ledger.keys.writers import read_key, signed_event

    private_key = read_key(read_bytes(key))
    return lambda events: [signed_event(private_key, one) for one in events]


class _Lines:
    """The events of a file's lines on their way: how many there are, and what stopped them."""

    def __init__(self, file: Path, signed: Callable[[Iterable[Event]], list[SignedEvent]]) -> None:
        self.appended = self.recorded = 0
        self.stamp = Stamp()
        self._file, self._signed = file, signed
        self._under_way: deque[list[int]] = deque()
        self._refused: list[LedgerError] = []
        self._unread: list[LedgerError | MistakeError] = []

    def send(self, client: "Client") -> None:
        """Append them. What was sent when something turns out to be wrong is answered first."""
        for outcome in client.append_batches(self._batches()):
            lines = self._under_way.popleft()
            if outcome.refusal is not None:
                self._refused.append(_by_lines(outcome.refusal, lines))
                continue
            self.appended += len(outcome.receipt.leaf_hashes)
            self.recorded += len(outcome.receipt.already_recorded)
            self.stamp = outcome.receipt.stamp
        for wrong in [*self._refused, *self._unread]:
            raise wrong

    def _batches(self) -> Iterator[AppendEventBatchesRequest]:
        try:
            for some in _in_batches(read_lines(self._file)):
                self._under_way.append([line for line, _ in some])
                events = [event for _, event in some]
                yield AppendEventBatchesRequest(events=events, signatures=self._signed(events))
                if self._refused:
                    return
        except (LedgerError, MistakeError) as error:
            self._unread.append(error)

    def __str__(self) -> str:
        return f"{self.appended} events appended, {self.recorded} there already"


def _append_lines(file: Path, sign: Path | None, server: str, output: Output) -> None:
    """Append the event of each line, in batches, and say how many there are."""
    lines = _Lines(file, _signatures(sign) if sign else lambda _: [])
    try:
        with connected(server) as client:
            lines.send(client)
    except (LedgerError, MistakeError):
        typer.echo(f"ledger: stopped: {lines}", err=True)
        raise
    if output == Output.JSON:
        found = {"events_appended": lines.appended, "already_recorded": lines.recorded}
        show_json({**found, "size": lines.stamp.size, "root": lines.stamp.root.hex()})
        return
    typer.echo(str(lines))
    if lines.stamp.root:
        show_stamp(lines.stamp)


def _in_batches(some: Iterable[tuple[int, Event]]) -> Iterator[list[tuple[int, Event]]]:
    """Lines whose events fit into one batch."""
    batch: list[tuple[int, Event]] = []
    size = 0
    for line, event in some:
        if not event.event_id:
            raise MistakeError(f"line {line}: an event that is sent in a batch has an id")
        is_full = len(batch) == BATCH_EVENTS_MAX or size + event.ByteSize() > BATCH_BYTES_MAX
        if batch and is_full:
            yield batch
            batch, size = [], 0
        batch.append((line, event))
        size += event.ByteSize()
    if batch:
        yield batch


def _by_lines(refusal: LedgerError, lines: Sequence[int]) -> LedgerError:
    """A refusal that names the lines of a file instead of the events of a batch."""

    def named(text: str) -> str:
        return _INDEX.sub(lambda match: f"line {lines[int(match[1])]}", text)

    return LedgerError(
        refusal.reason,
        named(str(refusal)),
        violations=[replace(one, field=named(one.field)) for one in refusal.violations],
    )


def show_caused(found: AppendEventsResponse) -> None:
    """What events cause."""
    show_findings(found.findings, whose="field")
    if not found.findings_sought:
        typer.echo("Findings: not looked for in so many events; `ledger queue list` has them")
    elif not found.findings:
        typer.echo("Findings: none")


def stated_now(agency: str) -> Event:
    """An event that an agency states now, without its fact yet."""
    event = Event(event_id=str(uuid4()))
    event.valid_time.time.GetCurrentTime()
    event.valid_time.time.nanos -= event.valid_time.time.nanos % 1_000
    event.valid_time.precision = Precision.PRECISION_INSTANT
    event.valid_time.zone = "UTC"
    event.source.system = "ledger command line"
    event.actor.agency = agency
    return event


def _became(*, already: bool, dry_run: bool) -> str:
    if already:
        return "there already"
    return "would be appended" if dry_run else "appended"
