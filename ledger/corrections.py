"""Retractions and corrections: what they name must be there, and be the caller's to take back."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from ledger.entry import Fault, kind_of
from ledger.errors import refuse
from ledger.ledger import Ledger
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.options_pb2 import permanent
from ledger.v1.oversight_pb2 import Retracted
from projections.subjects import body_of, subjects_of

RETRACTED = Retracted.DESCRIPTOR.name


def subjects_about(ledger: Ledger, events: Sequence[Event]) -> list[list[str]]:
    """Whom each event is about; a retraction: whom what it retracts is about."""
    earlier = _earlier(ledger, events)
    found: list[Fault] = []
    about: list[list[str]] = []
    retracted: set[str] = set()
    for index, event in enumerate(events):
        subjects = subjects_of(event)
        path = f"events[{index}]"
        if event.HasField("retracted"):
            subjects, faulty = _of_retracted(event, earlier, f"{path}.retracted")
            found += faulty
            retracted.add(event.retracted.retracted_event_id)
        about.append(subjects)
        earlier[event.event_id] = event
    for index, event in enumerate(events):
        if event.corrects_event_id:
            found += _correction_faults(ledger, event, earlier, retracted, f"events[{index}]")
    if found:
        raise refuse(found)
    return about


def _earlier(ledger: Ledger, events: Sequence[Event]) -> dict[str, Event]:
    """The recorded events that these retract or correct, by id.

    An agency takes back its own word alone. Of another's, it does not learn that it is there.
    """
    ids = {one for event in events for one in (_retracts(event), event.corrects_event_id) if one}
    if not ids:
        return {}
    stored = ledger.log.entries.find([UUID(one).bytes for one in ids])
    found = {str(UUID(bytes=key)): Entry.FromString(one.data).event for key, one in stored.items()}
    caller = ledger.sight.caller
    return {
        key: one
        for key, one in found.items()
        if not caller.is_identified or one.actor.agency == caller.agency
    }


def _retracts(event: Event) -> str:
    return event.retracted.retracted_event_id if event.HasField("retracted") else ""


def _of_retracted(
    event: Event, earlier: dict[str, Event], path: str
) -> tuple[list[str], list[Fault]]:
    """Whom a retraction is about, or why it cannot be."""
    field = f"{path}.retracted_event_id"
    target = earlier.get(event.retracted.retracted_event_id)
    if target is None:
        return [], [(ErrorReason.ERROR_REASON_EVENT_NOT_FOUND, field, "no event has this id")]
    if kind_of(target) == RETRACTED:
        return [], [
            (
                ErrorReason.ERROR_REASON_RETRACTION_OF_RETRACTION,
                field,
                "names a retraction: assert the event again under a new id instead",
            )
        ]
    if body_of(target).DESCRIPTOR.GetOptions().Extensions[permanent]:
        return [], [
            (
                ErrorReason.ERROR_REASON_NOT_RETRACTABLE,
                field,
                "names an event of a kind that cannot be retracted",
            )
        ]
    return subjects_of(target), []


def _correction_faults(
    ledger: Ledger, event: Event, earlier: dict[str, Event], retracted: set[str], path: str
) -> Iterator[Fault]:
    """A correction stands for an event that does not stand any more."""
    corrected = event.corrects_event_id
    field = f"{path}.corrects_event_id"
    target = earlier.get(corrected)
    if target is None or corrected == event.event_id:
        yield (
            ErrorReason.ERROR_REASON_EVENT_NOT_FOUND,
            field,
            "no other event has this id, neither in the log nor in this append",
        )
    elif corrected not in retracted and not _is_retracted(ledger, target):
        yield (
            ErrorReason.ERROR_REASON_CORRECTION_WITHOUT_RETRACTION,
            field,
            "names an event that still stands: retract it in the same append",
        )


def _is_retracted(ledger: Ledger, target: Event) -> bool:
    subject = subjects_of(target)[:1]
    about = ledger.log.entries.about(subject, ledger.log.entries.size())
    return any(
        _retracts(Entry.FromString(stored.data).event) == target.event_id
        for entries in about.values()
        for stored in entries
    )
