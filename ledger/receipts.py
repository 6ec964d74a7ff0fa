"""What whoever appends gets: a receipt of each event, or one of a batch."""

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from ledger import merkle
from ledger.ledger import Ledger
from ledger.store.batch import Appended
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, BatchReceipt, Receipt


def receipts(ledger: Ledger, request: AppendEventsRequest, appended: Appended) -> Iterator[Receipt]:
    """One for each event, in the order of the request."""
    pairs = zip(appended.entries, appended.new, strict=True)
    # What is new is not there after a dry run, and is not the second time in one append either. Its
    # position may be another's by then: of an append that the same transaction kept.
    absent = {one.event_id for one, new in pairs if new} if request.validate_only else set()
    time, time_us = Timestamp(), 0
    for event, stored, new in zip(request.events, appended.entries, appended.new, strict=True):
        receipt = Receipt(
            event_id=event.event_id,
            already_recorded=not new,
            leaf_hash=merkle.leaf_hash(stored.data),
        )
        if stored.event_id not in absent:
            if time_us != stored.record_us:
                time_us = stored.record_us
                time.FromMicroseconds(time_us)
            receipt.position = stored.position
            receipt.record_time.CopyFrom(time)
            if request.prove:
                receipt.inclusion_path.extend(
                    ledger.log.tree.inclusion_path(stored.position - 1, appended.size)
                )
        yield receipt


def batch_receipt(ledger: Ledger, request: AppendEventsRequest, appended: Appended) -> BatchReceipt:
    """One for them all, without repeating what the new ones share."""
    receipt = BatchReceipt(stamp=ledger.stamp(appended.size))
    for event, stored, new in zip(request.events, appended.entries, appended.new, strict=True):
        leaf_hash = merkle.leaf_hash(stored.data)
        if not new:
            there = receipt.already_recorded.add(
                event_id=event.event_id,
                position=stored.position,
                already_recorded=True,
                leaf_hash=leaf_hash,
            )
            there.record_time.FromMicroseconds(stored.record_us)
            continue
        if not receipt.first_position:
            receipt.first_position = stored.position
            receipt.record_time.FromMicroseconds(stored.record_us)
        receipt.leaf_hashes.append(leaf_hash)
    return receipt
