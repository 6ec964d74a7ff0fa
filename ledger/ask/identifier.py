"""Whose a number is. Never picks: a number that two persons have is an open conflict (R-29)."""

from ledger.ask.known import PERSON, known_of
from ledger.entry import question_faults
from ledger.errors import refuse
from ledger.ledger import Ledger
from ledger.members import Members
from ledger.v1.custody_query_service_pb2 import (
    ResolveIdentifierRequest,
    ResolveIdentifierResponse,
)
from ledger.v1.view_pb2 import IdentifierStatus, ResolvedPerson
from projections.holders import NUMBERED, SHARED, TAKEN_BACK, holders
from projections.identifiers import mark, normalized

ACTIVE = IdentifierStatus.IDENTIFIER_STATUS_ACTIVE
CONFLICT = IdentifierStatus.IDENTIFIER_STATUS_CONFLICT


def resolve_identifier(
    ledger: Ledger, request: ResolveIdentifierRequest
) -> ResolveIdentifierResponse:
    """Everybody whom a number is, or was, asserted of. Nobody at all is an answer too.

    Raises UNKNOWN_CODE, PROJECTION_BEHIND.
    """
    if found := question_faults(request):
        raise refuse(found)
    moment = ledger.moment(request.basis)
    one = mark(request.scheme, request.value, request.issuer_text)
    wanted = [f"{prefix}{one}" for prefix in (NUMBERED, SHARED, TAKEN_BACK)]
    rows = Members(ledger, holders, moment).all(wanted)
    people = [ResolvedPerson.FromString(state) for _, state in rows]
    active = [person for person in people if person.status == ACTIVE]
    for person in active if len(active) > 1 else []:
        person.status = CONFLICT
    known = known_of(ledger, PERSON, [person.person_id for person in people], moment.size)
    for person in people:
        person.same_person_ids.extend(known[person.person_id].same_ids)
    return ResolveIdentifierResponse(
        people=people,
        normalized=normalized(request.scheme, request.value),
        stamp=ledger.stamp(moment.size, moment.as_of_us),
    )
