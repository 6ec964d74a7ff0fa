"""Appending events: what is checked, what is kept, what the caller gets."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from uuid import UUID

from ledger import merkle
from ledger.access.approval import approvals_of, speaking_faults
from ledger.access.caller import Caller
from ledger.caused import causes
from ledger.closing import closed, erased_by, require_erasable, require_kept
from ledger.entry import Fault, faults, filter_faults, kind_of
from ledger.errors import LedgerError, Violation, refuse
from ledger.ledger import Ledger
from ledger.store.batch import (
    ERASED,
    HELD,
    Append,
    Appended,
    ConditionFailedError,
    EventIdTakenError,
    KeyOvertakenError,
    condition_of,
    none_since,
    unchanged_since,
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, AppendEventsResponse, Receipt
from ledger.v1.options_pb2 import permanent
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.view_pb2 import Finding
from projections.subjects import body_of, subjects_of

RETRACTED = Retracted.DESCRIPTOR.name
ATTEMPTS_MAX = 5


def append_events(
    ledger: Ledger, request: AppendEventsRequest, timeout_s: float
) -> AppendEventsResponse:
    """Append the events, all or none.

    Raises LedgerError: what can never make sense, a taken event id, a failed precondition, or that
    there was no answer within `timeout_s`, when the events may still be kept.
    """
    now = ledger.clock()
    found = [
        fault
        for i, event in enumerate(request.events)
        for fault in faults(event, f"events[{i}]", now)
    ]
    found += [
        fault
        for i, one in enumerate(request.preconditions)
        for fault in filter_faults(one.no_events_match, f"preconditions[{i}].no_events_match")
    ]
    caller = ledger.sight.caller
    found += speaking_faults(caller, request.events)
    if found:
        raise refuse(found)
    approvals = approvals_of(caller, request, now)
    subjects = _subjects(ledger, request.events)
    conditions = [condition_of(one) for one in request.preconditions]
    for _ in range(ATTEMPTS_MAX):
        size = ledger.log.entries.size()
        require_erasable(ledger, request.events)
        taken = [
            closed(ledger, request, index, subjects[index], approvals[index])
            for index in range(len(request.events))
        ]
        require_kept(ledger, taken)
        findings = _sought(ledger, request, size)
        _require_none(ledger, request, findings)
        # Who asked to be stopped by findings is not overtaken by others who append about the same;
        # nor an erasure by a legal hold, nor what is sealed by the end of its key.
        guards = [unchanged_since(taken, size)] if request.strict else []
        guards += [none_since(HELD, size)] if any(one.type == ERASED for one in taken) else []
        guards += [none_since(ERASED, size)] if any(one.sealed for one in taken) else []
        append = Append(taken, [*conditions, *guards], request.validate_only)
        try:
            appended = _result(ledger.writer.submit(append), timeout_s, len(conditions))
        except _OvertakenError:
            continue
        except KeyOvertakenError:
            ledger.log.vault.forget(one for event in taken for one in event.new_keys)
            continue
        if not request.validate_only:
            ledger.log.vault.destroy(erased_by(request.events))
        return AppendEventsResponse(
            receipts=list(_receipts(ledger, request, appended)),
            stamp=ledger.stamp(appended.size),
            findings=findings or (),
            findings_sought=findings is not None,
        )
    raise LedgerError(
        ErrorReason.ERROR_REASON_APPENDS_EXHAUSTED, "others append about the same persons"
    )


def _sought(ledger: Ledger, request: AppendEventsRequest, size: int) -> list[Finding] | None:
    """What the events cause; None: not looked for."""
    try:
        return causes(ledger, request.events, size)
    except LedgerError as error:
        # Nobody's events wait for tables; only who asked to be stopped must know.
        if request.strict or error.reason != ErrorReason.ERROR_REASON_PROJECTION_BEHIND:
            raise
        return None


class _OvertakenError(Exception):
    """Something was appended about the same persons since their records were looked at."""


def _require_none(
    ledger: Ledger, request: AppendEventsRequest, findings: Sequence[Finding] | None
) -> None:
    """Raise FINDINGS for events that cause what the caller asked to be stopped by."""
    grave = [one for one in findings or () if request.strict and one.severity >= request.strict]
    ids = {UUID(event.event_id).bytes for event in request.events}
    # What is there already was decided when it was first sent.
    if grave and len(ledger.log.entries.find(ids)) < len(ids):
        raise LedgerError(
            ErrorReason.ERROR_REASON_FINDINGS,
            f"{grave[0].field}: {grave[0].message}",
            violations=[
                Violation(one.field, " ".join([one.message, *one.known]), one.rule_code)
                for one in grave
            ],
        )


def _result(future: "Future[Appended]", timeout_s: float, preconditions: int) -> Appended:
    """What became of an append; `preconditions` is how many of its conditions the caller set."""
    try:
        return future.result(timeout_s)
    except EventIdTakenError as error:
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_EVENT_ID_TAKEN,
                    f"events[{error.index}].event_id",
                    "taken by an event with other content",
                )
            ]
        ) from None
    except ConditionFailedError as error:
        ours = [index for index in error.indexes if index < preconditions]
        if not ours:
            raise _OvertakenError from None
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_PRECONDITION_FAILED,
                    f"preconditions[{index}].no_events_match",
                    "events match that were appended after after_position",
                )
                for index in ours
            ]
        ) from None
    except FutureTimeoutError:
        future.cancel()
        raise LedgerError(
            ErrorReason.ERROR_REASON_DEADLINE_PASSED,
            "not written within the deadline; the events may still be kept",
        ) from None


def _receipts(
    ledger: Ledger, request: AppendEventsRequest, appended: Appended
) -> Iterator[Receipt]:
    for stored, new in zip(appended.entries, appended.new, strict=True):
        receipt = Receipt(
            event_id=str(UUID(bytes=stored.event_id)),
            already_recorded=not new,
            leaf_hash=merkle.leaf_hash(stored.data),
        )
        # In a dry run what is new is not there, the second time in one append neither.
        if stored.position <= appended.size:
            receipt.position = stored.position
            receipt.record_time.FromMicroseconds(stored.record_us)
            if request.prove:
                receipt.inclusion_path.extend(
                    ledger.log.tree.inclusion_path(stored.position - 1, appended.size)
                )
        yield receipt


def _subjects(ledger: Ledger, events: Sequence[Event]) -> list[list[str]]:
    """Whom each event is about; a retraction: whom what it retracts is about."""
    earlier = _earlier(ledger, events)
    found: list[Fault] = []
    about: list[list[str]] = []
    retracted: set[str] = set()
    for index, event in enumerate(events):
        subjects = subjects_of(event)
        path = f"events[{index}]"
        if kind_of(event) == RETRACTED:
            subjects, faulty = _of_retracted(
                ledger.sight.caller, event, earlier, f"{path}.retracted"
            )
            found += faulty
            retracted.add(event.retracted.retracted_event_id)
        about.append(subjects)
        earlier[event.event_id] = event
    for index, event in enumerate(events):
        found += _correction_faults(ledger, event, earlier, retracted, f"events[{index}]")
    if found:
        raise refuse(found)
    return about


def _earlier(ledger: Ledger, events: Sequence[Event]) -> dict[str, Event]:
    """The recorded events that these retract or correct, by id."""
    ids = {one for event in events for one in (_retracts(event), event.corrects_event_id) if one}
    if not ids:
        return {}
    stored = ledger.log.entries.find([UUID(one).bytes for one in ids])
    return {str(UUID(bytes=key)): Entry.FromString(one.data).event for key, one in stored.items()}


def _retracts(event: Event) -> str:
    return body_of(event).retracted_event_id if kind_of(event) == RETRACTED else ""


def _of_retracted(
    caller: Caller, event: Event, earlier: dict[str, Event], path: str
) -> tuple[list[str], list[Fault]]:
    """Whom a retraction is about, or why it cannot be."""
    field = f"{path}.retracted_event_id"
    target = earlier.get(event.retracted.retracted_event_id)
    # An agency takes back its own word alone. Of another's, it does not learn that it is there.
    if target is None or (caller.is_identified and target.actor.agency != caller.agency):
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
    if not corrected:
        return
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
