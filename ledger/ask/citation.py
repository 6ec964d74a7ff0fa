"""Citations: what an answer was computed from, so that it can be computed again to the bit (R-07).

A citation names the question, both clocks, the root of the log, and a hash of who is in the answer.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import protovalidate
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from ledger.ask.population import list_class, list_clocks, list_roster, list_separations
from ledger.ask.queues import list_findings
from ledger.entry import question_faults
from ledger.errors import LedgerError, refuse
from ledger.ledger import Ledger, Moment
from ledger.pages import PAGE_MAX
from ledger.read import find
from ledger.v1.audit_service_pb2 import VerifyCitationRequest, VerifyCitationResponse
from ledger.v1.custody_query_service_pb2 import (
    CiteRequest,
    CiteResponse,
    ListClassRequest,
    ListClocksRequest,
    ListFindingsRequest,
    ListRosterRequest,
    ListSeparationsRequest,
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.oversight_pb2 import Citation
from projections.subjects import body_of

TOLD_MIN = 10

Ask = Callable[[Ledger, Any], Any]

# By the name of the method: its request, what answers it, and the ids of those in an answer.
_QUESTIONS: dict[str, tuple[type[Message], Ask, Callable[[Any], list[str]]]] = {
    "ListRoster": (
        ListRosterRequest,
        list_roster,
        lambda answer: [one.person_id for one in answer.people],
    ),
    "ListSeparations": (
        ListSeparationsRequest,
        list_separations,
        lambda answer: [one.child_id for one in answer.separations],
    ),
    "ListFindings": (
        ListFindingsRequest,
        list_findings,
        lambda answer: [one.person_id for one in answer.findings],
    ),
    "ListClocks": (
        ListClocksRequest,
        list_clocks,
        lambda answer: [one.person_id for one in answer.clocks],
    ),
    "ListClass": (
        ListClassRequest,
        list_class,
        lambda answer: [one.person_id for one in answer.members],
    ),
}
# They are of the citation, or of how an answer is delivered, and not of the question.
_NOT_ASKED = ("basis", "count_only", "page_size", "page_token")


def cite(ledger: Ledger, request: CiteRequest) -> CiteResponse:
    """What to cite for an answer. Raises as the question does, and as `Ledger.moment` does."""
    name = str(request.WhichOneof("question"))
    question = getattr(request, name)
    if found := question_faults(question):
        raise refuse([(why, f"{name}.{where}", what) for why, where, what in found])
    moment = ledger.moment(request.basis)
    return CiteResponse(citation=citation_of(ledger, query_of(question), moment)[0])


def query_of(question: Message) -> str:
    """A question as canonical JSON under the name of its method."""
    asked = type(question).FromString(question.SerializeToString())
    for name in _NOT_ASKED:
        asked.ClearField(name)
    method = question.DESCRIPTOR.name.removesuffix("Request")
    return json.dumps({method: MessageToDict(asked)}, sort_keys=True, separators=(",", ":"))


def citation_of(ledger: Ledger, query: str, moment: Moment) -> tuple[Citation, list[str]]:
    """(citation, ids of those in the answer) of a question at a moment.

    Raises UNREADABLE_CITATION for a question that these words do not have.
    """
    caller = ledger.sight.caller
    # Whoever asks: what is cited is certified to others. But so few could be told from their hash.
    ids = _ids(ledger.seen_by(caller, counts=True), query, moment)
    if len(ids) < TOLD_MIN:
        ids = _ids(ledger.seen_by(caller), query, moment)
    stamp = ledger.stamp(moment.size, moment.as_of_us)
    hashed = sha256("".join(f"{one}\n" for one in ids).encode())
    citation = Citation(
        query=query,
        as_of_time=stamp.as_of_time,
        size=stamp.size,
        root=stamp.root,
        count=len(ids),
        sha256=hashed.digest(),
    )
    return citation, ids


def _ids(ledger: Ledger, query: str, moment: Moment) -> list[str]:
    """The ids of those in the answer to a question, in ascending order."""
    question, answer, ids_of = _read(query)
    question.basis.as_of_time.FromMicroseconds(moment.as_of_us)
    question.basis.at_size = moment.size
    question.page_size = PAGE_MAX
    found: set[str] = set()
    while True:
        try:
            page = answer(ledger, question)
        except LedgerError as error:
            # Where nobody was known to be in a facility, nobody was in it.
            if error.reason != ErrorReason.ERROR_REASON_FACILITY_NOT_FOUND:
                raise
            return []
        found.update(ids_of(page))
        if not page.next_page_token:
            return sorted(found)
        question.page_token = page.next_page_token


def _read(query: str) -> tuple[Any, Ask, Callable[[Any], list[str]]]:
    unreadable = LedgerError(
        ErrorReason.ERROR_REASON_UNREADABLE_CITATION, "the question cannot be read"
    )
    try:
        ((method, fields),) = json.loads(query).items()
        request_type, answer, ids_of = _QUESTIONS[method]
        question = ParseDict(fields, request_type())
    except (ValueError, AttributeError, KeyError, TypeError, ParseError, RecursionError):
        raise unreadable from None
    for name in _NOT_ASKED:
        question.ClearField(name)
    # It did not come in as a request, so nobody has judged it.
    if protovalidate.collect_violations(question) or question_faults(question):
        raise unreadable
    return question, answer, ids_of


def verify_citation(ledger: Ledger, request: VerifyCitationRequest) -> VerifyCitationResponse:
    """Whether what was certified or published comes out the same again, and what it comes to now.

    Raises EVENT_NOT_FOUND, NO_CITATION, UNREADABLE_CITATION.
    """
    body = body_of(find(ledger, request.event_id)[1].event)
    if "citation" not in body.DESCRIPTOR.fields_by_name or not body.HasField("citation"):
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_NO_CITATION,
                    "event_id",
                    "the event cites nothing of this ledger",
                )
            ]
        )
    recorded = body.citation
    size = ledger.log.entries.size()
    if recorded.size > size:
        raise LedgerError(
            ErrorReason.ERROR_REASON_UNREADABLE_CITATION, "it cites more than there is"
        )
    as_of_us = recorded.as_of_time.ToMicroseconds()
    then, before = citation_of(ledger, recorded.query, Moment(as_of_us, recorded.size))
    now, after = citation_of(ledger, recorded.query, Moment(as_of_us, size))
    return VerifyCitationResponse(
        recorded=recorded,
        recomputed=then,
        reproduced=recorded == then,
        now=now,
        entered_person_ids=_seen(ledger, set(after) - set(before)),
        left_person_ids=_seen(ledger, set(before) - set(after)),
        stamp=ledger.stamp(size, as_of_us),
    )


def _seen(ledger: Ledger, ids: set[str]) -> list[str]:
    """Those whom the caller may see, in ascending order."""
    return sorted(one for one in ids if ledger.sight.sees(one))
