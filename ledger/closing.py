"""Closing an event: its personal fields are sealed and committed to, its signature is checked.

What comes out is the entry but for its record time: the bytes that are hashed and kept.
"""

from collections.abc import Sequence

from ledger.entry import FORMAT, kind_of
from ledger.errors import LedgerError, refuse
from ledger.guarding import id_of, recorded_ids
from ledger.keys.writers import Writers
from ledger.ledger import Ledger
from ledger.personal import take_out
from ledger.store.batch import LedgerEvent
from ledger.store.person_keys import Keys
from ledger.store.vault import Closed
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Approval, Entry, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, SignedEvent
from projections.subjects import people_among

_UNSIGNED, _UNSEALED = SignedEvent(), Closed()


def closed(
    ledger: Ledger,
    request: AppendEventsRequest,
    about: Sequence[Sequence[str]],
    approvals: Sequence[Sequence[Approval]],
) -> list[LedgerEvent]:
    """The events of a request as the log takes them.

    `about`: the subjects of each. Raises SIGNATURE_INVALID, PERSON_ERASED.
    """
    caller, vault = ledger.sight.caller, ledger.log.vault
    drafts = [
        _Draft(
            Entry(event=event, format=FORMAT, approvals=approved, recorded_by=caller.spiffe_id),
            subjects,
        )
        for event, approved, subjects in zip(request.events, approvals, about, strict=True)
    ]
    keys = vault.find({one for draft in drafts if draft.fields for one in draft.people})
    return [_closed(ledger, request, index, draft, keys) for index, draft in enumerate(drafts)]


class _Draft:
    """An entry without its personal fields, before these are committed to."""

    def __init__(self, entry: Entry, subjects: Sequence[str]) -> None:
        self.entry, self.subjects = entry, subjects
        self.people = people_among(subjects)
        # An event that names nobody has no key to seal under, and tells of nobody.
        self.fields = take_out(entry.event) if self.people else []


def _closed(
    ledger: Ledger, request: AppendEventsRequest, index: int, draft: _Draft, keys: Keys
) -> LedgerEvent:
    event, entry, made = request.events[index], draft.entry, _UNSEALED
    signed = request.signatures[index] if request.signatures else _UNSIGNED
    if draft.fields:
        salts = {one.field: one.salt for one in signed.openings}
        try:
            made = ledger.log.vault.close(event.event_id, draft.fields, draft.people, salts, keys)
        except LedgerError as error:
            is_there = bool(recorded_ids(ledger, [event]))
            if error.reason != ErrorReason.ERROR_REASON_PERSON_ERASED or not is_there:
                raise
            # Sent again after somebody was erased: the log compares it with the one that it has.
            return _taken(event, entry.SerializeToString(deterministic=True), draft, _UNSEALED)
        entry.commitments.extend(made.commitments)
    if signed.HasField("signature"):
        entry.signature.CopyFrom(signed.signature)
    rest = entry.SerializeToString(deterministic=True)
    _require_signed(ledger, rest, entry, index)
    return _taken(event, rest, draft, made)


def _taken(event: Event, rest: bytes, draft: _Draft, made: Closed) -> LedgerEvent:
    return LedgerEvent(
        kind_of(event),
        rest,
        list(draft.subjects),
        id_of(event),
        sealed=made.sealed.SerializeToString() if made.sealed else None,
        event=event,
        new_keys=made.new_keys,
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
