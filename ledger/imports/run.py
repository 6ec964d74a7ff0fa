"""Sending the events of a list through the public API, and telling what became of each row."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc

from ledger.errors import LedgerError
from ledger.imports.rows import Row
from ledger.rpc.client import Client
from ledger.rpc.status import received
from ledger.v1.basis_pb2 import Stamp
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, AppendEventsResponse

BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 2 * 1024 * 1024
TIMEOUT_S = 30.0

_INDEX = re.compile(r"^events\[(\d+)\]\.?(.*)$")


@dataclass
class Imported:
    """What became of a list."""

    rows: list[Row]
    events_appended: int = 0
    already_recorded: set[int] = field(default_factory=set)
    """The numbers of rows of which every event was there already."""
    stamp: Stamp = field(default_factory=Stamp)

    @property
    def rejected(self) -> list[Row]:
        """The rows that became nothing."""
        return [row for row in self.rows if row.reason]


def run(
    client: Client,
    rows: list[Row],
    *,
    validate_only: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Imported:
    """Append the events of the rows, whole rows at a time; a row that is refused is rejected.

    Run again after whatever broke it off, it goes on: what is there already is found by its id.
    Raises LedgerError if the server cannot be reached.
    """
    imported = Imported(rows)
    sent = False
    for batch in _batches(row for row in rows if not row.reason):
        response = _send(client, batch, validate_only)
        if response is not None:
            sent = True
            _take(imported, batch, response)
        progress(len(batch))
    if not sent:
        imported.stamp = _stamp(client)
    return imported


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows whose events fit into one call."""
    batch: list[Row] = []
    count = size = 0
    for row in rows:
        of_row = sum(event.ByteSize() for event in row.events)
        if batch and (
            count + len(row.events) > BATCH_EVENTS_MAX or size + of_row > BATCH_BYTES_MAX
        ):
            yield batch
            batch, count, size = [], 0, 0
        batch.append(row)
        count += len(row.events)
        size += of_row
    if batch:
        yield batch


def _send(client: Client, batch: list[Row], validate_only: bool) -> AppendEventsResponse | None:
    """Append a batch without the rows that the ledger refuses; None: it refuses them all.

    Those are taken out of `batch`, and say why.
    """
    while batch:
        events = [event for row in batch for event in row.events]
        try:
            return client.ledger.AppendEvents(
                AppendEventsRequest(events=events, validate_only=validate_only), timeout=TIMEOUT_S
            )
        except grpc.RpcError as error:
            refusal = received(error)
            refused = list(_refused(batch, refusal))
            if not refused:
                raise refusal from None
            for row, where, why in refused:
                row.reject("", f"{where}: {why} ({refusal.name})")
            batch[:] = [row for row in batch if not row.reason]
    return None


def _refused(batch: Sequence[Row], refusal: LedgerError) -> Iterator[tuple[Row, str, str]]:
    """(row, field of its event, why) for each row at fault."""
    owners = [row for row in batch for _ in row.events]
    for violation in refusal.violations:
        if match := _INDEX.match(violation.field):
            yield owners[int(match[1])], match[2], violation.description


def _take(imported: Imported, batch: Sequence[Row], response: AppendEventsResponse) -> None:
    imported.stamp = response.stamp
    receipts = iter(response.receipts)
    for row in batch:
        known = [next(receipts).already_recorded for _ in row.events]
        imported.events_appended += known.count(False)
        if all(known):
            imported.already_recorded.add(row.number)


def _stamp(client: Client) -> Stamp:
    """The log as it is, where nothing was sent."""
    from ledger.v1.audit_service_pb2 import GetCheckpointRequest

    try:
        checkpoint = client.audit.GetCheckpoint(
            GetCheckpointRequest(), timeout=TIMEOUT_S
        ).checkpoint
    except grpc.RpcError as error:
        raise received(error) from None
    return Stamp(size=checkpoint.size, root=checkpoint.root, known_at_time=checkpoint.record_time)
