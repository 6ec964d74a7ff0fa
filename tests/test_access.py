"""Who may do what, and who sees whom: every role, method and kind of person, over mutual TLS."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import grpc
import pytest
from commands import ROOT
from conftest import STORES
from events import event, id_of
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from guarded import DOMAIN, STUBS, Caller, Guarded, role_of
from matrix import ASSIGNED, BY_ID, CALLERS, PEOPLE, ROWS, Row, Someone, prepare, sees

from ledger import members
from ledger.access import policy
from ledger.access.policy import policies
from ledger.errors import LedgerError
from ledger.keys.authority import issue_client
from ledger.ledger import now_us
from ledger.rpc.call import ABSENT_S
from ledger.rpc.calls import Calls
from ledger.rpc.server import Server
from ledger.v1.access_pb2 import Access
from ledger.v1.audit_service_pb2 import (
    EXPORT_KIND_RESEARCH,
    ExportEventsRequest,
    GetInclusionProofRequest,
    ListAccessesRequest,
    VerifyCitationRequest,
)
from ledger.v1.custody_pb2 import (
    Apprehended,
    LocationConfirmed,
    TransferArrived,
    TransferDeparted,
    TransferProposed,
)
from ledger.v1.custody_query_service_pb2 import (
    CiteRequest,
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    GetTransferRequest,
    ListedPerson,
    ListRosterRequest,
    ListSeparationsRequest,
    LocateRelativesRequest,
    ReconcileListRequest,
    ResolveIdentifierRequest,
)
from ledger.v1.event_pb2 import Event
from ledger.v1.family_pb2 import FamilyGroupFormed, RelationshipAsserted, RelationshipKind
from ledger.v1.identity_pb2 import (
    AmendmentDecided,
    IdentifierAsserted,
    PersonRegistered,
    PersonsLinkedAsSame,
)
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    EventFilter,
    GetEventRequest,
    ListCodesRequest,
    Precondition,
    ReadEventsRequest,
    WatchEventsRequest,
)
from ledger.v1.options_pb2 import Role, permanent
from ledger.v1.oversight_pb2 import ListCertified, Retracted
from ledger.v1.protection_pb2 import (
    ConfidentialityDeclared,
    EmergencyAccessOpened,
    LegalHoldLifted,
    LegalHoldPlaced,
    PersonalFieldsErased,
    RecordSealed,
    RecordUnsealed,
)
from projections.subjects import body_of, people_of

PREFIX = "/ledger.v1."
GET_PERSON = "CustodyQueryService/GetPerson"


@pytest.fixture(scope="module", params=STORES)
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    """A server on each store, of people of every kind."""
    folder = tmp_path_factory.mktemp("prepared")
    url = f"sqlite:///{folder / 'ledger.db'}"
    if request.param != "sqlite":
        url = request.getfixturevalue("postgres_of")(request.param).create_database()
    with Guarded(folder, url) as running:
        prepare(running)
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server for what does not depend on the store, and a clock that can be put forward."""
    folder = tmp_path_factory.mktemp("guarded")
    clock = Clock()
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}", clock=clock) as running:
        running.clock = clock
        yield running


class Clock:
    """The time, and some more."""

    ahead_us = 0

    def __call__(self) -> int:
        return now_us() + self.ahead_us


def callers_of(guarded: Guarded) -> list[Caller]:
    """One of every role; the case manager with the cases that are assigned to her."""
    return [
        guarded.person(name, "c-7", case_ids=ASSIGNED)
        if name == "orr-case-manager"
        else guarded.caller(name)
        for name in CALLERS
    ]


def answer_of(caller: Caller, method: str, row: Row, one: Someone) -> Any:
    """The answer to a question; of a watch, all until it has caught up. Raises LedgerError."""
    request = row.request(caller, one)
    if method != "LedgerService/WatchEvents":
        return caller.ask(method, request)
    return caller.watch(request)


def may_be_named(caller: Caller, row: Row, one: Someone) -> set[str]:
    """The people whom the answer to a question may name."""
    by_event = (each for some in row.admits(caller, one) for each in people_of(some))
    return {*by_event, *(each.id for each in BY_ID.values() if sees(caller, each))}


def cells(caller: Caller, people: list[Someone]) -> list[tuple[Any, ...]]:
    """(caller, method, person, what was expected, what was found) of each cell of a caller's."""
    told: list[tuple[Any, ...]] = []
    for method, row in ROWS.items():
        allowed = role_of(caller.name) in policies()[f"{PREFIX}{method}"].roles
        answer: Any = None
        for one in people:
            expected = row.expected(caller, one) if allowed else "FORBIDDEN"
            try:
                if answer is None or row.is_of_one:
                    answer = answer_of(caller, method, row, one)
                leaked = named_in(answer) - may_be_named(caller, row, one)
                found = ("told of", leaked) if leaked else row.found(answer, one)
            except LedgerError as refusal:
                found = refusal.name
            told.append((caller.name, method, one, expected, found))
    return told


def named_in(answer: Any) -> set[str]:
    """The people whose ids stand anywhere in an answer."""
    messages = answer if isinstance(answer, list) else [answer]
    wire = b"".join(one.SerializeToString() for one in messages)
    return {one for one in BY_ID if one.encode() in wire}


def test_every_role_learns_of_everybody_what_the_policy_says_and_nothing_else(
    prepared: Guarded,
) -> None:
    callers = callers_of(prepared)
    assert {f"{PREFIX}{method}" for method in ROWS} == policies().keys()
    assert {role_of(one.name) for one in callers} == set(Role.values()) - {0}
    # So that there is an access to everybody's record to be told of.
    for one in PEOPLE:
        name_of_refusal(callers[3], GET_PERSON, GetPersonRequest(person_id=one.id))

    parts = [(caller, PEOPLE[start::3]) for caller in callers for start in range(3)]
    with ThreadPoolExecutor(len(parts)) as pool:
        found = [cell for some in pool.map(lambda part: cells(*part), parts) for cell in some]

    assert len(found) == len(callers) * len(ROWS) * len(PEOPLE)
    wrong = [one for one in found if one[3] != one[4]]
    assert not wrong, (Counter(one[:2] for one in wrong), wrong[:3])


@pytest.mark.parametrize("page_size", [1, 3])
def test_pages_and_totals_are_of_those_whom_the_caller_may_see(
    prepared: Guarded, page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page is filled by several looks, some of which find nobody whom the caller may see.
    monkeypatch.setattr(members, "READ_MAX", 2)
    for caller in callers_of(prepared)[:4]:
        seen = {one.id for one in PEOPLE if sees(caller, one)}
        request, found = ListSeparationsRequest(page_size=page_size), []
        while True:
            page = caller.ask("CustodyQueryService/ListSeparations", request)
            found += [one.child_id for one in page.separations]
            assert page.total_size == (0 if request.page_token else len(seen))
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token

        assert found == sorted(seen), caller.name
        count = ListSeparationsRequest(count_only=True)
        counted = caller.ask("CustodyQueryService/ListSeparations", count)
        assert counted.total_size == len(seen)


def name_of_refusal(caller: Caller, method: str, request: Message) -> str:
    """Why a question is refused; "OK": it is answered."""
    try:
        caller.ask(method, request)
    except LedgerError as refusal:
        return refusal.name
    return "OK"


def test_a_method_without_a_policy_does_not_start(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = FileDescriptorProto(name="new.proto", package="ledger.v1", syntax="proto3")
    file.dependency.append("ledger/v1/audit_service.proto")
    added = file.service.add(name="NewService").method.add(name="GetNew")
    added.input_type = ".ledger.v1.GetCheckpointRequest"
    added.output_type = ".ledger.v1.GetCheckpointResponse"
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    new = pool.FindServiceByName("ledger.v1.NewService")

    with pytest.raises(AssertionError, match="GetNew"):
        Calls(sqlite_server._ledger, [new])
    monkeypatch.setattr(policy, "_SERVICES", [*policy._SERVICES, new])
    policies.cache_clear()
    try:
        with pytest.raises(AssertionError, match="GetNew has no policy"):
            policies()
    finally:
        monkeypatch.undo()
        policies.cache_clear()
    assert len(policies()) == len(ROWS)


def test_a_role_is_for_the_agencies_that_the_policy_names(guarded: Guarded) -> None:
    names = {
        "cbp-investigator": "CBP/role/investigator",
        "ice-auditor": "ICE/role/auditor",
        "orr-operator": "ORR/role/operator",
        "oig-agent": "OIG/role/field-agent",
        "ledger-supervisor": "LEDGER/role/agency-supervisor",
        "congress-auditor": "CONGRESS/role/auditor",
    }
    for name, path in names.items():
        made = issue_client(guarded.folder, name, f"spiffe://{DOMAIN}/agency/{path}")
        caller = guarded.caller(name, identity=made)
        for method, row in ROWS.items():
            request = row.request(Caller(caller.client, name, "CBP"), PEOPLE[0])
            if method != "LedgerService/WatchEvents":
                assert name_of_refusal(caller, method, request) == "FORBIDDEN", (name, method)


def test_what_tells_of_persons_is_answered_for_a_stated_purpose_alone(guarded: Guarded) -> None:
    for name in ("cbp-agency-supervisor", "gao-auditor"):
        for purpose in ("", "CURIOSITY", "oversight"):
            caller = guarded.caller(name, purpose=purpose)
            for method, row in ROWS.items():
                told = policies()[f"{PREFIX}{method}"]
                if role_of(name) not in told.roles or not told.discloses or told.purpose_code:
                    continue
                request = row.request(caller, PEOPLE[0])
                found = name_of_refusal(caller, method, request)
                assert found == "PURPOSE_REQUIRED", (method, purpose)
    unasked = guarded.caller("cbp-field-agent", purpose="")
    assert unasked.append(registered("recorded without")).receipts
    assert name_of_refusal(unasked, "LedgerService/ListCodes", ListCodesRequest()) == "OK"


# Not there, and not yours.

ABSENT = {
    "GetPerson": (GET_PERSON, lambda one: GetPersonRequest(person_id=one)),
    "GetPersonTimeline": (
        "CustodyQueryService/GetPersonTimeline",
        lambda one: GetPersonTimelineRequest(person_id=one),
    ),
    "GetFamily": ("CustodyQueryService/GetFamily", lambda one: GetFamilyRequest(person_id=one)),
    "GetFamily by family": (
        "CustodyQueryService/GetFamily",
        lambda one: GetFamilyRequest(family_id=one),
    ),
    "LocateRelatives": (
        "CustodyQueryService/LocateRelatives",
        lambda one: LocateRelativesRequest(person_id=one),
    ),
    "GetTransfer": (
        "CustodyQueryService/GetTransfer",
        lambda one: GetTransferRequest(transfer_id=one),
    ),
    "GetEvent": ("LedgerService/GetEvent", lambda one: GetEventRequest(event_id=one)),
    "GetInclusionProof": (
        "AuditService/GetInclusionProof",
        lambda one: GetInclusionProofRequest(event_id=one),
    ),
    "Retracted": (
        "LedgerService/AppendEvents",
        lambda one: AppendEventsRequest(
            events=[
                event(Retracted(retracted_event_id=one, reason_text="wrong"), event_id=RETRACTS)
            ]
        ),
    ),
}
EMPTY = {
    "ResolveIdentifier": (
        "CustodyQueryService/ResolveIdentifier",
        lambda one: ResolveIdentifierRequest(scheme="A_NUMBER", value=number_of(one)),
    ),
    "ReconcileList": (
        "CustodyQueryService/ReconcileList",
        lambda one: ReconcileListRequest(agency="CBP", rows=[ListedPerson(person_id=one)]),
    ),
    "ListAccesses": ("AuditService/ListAccesses", lambda one: ListAccessesRequest(person_id=one)),
    "ReadEvents": (
        "LedgerService/ReadEvents",
        lambda one: ReadEventsRequest(filter={"items": [{"subjects": [f"person:{one}"]}]}),
    ),
    "ExportEvents": (
        "AuditService/ExportEvents",
        lambda one: ExportEventsRequest(
            filter={"items": [{"subjects": [f"person:{one}"]}]}, kind=EXPORT_KIND_RESEARCH
        ),
    ),
    "AppendEvents": (
        "LedgerService/AppendEvents",
        lambda one: AppendEventsRequest(
            events=[event(PersonRegistered(person_id=one), event_id=RETRACTS)], validate_only=True
        ),
    ),
}
RETRACTS = id_of("sent by who may not")
NEVER = id_of("somebody who never was")


def number_of(person_id: str) -> str:
    return f"{100_000_000 + int(person_id[:7], 16)}"


def registered(name: str, agency: str = "CBP") -> Event:
    """That somebody of this name becomes known."""
    return event(PersonRegistered(person_id=id_of(name)), agency=agency)


def held(name: str, agency: str, *more: Message, named: str = "") -> list[Event]:
    """Somebody of this name whom an agency holds; the first event may have a name."""
    taken = Apprehended(person_ids=[id_of(name)], agency=agency)
    first = event(taken, event_id=id_of(named) if named else None, agency=agency)
    return [first, *(event(one, agency=agency) for one in more)]


def how_refused(caller: Caller, method: str, request: Message) -> tuple[Any, ...]:
    """(all that comes back of a refusal, seconds it took)."""
    service, _, name = method.partition("/")
    call = getattr(getattr(caller.client, STUBS[service]), name)
    began = time.perf_counter()
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=30)
    took = time.perf_counter() - began
    error = caught.value
    told = error.code(), error.details(), tuple(error.trailing_metadata()), error.initial_metadata()
    return told, took


def test_what_is_not_there_and_what_is_not_yours_cannot_be_told_apart(guarded: Guarded) -> None:
    """By nothing that comes back, nor by the time that it takes; of each method that names one."""
    name = "somebody elsewhere"
    one = id_of(name)
    guarded.tell(
        *held(
            name,
            "ICE",
            IdentifierAsserted(person_id=one, scheme="A_NUMBER", value=number_of(one)),
            FamilyGroupFormed(family_id=one, member_ids=[one]),
            TransferProposed(
                transfer_id=one,
                person_ids=[one],
                from_agency="ICE",
                to_agency="ORR",
                ground_codes=["CAPACITY"],
            ),
            named=name,
        )
    )
    caller = guarded.caller("cbp-agency-supervisor")
    # There, for who may see it.
    assert (
        name_of_refusal(guarded.caller("ice-field-agent"), *asked(ABSENT["GetFamily"], one)) == "OK"
    )

    def both(of: str) -> None:
        came = [
            [how_refused(caller, *asked(ABSENT[of], each)) for each in (one, NEVER)]
            for _ in range(5)
        ]
        assert len({back for some in came for back, _ in some}) == 1, of
        hidden, absent = (median(took for _, took in some) for some in zip(*came, strict=True))
        assert min(hidden, absent) >= ABSENT_S, of
        assert max(hidden, absent) <= 1.3 * min(hidden, absent), (of, hidden, absent)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(both, ABSENT))
    for of, row in EMPTY.items():
        hidden, absent = (bare(caller.ask(*asked(row, each)), each) for each in (one, NEVER))
        assert hidden == absent, of


def asked(row: tuple[str, Callable[[str], Message]], one: str) -> tuple[str, Message]:
    method, request = row
    return method, request(one)


def bare(answer: Any, one: str) -> list[bytes]:
    """An answer without the id that was asked about, and without what differs at every moment."""
    some = answer if isinstance(answer, list) else [answer]
    for message in some:
        for name in ("stamp", "checkpoint", "citation", "normalized", "receipts"):
            if name in message.DESCRIPTOR.fields_by_name:
                message.ClearField(name)
    return [message.SerializeToString().replace(one.encode(), b"her") for message in some]


# Relatives.


def related(name: str, relative: str, agency: str = "ORR", **envelope: Any) -> Event:
    kind = RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT
    body = RelationshipAsserted(person_id=id_of(name), relative_id=id_of(relative), kind=kind)
    return event(body, agency=agency, **envelope)


def status_of(caller: Caller, name: str) -> str:
    return name_of_refusal(caller, GET_PERSON, GetPersonRequest(person_id=id_of(name)))


def test_whoever_holds_a_child_finds_her_relatives_wherever_they_are(guarded: Guarded) -> None:
    link = related("r child", "r mother", "CBP", event_id=id_of("r link"))
    guarded.tell(
        *held("r child", "ORR"), *held("r mother", "ICE"), *held("r stranger", "ICE"), link
    )
    orr, cbp = guarded.caller("orr-field-agent"), guarded.caller("cbp-field-agent")
    request = LocateRelativesRequest(person_id=id_of("r child"))

    (found,) = orr.ask("CustodyQueryService/LocateRelatives", request).relatives
    assert (found.person_id, found.custody.agency) == (id_of("r mother"), "ICE")
    assert status_of(orr, "r mother") == "OK"
    assert status_of(guarded.caller("ice-field-agent"), "r child") == "OK"
    assert status_of(orr, "r stranger") == status_of(cbp, "r child") == "SUBJECT_NOT_FOUND"
    roster = orr.ask("CustodyQueryService/ListRoster", ListRosterRequest(agency="ICE"))
    assert (list(roster.people), roster.total_size) == ([], 0)

    guarded.tell(sealing("r mother", agency="ICE"))
    (found,) = orr.ask("CustodyQueryService/LocateRelatives", request).relatives
    assert (found.person_id, found.custody.agency) == (id_of("r mother"), "")
    assert status_of(orr, "r mother") == "SUBJECT_NOT_FOUND"
    guarded.tell(unsealing("r mother", agency="ICE"))
    assert status_of(orr, "r mother") == "OK"
    # A link that is taken back reaches nobody.
    taken_back = Retracted(retracted_event_id=id_of("r link"), reason_text="another child")
    guarded.tell(event(taken_back, agency="ORR"))
    assert status_of(orr, "r mother") == "SUBJECT_NOT_FOUND"


def test_who_is_to_receive_a_child_sees_her_before_she_comes(guarded: Guarded) -> None:
    one = id_of("t child")
    left = TransferDeparted(transfer_id=one, person_ids=[one], from_agency="CBP", to_agency="ORR")
    cbp, orr = guarded.caller("cbp-field-agent"), guarded.caller("orr-field-agent")
    guarded.tell(*held("t child", "CBP"))
    assert (status_of(cbp, "t child"), status_of(orr, "t child")) == ("OK", "SUBJECT_NOT_FOUND")
    guarded.tell(event(left, 2))
    assert status_of(cbp, "t child") == status_of(orr, "t child") == "OK"
    come = TransferArrived(transfer_id=one, person_ids=[one], agency="ORR")
    guarded.tell(event(come, 3, agency="ORR"))
    assert (status_of(cbp, "t child"), status_of(orr, "t child")) == ("SUBJECT_NOT_FOUND", "OK")


# Confidentiality, seals, emergencies.


def sealing(name: str, agency: str = "CBP", on: float = 5, **envelope: Any) -> Event:
    return event(
        RecordSealed(person_id=id_of(name), order_reference="17-1"), on, agency=agency, **envelope
    )


def unsealing(name: str, agency: str = "CBP", on: float = 6, **envelope: Any) -> Event:
    return event(
        RecordUnsealed(person_id=id_of(name), order_reference="17-2"), on, agency=agency, **envelope
    )


def kinds_in(caller: Caller, name: str) -> set[str]:
    """The kinds of events that a caller is told of somebody, by whichever method may tell them."""
    one = id_of(name)
    timeline = caller.ask(
        "CustodyQueryService/GetPersonTimeline", GetPersonTimelineRequest(person_id=one)
    )
    kinds = {each.event.entry.event.WhichOneof("fact") for each in timeline.events}
    if role_of(caller.name) == Role.ROLE_AGENCY_SUPERVISOR:
        request = ReadEventsRequest(filter={"items": [{"subjects": [f"person:{one}"]}]})
        for some in caller.ask("LedgerService/ReadEvents", request):
            kinds |= {each.entry.event.WhichOneof("fact") for each in some.events}
    return kinds


def test_who_holds_a_confidential_person_sees_her_and_not_that_she_is_confidential(
    guarded: Guarded,
) -> None:
    declared = ConfidentialityDeclared(person_id=id_of("c"), ground_code="ASYLUM_208_6")
    guarded.tell(
        *held("c", "ORR"),
        event(declared, agency="ORR", event_id=id_of("c declared")),
        *held("c was", "CBP"),
        event(
            TransferArrived(transfer_id=id_of("c t"), person_ids=[id_of("c was")], agency="ORR"), 2
        ),
        event(
            ConfidentialityDeclared(person_id=id_of("c was"), ground_code="ASYLUM_208_6"),
            agency="ORR",
        ),
    )
    holders = [guarded.caller(name) for name in ("orr-field-agent", "orr-agency-supervisor")]
    investigator, auditor = guarded.caller("oig-investigator"), guarded.caller("gao-auditor")
    declaration = GetEventRequest(event_id=id_of("c declared"))
    proof = GetInclusionProofRequest(event_id=id_of("c declared"))
    for one in holders:
        told = one.ask(GET_PERSON, GetPersonRequest(person_id=id_of("c")))
        assert not told.protection.confidential
        assert kinds_in(one, "c") == {"apprehended"}
        assert one.refused("LedgerService/GetEvent", declaration).name == "EVENT_NOT_FOUND"
        assert one.refused("AuditService/GetInclusionProof", proof).name == "EVENT_NOT_FOUND"
    # Nor does who held her once, though it may see what it recorded of others.
    for name in ("cbp-agency-supervisor", "cbp-field-agent"):
        assert status_of(guarded.caller(name), "c was") == "SUBJECT_NOT_FOUND", name
    # Nobody is hidden from who investigates: but that and why she is confidential.
    assert kinds_in(investigator, "c") == {"apprehended"}
    assert investigator.refused("LedgerService/GetEvent", declaration).name == "EVENT_NOT_FOUND"
    assert auditor.ask("LedgerService/GetEvent", declaration).event.position

    taken_back = Retracted(retracted_event_id=id_of("c declared"), reason_text="withdrawn")
    guarded.tell(event(taken_back, agency="ORR", event_id=id_of("c withdrawn")))
    assert status_of(investigator, "c") == "OK"
    withdrawal = GetEventRequest(event_id=id_of("c withdrawn"))
    for one in (*holders, investigator):
        assert kinds_in(one, "c") == {"apprehended"}, one.name
        assert one.refused("LedgerService/GetEvent", withdrawal).name == "EVENT_NOT_FOUND"


def test_a_sealed_record_is_not_there_until_it_is_unsealed(guarded: Guarded) -> None:
    guarded.tell(*held("s", "CBP"), registered("s other"), *held("s other", "CBP"))
    agents = [guarded.caller(name) for name in ("cbp-field-agent", "oig-investigator")]
    watching = agents[1].client.ledger.WatchEvents(
        WatchEventsRequest(after_position=guarded.ledger.log.entries.size()), timeout=30
    )
    assert [status_of(one, "s") for one in agents] == ["OK", "OK"]
    same = PersonsLinkedAsSame(person_ids=[id_of("s"), id_of("s twin")], basis_text="prints")
    guarded.tell(*held("s twin", "CBP"), event(same))
    assert [status_of(one, "s twin") for one in agents] == ["OK", "OK"]

    guarded.tell(sealing("s"))
    guarded.tell(event(LocationConfirmed(person_id=id_of("s"), agency="CBP"), 5))
    guarded.tell(event(LocationConfirmed(person_id=id_of("s other"), agency="CBP"), 5))
    # Under whichever of her ids.
    for name in ("s", "s twin"):
        assert {status_of(one, name) for one in agents} == {"SUBJECT_NOT_FOUND"}
        for one in agents:
            roster = one.ask("CustodyQueryService/ListRoster", ListRosterRequest(agency="CBP"))
            assert id_of(name) not in {each.person_id for each in roster.people}
    told = set()
    for message in watching:
        told |= {
            body_of(each.entry.event).person_id
            for each in message.batch.events
            if each.entry.event.HasField("location_confirmed")
        }
        if told:
            break
    watching.cancel()
    assert told == {id_of("s other")}

    guarded.tell(unsealing("s"))
    assert {status_of(one, name) for one in agents for name in ("s", "s twin")} == {"OK"}


def accesses(guarded: Guarded, name: str) -> list[Access]:
    """The accesses to somebody's record, the latest last."""
    request = ListAccessesRequest(person_id=id_of(name), page_size=1_000)
    found = guarded.caller("gao-auditor").ask("AuditService/ListAccesses", request)
    return [one.entry.access for one in found.accesses]


def test_an_emergency_opens_one_record_to_one_person_for_a_time_and_is_noted(
    guarded: Guarded,
) -> None:
    guarded.tell(*held("e", "ICE"), *held("e other", "ICE"), *held("e own", "CBP"))
    guarded.tell(sealing("e", agency="ICE"), sealing("e other", agency="ICE"))
    agent = guarded.person("cbp-field-agent", "f-1", purpose="EMERGENCY")
    others = [
        guarded.person("cbp-field-agent", "f-2"),
        guarded.caller("cbp-field-agent"),
        guarded.person("ice-field-agent", "f-1"),
    ]
    opened = event(
        EmergencyAccessOpened(person_id=id_of("e"), reason_text="a fever"),
        event_id=id_of("e opened"),
    )
    opened.actor.actor_id = "f-1"
    opened.emergency_access_opened.until_time.FromDatetime(datetime.now(UTC) + timedelta(days=9))
    statements = [guarded.approval("CBP", who, opened) for who in ("s-1", "s-2")]
    assert status_of(agent, "e") == "SUBJECT_NOT_FOUND"
    with pytest.raises(LedgerError) as alone:
        agent.append(opened, approvals=statements[:1])
    assert alone.value.name == "APPROVAL_MISSING"
    agent.append(opened, approvals=statements)

    assert status_of(agent, "e") == "OK"
    assert status_of(agent, "e own") == "OK"
    assert status_of(agent, "e other") == "SUBJECT_NOT_FOUND"
    assert {status_of(one, "e") for one in others} == {"SUBJECT_NOT_FOUND"}
    last = [one for one in accesses(guarded, "e") if one.reason == "OK"][-1]
    assert list(last.emergency_event_ids) == [id_of("e opened")]
    assert (last.actor_id, last.purpose_code) == ("f-1", "EMERGENCY")
    # What was hers to see anyway is not put down to it.
    assert list(accesses(guarded, "e own")[-1].emergency_event_ids) == []
    assert "emergency_access_opened" in kinds_in(agent, "e")
    # No longer than a day, whatever it says.
    day_us = 24 * 3_600 * 1_000_000
    try:
        guarded.clock.ahead_us = day_us - 60_000_000
        assert status_of(agent, "e") == "OK"
        guarded.clock.ahead_us = day_us
        assert status_of(agent, "e") == "SUBJECT_NOT_FOUND"
    finally:
        guarded.clock.ahead_us = 0


def test_every_emergency_that_opens_somebody_of_an_event_is_noted(guarded: Guarded) -> None:
    closed = [f"n closed {number}" for number in range(4)]
    opened = [f"n opened {number}" for number in range(4)]
    together = Apprehended(person_ids=[id_of(one) for one in (*closed, *opened)], agency="CBP")
    guarded.tell(event(together, event_id=id_of("n together")))
    guarded.tell(*(sealing(one) for one in (*closed, *opened)))
    for one in opened:
        body = EmergencyAccessOpened(person_id=id_of(one), reason_text="a fever")
        body.until_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        guarded.tell(of(event(body, event_id=id_of(f"{one} now")), "f-1"))
    agent = guarded.person("cbp-field-agent", "f-1", purpose="EMERGENCY")
    agent.ask("LedgerService/GetEvent", GetEventRequest(event_id=id_of("n together")))

    # Also those after the first that stays closed, and of an event that is her agency's own.
    noted = accesses(guarded, opened[0])[-1].emergency_event_ids
    assert set(noted) == {id_of(f"{one} now") for one in opened}


def test_an_emergency_ends_when_it_says(guarded: Guarded) -> None:
    guarded.tell(*held("b", "ICE"))
    agent = guarded.person("cbp-field-agent", "f-9", purpose="EMERGENCY")
    opened = event(EmergencyAccessOpened(person_id=id_of("b"), reason_text="a fever"))
    opened.actor.actor_id = "f-9"
    opened.emergency_access_opened.until_time.FromMicroseconds(guarded.ledger.clock() + 2_000_000)
    agent.append(opened, approvals=[guarded.approval("CBP", f"s-{n}", opened) for n in (1, 2)])
    assert status_of(agent, "b") == "OK"
    time.sleep(2)
    assert status_of(agent, "b") == "SUBJECT_NOT_FOUND"


# Approvals.


def outcome(caller: Caller, one: Event, *approvals: str, **options: Any) -> str:
    try:
        caller.append(one, approvals=approvals, **options)
    except LedgerError as refusal:
        return refusal.name
    return "OK"


def of(one: Event, actor_id: str) -> Event:
    one.actor.actor_id = actor_id
    return one


def test_what_is_hard_to_undo_is_approved_by_several_people(guarded: Guarded) -> None:
    guarded.tell(*held("a", "CBP"))
    first = guarded.person("cbp-agency-supervisor", "s-1")
    wanted = of(sealing("a", event_id=id_of("a sealed")), "s-1")
    altered = Event.FromString(wanted.SerializeToString())
    altered.record_sealed.order_reference = "18"
    agent = Role.ROLE_FIELD_AGENT
    hours_ago = time.time_ns() // 1_000 - 7_200_000_000
    said = {
        "nobody": [],
        "herself": [guarded.approval("CBP", "s-1", wanted)],
        "of another event": [guarded.approval("CBP", "s-2", sealing("a"))],
        "of what it was": [guarded.approval("CBP", "s-2", altered)],
        "in a role that may not": [guarded.approval("CBP", "f-2", wanted, role=agent)],
    }
    for what, statements in said.items():
        assert outcome(first, wanted, *statements) == "APPROVAL_MISSING", what
    unread = {
        "expired": [guarded.approval("CBP", "s-2", wanted, now_us=hours_ago)],
        "for another ledger": [guarded.approval("CBP", "s-2", wanted, audience="other.example")],
        "a caller's token": [guarded.token("cbp-agency-supervisor", "s-2")],
        "nonsense": ["abc"],
    }
    for what, statements in unread.items():
        assert outcome(first, wanted, *statements) == "UNIDENTIFIED", what
    # The program alone is nobody.
    program = guarded.caller("cbp-agency-supervisor")
    assert outcome(program, wanted, *said["herself"]) == "APPROVAL_MISSING"

    assert outcome(first, wanted, guarded.approval("CBP", "s-2", wanted)) == "OK"
    kept = guarded.caller("gao-auditor").ask(
        "LedgerService/GetEvent", GetEventRequest(event_id=id_of("a sealed"))
    )
    approvals = kept.event.entry.approvals
    assert [(one.agency, one.actor_id) for one in approvals] == [("CBP", "s-1"), ("CBP", "s-2")]
    assert [bool(one.token) for one in approvals] == [False, True]


def test_whom_an_event_names_as_approving_it_has_approved_it(guarded: Guarded) -> None:
    first = guarded.person("cbp-agency-supervisor", "s-1")

    guarded.tell(*held("l 1", "CBP"), *held("l 2", "CBP"))

    def linking(*named: str) -> Event:
        body = PersonsLinkedAsSame(
            person_ids=[id_of("l 1"), id_of("l 2")], basis_text="prints", approved_by=named
        )
        return of(event(body), "s-1")

    for named, expected in (
        (("s-1", "s-2"), "OK"),
        (("s-1", "s-3"), "APPROVAL_MISSING"),
        (("s-2", "nobody"), "APPROVAL_MISSING"),
    ):
        one = linking(*named)
        assert outcome(first, one, guarded.approval("CBP", "s-2", one)) == expected, named


def test_nothing_is_erased_but_by_two_agencies_and_not_under_a_legal_hold(
    guarded: Guarded,
) -> None:
    supervisor = guarded.person("cbp-agency-supervisor", "s-1")

    def erasing(name: str) -> Event:
        body = PersonalFieldsErased(person_id=id_of(name), order_reference="19")
        return of(event(body, event_id=id_of(f"{name} erased")), "s-1")

    same = PersonsLinkedAsSame(person_ids=[id_of("x twin"), id_of("x held")], basis_text="prints")
    guarded.tell(*held("x", "CBP"), *held("x held", "CBP"), *held("x twin", "CBP"), event(same))
    guarded.tell(event(LegalHoldPlaced(person_id=id_of("x held"), hold_reference="20")))
    one = erasing("x")
    own, other = (guarded.approval(agency, "s-2", one) for agency in ("CBP", "ORR"))
    assert outcome(supervisor, one, own) == "APPROVAL_MISSING"
    with pytest.raises(LedgerError) as here:
        guarded.tell(one)
    assert here.value.name == "APPROVAL_MISSING"
    assert outcome(supervisor, one, other) == "OK"
    # A hold on any of her records holds them all.
    for name in ("x held", "x twin"):
        one = erasing(name)
        assert outcome(supervisor, one, guarded.approval("ORR", "s-2", one)) == "LEGAL_HOLD"
    guarded.tell(event(LegalHoldLifted(person_id=id_of("x held"), hold_reference="20"), 2))
    one = erasing("x held")
    assert outcome(supervisor, one, guarded.approval("ORR", "s-2", one)) == "OK"


def test_what_is_done_is_not_taken_back(guarded: Guarded) -> None:
    """Of every kind that the words call permanent."""
    kinds = {
        one.message_type.name
        for one in Event.DESCRIPTOR.oneofs_by_name["fact"].fields
        if one.message_type.GetOptions().Extensions[permanent]
    }
    person = id_of("p")
    soon = Timestamp()
    soon.FromMicroseconds(guarded.ledger.clock() + 1_000_000)
    done: list[Message] = [
        RecordSealed(person_id=person, order_reference="1"),
        RecordUnsealed(person_id=person, order_reference="1"),
        LegalHoldPlaced(person_id=person, hold_reference="1"),
        LegalHoldLifted(person_id=person, hold_reference="1"),
        EmergencyAccessOpened(person_id=person, reason_text="a fever", until_time=soon),
    ]
    events = [of(event(one), "s-1") for one in done]
    guarded.tell(*events)
    erased = of(event(PersonalFieldsErased(person_id=person, order_reference="1")), "s-1")
    supervisor = guarded.person("cbp-agency-supervisor", "s-1")
    assert outcome(supervisor, erased, guarded.approval("ORR", "s-2", erased)) == "OK"
    events.append(erased)
    assert {body_of(one).DESCRIPTOR.name for one in events} == kinds
    for one in events:
        body = Retracted(retracted_event_id=one.event_id, reason_text="a slip")
        assert outcome(supervisor, of(event(body), "s-1")) == "NOT_RETRACTABLE", one


def test_an_agency_speaks_for_itself_and_takes_back_its_own_word(guarded: Guarded) -> None:
    guarded.tell(registered("w", "ICE"), registered("w", "CBP"))
    theirs = event(PersonRegistered(person_id=id_of("w")), agency="ICE")
    ours = registered("w")
    guarded.tell(theirs, ours)
    program, person = guarded.caller("cbp-field-agent"), guarded.person("cbp-field-agent", "f-1")

    def back(target: str) -> Event:
        return event(Retracted(retracted_event_id=target, reason_text="a slip"))

    for caller in (program, person):
        assert outcome(caller, registered("w", "ICE")) == "ACTOR_NOT_CALLER"
        assert outcome(caller, of(back(theirs.event_id), "f-1")) == "EVENT_NOT_FOUND"
        assert outcome(caller, of(back(id_of("never was")), "f-1")) == "EVENT_NOT_FOUND"
    assert outcome(person, of(registered("w"), "f-2")) == "ACTOR_NOT_CALLER"
    assert outcome(person, registered("w")) == "ACTOR_NOT_CALLER"
    assert outcome(program, of(registered("w"), "f-2")) == "OK"
    assert outcome(person, of(back(ours.event_id), "f-1")) == "OK"


def test_an_append_tells_nothing_of_whom_its_caller_may_not_see(guarded: Guarded) -> None:
    guarded.tell(*held("hidden", "ICE"))
    theirs = event(PersonRegistered(person_id=id_of("hidden")), agency="ICE")
    guarded.tell(theirs)
    agent = guarded.caller("cbp-field-agent")

    def told(name: str, event_id: str) -> list[str]:
        """What comes of naming a person, and an event, in every way that an append has."""
        about = EventFilter.Item(subjects=[f"person:{id_of(name)}"])
        unless = Precondition(no_events_match=EventFilter(items=[about]))
        corrected = registered(f"mine {name}")
        corrected.corrects_event_id = event_id
        disputed = event(
            AmendmentDecided(
                person_id=id_of(f"mine {name}"), requested_event_id=event_id, reason_text="no"
            ),
            agency="CBP",
        )
        found = agent.append(disputed).findings
        return [
            outcome(agent, registered(f"mine {name}"), preconditions=[unless]),
            outcome(agent, corrected),
            *sorted(one.rule_code for one in found),
        ]

    assert told("hidden", theirs.event_id) == told("nobody", id_of("nothing"))


def test_what_counts_everybody_can_be_certified_by_who_does_not_see_everybody(
    guarded: Guarded,
) -> None:
    # As many as that nobody is told by their hash.
    many = [one for number in range(1, 13) for one in held(f"n {number}", "ORR")]
    guarded.tell(*many, sealing("n 2", agency="ORR"))
    supervisor = guarded.caller("orr-agency-supervisor")
    roster = ListRosterRequest(agency="ORR")
    cited = supervisor.ask("CustodyQueryService/Cite", CiteRequest(list_roster=roster)).citation
    seen = supervisor.ask("CustodyQueryService/ListRoster", roster).total_size
    assert cited.count > seen
    certified = event(
        ListCertified(list_id=id_of("n"), agency="ORR", title="held", citation=cited),
        agency="ORR",
        event_id=id_of("n certified"),
    )
    assert not supervisor.append(certified).findings
    verified = supervisor.ask(
        "AuditService/VerifyCitation", VerifyCitationRequest(event_id=id_of("n certified"))
    )
    assert verified.reproduced
    rows = ReconcileListRequest(agency="ORR", rows=[ListedPerson(person_id=id_of("n 1"))])
    compared = supervisor.ask("CustodyQueryService/ReconcileList", rows)
    assert compared.citation.count == cited.count


def test_the_page_of_who_may_do_what_says_what_the_policy_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "access"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
