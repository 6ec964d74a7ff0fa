"""Who may learn what of whom: prepared people, a question of every method about them, and an oracle.

The oracle is written from the text of `policy.toml` and the words of the protos, and knows nothing of
how the ledger goes about it.
"""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from commands import ROOT
from events import MINUTE, event, id_of, place
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from guarded import Caller, Guarded, role_of

from ledger.ask.citation import cite
from ledger.rpc.status import refusal_in
from ledger.v1 import audit_service_pb2 as audit
from ledger.v1 import custody_query_service_pb2 as query
from ledger.v1 import ledger_service_pb2 as log
from ledger.v1.custody_pb2 import (
    Apprehended,
    CustodialActionRecorded,
    TransferArrived,
    TransferDeparted,
    TransferProposed,
)
from ledger.v1.event_pb2 import Event
from ledger.v1.identity_pb2 import IdentifierAsserted, PersonRegistered
from ledger.v1.options_pb2 import Role
from ledger.v1.oversight_pb2 import ClassMembershipDetermined, ListCertified, NumberPublished
from ledger.v1.protection_pb2 import ConfidentialityDeclared, RecordSealed
from ledger.v1.separation_pb2 import ReunificationCaseOpened, Separated
from projections.subjects import people_of

RULES = tomllib.loads((ROOT / "ledger" / "access" / "policy.toml").read_text(encoding="utf-8"))
NOON = datetime(2018, 5, 2, 12, tzinfo=UTC)
PROTECTION = ("confidentiality_declared", "record_sealed")
LIST, NUMBER, CERTIFIED = id_of("list"), id_of("number"), id_of("certified")


@dataclass(frozen=True)
class Someone:
    """A person who is asked about, and what decides who may see her."""

    number: int
    holder: str
    formerly: str = ""
    """The agency that held her before; empty: none did."""
    is_sealed: bool = False
    is_assigned: bool = False
    """Whether her case is one of those assigned to the case manager."""
    is_confidential: bool = False

    @property
    def id(self) -> str:
        """Her id."""
        return id_of(f"somebody {self.number}")

    @property
    def adult(self) -> "Someone":
        """Who was found with her, and looks like her parent; she stayed where she was taken."""
        return Someone(self.number + 1_000, self.formerly or self.holder)

    def id_of(self, what: str) -> str:
        """The id of what is hers alone: her case, her hand-over, an event."""
        return id_of(f"{what} of somebody {self.number}")


PEOPLE = [
    Someone(number, holder, formerly, *marks)
    for number, ((holder, formerly), *marks) in enumerate(
        product(
            [("CBP", ""), ("ORR", ""), ("ORR", "CBP"), ("CBP", "ORR")],
            (False, True),
            (False, True),
            (False, True),
        )
    )
]
BY_ID = {one.id: one for person in PEOPLE for one in (person, person.adult)}
ASSIGNED = [one.id_of("case") for one in PEOPLE if one.is_assigned]

CALLERS = (
    "cbp-field-agent",
    "cbp-agency-supervisor",
    "orr-case-manager",
    "oig-investigator",
    "gao-auditor",
    "court-witness",
    "operator",
)


def told_of(one: Someone) -> list[Event]:
    """All that the ledger is told of a person, each event by the agency that had her then."""
    first = one.formerly or one.holder
    some: list[tuple[str, Message, str]] = [
        ("registered", _registered(one.id, 2012), first),
        ("adult", _registered(one.adult.id, 1980), first),
        (
            "number",
            IdentifierAsserted(person_id=one.id, scheme="A_NUMBER", value=_number(one)),
            first,
        ),
        (
            "taken",
            Apprehended(person_ids=[one.id, one.adult.id], agency=first, place=place("Station")),
            first,
        ),
        (
            "separated",
            Separated(
                child_id=one.id,
                adult_unknown_reason="not asked",
                reason_codes=["ZERO_TOLERANCE"],
                agency=first,
            ),
            first,
        ),
        (
            "class",
            ClassMembershipDetermined(
                person_id=one.id, class_code="MS_L_2018", criteria_version="1", included=True
            ),
            first,
        ),
        (
            "proposed",
            TransferProposed(
                transfer_id=one.id_of("transfer"),
                person_ids=[one.id],
                from_agency=first,
                to_agency="ORR",
                ground_codes=["CAPACITY"],
            ),
            first,
        ),
        *(_moved(one) if one.formerly else ()),
        (
            "case",
            ReunificationCaseOpened(
                case_id=one.id_of("case"),
                child_id=one.id,
                agency="ORR",
            ),
            one.holder,
        ),
    ]

    def at(name: str) -> datetime:
        """Each is taken in a minute of her own; who is handed over, on the next day."""
        return NOON + timedelta(minutes=one.number, days=name in ("left", "come"))

    if one.is_confidential:
        declared = ConfidentialityDeclared(person_id=one.id, ground_code="ASYLUM_208_6")
        some.append(("confidential", declared, one.holder))
    if one.is_sealed:
        some.append(("sealed", RecordSealed(person_id=one.id, order_reference="17"), one.holder))
    return [
        event(body, at(name), event_id=one.id_of(name), agency=agency, precision=MINUTE)
        for name, body, agency in some
    ]


def _registered(person_id: str, year: int) -> PersonRegistered:
    born = Date(year=year, month=3, day=1)
    return PersonRegistered(person_id=person_id, birth_date=born, nationality_text="Honduras")


def _number(one: Someone) -> str:
    return f"{200_000_000 + one.number * 1_001}"


def _moved(one: Someone) -> list[tuple[str, Message, str]]:
    hand_over = {"transfer_id": one.id_of("transfer"), "person_ids": [one.id]}
    left = TransferDeparted(from_agency=one.formerly, to_agency=one.holder, **hand_over)
    come = TransferArrived(agency=one.holder, **hand_over)
    return [("left", left, one.formerly), ("come", come, one.holder)]


TOLD = {one.number: told_of(one) for one in PEOPLE}


def prepare(guarded: Guarded) -> None:
    """Tell a ledger of everybody, and of a list and a number that name nobody."""
    guarded.tell(*(each for some in TOLD.values() for each in some))
    guarded.settle()
    asked = query.CiteRequest(list_separations=query.ListSeparationsRequest())
    citation = cite(guarded.ledger, asked).citation
    certified = ListCertified(list_id=LIST, agency="ORR", title="separated", citation=citation)
    published = NumberPublished(
        number_id=NUMBER, agency="ORR", title="separated", release_text="report", value=24
    )
    guarded.tell(event(certified, event_id=CERTIFIED, agency="ORR"), event(published, agency="ORR"))
    guarded.settle()


# The oracle.


def rule_of(caller: Caller) -> dict[str, Any]:
    """What the policy says of a caller's role."""
    return RULES[Role.Name(role_of(caller.name)).removeprefix("ROLE_").lower()]


def is_closed(caller: Caller, one: Someone) -> bool:
    """Whether a seal, or confidentiality, keeps her record from a caller."""
    rule = rule_of(caller)
    is_kept = one.is_confidential and one.holder != caller.agency
    return (one.is_sealed and not rule["sealed"]) or (is_kept and not rule["confidential"])


def sees(caller: Caller, one: Someone) -> bool:
    """Whether a caller may look at her record."""
    if is_closed(caller, one):
        return False
    is_held = one.holder == caller.agency
    return {
        "everyone": True,
        "no_one": False,
        "own_custody": is_held,
        "own_records": is_held or one.formerly == caller.agency,
        "assigned_cases": is_held or (one.is_assigned and one.formerly == caller.agency),
    }[rule_of(caller)["sees"]]


def sees_event(caller: Caller, one: Event) -> bool:
    """Whether a caller may see an event."""
    if one.HasField("confidentiality_declared") and not rule_of(caller)["grounds"]:
        return False
    people = [BY_ID[each] for each in people_of(one)]
    is_own = one.actor.agency == caller.agency
    return is_own or not people or any(sees(caller, each) for each in people)


def may_read(caller: Caller, one: Event) -> bool:
    """Whether a caller may see what an event that she sees says personally."""
    people = [BY_ID[each] for each in people_of(one)]
    return rule_of(caller)["personal"] and not any(is_closed(caller, each) for each in people)


# What is asked, what is found in the answer, and what ought to be.

Found = Callable[[Any, Someone], Any]
Expected = Callable[[Caller, Someone], Any]


@dataclass(frozen=True)
class Row:
    """A question of one method."""

    request: Callable[[Caller, Someone], Message]
    found: Found
    expected: Expected
    is_of_one: bool = True
    """Whether it asks about one person, and not about everybody at once."""
    admits: Callable[[Caller, Someone], Iterable[Event]] = field(default=lambda *_: ())
    """The events whose people the answer may name, though the caller does not see them."""


def named(one: Someone, name: str) -> list[Event]:
    """The event of her that has this name."""
    return [each for each in TOLD[one.number] if each.event_id == one.id_of(name)]


def _of_her(one: Someone) -> list[Event]:
    return [each for each in TOLD[one.number] if one.id in people_of(each)]


def _of_transfer(one: Someone) -> list[Event]:
    return [each for name in ("proposed", "left", "come") for each in named(one, name)]


def _answered(refusal: str) -> dict[str, Any]:
    """Of a question about her that is answered for those who see her."""
    return {
        "found": lambda _answer, _one: "answered",
        "expected": lambda caller, one: "answered" if sees(caller, one) else refusal,
    }


def _listed(ids: Callable[[Any], Iterable[str]], expected: Expected = sees) -> dict[str, Any]:
    """Of a list in which she stands for those who see her."""
    return {
        "found": lambda answer, one: one.id in ids(answer),
        "expected": expected,
        "is_of_one": False,
    }


def _same(value: Any, find: Callable[[Any], Any]) -> dict[str, Any]:
    """Of what everybody is told who may ask at all."""
    return {
        "found": lambda answer, _one: find(answer),
        "expected": lambda _caller, _one: value,
        "is_of_one": False,
    }


def _read(entries: Iterable[Any]) -> list[tuple[str, bool]]:
    """(event, whether it says when she was born) of the entries of an answer."""
    return sorted(
        (one.event.event_id, one.event.person_registered.HasField("birth_date")) for one in entries
    )


def _events(some: Callable[[Someone], list[Event]]) -> dict[str, Any]:
    """Of the events that a caller may see."""

    def expected(caller: Caller, one: Someone) -> list[tuple[str, bool]]:
        seen = [each for each in some(one) if sees_event(caller, each)]
        return sorted(
            (each.event_id, each.HasField("person_registered") and may_read(caller, each))
            for each in seen
        )

    return {
        "expected": expected,
        "admits": lambda caller, one: [each for each in some(one) if sees_event(caller, each)],
    }


def _one_event() -> dict[str, Any]:
    def expected(caller: Caller, one: Someone) -> Any:
        (asked,) = named(one, "registered")
        return "answered" if sees_event(caller, asked) else "EVENT_NOT_FOUND"

    return {
        "expected": expected,
        "admits": lambda _caller, one: named(one, "registered"),
    }


def _filter(one: Someone) -> log.EventFilter:
    return log.EventFilter(items=[log.EventFilter.Item(subjects=[f"person:{one.id}"])])


def _exported(caller: Caller, one: Someone) -> int:
    """How many of her events an export has: none where a record is sealed or confidential."""
    return sum(
        sees_event(caller, each)
        and each.WhichOneof("fact") not in PROTECTION
        and not one.is_sealed
        and not one.is_confidential
        for each in _of_her(one)
    )


def _recorded(caller: Caller, one: Someone) -> log.AppendEventsRequest:
    done = CustodialActionRecorded(person_id=one.id, agency="CBP", action_code="MEAL")
    made = event(done, agency=caller.agency)
    made.actor.actor_id = "c-7" if caller.name == "orr-case-manager" else ""
    return log.AppendEventsRequest(events=[made], validate_only=True)


def _never_recorded(caller: Caller, one: Someone) -> log.AppendEventBatchesRequest:
    """The same as a batch, which is refused: something happened, whatever it was."""
    nothing = log.Precondition(no_events_match=log.EventFilter())
    events = _recorded(caller, one).events
    return log.AppendEventBatchesRequest(events=events, preconditions=[nothing])


def _likely(caller: Caller, one: Someone) -> bool:
    return sees(caller, one) and sees(caller, one.adult)


def _row(request: Callable[[Caller, Someone], Message], answer: dict[str, Any], **more: Any) -> Row:
    return Row(request=request, **{**answer, **more})


HAVING = {"found": lambda _answer, _one: "answered"}
ROWS: dict[str, Row] = {
    "LedgerService/AppendEvents": _row(
        _recorded,
        _same(1, lambda answer: len(answer.receipts)),
        is_of_one=True,
        admits=lambda _caller, one: named(one, "registered"),
    ),
    "LedgerService/AppendEventBatches": _row(
        _never_recorded,
        _same("PRECONDITION_FAILED", lambda answer: refusal_in(answer[1].refusal).name),
        is_of_one=True,
    ),
    "LedgerService/GetEvent": _row(
        lambda _, one: log.GetEventRequest(event_id=one.id_of("registered")),
        {
            **_one_event(),
            "found": lambda answer, _one: (
                "answered" if answer.event.entry.event.HasField("person_registered") else "nothing"
            ),
        },
    ),
    "LedgerService/ReadEvents": _row(
        lambda _, one: log.ReadEventsRequest(filter=_filter(one)),
        _events(_of_her),
        found=lambda answer, _one: _read(each.entry for some in answer for each in some.events),
    ),
    "LedgerService/WatchEvents": _row(
        lambda _, one: log.WatchEventsRequest(filter=_filter(one)),
        _events(_of_her),
        found=lambda answer, _one: _read(
            each.entry for some in answer for each in some.batch.events
        ),
    ),
    "LedgerService/ListCodes": _row(
        lambda *_: log.ListCodesRequest(name="purpose"),
        _same("purpose", lambda answer: answer.lists[0].name),
    ),
    "CustodyQueryService/GetPerson": _row(
        lambda _, one: query.GetPersonRequest(person_id=one.id), _answered("SUBJECT_NOT_FOUND")
    ),
    "CustodyQueryService/GetPersonTimeline": _row(
        lambda _, one: query.GetPersonTimelineRequest(person_id=one.id),
        _answered("SUBJECT_NOT_FOUND"),
        found=lambda answer, one: (
            "answered"
            if one.id_of("registered")
            in {each.event.entry.event.event_id for each in answer.events}
            else "nothing"
        ),
        admits=lambda _, one: _of_her(one),
    ),
    "CustodyQueryService/GetFamily": _row(
        lambda _, one: query.GetFamilyRequest(person_id=one.id), _answered("SUBJECT_NOT_FOUND")
    ),
    "CustodyQueryService/LocateRelatives": _row(
        lambda _, one: query.LocateRelativesRequest(person_id=one.id),
        _answered("SUBJECT_NOT_FOUND"),
    ),
    "CustodyQueryService/ResolveIdentifier": _row(
        lambda _, one: query.ResolveIdentifierRequest(scheme="A_NUMBER", value=_number(one)),
        _listed(lambda answer: [each.person_id for each in answer.people]),
        is_of_one=True,
    ),
    "CustodyQueryService/GetTransfer": _row(
        lambda _, one: query.GetTransferRequest(transfer_id=one.id_of("transfer")),
        HAVING,
        expected=lambda caller, one: (
            "answered"
            if any(sees_event(caller, each) for each in _of_transfer(one))
            else "SUBJECT_NOT_FOUND"
        ),
        admits=lambda _, one: _of_transfer(one),
    ),
    "CustodyQueryService/ListRoster": _row(
        lambda *_: query.ListRosterRequest(agency="ORR"),
        _listed(
            lambda answer: [each.person_id for each in answer.people],
            lambda caller, one: one.holder == "ORR" and sees(caller, one),
        ),
    ),
    "CustodyQueryService/ListSeparations": _row(
        lambda *_: query.ListSeparationsRequest(),
        _listed(lambda answer: [each.child_id for each in answer.separations]),
    ),
    "CustodyQueryService/CountSeparations": _row(
        lambda *_: query.CountSeparationsRequest(by=[query.SEPARATION_DIMENSION_MONTH]),
        _same(len(PEOPLE), lambda answer: answer.total),
    ),
    "CustodyQueryService/ListFindings": _row(
        lambda *_: query.ListFindingsRequest(rule_code="SEPARATION_WITHOUT_PARENT"),
        _listed(lambda answer: [each.person_id for each in answer.findings]),
    ),
    "CustodyQueryService/ListQueues": _row(
        lambda *_: query.ListQueuesRequest(),
        _same(
            {"SEPARATION_WITHOUT_PARENT": len(PEOPLE), "LIKELY_FAMILY": len(PEOPLE)},
            lambda answer: {
                one.rule_code: one.count
                for one in answer.queues
                if one.rule_code in ("SEPARATION_WITHOUT_PARENT", "LIKELY_FAMILY")
            },
        ),
    ),
    "CustodyQueryService/ListClocks": _row(
        lambda *_: query.ListClocksRequest(clock_code="L_01"),
        _listed(lambda answer: [each.person_id for each in answer.clocks]),
    ),
    "CustodyQueryService/ListLikelyFamilies": _row(
        lambda *_: query.ListLikelyFamiliesRequest(),
        _listed(
            lambda answer: [each.person_id for some in answer.families for each in some.minors],
            _likely,
        ),
    ),
    "CustodyQueryService/ListClass": _row(
        lambda *_: query.ListClassRequest(class_code="MS_L_2018"),
        _listed(lambda answer: [each.person_id for each in answer.members]),
    ),
    "CustodyQueryService/ReconcileList": _row(
        lambda _, one: query.ReconcileListRequest(
            agency=one.holder, rows=[query.ListedPerson(person_id=one.id)]
        ),
        {
            "found": lambda answer, _one: answer.rows[0].reason_code,
            "expected": lambda caller, one: (
                "HELD_AS_LISTED" if sees(caller, one) else "UNKNOWN_PERSON"
            ),
            # Her id stands in the row that was sent.
            "admits": lambda _, one: named(one, "registered"),
        },
    ),
    "CustodyQueryService/Cite": _row(
        lambda *_: query.CiteRequest(list_separations=query.ListSeparationsRequest()),
        _same(len(PEOPLE), lambda answer: answer.citation.count),
    ),
    "CustodyQueryService/GetList": _row(
        lambda *_: query.GetListRequest(list_id=LIST),
        _same(LIST, lambda answer: answer.list.list_id),
    ),
    "CustodyQueryService/GetNumber": _row(
        lambda *_: query.GetNumberRequest(number_id=NUMBER),
        _same(NUMBER, lambda answer: answer.number.number_id),
    ),
    "CustodyQueryService/ListNumbers": _row(
        lambda *_: query.ListNumbersRequest(), _same(1, lambda answer: answer.total_size)
    ),
    "AuditService/GetCheckpoint": _row(
        lambda *_: audit.GetCheckpointRequest(), _same(True, lambda answer: True)
    ),
    "AuditService/GetInclusionProof": _row(
        lambda _, one: audit.GetInclusionProofRequest(event_id=one.id_of("registered")),
        {**_one_event(), **HAVING},
    ),
    "AuditService/GetConsistencyProof": _row(
        lambda *_: audit.GetConsistencyProofRequest(first_size=2), _same(True, lambda answer: True)
    ),
    "AuditService/VerifyCitation": _row(
        lambda *_: audit.VerifyCitationRequest(event_id=CERTIFIED),
        _same((True, len(PEOPLE)), lambda answer: (answer.reproduced, answer.now.count)),
    ),
    "AuditService/ListAccesses": _row(
        lambda _, one: audit.ListAccessesRequest(person_id=one.id),
        {
            "found": lambda answer, _one: bool(answer.accesses),
            "expected": sees,
        },
    ),
    "AuditService/ExportEvents": _row(
        lambda _, one: audit.ExportEventsRequest(
            filter=_filter(one), kind=audit.EXPORT_KIND_RESEARCH
        ),
        {
            "found": lambda answer, _one: sum(len(some.events) for some in answer),
            "expected": _exported,
        },
    ),
}
