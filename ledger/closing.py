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
from ledger.store.person_keys import person_erased
from ledger.store.vault import Closed
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Approval, Entry, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, SignedEvent

_PERSON = "person:"
# What is recorded counts from then on, though a clock that is ahead says that it begins later.
_EVER_US = 2**62


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
    try:
        # An event that names nobody has no key to seal under, and tells of nobody.
        salts = {one.field: one.salt for one in signed.openings}
        made = ledger.log.vault.close(entry.event, people, salts) if people else Closed()
    except LedgerError as error:
        if error.reason != ErrorReason.ERROR_REASON_PERSON_ERASED or not _there(ledger, [event]):
            raise
        # Sent again after somebody was erased: the log compares it with the one that it has.
        rest = entry.SerializeToString(deterministic=True)
        return LedgerEvent(kind_of(event), rest, list(subjects), _id(event), event=event)
    entry.commitments.extend(made.commitments)
    if signed.HasField("signature"):
        entry.signature.CopyFrom(signed.signature)
    rest = entry.SerializeToString(deterministic=True)
    _require_signed(ledger, rest, entry, index)
    return LedgerEvent(
        kind_of(event),
        rest,
        list(subjects),
        _id(event),
        sealed=made.sealed.SerializeToString() if made.sealed else None,
        event=event,
        new_keys=made.new_keys,
    )


def _id(event: Event) -> bytes:
    return UUID(event.event_id).bytes


def _there(ledger: Ledger, events: Iterable[Event]) -> set[bytes]:
    """The ids of those of these events that the log has."""
    return set(ledger.log.entries.find([_id(one) for one in events]))


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
    if not erased_by(events):
        return
    # What is there already was decided when it was first sent.
    there = _there(ledger, events)
    wanted = set(erased_by(one for one in events if _id(one) not in there))
    now = ledger.clock()
    held = {
        one
        for at_us in (now, _EVER_US)
        for one, guard in ledger.guards.of(wanted, at_us).items()
        if guard.holds
    } | {one.legal_hold_placed.person_id for one in events if one.HasField("legal_hold_placed")}
    if held & wanted:
        raise LedgerError(
            ErrorReason.ERROR_REASON_LEGAL_HOLD,
            "a legal hold stands: nothing of this person may be erased",
        )


def require_kept(ledger: Ledger, events: Sequence[LedgerEvent]) -> None:
    """Raise PERSON_ERASED where the log erases somebody under whose key new events are sealed.

    Her key may still be there: it is destroyed after the event that erases her is in the log.
    """
    sealed = [one for one in events if one.sealed]
    people = {tag.removeprefix(_PERSON) for one in sealed for tag in one.tags}
    guards = ledger.guards.of(people, _EVER_US)
    erased = {f"{_PERSON}{one}" for one, guard in guards.items() if guard.is_erased}
    lost = [one for one in sealed if not erased.isdisjoint(one.tags)]
    if (
        lost
        and not {one.event_id for one in lost}
        <= ledger.log.entries.find([one.event_id for one in lost]).keys()
    ):
        raise person_erased()
