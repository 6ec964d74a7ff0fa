"""Answering questions: who, where, with whom, since when; as of one moment, known at another.

One person or family: the fold of her entries, never stale. Populations: the tables of periods, at
the size asked for. Who belongs together does not begin on the day that somebody wrote it down, so
links are shown whatever moment is asked about; where each of them is, as of that moment.
"""

from collections.abc import Iterable, Sequence

from ledger.codes import codes_of
from ledger.entry import question_faults
from ledger.errors import refuse
from ledger.ledger import Ledger, Moment
from ledger.pages import turn_page
from ledger.v1.custody_query_service_pb2 import (
    ChildSeparations,
    Custody,
    CustodyPeriod,
    FamilyMember,
    GetFamilyRequest,
    GetFamilyResponse,
    GetPersonRequest,
    GetPersonResponse,
    GetPersonTimelineRequest,
    GetPersonTimelineResponse,
    ListRosterRequest,
    ListRosterResponse,
    ListSeparationsRequest,
    ListSeparationsResponse,
    RosterPerson,
    TimelineEvent,
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry, RecordedEvent
from projections import custody, family, identity, separation
from projections.history import Fact, facts

FAMILY_MAX = 200


def get_person(ledger: Ledger, request: GetPersonRequest) -> GetPersonResponse:
    """One person. Raises SUBJECT_NOT_FOUND where no entry known then names her."""
    moment = ledger.moment(request.basis)
    known = _facts(ledger, "person", [request.person_id], moment)[request.person_id]
    if not known:
        raise _not_found("person_id")
    person_id, as_of_us = request.person_id, moment.as_of_us
    response = identity.present(identity.identity.fold(person_id, known, as_of_us))
    held = custody.custody.fold(person_id, known, as_of_us)
    separated = separation.separation.fold(person_id, known, as_of_us)
    relatives = family.family.fold(person_id, known)
    response.custody.CopyFrom(custody.present(held))
    response.separations.extend(separation.present(separated).separations)
    response.links.extend(family.present(relatives).links)
    response.stamp.CopyFrom(ledger.stamp(moment.size, as_of_us))
    return response


def get_person_timeline(
    ledger: Ledger, request: GetPersonTimelineRequest
) -> GetPersonTimelineResponse:
    """What is known of one person, in the order in which it took effect. SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    stored = ledger.log.entries.about([f"person:{request.person_id}"], moment.size)
    entries = {one.position: Entry.FromString(one.data) for one in next(iter(stored.values()))}
    if not entries:
        raise _not_found("person_id")
    known = [fact for fact in facts(entries.items()) if fact.effective_us <= moment.as_of_us]
    response = GetPersonTimelineResponse(stamp=ledger.stamp(moment.size, moment.as_of_us))
    for fact in known:
        event = TimelineEvent(
            event=RecordedEvent(position=fact.position, entry=entries[fact.position]),
            retracted_by_event_id=fact.retracted_by,
        )
        event.effective_time.FromMicroseconds(fact.effective_us)
        response.events.append(event)
    for period in custody.custody.periods(request.person_id, known):
        message = CustodyPeriod(custody=custody.present(period.view))
        message.from_time.FromMicroseconds(period.from_us)
        if period.to_us is not None:
            message.to_time.FromMicroseconds(period.to_us)
        response.periods.append(message)
    return response


def get_family(ledger: Ledger, request: GetFamilyRequest) -> GetFamilyResponse:
    """A family: whom links reach, at any remove, and where each is. Raises SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    response = GetFamilyResponse(stamp=ledger.stamp(moment.size, moment.as_of_us))
    nearest = [request.person_id]
    if request.WhichOneof("subject") == "family_id":
        known = _facts(ledger, "family", [request.family_id], moment)[request.family_id]
        group = family.family_group.fold(request.family_id, known)
        if not known:
            raise _not_found("family_id")
        nearest = list(group.member_ids)
    seen = set(nearest)
    removes = 0
    while nearest:
        members = _members(ledger, sorted(nearest), moment, removes)
        if not removes and not members and request.person_id:
            raise _not_found("person_id")
        response.members.extend(members)
        linked = {link.relative_id for member in members for link in member.links} - seen
        response.truncated |= len(seen) + len(linked) > FAMILY_MAX
        nearest = sorted(linked)[: FAMILY_MAX - len(seen)]
        seen |= set(nearest)
        removes += 1
    return response


def _members(
    ledger: Ledger, person_ids: Sequence[str], moment: Moment, removes: int
) -> list[FamilyMember]:
    """These persons with their links and custody, in the order of their ids."""
    members = []
    for person_id, known in _facts(ledger, "person", person_ids, moment).items():
        if known:
            member = family.present(family.family.fold(person_id, known))
            member.removes = removes
            held = custody.custody.fold(person_id, known, moment.as_of_us)
            member.custody.CopyFrom(custody.present(held))
            members.append(member)
    return members


def list_roster(ledger: Ledger, request: ListRosterRequest) -> ListRosterResponse:
    """Who is held by an agency or in a facility.

    Raises UNKNOWN_CODE, FACILITY_NOT_FOUND, INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    if found := question_faults(request):
        raise refuse(found)
    wanted = [custody.by_agency(request.agency)]
    if request.facility:
        agencies = [request.agency] if request.agency else sorted(codes_of("agency"))
        wanted = [custody.by_facility(agency, request.facility) for agency in agencies]
    page = turn_page(ledger, request, custody.custody, wanted)
    if request.facility and not page.is_known:
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_FACILITY_NOT_FOUND,
                    "facility",
                    "nobody was ever held in a facility of this name, as far as was known then",
                )
            ]
        )
    return ListRosterResponse(
        people=[
            RosterPerson(person_id=person_id, custody=Custody.FromString(state))
            for person_id, state in page.rows
        ],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def list_separations(ledger: Ledger, request: ListSeparationsRequest) -> ListSeparationsResponse:
    """Children separated and not known to be reunified, or ever separated.

    Raises INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    wanted = [separation.EVER if request.include_reunified else separation.NOT_REUNIFIED]
    page = turn_page(ledger, request, separation.separation, wanted)
    return ListSeparationsResponse(
        separations=[
            one
            for _, state in page.rows
            for one in ChildSeparations.FromString(state).separations
            if request.include_reunified or one.status != separation.REUNIFIED
        ],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def _facts(
    ledger: Ledger, kind: str, subject_ids: Iterable[str], moment: Moment
) -> dict[str, list[Fact]]:
    """For each subject what is known of it, in the order in which it took effect."""
    names = {f"{kind}:{one}": one for one in subject_ids}
    about = ledger.log.entries.about(names, moment.size)
    return {
        names[name]: facts((one.position, Entry.FromString(one.data)) for one in stored)
        for name, stored in about.items()
    }


def _not_found(field: str) -> Exception:
    return refuse(
        [(ErrorReason.ERROR_REASON_SUBJECT_NOT_FOUND, field, "in no entry that was known then")]
    )
