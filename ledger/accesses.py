"""Reads are events: each is in the access log before its answer leaves."""

from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any
from uuid import UUID, uuid4

import structlog
from google.protobuf.message import Message

from ledger.entry import FORMAT, access_subjects
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.prove import checkpoint
from ledger.store.batch import Append, LedgerEvent
from ledger.store.entries import Stored, query_of
from ledger.v1.access_pb2 import Access, AccessEntry, RecordedAccess
from ledger.v1.audit_service_pb2 import ListAccessesRequest, ListAccessesResponse
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import EventFilter
from ledger.v1.options_pb2 import Role
from projections.subjects import mentions, people_among

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
READ_MAX = 1_000
WAIT_S = 10.0
OK = "OK"

logger = structlog.get_logger()


def note(
    ledger: Ledger, method: str, request: Message, answer: Message | None, reason: str = OK
) -> list[str]:
    """Keep who asked what about whom; return the ids of the persons.

    `method` is like "CustodyQueryService/GetPerson", `answer` what is about to leave; none: the
    call was refused for `reason`. Raises ACCESS_LOG_UNAVAILABLE where it is not certain to be
    kept: then nothing may leave.
    """
    caller = ledger.sight.caller
    access = Access(
        access_id=str(uuid4()),
        agency=caller.agency,
        role=caller.role,
        actor_id=caller.actor_id,
        spiffe_id=caller.spiffe_id,
        method=method,
        purpose_code=caller.purpose_code,
        person_ids=dict.fromkeys(_people(request, answer)),
        reason=reason,
        emergency_event_ids=sorted(ledger.sight.emergency_event_ids),
    )
    access.question_hmac = _digest(ledger, access, request)
    access.answer_hmac = _digest(ledger, access, answer) if answer is not None else b""
    _put_basis(access, answer)
    rest = AccessEntry(access=access, format=FORMAT).SerializeToString(deterministic=True)
    event_id = UUID(access.access_id).bytes
    event = LedgerEvent(Access.DESCRIPTOR.name, rest, access_subjects(access), event_id)
    try:
        ledger.access_writer.submit(Append([event])).result(WAIT_S)
    except (LedgerError, FutureTimeoutError):
        logger.critical("access log cannot be written", method=method)
        raise LedgerError(
            ErrorReason.ERROR_REASON_ACCESS_LOG_UNAVAILABLE,
            "the access log cannot be written, so nothing is answered",
        ) from None
    if access.emergency_event_ids:
        # An emergency announces itself; the operator sees that there is one, and not of whom.
        logger.warning("emergency access", method=method, agency=caller.agency)
    return list(access.person_ids)


def list_accesses(ledger: Ledger, request: ListAccessesRequest) -> ListAccessesResponse:
    """Who looked at a person's record, or what somebody looked at.

    Of somebody whom the caller may not see there is nothing, as of somebody whom nobody looked at.
    """
    size = ledger.accesses.entries.size()
    response = ListAccessesResponse(checkpoint=checkpoint(ledger.accesses, size))
    limit = min(request.page_size or PAGE_DEFAULT, PAGE_MAX)
    if request.person_id and not ledger.sight.sees(request.person_id):
        return response
    for one in _accesses(ledger, request, size):
        if len(response.accesses) == limit:
            response.has_more = True
            break
        response.accesses.append(one)
    return response


def _accesses(ledger: Ledger, request: ListAccessesRequest, size: int) -> Iterator[RecordedAccess]:
    wanted = EventFilter()
    if request.person_id:
        wanted.items.add(subjects=[f"person:{request.person_id}"])
    after = request.after_position
    while page := ledger.accesses.entries.page(query_of(wanted), after, size, READ_MAX):
        after = page[-1].position
        for stored in page:
            if _is_meant(request, stored):
                entry = AccessEntry.FromString(stored.data)
                if _may_be_told(ledger, entry.access) and _is_by(request, entry.access):
                    yield RecordedAccess(position=stored.position, entry=entry)


def _is_meant(request: ListAccessesRequest, stored: Stored) -> bool:
    if request.HasField("since_time") and stored.record_us < request.since_time.ToMicroseconds():
        return False
    before = request.before_time
    return not request.HasField("before_time") or stored.record_us < before.ToMicroseconds()


def _is_by(request: ListAccessesRequest, access: Access) -> bool:
    return request.agency in ("", access.agency) and request.actor_id in ("", access.actor_id)


def _may_be_told(ledger: Ledger, access: Access) -> bool:
    """Whether the caller may learn of an access: those whom it told of are hers to see."""
    caller = ledger.sight.caller
    if not caller.is_identified or caller.role == Role.ROLE_AUDITOR:
        return True
    # What names nobody is told to the agency that asked it, alone.
    if not access.person_ids:
        return access.agency == caller.agency
    return all(ledger.sight.sees(one) for one in access.person_ids)


def _people(*messages: Message | None) -> Iterator[str]:
    for message in messages:
        if message is not None:
            yield from people_among(mentions(message))


def _digest(ledger: Ledger, access: Access, message: Message) -> bytes:
    """A hash that outlives an erasure: nobody may find what was erased by guessing at it."""
    return ledger.log.vault.digest(
        access.person_ids, access.access_id, message.SerializeToString(deterministic=True)
    )


def _put_basis(access: Access, answer: Any) -> None:
    """What the answer was computed from, where it says so."""
    if answer is None or "stamp" not in answer.DESCRIPTOR.fields_by_name:
        return
    access.size = answer.stamp.size
    if answer.stamp.HasField("as_of_time"):
        access.as_of_time.CopyFrom(answer.stamp.as_of_time)
