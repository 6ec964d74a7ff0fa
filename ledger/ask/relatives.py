"""Families: who belongs together, and where each of them is."""

from collections.abc import Sequence

from ledger.ask.known import PERSON, Known, known_of, not_found, people
from ledger.ledger import Ledger, Moment
from ledger.v1.custody_query_service_pb2 import (
    FamilyDefinition,
    GetFamilyRequest,
    GetFamilyResponse,
    LocatedRelative,
    LocateRelativesRequest,
    LocateRelativesResponse,
)
from ledger.v1.view_pb2 import Custody, FamilyMember, Finding
from projections import casework, family, family_group, rules
from projections.custody import custody
from projections.custody_view import present as present_custody
from projections.family_unit import unit_of
from projections.record import Record

FAMILY_MAX = 200


def get_family(ledger: Ledger, request: GetFamilyRequest) -> GetFamilyResponse:
    """A family: whom links reach, at any remove, and where each is. Raises SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    response = GetFamilyResponse(stamp=ledger.stamp(moment.size, moment.as_of_us))
    nearest = [request.person_id]
    if request.WhichOneof("subject") == "family_id":
        known = known_of(ledger, "family", [request.family_id], moment.size)[request.family_id]
        if not known.facts:
            raise not_found("family_id")
        nearest = list(family_group.family_group.fold(request.family_id, known.facts).member_ids)
    seen = set(nearest)
    removes = 0
    while nearest:
        members = _members(ledger, sorted(nearest), moment, removes)
        if not removes and not members and request.person_id:
            raise not_found("person_id")
        response.members.extend(members)
        linked = {link.relative_id for member in members for link in member.links} - seen
        response.truncated |= len(seen) + len(linked) > FAMILY_MAX
        nearest = sorted(linked)[: FAMILY_MAX - len(seen)]
        seen |= set(nearest)
        removes += 1
    if request.definition == FamilyDefinition.FAMILY_DEFINITION_FAMILY_UNIT:
        _keep_unit(ledger, response, moment)
    return response


def _members(
    ledger: Ledger, person_ids: Sequence[str], moment: Moment, removes: int
) -> list[FamilyMember]:
    """These persons with their links and custody, in the order of their ids."""
    members = []
    for person_id, known in known_of(ledger, PERSON, person_ids, moment.size).items():
        if known.facts:
            member = family.present(family.family.fold(person_id, known.facts))
            member.custody.CopyFrom(_custody(known, moment))
            member.removes = removes
            member.same_person_ids.extend(known.same_ids)
            members.append(member)
    return members


def _custody(known: Known, moment: Moment) -> Custody:
    """Where a person is, in the words."""
    return present_custody(custody.fold(known.subject_id, known.facts, moment.as_of_us))


def _keep_unit(ledger: Ledger, response: GetFamilyResponse, moment: Moment) -> None:
    """Leave in an answer those only who are of one family unit with the nearest."""
    records = people(ledger, [one.person_id for one in response.members], moment)
    nearest = [one.person_id for one in response.members if not one.removes]
    unit = unit_of(nearest, records, moment.as_of_us)
    kept = [one for one in response.members if one.person_id in unit]
    del response.members[:]
    response.members.extend(kept)


def locate_relatives(ledger: Ledger, request: LocateRelativesRequest) -> LocateRelativesResponse:
    """Where each relative is, across agencies, whoever asserted the link. SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    person_id = request.person_id
    known = known_of(ledger, PERSON, [person_id], moment.size)[person_id]
    if not known.facts:
        raise not_found("person_id")
    links = family.present(family.family.fold(person_id, known.facts)).links
    relatives = sorted({link.relative_id for link in links})
    response = LocateRelativesResponse(
        custody=_custody(known, moment), stamp=ledger.stamp(moment.size, moment.as_of_us)
    )
    spoken_of = casework.casework.fold(person_id, known.facts, moment.as_of_us)
    contacts = casework.present_contacts(spoken_of)
    for relative_id, hers in known_of(ledger, PERSON, relatives, moment.size).items():
        located = LocatedRelative(
            person_id=relative_id,
            links=[link for link in links if link.relative_id == relative_id],
            custody=_custody(hers, moment),
            same_person_ids=hers.same_ids,
        )
        spoken = [one for one in contacts if one.relative_id == relative_id and one.succeeded]
        if spoken:
            located.last_contact.CopyFrom(spoken[-1])
        response.relatives.append(located)
    return response


def findings_of(ledger: Ledger, record: Record, moment: Moment) -> list[Finding]:
    """The findings of one person, those about her and her relatives among them."""
    found = list(rules.judge_alone(record))
    if rules.is_candidate(record):
        relatives = {link.relative_id for link in record.family.links}
        found += rules.judge_among(record, people(ledger, sorted(relatives), moment))
    return found
