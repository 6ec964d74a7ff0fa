"""Sending the events of a list through the public API, and telling what became of each row."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import grpc

from ledger.errors import LedgerError
from ledger.imports.rows import Row
from ledger.rpc.client import Client
from ledger.rpc.status import received
from ledger.v1.basis_pb2 import Stamp
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    AppendEventsRequest,
    Receipt,
)

BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 2 * 1024 * 1024
BATCH_ROWS_MAX = 500
TIMEOUT_S = 30.0

_INDEX = re.compile(r"^events\[(\d+)\]\.?(.*)$")


class Verdict(StrEnum):
    """What became of a row, or would become of it."""

    REJECTED = "rejected"
    RECORDED = "already recorded"
    APPENDED = "appended"


class Import:
    """A list on its way into the ledger: what became of each row, and in all so far.

    Run again after whatever broke it off, it goes on: what is there already is found by its id.
    Of the rows it keeps those alone that are under way.
    """

    def __init__(self, client: Client, rows: Iterable[Row], *, validate_only: bool = False) -> None:
        """`validate_only`: say what would become of the rows, and append nothing."""
        self.rows = self.rejected = self.noted = self.events_appended = 0
        self.stamp = Stamp()
        self._client = client
        self._batches = _batches(rows)
        self._validate_only = validate_only

    def verdicts(self) -> Iterator[tuple[Row, Verdict]]:
        """Each row and what became of it, in their order.

        Whole rows are appended together; a row that is refused is rejected, and says why. Raises
        LedgerError if the server cannot be reached.
        """
        for batch, known in self._checked() if self._validate_only else self._appended():
            for row in batch:
                yield row, self._count(row, known)
        if not self.stamp.root:
            self.stamp = _stamp(self._client)

    def _count(self, row: Row, known: set[str]) -> Verdict:
        self.rows += 1
        self.noted += bool(row.notes)
        self.rejected += bool(row.reason)
        if row.reason:
            return Verdict.REJECTED
        new = sum(event.event_id not in known for event in row.events)
        self.events_appended += new
        return Verdict.APPENDED if new else Verdict.RECORDED

    def _checked(self) -> Iterator[tuple[list[Row], set[str]]]:
        """Each batch, and the ids of its events that are there already."""
        for batch in self._batches:
            yield batch, self._send(batch)

    def _appended(self) -> Iterator[tuple[list[Row], set[str]]]:
        """As `_checked`; others are sent while one is being written."""
        under_way: deque[list[Row]] = deque()

        def requests() -> Iterator[AppendEventBatchesRequest]:
            for batch in self._batches:
                under_way.append(batch)
                if events := _events(batch):
                    yield AppendEventBatchesRequest(events=events)

        for outcome in self._client.append_batches(requests()):
            while not _events(under_way[0]):
                yield under_way.popleft(), set()
            batch = under_way.popleft()
            if outcome.refusal is not None:
                _reject(batch, outcome.refusal)
                yield batch, self._send(batch)
                continue
            self.stamp = outcome.receipt.stamp
            yield batch, {one.event_id for one in outcome.receipt.already_recorded}
        yield from ((batch, set()) for batch in under_way)

    def _send(self, batch: Sequence[Row]) -> set[str]:
        """Append what the ledger does not refuse of a batch; the rows that it refuses say why.

        Return the ids of the events that are there already.
        """
        while events := _events(batch):
            try:
                response = self._client.ledger.AppendEvents(
                    AppendEventsRequest(events=events, validate_only=self._validate_only),
                    timeout=TIMEOUT_S,
                )
            except grpc.RpcError as error:
                _reject(batch, received(error))
                continue
            self.stamp = response.stamp
            return _already(response.receipts)
        return set()


def _already(receipts: Iterable[Receipt]) -> set[str]:
    return {one.event_id for one in receipts if one.already_recorded}


def _events(batch: Iterable[Row]) -> list[Event]:
    return [event for row in batch for event in row.events]


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows whose events fit into one call."""
    batch: list[Row] = []
    count = size = 0
    for row in rows:
        of_row = sum(event.ByteSize() for event in row.events)
        if batch and (
            count + len(row.events) > BATCH_EVENTS_MAX
            or size + of_row > BATCH_BYTES_MAX
            or len(batch) == BATCH_ROWS_MAX
        ):
            yield batch
            batch, count, size = [], 0, 0
        batch.append(row)
        count += len(row.events)
        size += of_row
    if batch:
        yield batch


def _reject(batch: Sequence[Row], refusal: LedgerError) -> None:
    """Reject the rows at fault. Raises the refusal where it is of none of them."""
    owners = [row for row in batch for _ in row.events]
    found = [
        (owners[int(match[1])], match[2], violation.description)
        for violation in refusal.violations
        if (match := _INDEX.match(violation.field))
    ]
    if not found:
        raise refusal
    for row, where, why in found:
        row.reject("", f"{where}: {why} ({refusal.name})")


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
