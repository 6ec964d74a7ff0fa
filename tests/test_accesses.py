"""Reads are events: what is told of whom is in the access log before it is told, or is not told."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import STORES, raw
from events import event, id_of
from examples import every_kind
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from guarded import Caller, Guarded

import projections
from ledger import merkle
from ledger.errors import LedgerError
from ledger.ledger import now_us
from ledger.rpc.call import is_telling
from ledger.store.examination import examine
from ledger.v1.access_pb2 import Access, AccessEntry, RecordedAccess
from ledger.v1.audit_service_pb2 import (
    LOG_NAME_ACCESS,
    Checkpoint,
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
    ListAccessesRequest,
)
from ledger.v1.custody_pb2 import Apprehended, LocationConfirmed
from ledger.v1.custody_query_service_pb2 import (
    CountSeparationsRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    ListRosterRequest,
    LocateRelativesRequest,
    SeparationDimension,
)
from ledger.v1.event_pb2 import Event, RecordedEvent
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    GetEventRequest,
    GetEventResponse,
    ReadEventsRequest,
    WatchEventsRequest,
    WatchEventsResponse,
)
from ledger.v1.options_pb2 import Role
from projections.subjects import mentions, named

GET_PERSON = "CustodyQueryService/GetPerson"
APPEND = "LedgerService/AppendEvents"
LIST_ACCESSES = "AuditService/ListAccesses"
MONTH = SeparationDimension.SEPARATION_DIMENSION_MONTH
LOAD_S = 3.0
UNAVAILABLE = "ACCESS_LOG_UNAVAILABLE"
NAMES = [f"p{number}" for number in range(6)]


def held(name: str, agency: str) -> list[Event]:
    """Somebody whom an agency holds."""
    one = id_of(f"{agency} {name}")
    return [
        event(PersonRegistered(person_id=one), agency=agency, event_id=one),
        event(Apprehended(person_ids=[one], agency=agency), agency=agency),
    ]


def people(guarded: Guarded) -> None:
    """Six people of each of two agencies, one of them with more events than a message holds."""
    seen = LocationConfirmed(person_id=id_of("CBP p0"), agency="CBP")
    guarded.tell(
        *(one for agency in ("CBP", "ORR") for name in NAMES for one in held(name, agency)),
        *(event(seen, 2) for _ in range(420)),
    )
    guarded.settle()


@pytest.fixture(params=STORES)
def on_each_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("accesses")
    url = f"sqlite:///{folder / 'ledger.db'}"
    if request.param != "sqlite":
        url = request.getfixturevalue("postgres_of")(request.param).create_database()
    with Guarded(folder, url) as running:
        people(running)
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("accesses")
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
        people(running)
        yield running


@dataclass(frozen=True)
class Told:
    """What a caller got: the answer or a message of a stream, or why there was none."""

    method: str
    question: bytes
    answer: bytes | None
    reason: str
    came_us: int
    size: int
    """The size of the access log when it had come."""


def questions(agency: str, start: int = 0) -> Iterator[tuple[str, Message]]:
    """Questions of every shape, over and over, some about what is not there or not hers."""
    some: list[tuple[str, Message]] = []
    for name in NAMES:
        one, strange = id_of(f"{agency} {name}"), id_of(f"ICE {name}")
        some += [
            (GET_PERSON, GetPersonRequest(person_id=one)),
            ("LedgerService/GetEvent", GetEventRequest(event_id=one)),
            (
                "CustodyQueryService/GetPersonTimeline",
                GetPersonTimelineRequest(person_id=one),
            ),
            ("CustodyQueryService/ListRoster", ListRosterRequest(agency=agency)),
            ("LedgerService/ReadEvents", ReadEventsRequest()),
            ("CustodyQueryService/CountSeparations", CountSeparationsRequest(by=[MONTH])),
            (
                APPEND,
                AppendEventsRequest(events=[event(Apprehended(person_ids=[one], agency=agency))]),
            ),
            (GET_PERSON, GetPersonRequest(person_id=strange)),
            ("CustodyQueryService/LocateRelatives", LocateRelativesRequest(person_id=one)),
        ]
    return cycle([*some[start:], *some[:start]])


def asking(guarded: Guarded, caller: Caller, actor_id: str, until: float) -> list[Told]:
    """Ask until a moment; what came of it, in order."""
    told: list[Told] = []
    for method, question in questions(caller.agency, int(actor_id.removeprefix("s-"))):
        if time.monotonic() > until:
            return told
        if isinstance(question, AppendEventsRequest):
            # In her own name, and without what she holds already: nothing is found about it.
            made = Event.FromString(question.events[0].SerializeToString())
            made.actor.agency, made.actor.actor_id = caller.agency, actor_id
            made.event_id = id_of(f"{actor_id} {len(told)}")
            question = AppendEventsRequest(events=[made])  # noqa: PLW2901
        answers: list[Any]
        reason = "OK"
        try:
            answer = caller.ask(method, question)
            answers = answer if isinstance(answer, list) else [answer]
        except LedgerError as refusal:
            answers, reason = [None], refusal.name
        came_us, size = now_us(), guarded.ledger.accesses.entries.size()
        told += [
            Told(
                method,
                question.SerializeToString(deterministic=True),
                one.SerializeToString(deterministic=True) if one else None,
                reason,
                came_us,
                size,
            )
            for one in answers
            if one is None or is_telling(one)
        ]
    return told


def entries(guarded: Guarded) -> list[RecordedAccess]:
    """The access log, past everybody."""
    log = guarded.ledger.accesses.entries
    return [
        RecordedAccess(position=one, entry=AccessEntry.FromString(log.at(one).data))
        for one in range(1, log.size() + 1)
    ]


def is_of(guarded: Guarded, recorded: RecordedAccess, told: Told) -> bool:
    """Whether an access entry is that of an answer, by its hashes, and was there before it."""
    access = recorded.entry.access
    digest = guarded.ledger.log.vault.digest
    hashes = [
        digest(access.person_ids, access.access_id, one) if one is not None else b""
        for one in (told.question, told.answer)
    ]
    return (
        [access.question_hmac, access.answer_hmac] == hashes
        and (access.method, access.reason) == (told.method, told.reason)
        and recorded.position <= told.size
        and recorded.entry.record_time.ToMicroseconds() <= told.came_us
    )


def test_every_answer_under_load_was_noted_before_it_left(on_each_store: Guarded) -> None:
    """Eight callers at once; every answer, every message of a stream and every refusal."""
    guarded = on_each_store
    callers = {
        f"s-{number}": guarded.person(("cbp", "orr")[number % 2], f"s-{number}")
        for number in range(8)
    }
    until = time.monotonic() + LOAD_S
    with ThreadPoolExecutor(len(callers)) as pool:
        told = dict(
            zip(
                callers,
                pool.map(lambda one: asking(guarded, one[1], one[0], until), callers.items()),
                strict=True,
            )
        )

    kept: dict[str, list[RecordedAccess]] = {actor_id: [] for actor_id in callers}
    for one in entries(guarded):
        kept[one.entry.access.actor_id].append(one)
    for actor_id, some in told.items():
        assert len(kept[actor_id]) == len(some) > 0
        for recorded, one in zip(kept[actor_id], some, strict=True):
            assert is_of(guarded, recorded, one), (actor_id, one.method, recorded)
    reasons = {one.reason for some in told.values() for one in some}
    assert reasons == {"OK", "SUBJECT_NOT_FOUND"}
    assert len({one.method for some in told.values() for one in some}) >= 7


def latest(guarded: Guarded) -> RecordedAccess:
    log = guarded.ledger.accesses.entries
    size = log.size()
    return RecordedAccess(position=size, entry=AccessEntry.FromString(log.at(size).data))


def test_an_entry_says_who_asked_what_about_whom_and_what_for(guarded: Guarded) -> None:
    person = guarded.person("cbp", "s-1", purpose="ACCESS_REQUEST")
    answer = person.ask(GET_PERSON, GetPersonRequest(person_id=id_of("CBP p1")))
    made = latest(guarded).entry
    assert made.format == 1
    access = made.access
    assert access == Access(
        access_id=access.access_id,
        agency="CBP",
        role=Role.ROLE_AGENCY_SUPERVISOR,
        actor_id="s-1",
        spiffe_id="spiffe://custody.example/agency/CBP",
        method=GET_PERSON,
        purpose_code="ACCESS_REQUEST",
        person_ids=[id_of("CBP p1")],
        as_of_time=answer.stamp.as_of_time,
        size=answer.stamp.size,
        question_hmac=access.question_hmac,
        answer_hmac=access.answer_hmac,
        reason="OK",
    )


def test_each_message_of_a_stream_is_noted_and_silence_is_not(guarded: Guarded) -> None:
    supervisor = guarded.caller("cbp-agency-supervisor")
    before = guarded.ledger.accesses.entries.size()
    messages = supervisor.ask("LedgerService/ReadEvents", ReadEventsRequest())
    assert len(messages) > 2
    assert guarded.ledger.accesses.entries.size() == before + len(messages)

    before = guarded.ledger.accesses.entries.size()
    told = supervisor.watch(WatchEventsRequest())
    assert len(told) > 2
    assert guarded.ledger.accesses.entries.size() == before + len(told)


def test_a_refusal_is_noted_with_its_reason(guarded: Guarded) -> None:
    supervisor = guarded.caller("cbp-agency-supervisor")
    strange = GetPersonRequest(person_id=id_of("ORR p1"))
    for method, question, reason in (
        (GET_PERSON, strange, "SUBJECT_NOT_FOUND"),
        (
            "LedgerService/GetEvent",
            GetEventRequest(event_id=id_of("ORR p1")),
            "EVENT_NOT_FOUND",
        ),
        ("LedgerService/ReadEvents", ReadEventsRequest(after_position=10**6), "SIZE_OUT_OF_RANGE"),
        ("CustodyQueryService/ListRoster", ListRosterRequest(agency="FBI"), "UNKNOWN_CODE"),
    ):
        before = guarded.ledger.accesses.entries.size()
        assert supervisor.refused(method, question).name == reason
        access = latest(guarded).entry.access
        assert guarded.ledger.accesses.entries.size() == before + 1
        assert (access.method, access.reason, access.answer_hmac) == (method, reason, b"")
    supervisor.refused(GET_PERSON, strange)
    assert list(latest(guarded).entry.access.person_ids) == [id_of("ORR p1")]
    # Who may not ask at all has been told of nobody.
    before = guarded.ledger.accesses.entries.size()
    assert guarded.caller("operator").refused(GET_PERSON, strange).name == "FORBIDDEN"
    unstated = guarded.caller("cbp-agency-supervisor", purpose="")
    assert unstated.refused(GET_PERSON, strange).name == "PURPOSE_REQUIRED"
    assert guarded.ledger.accesses.entries.size() == before


def found(caller: Caller, **asked: Any) -> list[RecordedAccess]:
    """All pages of accesses, three at a time."""
    request, some = ListAccessesRequest(page_size=3, **asked), []
    while True:
        page = caller.ask(LIST_ACCESSES, request)
        some += page.accesses
        assert len(page.accesses) <= 3
        if not page.has_more:
            return some
        request.after_position = page.accesses[-1].position


def test_a_person_can_be_told_who_looked_at_her_record_and_when(guarded: Guarded) -> None:
    one = id_of("CBP p2")
    moments = []
    for name, actor_id in (("cbp", "s-5"), ("cbp", "s-6"), ("cbp", "s-5"), ("orr", "s-5")):
        moments.append(now_us())
        caller = guarded.person(name, actor_id)
        with nullcontext() if name == "cbp" else pytest.raises(LedgerError):
            caller.ask(GET_PERSON, GetPersonRequest(person_id=one))
    auditor = guarded.caller("gao-auditor")

    def who(**asked: Any) -> list[tuple[str, str]]:
        some = [each.entry.access for each in found(auditor, person_id=one, **asked)]
        assert all(one in each.person_ids for each in some)
        return [(each.agency, each.actor_id) for each in some if each.method == GET_PERSON]

    def at(moment_us: int) -> Timestamp:
        made = Timestamp()
        made.FromMicroseconds(moment_us)
        return made

    everybody = [("CBP", "s-5"), ("CBP", "s-6"), ("CBP", "s-5"), ("ORR", "s-5")]
    assert who() == everybody
    assert who(agency="CBP") == everybody[:3]
    assert who(actor_id="s-5") == [everybody[0], *everybody[2:]]
    assert who(agency="ORR", actor_id="s-6") == []
    assert who(since_time=at(moments[1]), before_time=at(moments[3])) == everybody[1:3]
    # Whatever somebody looked at, whomever it was about; the auditor's own looks among them.
    by = found(auditor, agency="CBP", actor_id="s-6")
    assert {each.entry.access.actor_id for each in by} == {"s-6"}
    assert found(auditor, agency="GAO")


def test_a_supervisor_is_told_of_accesses_to_those_only_whom_she_may_see(guarded: Guarded) -> None:
    cbp, orr = (guarded.caller(f"{one}-agency-supervisor") for one in ("cbp", "orr"))
    for caller, agency in ((cbp, "CBP"), (orr, "ORR")):
        caller.ask(GET_PERSON, GetPersonRequest(person_id=id_of(f"{agency} p3")))
    investigator = guarded.caller("oig-investigator")
    for agency in ("CBP", "ORR"):
        investigator.ask("CustodyQueryService/ListRoster", ListRosterRequest(agency=agency))
    hers = {id_of(f"CBP {name}") for name in NAMES}

    told = found(cbp)
    assert {one.entry.access.agency for one in told} >= {"OIG", "CBP"}
    assert all(hers.issuperset(one.entry.access.person_ids) for one in told)
    assert found(cbp, person_id=id_of("CBP p3"))
    assert found(cbp, person_id=id_of("ORR p3")) == []
    assert found(orr, person_id=id_of("ORR p3"))
    everything = found(guarded.caller("gao-auditor"))
    assert len(everything) > len(told)


# The access log proves itself.


def checkpoint(caller: Caller) -> Checkpoint:
    request = GetCheckpointRequest(log=LOG_NAME_ACCESS)
    return caller.ask("AuditService/GetCheckpoint", request).checkpoint


def test_the_access_log_proves_that_it_only_grew_and_what_is_in_it(guarded: Guarded) -> None:
    witness, auditor = guarded.caller("court-witness"), guarded.caller("gao-auditor")
    auditor.ask(LIST_ACCESSES, ListAccessesRequest())
    before = checkpoint(witness)
    for _ in range(3):
        auditor.ask(LIST_ACCESSES, ListAccessesRequest())
    after = checkpoint(witness)
    assert after.size == before.size + 3
    request = GetConsistencyProofRequest(
        first_size=before.size, second_size=after.size, log=LOG_NAME_ACCESS
    )
    proof = witness.ask("AuditService/GetConsistencyProof", request)
    assert merkle.verify_consistency(
        before.size, after.size, before.root, after.root, proof.consistency_path
    )
    for position in (1, before.size, after.size):
        request = GetInclusionProofRequest(position=position, size=after.size, log=LOG_NAME_ACCESS)
        included = auditor.ask("AuditService/GetInclusionProof", request)
        leaf = merkle.leaf_hash(included.entry_bytes)
        path = included.inclusion_path
        assert merkle.verify_inclusion(position - 1, after.size, leaf, path, after.root)
        assert AccessEntry.FromString(included.entry_bytes).access.reason
        # What others looked at is for auditors alone.
        for name in ("cbp-agency-supervisor", "oig-investigator", "cbp-field-agent"):
            refusal = guarded.caller(name).refused("AuditService/GetInclusionProof", request)
            assert refusal.name == "EVENT_NOT_FOUND", name


def test_an_altered_access_is_found_where_it_stands(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Guarded(tmp_path, url) as guarded:
        guarded.tell(*held("p0", "CBP"))
        caller = guarded.person("cbp", "s-17")
        for _ in range(5):
            caller.ask(GET_PERSON, GetPersonRequest(person_id=id_of("CBP p0")))
        number = guarded.ledger.accesses.id
        kept = guarded.ledger.accesses.entries.at(3).data
    whole = examine(url, projections.load())
    assert whole.custody.ok
    assert whole.accesses is not None
    assert (whole.accesses.ok, whole.accesses.size) == (True, 5)

    for altered in (kept.replace(b"s-17", b"s-18"), kept[:-1], b""):
        assert altered != kept
        with closing(raw(url)) as connection:
            change = "UPDATE entry SET data = ? WHERE log = ? AND position = 3"
            connection.execute(change, (altered, number))
        found_out = examine(url, projections.load()).accesses
        assert found_out is not None
        assert not found_out.ok
        assert found_out.first_bad_position == 3
    with closing(raw(url)) as connection:
        connection.execute(
            "UPDATE entry SET data = ? WHERE log = ? AND position = 3", (kept, number)
        )
        connection.execute("DELETE FROM entry WHERE log = ? AND position = 5", (number,))
    cut = examine(url, projections.load()).accesses
    assert cut is not None
    assert not cut.ok


# If it cannot be written, nothing is answered.


@contextmanager
def filling_up(folder: Path) -> Iterator[tuple[Guarded, threading.Event]]:
    """A server whose access log is in a file of its own that can take hardly more; told when."""
    failed = threading.Event()
    with Guarded(
        folder,
        f"sqlite:///{folder / 'ledger.db'}",
        access_url=f"sqlite:///{folder / 'accesses.db'}",
        on_failure=failed.set,
    ) as guarded:
        people(guarded)
        engine = guarded.ledger._databases[-1].engine

        @sa.event.listens_for(engine, "checkout")
        def _(connection: Any, *_: Any) -> None:
            # As many pages as it has: SQLite then says "database or disk is full".
            connection.execute("PRAGMA max_page_count = 1").fetchall()

        yield guarded, failed


def test_nothing_is_answered_once_the_disk_of_the_access_log_is_full(tmp_path: Path) -> None:
    """Under load: every answer that came is in it, and after the first refusal none comes."""
    with filling_up(tmp_path) as (guarded, failed):
        callers = [guarded.person(("cbp", "orr")[n % 2], f"s-{n}") for n in range(6)]

        def ask(caller: Caller) -> list[int]:
            """How many messages each question was told; 0: none, as it could not be noted."""
            came: list[int] = []
            asked = (one for one in questions(caller.agency) if one[0] != APPEND)
            until = time.monotonic() + 20
            while came[-5:] != [0] * 5 and time.monotonic() < until:
                try:
                    answer = caller.ask(*next(asked))
                    came.append(len(answer) if isinstance(answer, list) else 1)
                except LedgerError as refusal:
                    # That somebody is not there tells something, too.
                    came.append({UNAVAILABLE: 0, "SUBJECT_NOT_FOUND": 1}[refusal.name])
            return came

        with ThreadPoolExecutor(len(callers)) as pool:
            came = list(pool.map(ask, callers))

        for some in came:
            assert some[-5:] == [0] * 5
            assert all(some[:-5]), "told something after it was refused"
        assert failed.wait(5)
        kept = entries(guarded)
        told = sum(map(sum, came))
        # A stream that broke off had noted messages that its caller did not count.
        assert told <= len(kept) <= told + 3 * len(callers)
        assert {one.entry.access.reason for one in kept} <= {"OK", "SUBJECT_NOT_FOUND"}
        # Nor is it told what is not there, nor anything in a stream.
        for method, question in (
            (GET_PERSON, GetPersonRequest(person_id=id_of("nobody"))),
            ("LedgerService/ReadEvents", ReadEventsRequest()),
        ):
            refusal = callers[0].refused(method, question)
            assert (refusal.name, refusal.violations) == (UNAVAILABLE, ())
        # However often it is asked: what is refused takes up nothing of a connection.
        for _ in range(6):
            refusal = callers[1].refused(GET_PERSON, GetPersonRequest(person_id=id_of("nobody")))
            assert refusal.name == UNAVAILABLE
        # What tells of nobody goes on.
        assert checkpoint(callers[0]).size == len(kept)


@pytest.mark.parametrize("body", every_kind(), ids=lambda body: body.DESCRIPTOR.name)
def test_whom_a_message_names_is_read_off_it_with_and_without_the_paths(body: Message) -> None:
    made = event(body)
    recorded = RecordedEvent(position=1, entry={"event": made})
    for message in (
        body,
        made,
        recorded,
        WatchEventsResponse(batch={"events": [recorded, recorded]}),
        GetEventResponse(event=recorded),
    ):
        assert mentions(message) == [name for _, name in named(message)]
