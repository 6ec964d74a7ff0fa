"""Closing an event: its personal fields are sealed and committed to, its signature is checked.

What comes out is the entry but for its record time: the bytes that are hashed and kept.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from ledger.entry import FORMAT, kind_of
from ledger.errors import LedgerError, refuse
from ledger.keys.writers import Writers
from ledger.ledger import Ledger
from ledger.store.batch import LedgerEvent
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Approval, Entry, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, SignedEvent

_PERSON = "person:"


def closed(
    ledger: Ledger,
    request: AppendEventsRequest,
    index: int,
    subjects: Sequence[str],
    approvals: Sequence[Approval],
) -> LedgerEvent:
    """An event of a request as the log takes it.

    `subjects`: whom it is about. Raises SIGNATURE_INVALID, PERSON_ERASED.
    """
    event, caller = request.events[index], ledger.sight.caller
    signed = request.signatures[index] if request.signatures else SignedEvent()
    people = [one.removeprefix(_PERSON) for one in subjects if one.startswith(_PERSON)]
    entry = Entry(event=event, format=FORMAT, approvals=approvals, recorded_by=caller.spiffe_id)
    sealed = None
    new_keys: dict[str, bytes] = {}
    if people:
        # An event that names nobody has no key to seal under, and tells of nobody.
        made = ledger.log.vault.close(
            entry.event, people, {one.field: one.salt for one in signed.openings}
        )
        entry.commitments.extend(made.commitments)
        sealed = made.sealed.SerializeToString() if made.sealed else None
        new_keys = dict(made.new_keys)
    if signed.HasField("signature"):
        entry.signature.CopyFrom(signed.signature)
    rest = entry.SerializeToString(deterministic=True)
    _require_signed(ledger, rest, entry, index)
    return LedgerEvent(
        kind_of(event),
        rest,
        list(subjects),
        UUID(event.event_id).bytes,
        sealed=sealed,
        event=event,
        new_keys=new_keys,
    )


def _require_signed(ledger: Ledger, rest: bytes, entry: Entry, index: int) -> None:
    """Raise SIGNATURE_INVALID unless an agency that signs its events signed this one."""
    known = ledger.sight.caller.known
    if known and not Writers(known.writers).has_signed(rest, entry, ledger.clock()):
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_SIGNATURE_INVALID,
                    f"signatures[{index}]",
                    "the agency signs its events, and this is no signature of its key of this one",
                )
            ]
        )


def erased_by(events: Iterable[Event]) -> list[str]:
    """The persons whom events erase."""
    return [
        one.personal_fields_erased.person_id
        for one in events
        if one.HasField("personal_fields_erased")
    ]


def require_erasable(ledger: Ledger, events: Sequence[Event]) -> None:
    """Raise LEGAL_HOLD where a hold stands on somebody whom events erase, or comes with them."""
    wanted = set(erased_by(events))
    if not wanted:
        return
    held = {
        one for one, guard in ledger.guards.of(wanted, ledger.clock()).items() if guard.holds
    } | {one.legal_hold_placed.person_id for one in events if one.HasField("legal_hold_placed")}
    if held & wanted:
        raise LedgerError(
            ErrorReason.ERROR_REASON_LEGAL_HOLD,
            "a legal hold stands: nothing of this person may be erased",
        )
