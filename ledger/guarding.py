"""Events that guard a record, or erase what is personal in it: whose they are to send, and when."""

from collections.abc import Iterable, Sequence

from ledger.errors import LedgerError, refuse
from ledger.ledger import Ledger
from ledger.personal import has_personal_fields
from ledger.store.batch import LedgerEvent
from ledger.store.erasure import beside
from ledger.store.person_keys import person_erased
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Approval, Entry, Event
from projections.subjects import body_of, people_among, people_of

_PERSON = "person:"
# What is recorded counts from then on, though a clock that is ahead says that it begins later.
EVER_US = 2**62
_OF_RECORDS = ("persons_linked_as_same", "persons_unlinked")


def require_theirs(
    ledger: Ledger, events: Sequence[Event], approvals: Sequence[Sequence[Approval]]
) -> None:
    """Raise unless events that guard a record, or join records, are their sender's to send.

    Over loopback nobody is identified, and everybody may. Raises SUBJECT_NOT_FOUND,
    ACTOR_NOT_CALLER, APPROVAL_MISSING.
    """
    if not ledger.sight.caller.is_identified:
        return
    for index, (event, approved) in enumerate(zip(events, approvals, strict=True)):
        fact = str(event.WhichOneof("fact"))
        agencies = {one.agency for one in approved}
        if not _is_known_to(ledger, event, agencies):
            raise _refusal(
                ErrorReason.ERROR_REASON_SUBJECT_NOT_FOUND,
                f"events[{index}].{fact}.person_id",
                "in no entry that was known then",
            )
        if fact == "emergency_access_opened" and not ledger.sight.caller.actor_id:
            raise _refusal(
                ErrorReason.ERROR_REASON_ACTOR_NOT_CALLER,
                f"events[{index}].actor.actor_id",
                "a record is opened in an emergency to a person, and a token says who it is",
            )
        is_strange = fact in _OF_RECORDS and any(
            not ledger.sight.sees(one) for one in people_of(event)
        )
        if (is_strange and len(agencies) == 1) or not _is_undone_by(ledger, event, agencies):
            raise _refusal(
                ErrorReason.ERROR_REASON_APPROVAL_MISSING,
                f"events[{index}]",
                "to be approved by somebody of another agency: the one that did what this undoes, "
                "or that has the other record",
            )


def _is_known_to(ledger: Ledger, event: Event, agencies: set[str]) -> bool:
    """Whether who seals a record sees it, and one of those who erase it recorded some of it."""
    fact = event.WhichOneof("fact")
    if fact == "record_sealed":
        person_id = event.record_sealed.person_id
        found = ledger.guards.of([person_id], EVER_US)
        mine = {one.sealed_by for one in found.values()} == {ledger.sight.caller.agency}
        return mine or ledger.sight.sees(person_id)
    if fact != "personal_fields_erased":
        return True
    erased = [f"{_PERSON}{event.personal_fields_erased.person_id}"]
    about = ledger.log.entries.about(erased, ledger.log.entries.size())
    return any(
        Entry.FromString(one.data).event.actor.agency in agencies
        for stored in about.values()
        for one in stored
    )


def _is_undone_by(ledger: Ledger, event: Event, agencies: set[str]) -> bool:
    """Whether what unseals a record or lifts a hold has the word of the agency that did it."""
    fact = event.WhichOneof("fact")
    if fact not in ("record_unsealed", "legal_hold_lifted"):
        return True
    person_id = body_of(event).person_id
    guard = ledger.guards.of([person_id], EVER_US).get(person_id)
    if guard is None:
        return False
    if fact == "record_unsealed":
        return guard.sealed_by in agencies
    reference = event.legal_hold_lifted.hold_reference
    placed = {agency for one, agency in guard.holds if one == reference}
    return bool(placed) and placed <= agencies


def erased_by(events: Iterable[Event]) -> list[str]:
    """The persons whom events erase."""
    return [
        one.personal_fields_erased.person_id
        for one in events
        if one.HasField("personal_fields_erased")
    ]


def require_erasable(ledger: Ledger, events: Sequence[Event]) -> None:
    """Raise unless all that is personal of those whom events erase can go, and may.

    LEGAL_HOLD: a hold stands on one of them, or on somebody of whom the same texts tell; or it
    comes with them. NOT_ERASABLE: entries of an earlier format hold their fields in plain.
    """
    if not erased_by(events):
        return
    # What is there already was decided when it was first sent.
    there = recorded_ids(ledger, events)
    wanted = set(erased_by(one for one in events if id_of(one) not in there))
    names = beside(ledger.log, sorted(wanted), ledger.log.entries.size())
    people = set(people_among(names))
    held = {
        one
        for at_us in (ledger.clock(), EVER_US)
        for one, guard in ledger.guards.of(people, at_us).items()
        if guard.holds
    } | {one.legal_hold_placed.person_id for one in events if one.HasField("legal_hold_placed")}
    if held & people:
        raise LedgerError(
            ErrorReason.ERROR_REASON_LEGAL_HOLD,
            "a legal hold stands: nothing may be erased that tells of this person",
        )
    if _are_plain(ledger, wanted):
        raise LedgerError(
            ErrorReason.ERROR_REASON_NOT_ERASABLE,
            "entries of an earlier format hold personal fields of this person in plain",
        )


def _are_plain(ledger: Ledger, person_ids: Iterable[str]) -> bool:
    """Whether personal fields of these persons stand in entries, and not beside them."""
    about = ledger.log.entries.about(
        [f"{_PERSON}{one}" for one in person_ids], ledger.log.entries.size()
    )
    return any(
        has_personal_fields(Entry.FromString(one.data).event)
        for stored in about.values()
        for one in stored
    )


def require_kept(ledger: Ledger, sealed: Sequence[LedgerEvent], size: int) -> None:
    """Raise PERSON_ERASED where a log of a size erases somebody under whose key these are sealed.

    Her key may still be there: it is destroyed after the event that erases her is in the log.
    """
    people = {tag.removeprefix(_PERSON) for one in sealed for tag in one.tags}
    guards = ledger.guards.of(people, EVER_US, size)
    erased = {f"{_PERSON}{one}" for one, guard in guards.items() if guard.is_erased}
    lost = [one for one in sealed if not erased.isdisjoint(one.tags)]
    if (
        lost
        and not {one.event_id for one in lost}
        <= ledger.log.entries.find([one.event_id for one in lost]).keys()
    ):
        raise person_erased()


def id_of(event: Event) -> bytes:
    """The id of an event as the log has it."""
    return bytes.fromhex(event.event_id.replace("-", ""))


def recorded_ids(ledger: Ledger, events: Iterable[Event]) -> set[bytes]:
    """The ids of those of these events that the log has."""
    return set(ledger.log.entries.find([id_of(one) for one in events]))


def _refusal(reason: ErrorReason.ValueType, field: str, description: str) -> LedgerError:
    return refuse([(reason, field, description)])
