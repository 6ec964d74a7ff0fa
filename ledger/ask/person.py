"""One person: all that is known of her, and how it came about."""

from ledger.ask.known import PERSON, known_of, not_found
from ledger.ask.population import cited
from ledger.ask.relatives import findings_of
from ledger.ledger import Ledger
from ledger.v1.custody_query_service_pb2 import (
    GetPersonRequest,
    GetPersonResponse,
    GetPersonTimelineRequest,
    GetPersonTimelineResponse,
    TimelineEvent,
)
from ledger.v1.event_pb2 import RecordedEvent
from ledger.v1.view_pb2 import CustodyPeriod
from projections import (
    casework,
    classes,
    clocks,
    custody,
    family,
    guard,
    identity,
    rules,
    separation,
)
from projections.custody_view import present as present_custody
from projections.findings import duties, findings


def get_person(ledger: Ledger, request: GetPersonRequest) -> GetPersonResponse:
    """One person. Raises SUBJECT_NOT_FOUND where no entry known then names her."""
    moment = ledger.moment(request.basis)
    person_id, as_of_us = request.person_id, moment.as_of_us
    known = known_of(ledger, PERSON, [person_id], moment.size)[person_id]
    if not (told := known.facts):
        raise not_found("person_id")
    record = findings.fold(person_id, told, as_of_us)
    owed = duties.fold(person_id, told, as_of_us)
    # Links are shown whatever moment is asked about.
    is_all = told[-1].effective_us <= as_of_us
    linked = record.family if is_all else family.family.fold(person_id, told)
    who = identity.present(record.identity, as_of_us)
    return GetPersonResponse(
        person_id=person_id,
        claims=who.claims,
        identifiers=who.identifiers,
        age=who.age,
        special_needs=who.special_needs,
        speaks_for_herself=who.speaks_for_herself,
        distinct_person_ids=who.distinct_person_ids,
        same_person_ids=known.same_ids,
        custody=present_custody(record.custody),
        separations=separation.present(record.separation).separations,
        links=family.present(linked).links,
        clocks=[
            cited(clocks.present(person_id, one))
            for one in owed.clocks.clocks
            if one.limit.applies_to != "child"
        ],
        findings=[*findings_of(ledger, record, moment), *rules.judge_duties(owed)],
        cases=casework.present_cases(owed.casework, owed.clocks),
        contacts=casework.present_contacts(owed.casework),
        information_requests=casework.present_requests(owed.casework),
        protection=guard.present(guard.guard.fold(person_id, told, as_of_us)),
        classes=classes.present(classes.classes.fold(person_id, told, as_of_us)),
        stamp=ledger.stamp(moment.size, as_of_us),
    )


def get_person_timeline(
    ledger: Ledger, request: GetPersonTimelineRequest
) -> GetPersonTimelineResponse:
    """What is known of one person, in the order in which it took effect. SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    person_id = request.person_id
    known = known_of(ledger, PERSON, [person_id], moment.size)[person_id]
    if not known.entries:
        raise not_found("person_id")
    told = [fact for fact in known.facts if fact.effective_us <= moment.as_of_us]
    as_recorded = dict(known.entries)
    response = GetPersonTimelineResponse(stamp=ledger.stamp(moment.size, moment.as_of_us))
    for fact in told:
        event = TimelineEvent(
            event=RecordedEvent(position=fact.position, entry=as_recorded[fact.position]),
            retracted_by_event_id=fact.retracted_by,
        )
        event.effective_time.FromMicroseconds(fact.effective_us)
        response.events.append(event)
    for period in custody.custody.periods(person_id, told):
        message = CustodyPeriod(custody=present_custody(period.view))
        message.from_time.FromMicroseconds(period.from_us)
        if period.to_us is not None:
            message.to_time.FromMicroseconds(period.to_us)
        response.periods.append(message)
    return response
