"""What a record lacks or contradicts: each rule where it holds and where it does not, and `strict`."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4, uuid5

import grpc
import pytest
from conftest import ticking
from events import MINUTE, id_of, place
from events import event as any_event
from examples import citation
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from test_bad_input import FAILED_PRECONDITION, INVALID, refusal_of, refused

from ledger.append import append_events
from ledger.ask.citation import cite
from ledger.ask.person import get_person
from ledger.ask.queues import list_findings, list_queues
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.v1.audit_service_pb2 import GetCheckpointRequest
from ledger.v1.custody_pb2 import (
    Absconded,
    Accompaniment,
    AddressChanged,
    Apprehended,
    BookedIn,
    CarriedLinks,
    CourtAppearanceRecorded,
    ExceptionalCircumstanceDeclared,
    Placed,
    ReferredToOrr,
    Released,
    RemovalPlanned,
    Removed,
    ReturnedFromProsecution,
    TransferArrived,
    TransferDeparted,
    WellbeingCallMade,
)
from ledger.v1.custody_query_service_pb2 import (
    CiteRequest,
    GetPersonRequest,
    ListFindingsRequest,
    ListQueuesRequest,
    ListRosterRequest,
)
from ledger.v1.event_pb2 import Event
from ledger.v1.family_pb2 import (
    LinkEvidenceAttached,
    RelationshipAsserted,
    RelationshipBasis,
    RelationshipDisproved,
    RelationshipDisputed,
    RelationshipKind,
    RelationshipVerified,
    VerificationResult,
)
from ledger.v1.identity_pb2 import (
    AgeDetermined,
    AgeDisputed,
    AgeResult,
    AmendmentDecided,
    AmendmentRequested,
    IdentifierAsserted,
    PersonRegistered,
    PersonsDeclaredDistinct,
    PersonsLinkedAsSame,
    SpecialNeedRecorded,
)
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, AppendEventsResponse
from ledger.v1.oversight_pb2 import (
    InformationRequested,
    InformationSupplied,
    ListCertified,
    Retracted,
)
from ledger.v1.place_pb2 import Address, AddressState, Place
from ledger.v1.separation_pb2 import (
    NoticeState,
    ReunificationCaseOpened,
    ReunificationWaived,
    Reunified,
    Separated,
    SeparationAuthorized,
    SeparationContested,
    SeparationNotice,
)
from ledger.v1.view_pb2 import Finding, Severity
from projections.codes import codes_of
from projections.rules import severity_of

# The edition with every field; before it nobody could have filled most of them in.
EDITION, OLD = "2026-11-25", "2018-06-20"
NOW_US = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000

CHILD, MOTHER, FATHER, AUNT = (id_of(one) for one in ("child", "mother", "father", "aunt"))
SIBLING, OTHER = id_of("sibling"), id_of("other")
TRANSFER, CASE, REQUEST = id_of("transfer"), id_of("case"), id_of("request")

IS_PARENT = RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT
IS_SIBLING = RelationshipKind.RELATIONSHIP_KIND_SIBLING
WITH_PARENT = Accompaniment.ACCOMPANIMENT_WITH_PARENT
DNA = RelationshipBasis.RELATIONSHIP_BASIS_DNA
STATION, SHELTER = place("Harbor Station"), place("Willow House")


def event(body: Message, on: float | datetime = 1, **envelope: Any) -> Event:
    """An event in the words of the last edition."""
    return any_event(body, on, **{"vocabulary": EDITION, **envelope})


def later(days: float) -> datetime:
    """So many days after the last day of 2023."""
    return datetime(2023, 12, 31, tzinfo=UTC) + timedelta(days=days)


# Short words for the table.


def born(person_id: str, year: int, month: int = 6, **more: Any) -> Event:
    stated = Date(year=year, month=month, day=1)
    return event(PersonRegistered(person_id=person_id, birth_date=stated, **more))


def girl() -> Event:
    """A child of six in 2018 and of twelve when she is asked about."""
    return born(CHILD, 2012)


def caught(
    person_id: str = CHILD,
    on: float | datetime = 2,
    agency: str = "CBP",
    where: Place | None = STATION,
    accompaniment: Accompaniment.ValueType = WITH_PARENT,
    **envelope: Any,
) -> Event:
    body = Apprehended(
        person_ids=[person_id], agency=agency, place=where, accompaniment=accompaniment
    )
    return event(body, on, **envelope)


def related(
    person_id: str = CHILD,
    relative_id: str = MOTHER,
    kind: RelationshipKind.ValueType = IS_PARENT,
    basis: RelationshipBasis.ValueType = 0,
    **envelope: Any,
) -> Event:
    body = RelationshipAsserted(
        person_id=person_id, relative_id=relative_id, kind=kind, basis=basis
    )
    return event(body, **envelope)


def numbered(person_id: str, value: str, scheme: str = "A_NUMBER", **envelope: Any) -> Event:
    return event(IdentifierAsserted(person_id=person_id, scheme=scheme, value=value), **envelope)


def parted(on: float | datetime = 3, envelope: dict[str, Any] | None = None, **more: Any) -> Event:
    """A separation that lacks nothing but what is said."""
    stated: dict[str, Any] = {
        "child_id": CHILD,
        "adult_ids": [MOTHER],
        "reason_codes": ["CHILD_MEDICAL"],
        "agency": "CBP",
        "notice": SeparationNotice(state=NoticeState.NOTICE_STATE_GIVEN, language="es"),
        **more,
    }
    return event(Separated(**{k: v for k, v in stated.items() if v}), on, **(envelope or {}))


def placed(person_id: str = CHILD, on: float | datetime = 5, at: Place = SHELTER) -> Event:
    return event(Placed(child_id=person_id, agency="ORR", facility=at), on)


def departed(on: float = 3, links: Sequence[CarriedLinks] = (), **envelope: Any) -> Event:
    body = TransferDeparted(
        transfer_id=TRANSFER, person_ids=[CHILD], from_agency="CBP", to_agency="ORR", links=links
    )
    return event(body, on, **envelope)


def arrived(on: float = 3, links: Sequence[CarriedLinks] = (), **envelope: Any) -> Event:
    body = TransferArrived(
        transfer_id=TRANSFER, person_ids=[CHILD], agency="ORR", facility=SHELTER, links=links
    )
    return event(body, on, **envelope)


def carried(*relative_ids: str) -> list[CarriedLinks]:
    why = "" if relative_ids else "asked, and none is known"
    return [CarriedLinks(person_id=CHILD, relative_ids=relative_ids, no_known_relative_text=why)]


def released(on: float = 20, to: AddressState.ValueType | None = None, **envelope: Any) -> Event:
    address = Address(state=to) if to else None
    body = Released(
        person_id=CHILD, agency="ORR", reason_code="SPONSOR_CLOSE_RELATIVE", destination=address
    )
    return event(body, on, **envelope)


def called(on: float, *, reached: bool) -> Event:
    return event(WellbeingCallMade(person_id=CHILD, agency="ORR", reached=reached), on)


def same(*person_ids: str) -> Event:
    body = PersonsLinkedAsSame(person_ids=person_ids, basis_text="prints", approved_by=["17", "18"])
    return event(body)


def opened() -> Event:
    body = ReunificationCaseOpened(case_id=CASE, child_id=CHILD, adult_ids=[MOTHER], agency="ORR")
    return event(body, 10)


def reunified(on: float | datetime = 30) -> Event:
    return event(Reunified(child_id=CHILD, adult_ids=[MOTHER], agency="ORR"), on)


def evidence(code: str) -> Event:
    return event(
        LinkEvidenceAttached(person_id=CHILD, relative_id=MOTHER, evidence_code=code), later(1)
    )


COMPLETE, BLANK = AddressState.ADDRESS_STATE_COMPLETE, AddressState.ADDRESS_STATE_BLANK
ASKED = id_of("asked")


@dataclass(frozen=True)
class Case:
    """Events of which the last causes the finding; and histories that do not have it."""

    events: Callable[[], list[Event]]
    without: Sequence[Callable[[], list[Event]]]
    where: str = ""
    """The field of the last event that is at fault; empty: none, or it is the lack of an event."""
    person_id: str = CHILD
    known: Sequence[str] = ()
    queued: bool = True
    """It stands in the queue, and not only in the answer to the append."""
    answered: bool = True
    """It is in the answer to the append, and not only in the queue."""
    names_event: bool = True
    """It names the last event."""
    beside: bool = True
    """It stands beside the person too."""


CASES: dict[str, Case] = {
    "ABSCONDED": Case(
        lambda: [caught(), event(Absconded(person_id=CHILD, agency="CBP"), 9)],
        [
            lambda: [caught()],
            lambda: [
                caught(),
                event(Absconded(person_id=CHILD, agency="CBP"), 9),
                caught(on=12),
            ],
        ],
    ),
    "ACCOMPANIMENT_NOT_RECORDED": Case(
        lambda: [girl(), caught(accompaniment=0)],
        [
            lambda: [girl(), caught()],
            lambda: [born(CHILD, 1980), caught(accompaniment=0)],
            # What the words of the time had no place for is not missing.
            lambda: [girl(), caught(accompaniment=0, vocabulary=OLD)],
        ],
        "apprehended.accompaniment",
    ),
    "AGE_CONTRADICTORY": Case(
        lambda: [girl(), event(PersonRegistered(person_id=CHILD, stated_age_years=7))],
        [lambda: [girl(), event(PersonRegistered(person_id=CHILD, stated_age_years=5))]],
        "person_registered.stated_age_years",
    ),
    "AGE_DISPUTED": Case(
        lambda: [girl(), event(AgeDisputed(person_id=CHILD, reason_text="tall"), 2)],
        [
            lambda: [
                event(AgeDisputed(person_id=CHILD, reason_text="tall"), 2),
                event(
                    AgeDetermined(
                        person_id=CHILD,
                        method_code="DOCUMENT",
                        result=AgeResult.AGE_RESULT_MINOR,
                    ),
                    3,
                ),
            ]
        ],
    ),
    "AMENDMENT_UNDECIDED": Case(
        lambda: [event(AmendmentRequested(person_id=CHILD, request_text="I am her aunt"))],
        [
            lambda: [
                event(
                    AmendmentRequested(person_id=CHILD, request_text="I am her aunt"),
                    event_id=ASKED,
                ),
                event(
                    AmendmentDecided(
                        person_id=CHILD, requested_event_id=ASKED, reason_text="granted"
                    )
                ),
            ]
        ],
    ),
    "APPREHENSION_WITHOUT_PLACE": Case(
        lambda: [caught(where=None)],
        [lambda: [caught()], lambda: [caught(where=Place(code="RGV"))]],
        "apprehended.place",
    ),
    "ARRIVAL_WITHOUT_DEPARTURE": Case(
        lambda: [arrived()],
        [lambda: [departed(), arrived()], lambda: [departed()]],
        "transfer_arrived.transfer_id",
    ),
    "CHILD_AGED_18_OR_OVER": Case(
        lambda: [born(CHILD, 2000, 4), parted()],
        # She may have been 17.
        [lambda: [born(CHILD, 2000, 6), parted()], lambda: [parted()]],
        "separated.child_id",
    ),
    "CHILD_MOVED_MEANWHILE": Case(
        lambda: [
            related(),
            placed(),
            event(ReturnedFromProsecution(person_id=MOTHER, agency="CBP", facility=STATION), 6),
        ],
        [
            lambda: [
                related(),
                event(BookedIn(person_id=CHILD, agency="CBP", facility=STATION), 5),
                event(
                    ReturnedFromProsecution(
                        person_id=MOTHER, agency="CBP", facility=place(" harbor  STATION")
                    ),
                    6,
                ),
            ],
            lambda: [placed(), related(), caught(MOTHER)],
        ],
        person_id=MOTHER,
    ),
    "CITATION_NOT_REPRODUCED": Case(
        lambda: [
            event(
                ListCertified(
                    list_id=id_of("list"), agency="ORR", title="a list", citation=citation()
                )
            )
        ],
        [],  # see below
        "list_certified.citation",
        person_id="",
        queued=False,
    ),
    "CLOCK_RUN_OUT": Case(
        lambda: [girl(), parted(100)],
        [
            lambda: [girl(), parted(100), placed(on=101)],
            lambda: [born(CHILD, 1999), parted(100, child_id=CHILD), placed(on=100)],
            lambda: [
                girl(),
                parted(100),
                *(
                    event(
                        ExceptionalCircumstanceDeclared(
                            person_ids=[CHILD],
                            clock_code=code,
                            agency="CBP",
                            reason_text="a flood",
                        ),
                        101,
                    )
                    for code in ("L_01", "L_02")
                ),
            ],
        ],
    ),
    "CUSTODY_CONFLICT": Case(
        lambda: [caught(), caught(agency="ICE", on=3)],
        [lambda: [caught(), caught(on=3)], lambda: [caught(), departed(), arrived()]],
        "apprehended.agency",
    ),
    "TAKEN_WITHOUT_HANDOVER": Case(
        lambda: [caught(), placed()],
        [
            lambda: [
                caught(),
                event(ReferredToOrr(child_id=CHILD, referring_agency="CBP"), 3),
                placed(),
            ],
            lambda: [placed()],
        ],
        "placed.agency",
    ),
    "END_WITHOUT_DATE": Case(
        lambda: [
            event(
                Placed(
                    child_id=CHILD,
                    agency="ORR",
                    facility=SHELTER,
                    undated_outcome_text="Discharged",
                )
            )
        ],
        [lambda: [placed()]],
        "placed.undated_outcome_text",
    ),
    "HEARING_MISSED": Case(
        lambda: [event(CourtAppearanceRecorded(person_id=CHILD, appeared=False))],
        [
            lambda: [
                event(CourtAppearanceRecorded(person_id=CHILD, appeared=False)),
                event(CourtAppearanceRecorded(person_id=CHILD, appeared=True), 2),
            ]
        ],
        "court_appearance_recorded.appeared",
    ),
    "IDENTIFIER_CONFLICT": Case(
        lambda: [numbered(OTHER, "A12345678"), numbered(CHILD, "012-345-678")],
        [
            lambda: [numbered(OTHER, "A12345678"), numbered(CHILD, "987654321")],
            lambda: [numbered(CHILD, "A12345678"), numbered(CHILD, "012345678")],
            lambda: [numbered(OTHER, "FMU 17", "FMU"), numbered(CHILD, "FMU 17", "FMU")],
            lambda: [
                numbered(OTHER, "A12345678", event_id=ASKED),
                taken_back(ASKED),
                numbered(CHILD, "A12345678"),
            ],
            # Two records of one person have one number, and nobody else's.
            lambda: [
                numbered(OTHER, "A12345678"),
                same(CHILD, OTHER),
                numbered(CHILD, "A12345678"),
            ],
            # One system's number is not another's.
            lambda: [numbered(OTHER, "123456789", "FIN"), numbered(CHILD, "123456789")],
        ],
        "identifier_asserted.value",
        known=[OTHER],
        beside=False,
    ),
    "IDENTIFIER_MALFORMED": Case(
        lambda: [numbered(CHILD, "A12")],
        [lambda: [numbered(CHILD, "A1234567")], lambda: [numbered(CHILD, "any", "OTHER")]],
        "identifier_asserted.value",
    ),
    "IDENTIFIER_NEAR_MISS": Case(
        lambda: [numbered(OTHER, "201987654"), numbered(CHILD, "201987645")],
        [
            lambda: [numbered(OTHER, "201987654"), numbered(CHILD, "201987612")],
            lambda: [
                born(OTHER, 1980),
                girl(),
                numbered(OTHER, "201987654"),
                numbered(CHILD, "201987645"),
            ],
        ],
        "identifier_asserted.value",
        known=[OTHER],
        queued=False,
    ),
    "KINSHIP_CONTRADICTORY": Case(
        lambda: [related(CHILD, MOTHER), related(MOTHER, CHILD)],
        [lambda: [related(CHILD, MOTHER), related(CHILD, FATHER)]],
        names_event=False,
    ),
    "LIKELY_FAMILY": Case(
        lambda: [
            girl(),
            born(MOTHER, 1985),
            caught(MOTHER, day_at(9, 14), precision=MINUTE),
            caught(CHILD, day_at(9, 14), precision=MINUTE),
        ],
        [
            lambda: [
                girl(),
                born(MOTHER, 1985),
                related(),
                caught(MOTHER, day_at(9, 14), precision=MINUTE),
                caught(CHILD, day_at(9, 14), precision=MINUTE),
            ],
            lambda: [
                girl(),
                born(MOTHER, 1985),
                caught(MOTHER, day_at(9, 15), precision=MINUTE),
                caught(CHILD, day_at(9, 14), precision=MINUTE),
            ],
            lambda: [girl(), born(MOTHER, 1985), caught(MOTHER), caught(CHILD)],
        ],
        answered=False,
        names_event=False,
    ),
    "LINK_DISPUTED": Case(
        lambda: [
            related(),
            event(
                RelationshipDisputed(person_id=CHILD, relative_id=MOTHER, reason_text="a doubt"), 2
            ),
        ],
        [
            lambda: [
                related(),
                event(
                    RelationshipDisputed(
                        person_id=CHILD, relative_id=MOTHER, reason_text="a doubt"
                    ),
                    2,
                ),
                event(
                    RelationshipVerified(
                        person_id=CHILD,
                        relative_id=MOTHER,
                        method=DNA,
                        result=VerificationResult.VERIFICATION_RESULT_CONFIRMED,
                    ),
                    3,
                ),
            ]
        ],
        known=[MOTHER],
        names_event=False,
    ),
    "LINK_TAKEN_BACK": Case(
        lambda: [related(event_id=ASKED), taken_back(ASKED)],
        [
            lambda: [related()],
            lambda: [related(), related(event_id=ASKED), taken_back(ASKED)],
            lambda: [related(), caught(event_id=ASKED), taken_back(ASKED)],
        ],
        known=[MOTHER],
    ),
    "MINOR_UNLINKED": Case(
        lambda: [girl(), caught()],
        [
            lambda: [girl(), related(), caught()],
            lambda: [born(CHILD, 1980), caught()],
            lambda: [girl(), caught(), departed(links=carried())],
            lambda: [girl()],
        ],
        names_event=False,
    ),
    "NOT_REACHED": Case(
        lambda: [placed(), released(), called(40, reached=False)],
        [
            lambda: [placed(), released(), called(40, reached=False), called(41, reached=True)],
            lambda: [placed(), called(40, reached=False)],
        ],
        "wellbeing_call_made.reached",
    ),
    "NOTICE_NOT_GIVEN": Case(
        lambda: [
            parted(
                notice=SeparationNotice(
                    state=NoticeState.NOTICE_STATE_NOT_GIVEN, not_given_reason_text="no time"
                )
            )
        ],
        [lambda: [parted()]],
        "separated.notice",
    ),
    "NOTICE_NOT_RECORDED": Case(
        lambda: [parted(notice=None)],
        [lambda: [parted()], lambda: [parted(notice=None, envelope={"vocabulary": OLD})]],
        "separated.notice",
    ),
    "PARENT_NOT_OLDER": Case(
        lambda: [girl(), born(MOTHER, 2003), related()],
        [
            lambda: [girl(), born(MOTHER, 1999), related()],
            lambda: [girl(), related()],
            lambda: [girl(), born(SIBLING, 2003), related(CHILD, SIBLING, IS_SIBLING)],
        ],
        "relationship_asserted.kind",
        person_id=MOTHER,
        known=[CHILD],
    ),
    "POSSIBLE_DUPLICATE": Case(
        lambda: [
            one
            for person_id in (OTHER, CHILD)
            for one in (born(person_id, 2012), caught(person_id), placed(person_id))
        ],
        [
            lambda: [
                one
                for person_id, day in ((OTHER, 5), (CHILD, 6))
                for one in (born(person_id, 2012), caught(person_id), placed(person_id, day))
            ],
            lambda: [
                numbered(CHILD, "A12345678"),
                *(
                    one
                    for person_id in (OTHER, CHILD)
                    for one in (born(person_id, 2012), caught(person_id), placed(person_id))
                ),
            ],
        ],
        known=[OTHER],
        answered=False,
        names_event=False,
    ),
    "REASON_NOT_IN_FORCE": Case(
        lambda: [parted(58, reason_codes=["CHILD_MEDICAL", "ZERO_TOLERANCE"])],
        [lambda: [parted(57, reason_codes=["CHILD_MEDICAL", "ZERO_TOLERANCE"])]],
        "separated.reason_codes",
        known=["ZERO_TOLERANCE", "on 2018-06-27"],
    ),
    "REASON_NOT_PERMITTED": Case(
        lambda: [parted(later(1), reason_codes=["GANG_OR_CARTEL_AFFILIATION"])],
        [
            lambda: [parted(later(1), reason_codes=["ACTIVE_WARRANT"])],
            lambda: [parted(reason_codes=["GANG_OR_CARTEL_AFFILIATION"])],
        ],
        "separated.reason_codes",
        known=["GANG_OR_CARTEL_AFFILIATION"],
    ),
    "REFERRAL_WITHOUT_REASON": Case(
        lambda: [event(ReferredToOrr(child_id=CHILD, referring_agency="CBP"))],
        [
            lambda: [
                event(
                    ReferredToOrr(
                        child_id=CHILD, referring_agency="CBP", reason_codes=["CHILD_MEDICAL"]
                    )
                )
            ],
            lambda: [event(ReferredToOrr(child_id=CHILD, referring_agency="CBP"), vocabulary=OLD)],
        ],
        "referred_to_orr.reason_codes",
    ),
    "REFERRED_AFTER_PLACED": Case(
        lambda: [placed(on=3), event(ReferredToOrr(child_id=CHILD, referring_agency="CBP"), 4)],
        [lambda: [placed(on=3), event(ReferredToOrr(child_id=CHILD, referring_agency="CBP"), 3)]],
    ),
    "RELEASE_WITHOUT_ADDRESS": Case(
        lambda: [placed(), released(to=BLANK)],
        [
            lambda: [placed(), released(to=COMPLETE)],
            lambda: [placed(), released(vocabulary=OLD)],
            lambda: [
                placed(),
                released(),
                event(AddressChanged(person_id=CHILD, address=Address(state=COMPLETE)), 25),
            ],
        ],
        "released.destination",
    ),
    "RELEASE_WITHOUT_CUSTODY": Case(
        lambda: [released(to=COMPLETE)],
        [lambda: [placed(), released(to=COMPLETE)]],
    ),
    "REMOVAL_WITH_CHILD_IN_CUSTODY": Case(
        lambda: [
            related(),
            placed(),
            event(RemovalPlanned(person_id=MOTHER, agency="ICE"), 9),
        ],
        [
            lambda: [related(), event(RemovalPlanned(person_id=MOTHER, agency="ICE"), 9)],
            lambda: [
                related(),
                placed(),
                released(),
                event(Removed(person_id=MOTHER, agency="ICE"), 29),
            ],
            lambda: [
                related(),
                parted(),
                placed(),
                event(ReunificationWaived(child_id=CHILD, adult_id=MOTHER, agency="ICE"), 8),
                event(Removed(person_id=MOTHER, agency="ICE"), 9),
            ],
        ],
        person_id=MOTHER,
        known=[CHILD],
    ),
    "REQUEST_UNANSWERED": Case(
        lambda: [asked()],
        [
            lambda: [
                asked(),
                event(InformationSupplied(request_id=REQUEST, person_ids=[CHILD], agency="CBP"), 2),
            ]
        ],
        known=["CBP"],
    ),
    "SAME_AND_DISTINCT": Case(
        lambda: [girl(), same(CHILD, OTHER), distinct(CHILD, OTHER)],
        [lambda: [girl(), distinct(CHILD, OTHER)], lambda: [girl(), same(CHILD, OTHER)]],
        "persons_declared_distinct.person_ids",
    ),
    "SEPARATION_CONTESTED": Case(
        lambda: [
            parted(),
            event(SeparationContested(child_id=CHILD, reason_text="I am no danger"), 4),
        ],
        [
            lambda: [parted()],
            lambda: [
                parted(),
                event(
                    SeparationContested(
                        child_id=CHILD, separated_event_id=ASKED, reason_text="another"
                    ),
                    4,
                ),
            ],
        ],
    ),
    "SEPARATION_NOT_AUTHORIZED": Case(
        lambda: [authorized(FATHER), parted()],
        [
            lambda: [authorized(MOTHER), parted()],
            lambda: [parted(envelope={"vocabulary": OLD})],
        ],
        "separated.authorized_event_id",
    ),
    "SEPARATION_WITHOUT_PARENT": Case(
        lambda: [parted(adult_ids=[], adult_unknown_reason="the list names none")],
        [lambda: [parted()]],
        "separated.adult_ids",
    ),
    "SEPARATION_WITHOUT_REASON": Case(
        lambda: [parted(reason_codes=["OTHER"], reason_text=" ")],
        [
            lambda: [parted(reason_codes=["OTHER"], reason_text="by a letter of the sector")],
            lambda: [parted(reason_codes=["OTHER", "CHILD_MEDICAL"])],
        ],
        "separated.reason_codes",
    ),
    "SEVERAL_NUMBERS": Case(
        lambda: [numbered(CHILD, "A12345678"), numbered(CHILD, "A87654321")],
        [
            lambda: [numbered(CHILD, "A12345678"), numbered(CHILD, "012 345 678")],
            lambda: [numbered(CHILD, "17", "BAND"), numbered(CHILD, "18", "BAND")],
        ],
        "identifier_asserted.value",
        known=["A_NUMBER"],
    ),
    "SIBLINGS_APART": Case(
        lambda: [related(CHILD, SIBLING, IS_SIBLING), placed(SIBLING), placed(at=STATION)],
        [
            lambda: [
                related(CHILD, SIBLING, IS_SIBLING),
                placed(SIBLING),
                placed(at=place("WILLOW house")),
            ],
            lambda: [related(CHILD, MOTHER), placed(MOTHER), placed(at=STATION)],
            lambda: [related(CHILD, SIBLING, IS_SIBLING), placed(at=STATION)],
        ],
        known=[SIBLING],
        names_event=False,
    ),
    "STEP_OVERDUE": Case(
        lambda: [parted(), opened()],
        [lambda: [parted(), opened(), reunified()]],
    ),
    "TOO_MANY_PARENTS": Case(
        lambda: [related(), related(CHILD, FATHER), related(CHILD, AUNT)],
        [
            lambda: [related(), related(CHILD, FATHER)],
            lambda: [
                related(),
                related(CHILD, FATHER),
                related(CHILD, AUNT),
                event(
                    RelationshipDisproved(
                        person_id=CHILD, relative_id=FATHER, method=DNA, evidence_reference="17"
                    )
                ),
            ],
        ],
        "relationship_asserted.kind",
        known=[MOTHER, FATHER, AUNT],
    ),
    "TRANSFER_DANGLING": Case(
        lambda: [caught(), departed()],
        [lambda: [caught(), departed(), arrived(4)], lambda: [caught(), departed(), placed()]],
    ),
    "TRANSFER_ECHO_DIFFERS": Case(
        lambda: [departed(links=carried(MOTHER, FATHER)), arrived(links=carried(MOTHER))],
        [
            lambda: [
                departed(links=carried(MOTHER, FATHER)),
                arrived(links=carried(FATHER, MOTHER)),
            ],
            lambda: [departed(links=carried()), arrived(links=carried())],
            lambda: [departed(links=carried(MOTHER)), arrived(vocabulary=OLD)],
        ],
        "transfer_arrived.links",
    ),
    "TRANSFER_WITHOUT_LINKS": Case(
        lambda: [girl(), departed()],
        [
            lambda: [girl(), departed(links=carried(MOTHER))],
            lambda: [girl(), departed(links=carried())],
            lambda: [born(CHILD, 1980), departed()],
            lambda: [girl(), departed(vocabulary=OLD)],
        ],
        "transfer_departed.links",
    ),
    "UNKNOWN_EVENT": Case(
        lambda: [
            event(
                SeparationContested(
                    child_id=CHILD, separated_event_id=id_of("nothing"), reason_text="not right"
                )
            )
        ],
        [
            lambda: [
                parted(envelope={"event_id": ASKED}),
                event(
                    SeparationContested(
                        child_id=CHILD, separated_event_id=ASKED, reason_text="not right"
                    )
                ),
            ]
        ],
        "separation_contested.separated_event_id",
        person_id="",
        queued=False,
    ),
    "WEAK_LINK": Case(
        lambda: [born(CHILD, 2021), evidence("STATEMENT"), parted(later(2))],
        [
            lambda: [born(CHILD, 2021), evidence("BAND"), parted(later(2))],
            lambda: [born(CHILD, 2021), related(basis=DNA), parted(later(2))],
            lambda: [girl(), parted(later(2))],
            lambda: [born(CHILD, 2021), parted(later(2)), reunified(later(3))],
        ],
        "separated.adult_ids",
    ),
}


def asked() -> Event:
    body = InformationRequested(
        request_id=REQUEST,
        person_ids=[CHILD],
        agency="ORR",
        of_agency="CBP",
        request_text="why was she separated",
    )
    return event(body)


def distinct(*person_ids: str) -> Event:
    return event(PersonsDeclaredDistinct(person_ids=person_ids, reason_text="other prints"), 2)


def taken_back(event_id: str) -> Event:
    return event(Retracted(retracted_event_id=event_id, reason_text="not so"), 2)


def authorized(adult_id: str) -> Event:
    body = SeparationAuthorized(
        child_id=CHILD,
        adult_ids=[adult_id],
        agency="CBP",
        authorized_by="17",
        approved_by="18",
        reason_codes=["CHILD_MEDICAL"],
    )
    return event(body, 2)


def day_at(hour: int, minute: int) -> datetime:
    return datetime(2018, 5, 2, hour, minute, tzinfo=UTC)


# Asking.


@pytest.fixture
def ledger(tmp_path: Any) -> Iterator[Ledger]:
    """On SQLite, in June 2024: what a rule says does not depend on the store."""
    opened_at = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=ticking(NOW_US))
    yield opened_at
    opened_at.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One for the whole table, each case with people of its own."""
    url = f"sqlite:///{tmp_path_factory.mktemp('findings') / 'ledger.db'}"
    opened_at = Ledger(url, clock=ticking(NOW_US))
    yield opened_at
    opened_at.close()


# What these say depends on others who have the same number, place and minute, or facts.
OF_OTHERS = {"IDENTIFIER_CONFLICT", "IDENTIFIER_NEAR_MISS", "LIKELY_FAMILY", "POSSIBLE_DUPLICATE"}


@pytest.fixture
def where_to(rule_code: str, request: pytest.FixtureRequest) -> Ledger:
    """The ledger that a case of a rule is appended to."""
    return request.getfixturevalue("ledger" if rule_code in OF_OTHERS else "shared")


class People:
    """Gives everybody in a case, and its events, ids that no other case has."""

    def __init__(self) -> None:
        self._space = uuid4()

    def __call__(self, text: str) -> str:
        return re.sub(UUID, lambda found: str(uuid5(self._space, found[0])), text)

    def events(self, events: Sequence[Event]) -> list[Event]:
        whole = AppendEventsRequest(events=events).SerializeToString().decode("latin-1")
        return list(AppendEventsRequest.FromString(self(whole).encode("latin-1")).events)


UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def append(ledger: Ledger, *events: Event, **options: Any) -> AppendEventsResponse:
    return append_events(ledger, AppendEventsRequest(events=events, **options), 10)


def queue(ledger: Ledger, rule_code: str, person_id: str) -> list[Finding]:
    """Why a person stands in a queue."""
    whole = list_findings(ledger, ListFindingsRequest(rule_code=rule_code, page_size=1_000))
    assert not whole.next_page_token
    return [one for one in whole.findings if one.person_id == person_id]


def of_rule(found: Sequence[Finding], rule_code: str) -> list[Finding]:
    return [one for one in found if one.rule_code == rule_code]


def test_there_is_a_case_of_every_rule() -> None:
    assert CASES.keys() == codes_of("finding").keys()
    assert all(case.without for name, case in CASES.items() if name != "CITATION_NOT_REPRODUCED")


@pytest.mark.parametrize("rule_code", CASES)
def test_a_rule_holds_where_it_should(rule_code: str, where_to: Ledger) -> None:
    case, people = CASES[rule_code], People()
    person_id = people(case.person_id)
    *before, last = people.events(case.events())
    if before:
        append(where_to, *before)

    dry = append(where_to, last, validate_only=True)
    answer = append(where_to, last)

    found = [one for one in of_rule(answer.findings, rule_code) if one.person_id == person_id]
    assert bool(found) == case.answered
    assert dry.findings == answer.findings
    standing = queue(where_to, rule_code, person_id)
    assert bool(standing) == case.queued
    for one in [*found, *standing]:
        assert one.severity == severity_of(rule_code)
        assert one.message == codes_of("finding")[rule_code].meaning
        assert {people(known) for known in case.known} <= {*one.known}
        assert not case.names_event or one.event_id == last.event_id
    if case.names_event:
        where = f"events[0].{case.where}".removesuffix(".")
        assert where in {one.field for one in found} or not case.answered
    else:
        assert all(not one.field or one.event_id for one in found)
    # Beside the person stands the same.
    if standing and case.answered and case.beside:
        beside = get_person(where_to, GetPersonRequest(person_id=person_id)).findings
        assert of_rule(beside, rule_code) == standing


@pytest.mark.parametrize(
    ("rule_code", "index"),
    [(name, i) for name, case in CASES.items() for i in range(len(case.without))],
)
def test_a_rule_does_not_hold_where_it_should_not(
    rule_code: str, index: int, where_to: Ledger
) -> None:
    people = People()

    answer = append(where_to, *people.events(CASES[rule_code].without[index]()))

    assert of_rule(answer.findings, rule_code) == []
    for one in (CHILD, MOTHER, FATHER, SIBLING, OTHER):
        assert queue(where_to, rule_code, people(one)) == []


def test_the_list_of_queues_counts_the_persons_in_each(shared: Ledger) -> None:
    append(shared, *People().events([girl(), caught(), parted()]))

    queues = list_queues(shared, ListQueuesRequest()).queues

    assert [one.rule_code for one in queues] == [
        code for code, one in codes_of("finding").items() if "only_at_append" not in one.attributes
    ]
    for one in queues:
        whole = list_findings(shared, ListFindingsRequest(rule_code=one.rule_code, page_size=1_000))
        assert one.count == whole.total_size == len({found.person_id for found in whole.findings})
    assert sum(one.count for one in queues) > 5


def test_a_citation_that_comes_out_the_same_is_no_finding(ledger: Ledger) -> None:
    append(ledger, caught())
    given = cite(ledger, CiteRequest(list_roster=ListRosterRequest(agency="CBP"))).citation
    certified = ListCertified(list_id=id_of("l"), agency="CBP", title="held", citation=given)

    answer = append(ledger, event(certified))

    assert given.count == 1
    assert answer.findings_sought
    assert list(answer.findings) == []


# What an event causes, and what was there before it.


def test_what_stood_before_is_not_caused_again(ledger: Ledger) -> None:
    first = append(ledger, girl(), caught())
    second = append(ledger, event(SpecialNeedRecorded(person_id=CHILD, need_code="DEAF"), 3))

    assert of_rule(first.findings, "MINOR_UNLINKED")
    assert of_rule(second.findings, "MINOR_UNLINKED") == []


def test_a_retraction_causes_what_stands_without_the_event(ledger: Ledger) -> None:
    link = related()
    append(ledger, girl(), caught(), link)

    answer = append(ledger, event(Retracted(retracted_event_id=link.event_id, reason_text="no")))

    (found,) = of_rule(answer.findings, "MINOR_UNLINKED")
    assert (found.person_id, found.field) == (CHILD, "")


def test_a_finding_names_the_place_of_its_event_in_the_request(ledger: Ledger) -> None:
    answer = append(ledger, girl(), parted(adult_ids=[], adult_unknown_reason="none"), caught())

    (found,) = of_rule(answer.findings, "SEPARATION_WITHOUT_PARENT")
    assert found.field == "events[1].separated.adult_ids"


def test_no_finding_has_a_personal_value(ledger: Ledger) -> None:
    """Findings are shown to whoever appends, and go into queues, logs and screens."""
    words = ["A12345678", "012345678", "Honduras", "tall for her age", "by a letter", "2012"]
    answer = append(
        ledger,
        born(CHILD, 2012, nationality_text="Honduras"),
        event(PersonRegistered(person_id=CHILD, stated_age_years=12, nationality_text="Honduras")),
        event(AgeDisputed(person_id=CHILD, reason_text="tall for her age")),
        numbered(OTHER, "A12345678"),
        numbered(CHILD, "012345678"),
        numbered(CHILD, "A12"),
        caught(where=None, accompaniment=0),
        parted(reason_codes=["NOT_RECORDED"], reason_text="by a letter", notice=None),
        departed(),
    )

    assert len(answer.findings) > 8
    for one in answer.findings:
        assert not any(word in str(one) for word in words), one


def test_findings_are_not_looked_for_in_more_than_fifty_events(ledger: Ledger) -> None:
    many = [event(PersonRegistered(person_id=str(uuid4()))) for _ in range(50)]
    grave = parted(reason_codes=["NOT_RECORDED"])

    fifty = append(ledger, *many[1:], grave, validate_only=True)
    more = append(ledger, *many, grave)

    assert fifty.findings_sought
    assert of_rule(fifty.findings, "SEPARATION_WITHOUT_REASON")
    assert not more.findings_sought
    assert list(more.findings) == []
    # Nobody waits for them; the queue has them.
    assert len(queue(ledger, "SEPARATION_WITHOUT_REASON", CHILD)) == 1


def test_who_does_not_want_to_wait_for_findings_finds_them_in_the_queue(ledger: Ledger) -> None:
    grave = parted(reason_codes=["NOT_RECORDED"])
    answer = append(ledger, grave, without_findings=True)
    assert not answer.findings_sought
    assert list(answer.findings) == []
    assert len(queue(ledger, "SEPARATION_WITHOUT_REASON", CHILD)) == 1


def test_a_number_moved_to_whose_it_is_is_no_conflict(ledger: Ledger) -> None:
    """A correction is a retraction and the right event in one append."""
    wrong = numbered(OTHER, "A12345678")
    append(ledger, wrong)
    void = event(Retracted(retracted_event_id=wrong.event_id, reason_text="her brother's"))

    dry = append(ledger, numbered(CHILD, "A12345678"), validate_only=True)
    moved = append(ledger, void, numbered(CHILD, "A12345678"), strict=ERROR)

    assert of_rule(dry.findings, "IDENTIFIER_CONFLICT")
    assert of_rule(moved.findings, "IDENTIFIER_CONFLICT") == []
    assert queue(ledger, "IDENTIFIER_CONFLICT", CHILD) == []


# Who asks to be stopped.

ERROR, WARNING = Severity.SEVERITY_ERROR, Severity.SEVERITY_WARNING
NOTICE = Severity.SEVERITY_NOTICE


def of(child_id: str, *, adult: bool = False, on: float | None = None) -> Event:
    """A separation without a parent, an error, or with one and the others' warnings.

    Unless it is said when, of yesterday: no time limit has run out.
    """
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    adults = {"adult_ids": [MOTHER]} if adult else {"adult_unknown_reason": "none named"}
    stated = {"child_id": child_id, "adult_ids": [], **adults}
    return parted(on or midnight - timedelta(days=1), **stated)


def send(client: Client, *events: Event, **options: Any) -> AppendEventsResponse:
    return client.ledger.AppendEvents(AppendEventsRequest(events=events, **options))


def size(client: Client) -> int:
    return client.audit.GetCheckpoint(GetCheckpointRequest()).checkpoint.size


def test_strict_refuses_by_rule_and_field_and_appends_nothing(client: Client) -> None:
    child = str(uuid4())
    first = event(PersonRegistered(person_id=str(uuid4())))

    with pytest.raises(grpc.RpcError) as caught_error:
        send(client, first, of(child), strict=ERROR)

    found = refusal_of(caught_error.value)
    assert (found.code, found.reason) == (FAILED_PRECONDITION, "FINDINGS")
    assert found.fields == ("events[1].separated.adult_ids",)
    assert '"SEPARATION_WITHOUT_PARENT"' in found.text.replace("reason: ", "")
    assert size(client) == 0


def test_strict_stops_at_the_gravity_asked_for(client: Client) -> None:
    child = str(uuid4())
    separated = of(child, adult=True)
    worst = max(one.severity for one in send(client, separated, validate_only=True).findings)
    assert worst == WARNING

    for strict in (NOTICE, WARNING):
        with pytest.raises(grpc.RpcError) as caught_error:
            send(client, separated, strict=strict)
        assert refusal_of(caught_error.value).reason == "FINDINGS"
    answer = send(client, separated, strict=ERROR)

    assert size(client) == 1
    assert answer.findings == send(client, separated).findings


def test_a_dry_run_finds_the_same_and_writes_nothing(client: Client) -> None:
    events = [of(str(uuid4())), event(PersonRegistered(person_id=str(uuid4())))]

    dry = send(client, *events, validate_only=True)

    assert size(client) == 0
    assert dry.findings == send(client, *events).findings
    assert len(dry.findings) > 0
    with pytest.raises(grpc.RpcError) as caught_error:
        send(client, of(str(uuid4())), validate_only=True, strict=ERROR)
    assert refusal_of(caught_error.value).reason == "FINDINGS"


def test_what_was_kept_is_kept_when_it_is_sent_again_strictly(client: Client) -> None:
    """It was decided when it was first sent, and the caller may not have had the answer."""
    grave = of(str(uuid4()))
    first = send(client, grave)

    again = send(client, grave, strict=NOTICE)

    assert [one.position for one in again.receipts] == [one.position for one in first.receipts]
    assert again.receipts[0].already_recorded
    assert again.findings == first.findings
    assert size(client) == 1
    # With something new beside it, that is decided now.
    with pytest.raises(grpc.RpcError):
        send(client, grave, of(str(uuid4())), strict=ERROR)
    assert size(client) == 1


def test_more_than_fifty_events_are_not_taken_strictly(client: Client) -> None:
    many = [event(PersonRegistered(person_id=str(uuid4()))) for _ in range(51)]
    with refused(INVALID, "INVALID_REQUEST", ""):
        send(client, *many, strict=ERROR)
    assert size(client) == 0


def claimed(person_id: str, agency: str) -> Event:
    """Somebody of whom nothing else is said, so that no time limit is hers."""
    return caught(person_id, agency=agency, accompaniment=0)


def test_a_strict_append_is_not_overtaken_by_another_about_the_same(
    open_ledger: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking at the record and writing, somebody else asserts what contradicts it."""
    ledger = open_ledger(clock=ticking(NOW_US))
    append(ledger, claimed(OTHER, "CBP"))
    submit, overtaken = ledger.writer.submit, []

    def overtake(entry: Any) -> Any:
        if not overtaken:
            overtaken.append(True)
            append(ledger, claimed(CHILD, "ICE"))
        return submit(entry)

    monkeypatch.setattr(ledger.writer, "submit", overtake)
    with pytest.raises(LedgerError) as caught_error:
        append(ledger, claimed(CHILD, "CBP"), strict=ERROR)

    assert caught_error.value.name == "FINDINGS"
    assert [one.rule for one in caught_error.value.violations] == ["CUSTODY_CONFLICT"]
    assert ledger.log.entries.size() == 2


def test_of_two_strict_appends_at_once_that_contradict_each_other_one_is_kept(
    open_ledger: Callable[..., Ledger],
) -> None:
    ledger = open_ledger(clock=ticking(NOW_US))
    for _ in range(8):
        child, together = str(uuid4()), threading.Barrier(2)

        def claim(agency: str, child: str = child, together: Any = together) -> str:
            together.wait()
            try:
                append(ledger, claimed(child, agency), strict=ERROR)
            except LedgerError as error:
                return error.name
            return "kept"

        with ThreadPoolExecutor(2) as pool:
            outcomes = sorted(pool.map(claim, ["CBP", "ICE"]))
        assert outcomes == ["FINDINGS", "kept"]
    assert ledger.log.entries.size() == 8


def test_queues_are_as_of_and_known_at(client: Client) -> None:
    child = str(uuid4())
    send(client, of(child, on=3), event(PersonRegistered(person_id=str(uuid4()))))
    known = size(client)
    separated = of(child, on=3)
    send(
        client, separated, event(Retracted(retracted_event_id=separated.event_id, reason_text="x"))
    )

    def standing(**basis: Any) -> list[str]:
        asked_of = ListFindingsRequest(rule_code="SEPARATION_WITHOUT_PARENT", basis=basis)
        return [one.person_id for one in client.custody.ListFindings(asked_of).findings]

    assert standing() == [child]
    assert standing(at_size=known) == [child]
    assert standing(at_size=0) == []
    assert standing(as_of_time=datetime(2018, 5, 2, tzinfo=UTC)) == []
    assert standing(as_of_time=datetime(2018, 5, 3, tzinfo=UTC)) == [child]
