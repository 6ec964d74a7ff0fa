"""Standing queues: the persons of whom a finding stands, and how many there are (R-06)."""

from typing import Any, TypeVar

from google.protobuf.message import Message

from ledger.ask.known import people
from ledger.entry import question_faults
from ledger.errors import refuse
from ledger.ledger import Ledger, Moment
from ledger.members import Members
from ledger.pages import Rows, Source, Tables, Whole, turn_page
from ledger.v1.custody_query_service_pb2 import (
    ListFindingsRequest,
    ListFindingsResponse,
    ListLikelyFamiliesRequest,
    ListLikelyFamiliesResponse,
    ListQueuesRequest,
    ListQueuesResponse,
    Queue,
)
from ledger.v1.view_pb2 import Finding, LikelyFamily, LikelyMember, PersonFindings, ResolvedPerson
from projections import rules
from projections.codes import codes_of
from projections.encounter import TOGETHER, encounter
from projections.findings import CANDIDATE, QUEUE, duties, findings
from projections.holders import NUMBERED, holders
from projections.likeness import likely_families
from projections.likewise import ALIKE, RULE, likewise
from projections.projection import Projection
from projections.record import Noted

State = TypeVar("State", bound=Message)

CONFLICT, LIKELY = "IDENTIFIER_CONFLICT", "LIKELY_FAMILY"


def list_findings(ledger: Ledger, request: ListFindingsRequest) -> ListFindingsResponse:
    """The persons of whom a finding stands, by person.

    Raises UNKNOWN_CODE, INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    if found := question_faults(request):
        raise refuse(found)
    rule_code = request.rule_code
    source: Source[list[Finding]] = Whole(lambda moment: standing(ledger, rule_code, moment))
    if _is_of_one(rule_code):
        tables: Projection[Any] = duties if rule_code in rules.DUTIES else findings
        source = Tables(
            ledger,
            tables,
            [f"{QUEUE}{rule_code}"],
            lambda state: list(PersonFindings.FromString(state).findings),
        )
    page = turn_page(ledger, request, source)
    return ListFindingsResponse(
        findings=[one for _, some in page.rows for one in some],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def list_queues(ledger: Ledger, request: ListQueuesRequest) -> ListQueuesResponse:
    """Every queue with its count. Raises PROJECTION_BEHIND, and as `Ledger.moment` does."""
    moment = ledger.moment(request.basis)
    codes = [one for one in codes_of("finding") if _is_of_one(one)]
    counts: dict[str, int] = {}
    for tables in (findings, duties):
        wanted = [f"{QUEUE}{one}" for one in codes if (one in rules.DUTIES) == (tables is duties)]
        counts |= Members(ledger, tables, moment).counts(wanted)
    queues = []
    for code in codes_of("finding").values():
        if "only_at_append" in code.attributes:
            continue
        count = counts.get(f"{QUEUE}{code.code}", 0)
        if not _is_of_one(code.code):
            count = len(standing(ledger, code.code, moment))
        queues.append(
            Queue(
                rule_code=code.code,
                title=code.meaning,
                severity=rules.severity_of(code.code),
                count=count,
            )
        )
    return ListQueuesResponse(queues=queues, stamp=ledger.stamp(moment.size, moment.as_of_us))


def _is_of_one(rule_code: str) -> bool:
    """Whether a rule looks at one record alone, so that the tables have its queue."""
    return rule_code not in {*rules.AMONG, CONFLICT, LIKELY, RULE}


def standing(ledger: Ledger, rule_code: str, moment: Moment) -> Rows[list[Finding]]:
    """(person id, findings) of a rule that looks at several records, by person."""
    if rule_code in rules.AMONG:
        found = _among(ledger, rule_code, moment)
    elif rule_code == CONFLICT:
        found = conflicts(ledger, moment)
    elif rule_code == RULE:
        found = _duplicates(ledger, moment)
    else:
        found = [
            rules.present(one.person_id, Noted(LIKELY, "", "", tuple(family.reason_codes)))
            for _, family in _likely(ledger, moment)
            for one in family.minors
        ]
    by_person: dict[str, list[Finding]] = {}
    for one in found:
        by_person.setdefault(one.person_id, []).append(one)
    return sorted(by_person.items())


def _among(ledger: Ledger, rule_code: str, moment: Moment) -> list[Finding]:
    candidates = Members(ledger, findings, moment).all([f"{CANDIDATE}{rule_code}"])
    records = people(ledger, [one for one, _ in candidates], moment)
    relatives = {
        link.relative_id for record in records.values() for link in record.family.links
    } - records.keys()
    everybody = records | people(ledger, sorted(relatives), moment)
    return [
        one
        for record in records.values()
        for one in rules.judge_among(record, everybody)
        if one.rule_code == rule_code
    ]


def conflicts(ledger: Ledger, moment: Moment) -> list[Finding]:
    """The persons who have a number that another person has too."""
    return [
        rules.present(
            mine.person_id,
            Noted(
                CONFLICT,
                mine.event_ids[-1],
                "identifier_asserted.value",
                tuple(one.person_id for one in holding if one is not mine),
            ),
        )
        for holding in _shared(ledger, moment, holders, NUMBERED, ResolvedPerson)
        for mine in holding
    ]


def _duplicates(ledger: Ledger, moment: Moment) -> list[Finding]:
    """Of those of whom the same is said, all but the one recorded first."""
    found = []
    for alike in _shared(ledger, moment, likewise, ALIKE, Finding):
        first, *later = sorted(alike, key=lambda one: int(one.known[0].rpartition(" ")[2]))
        for one in later:
            noted = Noted(RULE, "", "", (first.person_id,))
            found.append(rules.present(one.person_id, noted))
    return found


def list_likely_families(
    ledger: Ledger, request: ListLikelyFamiliesRequest
) -> ListLikelyFamiliesResponse:
    """People who look like a family and have no link, in the order of their apprehension.

    Raises INVALID_PAGE_TOKEN, PROJECTION_BEHIND.
    """
    page = turn_page(ledger, request, Whole(lambda moment: _likely(ledger, moment)))
    return ListLikelyFamiliesResponse(
        families=[family for _, family in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_token,
        stamp=ledger.stamp(page.moment.size, page.moment.as_of_us),
    )


def _likely(ledger: Ledger, moment: Moment) -> Rows[LikelyFamily]:
    """(id of the oldest of them, family) by the time of their apprehension."""
    together = _shared(ledger, moment, encounter, TOGETHER, LikelyMember)
    found = [family for members in together for family in likely_families(members)]
    found.sort(key=lambda one: (one.apprehended_time.ToMicroseconds(), one.adults[0].person_id))
    return [(one.adults[0].person_id, one) for one in found]


def _shared(
    ledger: Ledger,
    moment: Moment,
    projection: Projection[Any],
    prefix: str,
    state: type[State],
) -> list[list[State]]:
    """The members of each population that several belong to, in what is shown of them."""
    shared = Members(ledger, projection, moment).shared(prefix)
    return [[state.FromString(one) for _, one in members] for members in shared.values()]
