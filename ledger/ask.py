"""Answering questions: who, where, with whom, since when; as of one moment, known at another.

One person or family: the fold of her entries, never stale. Populations: the tables of periods, at
the size asked for.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from ledger.codes import codes_of
from ledger.entry import code_faults
from ledger.errors import refuse
from ledger.ledger import CATCH_UP_WAIT_S, Ledger, Moment
from ledger.store.populations import Generation
from ledger.v1.basis_pb2 import PageToken
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
from projections import custody, family, separation
from projections.history import Fact, facts
from projections.identity import identity

PAGE_DEFAULT = 100
PAGE_MAX = 1_000
FAMILY_MAX = 200

State = TypeVar("State", bound=Message)


def get_person(ledger: Ledger, request: GetPersonRequest) -> GetPersonResponse:
    """One person. Raises SUBJECT_NOT_FOUND where no entry known then names her."""
    moment = ledger.moment(request.basis)
    known = _facts(ledger, "person", [request.person_id], moment)[request.person_id]
    if not known:
        raise _not_found("person_id")
    person_id, as_of_us = request.person_id, moment.as_of_us
    response = identity.present(identity.fold(person_id, known, as_of_us))
    held = custody.custody.fold(person_id, known, as_of_us)
    separated = separation.separation.fold(person_id, known, as_of_us)
    relatives = family.family.fold(person_id, known, as_of_us)
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
        group = family.family_group.fold(request.family_id, known, moment.as_of_us)
        if not known:
            raise _not_found("family_id")
        nearest = list(group.member_ids)
    seen = set(nearest)
    removes = 0
    while nearest and not response.truncated:
        members = _members(ledger, sorted(nearest), moment, removes)
        if not removes and not members and request.person_id:
            raise _not_found("person_id")
        response.members.extend(members)
        linked = {link.relative_id for member in members for link in member.links} - seen
        response.truncated = len(seen) + len(linked) > FAMILY_MAX
        nearest = sorted(linked)[: FAMILY_MAX - len(seen)]
        seen |= linked
        removes += 1
    return response


def _members(
    ledger: Ledger, person_ids: Sequence[str], moment: Moment, removes: int
) -> list[FamilyMember]:
    """These persons with their links and custody, in the order of their ids."""
    members = []
    for person_id, known in _facts(ledger, "person", person_ids, moment).items():
        if known:
            member = family.present(family.family.fold(person_id, known, moment.as_of_us))
            member.removes = removes
            held = custody.custody.fold(person_id, known, moment.as_of_us)
            member.custody.CopyFrom(custody.present(held))
            members.append(member)
    return members


def list_roster(ledger: Ledger, request: ListRosterRequest) -> ListRosterResponse:
    """Who is held by an agency or in a facility.

    Raises UNKNOWN_CODE, FACILITY_NOT_FOUND, INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    if found := code_faults(request):
        raise refuse(found)
    wanted = [custody.by_agency(request.agency)]
    if request.facility:
        agencies = [request.agency] if request.agency else sorted(codes_of("agency"))
        wanted = [custody.by_facility(agency, request.facility) for agency in agencies]
    page = _Page(ledger, request, custody.custody.name, wanted, Custody)
    if request.facility and page.total_size == 0 and not page.is_known():
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
        people=[RosterPerson(person_id=one, custody=state) for one, state in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=page.stamp,
    )


def list_separations(ledger: Ledger, request: ListSeparationsRequest) -> ListSeparationsResponse:
    """Children separated and not known to be reunified, or ever. INVALID_PAGE_TOKEN etc."""
    wanted = [separation.EVER if request.include_reunified else separation.NOT_REUNIFIED]
    page = _Page(ledger, request, separation.separation.name, wanted, ChildSeparations)
    return ListSeparationsResponse(
        separations=[
            one
            for _, child in page.rows
            for one in child.separations
            if request.include_reunified or one.status != separation.REUNIFIED
        ],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=page.stamp,
    )


class _Page:
    """One page of a population. Every page is as of, and known at, what the first was."""

    def __init__(
        self,
        ledger: Ledger,
        request: ListRosterRequest | ListSeparationsRequest,
        projection: str,
        wanted: Sequence[str],
        state: type[Any],
    ) -> None:
        question = type(request)()
        question.CopyFrom(request)
        question.ClearField("page_size")
        question.ClearField("page_token")
        digest = sha256(question.SerializeToString(deterministic=True)).digest()
        moment, after = _resume(request.page_token, digest) or (ledger.moment(request.basis), "")
        limit = min(request.page_size or PAGE_DEFAULT, PAGE_MAX)
        as_of_us, size = moment.as_of_us, moment.size

        def ask(answer: Callable[[Generation], Any]) -> Any:
            return ledger.populations.ask(projection, size, CATCH_UP_WAIT_S, answer)

        found: list[tuple[str, bytes]] = []
        if not request.count_only:
            found = ask(
                lambda live: ledger.populations.page(live, wanted, as_of_us, size, after, limit + 1)
            )
        self.rows = [(subject, state.FromString(kept)) for subject, kept in found[:limit]]
        self.total_size = 0
        if not after:
            self.total_size = ask(
                lambda live: ledger.populations.count(live, wanted, as_of_us, size)
            )
        self.next_token = ""
        if len(found) > limit:
            token = PageToken(question=digest, size=size, after=self.rows[-1][0])
            token.as_of_time.FromMicroseconds(as_of_us)
            self.next_token = base64.urlsafe_b64encode(token.SerializeToString()).decode()
        self.stamp = ledger.stamp(size, as_of_us)
        self.is_known = lambda: (
            after or ask(lambda live: ledger.populations.is_known(live, wanted, size))
        )


def _resume(page_token: str, question: bytes) -> tuple[Moment, str] | None:
    """Where a page token goes on. Raises INVALID_PAGE_TOKEN."""
    if not page_token:
        return None
    try:
        token = PageToken.FromString(base64.b64decode(page_token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, DecodeError):
        token = PageToken()
    if token.question != question:
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN,
                    "page_token",
                    "not given for this question",
                )
            ]
        )
    return Moment(token.as_of_time.ToMicroseconds(), token.size), token.after


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
