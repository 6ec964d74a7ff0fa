"""Populations: rosters, separations, clocks, classes, numbers; from the tables, in pages."""

from ledger.entry import question_faults
from ledger.errors import refuse
from ledger.ledger import Ledger, Moment
from ledger.members import Members
from ledger.pages import Rows, Source, Tables, Whole, turn_page
from ledger.v1.custody_query_service_pb2 import (
    AgeAt,
    ClassMember,
    ListClassRequest,
    ListClassResponse,
    ListClocksRequest,
    ListClocksResponse,
    ListNumbersRequest,
    ListNumbersResponse,
    ListRosterRequest,
    ListRosterResponse,
    ListSeparationsRequest,
    ListSeparationsResponse,
    RosterPerson,
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.view_pb2 import (
    ChildSeparations,
    ClassMembership,
    Clock,
    Custody,
    PersonClocks,
    PublishedNumber,
    Separation,
)
from projections import classes, clocks, custody, publication, separation
from projections.age import born_of
from projections.codes import codes_of
from projections.custody_view import by_agency, by_facility
from projections.findings import duties
from projections.time_limit import HOUR_US

STATES = (clocks.RUNNING, clocks.MET, clocks.MISSED, clocks.INDETERMINATE)


def list_roster(ledger: Ledger, request: ListRosterRequest) -> ListRosterResponse:
    """Who is held by an agency or in a facility.

    Raises UNKNOWN_CODE, FACILITY_NOT_FOUND, INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    if found := question_faults(request):
        raise refuse(found)
    wanted = [by_agency(request.agency)]
    if request.facility:
        agencies = [request.agency] if request.agency else sorted(codes_of("agency"))
        wanted = [by_facility(agency, request.facility) for agency in agencies]
    page = turn_page(ledger, request, Tables(ledger, custody.custody, wanted, Custody.FromString))
    if request.facility and not page.rows and not page.total_size:
        _require_known(ledger, page.moment, wanted)
    return ListRosterResponse(
        people=[RosterPerson(person_id=person_id, custody=held) for person_id, held in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def _require_known(ledger: Ledger, moment: Moment, wanted: list[str]) -> None:
    """Raise FACILITY_NOT_FOUND for a facility that nobody was ever believed to be in."""
    if not Members(ledger, custody.custody, moment).were_known(wanted):
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_FACILITY_NOT_FOUND,
                    "facility",
                    "nobody was ever held in a facility of this name, as far as was known then",
                )
            ]
        )


def list_separations(ledger: Ledger, request: ListSeparationsRequest) -> ListSeparationsResponse:
    """Children separated and not known to be reunified, or ever separated, or as asked for.

    Raises UNKNOWN_CODE, INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    if found := question_faults(request):
        raise refuse(found)
    source: Source[list[Separation]] = Whole(lambda moment: separated(ledger, request, moment))
    if not _narrows(request):
        wanted = [separation.EVER if request.include_reunified else separation.NOT_REUNIFIED]
        source = Tables(ledger, separation.separation, wanted, lambda state: _meant(state, request))
    page = turn_page(ledger, request, source)
    return ListSeparationsResponse(
        separations=[one for _, found in page.rows for one in found],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def separated(
    ledger: Ledger, request: ListSeparationsRequest, moment: Moment
) -> Rows[list[Separation]]:
    """(child id, her separations) of the children whom a request means, by child id."""
    wanted = [separation.EVER if request.include_reunified else separation.NOT_REUNIFIED]
    if request.statuses:
        wanted = [separation.by_status(one) for one in dict.fromkeys(request.statuses)]
    rows = dict(Members(ledger, separation.separation, moment).all(wanted))
    if request.held_by_agency:
        held = Members(ledger, custody.custody, moment).all([by_agency(request.held_by_agency)])
        rows = {child_id: rows[child_id] for child_id, _ in held if child_id in rows}
    found = ((child_id, _meant(state, request)) for child_id, state in rows.items())
    return [(child_id, meant) for child_id, meant in found if meant]


def _narrows(request: ListSeparationsRequest) -> bool:
    """Whether a request means some of the children of a population only."""
    return bool(
        request.statuses
        or request.reason_codes
        or request.held_by_agency
        or any(request.HasField(name) for name in ("since_time", "before_time", "age"))
    )


def _meant(state: bytes, request: ListSeparationsRequest) -> list[Separation]:
    """The separations of a child that a request means."""
    separations = ChildSeparations.FromString(state).separations
    return [one for one in separations if _is_meant(one, request)]


def _is_meant(one: Separation, request: ListSeparationsRequest) -> bool:
    """Whether a separation is one that the request asks for."""
    if request.statuses:
        if one.status not in request.statuses:
            return False
    elif not request.include_reunified and one.status == separation.REUNIFIED:
        return False
    since = one.since_time.ToMicroseconds()
    if request.HasField("since_time") and since < request.since_time.ToMicroseconds():
        return False
    if request.HasField("before_time") and since >= request.before_time.ToMicroseconds():
        return False
    if request.reason_codes and not {*request.reason_codes} & {*one.reason_codes}:
        return False
    return not request.HasField("age") or _is_of_age(one, request.age)


def _is_of_age(one: Separation, age: AgeAt) -> bool:
    """Whether the child can have the age asked for."""
    if not one.HasField("child_born"):
        return False
    fewest, most = born_of(one.child_born).years(age.time.ToMicroseconds())
    return most >= age.years_min and (not age.below_years or fewest < age.below_years)


def list_clocks(ledger: Ledger, request: ListClocksRequest) -> ListClocksResponse:
    """Clocks of one kind, as they stand; with `within_hours`, those about to run out.

    Raises UNKNOWN_CODE, INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    if found := question_faults(request):
        raise refuse(found)
    states = list(dict.fromkeys(request.states)) or list(STATES)
    if request.HasField("within_hours"):
        states = [clocks.RUNNING]
    wanted = [clocks.by_state(request.clock_code, state) for state in states]

    def compute(moment: Moment) -> Rows[list[Clock]]:
        bound = moment.as_of_us + request.within_hours * HOUR_US
        found: dict[str, list[Clock]] = {}
        for person_id, state in Members(ledger, duties, moment).all(wanted):
            for one in PersonClocks.FromString(state).clocks:
                if not request.HasField("within_hours") or _due(one) <= bound:
                    found.setdefault(person_id, []).append(cited(one))
        return list(found.items())

    page = turn_page(ledger, request, Whole(compute))
    return ListClocksResponse(
        clocks=[one for _, found in page.rows for one in found],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def cited(one: Clock) -> Clock:
    """The clock with what its limit follows from; the tables do not repeat that in every row."""
    made = Clock(citation=clocks.LIMITS[one.clock_code].citation)
    made.MergeFrom(one)
    return made


def _due(one: Clock) -> int:
    return int(one.due_time.ToMicroseconds())


def list_class(ledger: Ledger, request: ListClassRequest) -> ListClassResponse:
    """The members of a class. Raises UNKNOWN_CODE, INVALID_PAGE_TOKEN, PROJECTION_BEHIND."""
    if found := question_faults(request):
        raise refuse(found)
    wanted = [classes.members(request.class_code, included=not request.excluded)]
    page = turn_page(
        ledger, request, Tables(ledger, classes.classes, wanted, ClassMembership.FromString)
    )
    return ListClassResponse(
        members=[
            ClassMember(person_id=person_id, membership=membership)
            for person_id, membership in page.rows
        ],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def list_numbers(ledger: Ledger, request: ListNumbersRequest) -> ListNumbersResponse:
    """Numbers that were published. Raises INVALID_PAGE_TOKEN, PROJECTION_BEHIND."""
    wanted = [publication.REVISED if request.revised_only else publication.PUBLISHED]
    page = turn_page(
        ledger, request, Tables(ledger, publication.number, wanted, PublishedNumber.FromString)
    )
    return ListNumbersResponse(
        numbers=[one for _, one in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )
