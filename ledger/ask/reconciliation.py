"""A list of an agency compared with the ledger: matched, missing, extra, different, and why (R-11).

DHS and ORR each kept a list of separated children and compared them by hand, every week.
"""

from collections import Counter
from collections.abc import Iterator

from ledger.ask.citation import citation_of, query_of
from ledger.ask.known import PERSON, known_of
from ledger.entry import question_faults
from ledger.errors import refuse
from ledger.ledger import Ledger, Moment
from ledger.members import Members
from ledger.v1.custody_query_service_pb2 import (
    ComparedRow,
    Comparison,
    ListedPerson,
    ListRosterRequest,
    ReconcileListRequest,
    ReconcileListResponse,
)
from ledger.v1.view_pb2 import Custody
from projections import custody
from projections.custody_view import ENDED, IN_TRANSFER, NOT_RECORDED, by_agency, folded
from projections.custody_view import present as present_custody
from projections.findings import findings
from projections.holders import NUMBERED, holders
from projections.identifiers import mark
from projections.record import Record, at

MATCHED = Comparison.COMPARISON_MATCHED
MISSING = Comparison.COMPARISON_MISSING
EXTRA = Comparison.COMPARISON_EXTRA
DIFFERENT = Comparison.COMPARISON_DIFFERENT


def reconcile_list(ledger: Ledger, request: ReconcileListRequest) -> ReconcileListResponse:
    """Each row of the list and each person of the roster once, with what comparing them came to.

    Raises UNKNOWN_CODE, PROJECTION_BEHIND, and as `Ledger.moment` does.
    """
    if found := question_faults(request):
        raise refuse(found)
    moment = ledger.moment(request.basis)
    rows = list(_compare(ledger, request, moment))
    counts = Counter(one.comparison for one in rows)
    query = query_of(ListRosterRequest(agency=request.agency))
    return ReconcileListResponse(
        rows=rows,
        matched=counts[MATCHED],
        missing=counts[MISSING],
        extra=counts[EXTRA],
        different=counts[DIFFERENT],
        citation=citation_of(ledger, query, moment)[0],
        stamp=ledger.stamp(moment.size, moment.as_of_us),
    )


def _compare(
    ledger: Ledger, request: ReconcileListRequest, moment: Moment
) -> Iterator[ComparedRow]:
    """Each row of the list, then each person of the roster whom no row names."""
    on_roster = Members(ledger, custody.custody, moment).all([by_agency(request.agency)])
    roster = {person_id: Custody.FromString(state) for person_id, state in on_roster}
    holding = _holding(ledger, request, moment)
    named = [_people_of(row, holding) for row in request.rows]
    ids = sorted({one for some in named for one in some})
    known = known_of(ledger, PERSON, ids, moment.size)
    records = {one: findings.fold(one, known[one].facts, moment.as_of_us) for one in ids}
    # Whoever stands on the roster under another of her records stands on it.
    stands_for = {
        one: next((other for other in (one, *known[one].same_ids) if other in roster), one)
        for one in ids
    }
    seen: set[str] = set()
    perhaps: set[str] = set()
    for number, (row, holders_of) in enumerate(zip(request.rows, named, strict=True), 1):
        listed = list(dict.fromkeys(stands_for[one] for one in holders_of))
        compared = _row(row, listed, roster, records, seen)
        compared.row = number
        (seen if len(listed) == 1 else perhaps).update(listed)
        yield compared
    for person_id in sorted(roster.keys() - seen):
        yield ComparedRow(
            comparison=EXTRA,
            person_id=person_id,
            reason_code="PERHAPS_LISTED" if person_id in perhaps else "NOT_LISTED",
            custody=roster[person_id],
        )


def _row(
    row: ListedPerson,
    listed: list[str],
    roster: dict[str, Custody],
    records: dict[str, Record],
    seen: set[str],
) -> ComparedRow:
    """What comparing one row came to."""
    if len(listed) != 1:
        reason = "AMBIGUOUS_IDENTIFIER" if listed else "UNKNOWN_IDENTIFIER"
        return ComparedRow(comparison=DIFFERENT if listed else MISSING, reason_code=reason)
    (person_id,) = listed
    compared = ComparedRow(comparison=DIFFERENT, person_id=person_id)
    held = roster.get(person_id)
    compared.custody.CopyFrom(held or present_custody(records[person_id].custody))
    if person_id in seen:
        compared.reason_code = "LISTED_TWICE"
    elif held is None:
        compared.comparison = MISSING
        compared.reason_code = _why_not(records[person_id])
    elif row.facility and folded(row.facility) != folded(held.facility):
        compared.reason_code = "OTHER_FACILITY"
    elif held.status == IN_TRANSFER:
        compared.reason_code = "IN_TRANSFER"
    else:
        compared.comparison, compared.reason_code = MATCHED, "HELD_AS_LISTED"
    return compared


def _why_not(record: Record) -> str:
    """Why a person is not on the roster of the agency that lists her."""
    if record == at(findings.begin(record.person_id), record.at_us):
        return "UNKNOWN_PERSON"
    if record.custody.status == NOT_RECORDED:
        return "CUSTODY_NOT_RECORDED"
    return "CUSTODY_ENDED" if record.custody.status == ENDED else "HELD_BY_ANOTHER_AGENCY"


def _holding(ledger: Ledger, request: ReconcileListRequest, moment: Moment) -> dict[str, list[str]]:
    """For each number on the list the persons who have it."""
    wanted = {_population(row) for row in request.rows if row.WhichOneof("who") == "identifier"}
    found = Members(ledger, holders, moment).each(list(wanted))
    return {name: [person_id for person_id, _ in some] for name, some in found.items()}


def _population(row: ListedPerson) -> str:
    one = row.identifier
    return f"{NUMBERED}{mark(one.scheme, one.value, one.issuer_text)}"


def _people_of(row: ListedPerson, holding: dict[str, list[str]]) -> list[str]:
    """The persons whom a row can mean."""
    if row.WhichOneof("who") == "person_id":
        return [row.person_id]
    return holding.get(_population(row), [])
