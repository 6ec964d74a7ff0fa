"""Appending events: what is checked, what is kept, what the caller gets."""

from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from ledger.access.approval import approvals_of, speaking_faults
from ledger.caused import causes
from ledger.closing import closed
from ledger.corrections import subjects_about
from ledger.entry import faults, filter_faults, kind_of
from ledger.errors import LedgerError, Violation, refuse
from ledger.guarding import erased_by, id_of, require_erasable, require_kept, require_theirs
from ledger.ledger import Ledger
from ledger.receipts import receipts
from ledger.shape import is_plain
from ledger.store.batch import (
    ERASED,
    HELD,
    Append,
    Appended,
    Condition,
    ConditionFailedError,
    EventIdTakenError,
    KeyOvertakenError,
    LedgerEvent,
    after,
    condition_of,
    none_since,
    unchanged_since,
)
from ledger.store.entries import query_of
from ledger.store.guards import GUARDING
from ledger.store.reading import PAGE_MAX
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Approval
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    Precondition,
)
from ledger.v1.view_pb2 import Finding

ATTEMPTS_MAX = 5


def append_events(
    ledger: Ledger, request: AppendEventsRequest, timeout_s: float, *, is_judged: bool = False
) -> AppendEventsResponse:
    """Append the events, all or none; see `begin` and `Pending.result`."""
    return begin(ledger, request, is_judged=is_judged).result(timeout_s)


def begin(ledger: Ledger, request: AppendEventsRequest, *, is_judged: bool = False) -> "Pending":
    """Check the events and hand them to the writer. Whoever begins several waits in their order.

    `is_judged`: that the request is plain (see `ledger.shape`) is known. Raises LedgerError for
    what can never make sense, and as `Pending.result`.
    """
    is_judged = is_judged or is_plain(request)
    now = ledger.clock()
    found = [
        fault
        for i, event in enumerate(request.events)
        for fault in faults(event, f"events[{i}]", now, is_plain=is_judged)
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
    require_theirs(ledger, request.events, approvals)
    about = subjects_about(ledger, request.events)
    pending = Pending(ledger, request, about, approvals)
    pending.submit()
    return pending


def reads_the_log(request: AppendEventsRequest) -> bool:
    """Whether it depends on earlier events what becomes of these, or of later ones on these.

    Such a batch is begun when those before it have their results, and waited for before the next.
    """
    return (
        bool(request.strict or request.preconditions or request.approvals or request.validate_only)
        or any(one.corrects_event_id for one in request.events)
        or any(kind_of(one) in GUARDING for one in request.events)
    )


@dataclass
class Pending:
    """An append under way."""

    ledger: Ledger
    request: AppendEventsRequest
    about: Sequence[Sequence[str]]
    """By event, the subjects that it is about."""
    approvals: Sequence[Sequence[Approval]]

    def __post_init__(self) -> None:
        self._conditions = [condition_of(one) for one in self.request.preconditions]
        self._findings: list[Finding] | None = None
        self._taken: Sequence[LedgerEvent] = ()
        self._future: Future[Appended]

    def submit(self) -> None:
        """Close the events as the log and the keys are now, and hand them to the writer."""
        ledger, request = self.ledger, self.request
        size = ledger.log.entries.size()
        require_erasable(ledger, request.events)
        self._taken = taken = closed(ledger, request, self.about, self.approvals)
        # Who asked to be stopped by findings is not overtaken by others who append about the same;
        # nor an erasure by a legal hold, nor what is sealed by the end of its key.
        guards = [unchanged_since(taken, size)] if request.strict else []
        if any(one.type == ERASED for one in taken):
            guards.append(none_since(HELD, size))
        if sealed := [one for one in taken if one.sealed]:
            require_kept(ledger, sealed, size)
            guards.append(none_since(ERASED, size))
        if not request.without_findings:
            self._findings = _sought(ledger, request, size)
            _require_none(ledger, request, self._findings)
        append = Append(taken, [*self._conditions, *guards], request.validate_only)
        self._future = ledger.writer.submit(append)

    def result(self, timeout_s: float) -> AppendEventsResponse:
        """The receipts, once the events are kept. Raises LedgerError as `kept`."""
        appended = self.kept(timeout_s)
        return AppendEventsResponse(
            receipts=receipts(self.ledger, self.request, appended),
            stamp=self.ledger.stamp(appended.size),
            findings=self._findings or (),
            findings_sought=self._findings is not None,
        )

    def kept(self, timeout_s: float) -> Appended:
        """The entries, once the events are kept.

        Raises LedgerError: a taken event id, a failed precondition, or that there was no answer
        within `timeout_s`, when the events may still be kept.
        """
        ledger, request = self.ledger, self.request
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                self.submit()
            appended = _result(self._future, timeout_s)
            if isinstance(appended, ConditionFailedError):
                ours = [index for index in appended.indexes if index < len(self._conditions)]
                # What only events fail that the caller may not see does not fail for her: it goes
                # on from where they were looked at.
                self._conditions = _moved_on(ledger, request, self._conditions, ours)
                continue
            if isinstance(appended, KeyOvertakenError):
                ledger.log.vault.forget(one for event in self._taken for one in event.new_keys)
                continue
            if not request.validate_only:
                ledger.log.vault.destroy(erased_by(request.events))
            return appended
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


def _require_none(
    ledger: Ledger, request: AppendEventsRequest, findings: Sequence[Finding] | None
) -> None:
    """Raise FINDINGS for events that cause what the caller asked to be stopped by."""
    grave = [one for one in findings or () if request.strict and one.severity >= request.strict]
    ids = {id_of(event) for event in request.events}
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


def _moved_on(
    ledger: Ledger,
    request: AppendEventsRequest,
    conditions: Sequence[Condition],
    failed: Sequence[int],
) -> list[Condition]:
    """The conditions, those that failed after what was there when they were looked at.

    Raises PRECONDITION_FAILED for those that events fail which the caller may see.
    """
    size = ledger.log.entries.size()
    told = [index for index in failed if _meets(ledger, request.preconditions[index], size)]
    if told:
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_PRECONDITION_FAILED,
                    f"preconditions[{index}].no_events_match",
                    "events match that were appended after after_position",
                )
                for index in told
            ]
        )
    return [after(one, size) if index in failed else one for index, one in enumerate(conditions)]


def _meets(ledger: Ledger, precondition: Precondition, size: int) -> bool:
    """Whether events of a log of a size match a precondition that the caller may see."""
    query, position = query_of(precondition.no_events_match), precondition.after_position
    while page := ledger.log.entries.page(query, position, size, PAGE_MAX):
        position = page[-1].position
        if any(ledger.sight.entry(one) is not None for one in page):
            return True
    return False


def _result(
    future: "Future[Appended]", timeout_s: float
) -> Appended | ConditionFailedError | KeyOvertakenError:
    """What became of an append, or why to try again.

    What a future raises is not raised further: an exception that its future keeps would keep the
    call that it went through, and its place on the connection, until the garbage is collected.
    """
    try:
        error = future.exception(timeout_s)
    except FutureTimeoutError:
        future.cancel()
        raise LedgerError(
            ErrorReason.ERROR_REASON_DEADLINE_PASSED,
            "not written within the deadline; the events may still be kept",
        ) from None
    if isinstance(error, ConditionFailedError | KeyOvertakenError):
        return error
    if isinstance(error, EventIdTakenError):
        field = f"events[{error.index}].event_id"
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_EVENT_ID_TAKEN,
                    field,
                    "taken by an event with other content",
                )
            ]
        )
    if isinstance(error, LedgerError):
        raise LedgerError(error.reason, str(error))
    return future.result()
