"""Appending over gRPC: what is kept, what a receipt says, what sending again does."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import grpc
import pytest
from conftest import STORES, ticking
from events import event, id_of, place
from google.type.date_pb2 import Date
from test_bad_input import FAILED_PRECONDITION, INVALID, NOT_FOUND, refusal_of, refused
from test_store import blocked

from ledger.append import Pending, append_events, begin, reads_the_log
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.read import get_event
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.v1.audit_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    GetInclusionProofRequest,
)
from ledger.v1.custody_pb2 import BookedIn, Released, TransferDeparted
from ledger.v1.event_pb2 import Actor, Event, Source
from ledger.v1.identity_pb2 import PersonRegistered, PersonsLinkedAsSame
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    EventFilter,
    GetEventRequest,
    Precondition,
    ReadEventsRequest,
    Receipt,
)
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.protection_pb2 import PersonalFieldsErased
from ledger.v1.separation_pb2 import Separated
from ledger.v1.time_pb2 import Precision, ValidTime

ALREADY_EXISTS = grpc.StatusCode.ALREADY_EXISTS
ABORTED = grpc.StatusCode.ABORTED


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    """One for the whole file: every test appends about people of its own."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('append') / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgres_of")(request.param).create_database()
    running = Server(Ledger(url), "127.0.0.1:0")
    yield running
    running.stop()


def registered(person_id: str | None = None, **envelope: Any) -> Event:
    return event(PersonRegistered(person_id=person_id or str(uuid4())), **envelope)


def retracted(event_id: str, **envelope: Any) -> Event:
    return event(Retracted(retracted_event_id=event_id, reason_text="not so"), **envelope)


def booked(person_id: str, name: str = "Station", **envelope: Any) -> Event:
    return event(BookedIn(person_id=person_id, agency="CBP", facility=place(name)), 2, **envelope)


def append(client: Client, *events: Event, **options: Any) -> AppendEventsResponse:
    return client.ledger.AppendEvents(AppendEventsRequest(events=events, **options))


def checkpoint(client: Client) -> Checkpoint:
    return client.audit.GetCheckpoint(GetCheckpointRequest()).checkpoint


def kept(client: Client, *subjects: str, types: Sequence[str] = ()) -> list[str]:
    """The ids of the events about all these subjects, in the order of the log."""
    wanted = EventFilter(items=[EventFilter.Item(types=types, subjects=subjects)])
    answers = client.ledger.ReadEvents(ReadEventsRequest(filter=wanted))
    return [one.entry.event.event_id for answer in answers for one in answer.events]


def anything(*subjects: str, types: Sequence[str] = (), after: int = 0) -> Precondition:
    """Nothing like this may have been recorded."""
    item = EventFilter.Item(types=types, subjects=subjects)
    return Precondition(no_events_match=EventFilter(items=[item]), after_position=after)


def places(receipts: Sequence[Receipt]) -> list[tuple[str, int, int, bytes]]:
    """What a receipt says for ever, whenever it is given."""
    return [
        (one.event_id, one.position, one.record_time.ToMicroseconds(), one.leaf_hash)
        for one in receipts
    ]


# Several under way.


def test_appends_begun_one_after_the_other_are_kept_as_in_turn(
    open_ledger: Callable[..., Ledger],
) -> None:
    """The same new person in each, with personal fields; one event sent twice meanwhile."""
    person_id, ledger = str(uuid4()), open_ledger()
    named = PersonRegistered(person_id=person_id, birth_date=Date(year=2010, month=2, day=3))
    batches = [[event(named)], [event(named), registered()], [booked(person_id)]]
    batches.append([batches[0][0]])

    under_way = [
        begin(ledger, AppendEventsRequest(events=one, without_findings=True)) for one in batches
    ]
    answers = [one.result(30) for one in under_way]

    positions = [one.position for answer in answers[:3] for one in answer.receipts]
    assert positions == list(range(positions[0], positions[0] + 4))
    assert [one.already_recorded for one in answers[3].receipts] == [True]
    assert places(answers[3].receipts) == places(answers[0].receipts)
    assert not any(one.findings_sought for one in answers)
    again = append_events(ledger, AppendEventsRequest(events=batches[1]), 30)
    assert all(one.already_recorded for one in again.receipts)
    read = get_event(ledger, GetEventRequest(event_id=batches[0][0].event_id))
    assert read.event.entry.event == batches[0][0]


def test_what_depends_on_earlier_events_is_known_before_it_is_begun() -> None:
    first = registered()
    plain = [first, booked(first.person_registered.person_id)]
    assert not reads_the_log(AppendEventsRequest(events=plain))
    for events, options in (
        ([retracted(first.event_id)], {}),
        ([registered(corrects_event_id=first.event_id)], {}),
        ([event(PersonalFieldsErased(person_id=str(uuid4())))], {}),
        ([event(PersonsLinkedAsSame(person_ids=[str(uuid4()), str(uuid4())]))], {}),
        (plain, {"validate_only": True}),
        (plain, {"preconditions": [anything("person:x")]}),
    ):
        assert reads_the_log(AppendEventsRequest(events=events, **options))


# Receipts.


def test_a_receipt_says_where_and_when_an_event_was_kept(client: Client) -> None:
    before, events = checkpoint(client), [registered() for _ in range(3)]
    began = datetime.now(UTC)

    receipts = append(client, *events).receipts

    ended = datetime.now(UTC)
    assert [one.event_id for one in receipts] == [one.event_id for one in events]
    assert [one.position - before.size for one in receipts] == [1, 2, 3]
    assert not any(one.already_recorded for one in receipts)
    # One instant for the events of one append.
    assert len({one.record_time.ToMicroseconds() for one in receipts}) == 1
    recorded = receipts[0].record_time.ToDatetime(UTC)
    assert began - timedelta(milliseconds=1) <= recorded <= ended + timedelta(milliseconds=1)


def test_what_is_kept_is_what_was_sent_and_what_was_hashed(client: Client) -> None:
    sent = event(
        Separated(
            child_id=id_of("child"),
            adult_ids=[id_of("mother"), id_of("father")],
            reason_codes=["ZERO_TOLERANCE"],
            reason_text="prosecution",
            agency="CBP",
        ),
        correlation_id=id_of("incident"),
        causation_id=id_of("cause"),
    )
    receipt = append(client, sent).receipts[0]

    found = client.ledger.GetEvent(GetEventRequest(event_id=sent.event_id))

    assert found.event.entry.event == sent
    assert found.event.position == receipt.position
    assert found.event.entry.record_time == receipt.record_time
    assert sha256(b"\0" + found.entry_bytes).digest() == receipt.leaf_hash
    # The bytes hold everything but what is personal, and a commitment to that.
    assert b"prosecution" not in found.entry_bytes
    kept = type(found.event.entry).FromString(found.entry_bytes)
    assert [one.field for one in kept.commitments] == ["separated.reason_text"]
    kept.event.separated.reason_text = "prosecution"
    assert kept == found.event.entry
    (opening,) = found.openings
    told = b"\0".join((b"custody/commit/v1", opening.field.encode(), opening.salt + b"prosecution"))
    assert sha256(told).digest() == kept.commitments[0].hash


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, of leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def path_of(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path_of(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*path_of(index - split, leaves[split:]), tree_hash(leaves[:split])]


def leaves_of(client: Client, size: int) -> list[bytes]:
    """The leaf hash of every entry, from its bytes."""
    return [
        sha256(
            b"\0"
            + client.audit.GetInclusionProof(
                GetInclusionProofRequest(position=position)
            ).entry_bytes
        ).digest()
        for position in range(1, size + 1)
    ]


def test_a_proof_leads_from_the_receipt_to_the_root(client: Client) -> None:
    answer = append(client, *[registered() for _ in range(5)], prove=True)

    leaves = leaves_of(client, answer.stamp.size)
    assert answer.stamp.root == tree_hash(leaves)
    for receipt in answer.receipts:
        assert receipt.leaf_hash == leaves[receipt.position - 1]
        assert list(receipt.inclusion_path) == path_of(receipt.position - 1, leaves)


def test_the_stamp_is_that_of_the_log_after_the_append(client: Client) -> None:
    answer = append(client, registered(), registered())

    assert answer.stamp.size == answer.receipts[-1].position
    assert answer.stamp.root == checkpoint(client).root
    assert answer.stamp.known_at_time == answer.receipts[-1].record_time
    assert answer.receipts[0].inclusion_path == []


def test_a_later_append_has_a_later_record_time(client: Client) -> None:
    times = [append(client, registered()).receipts[0].record_time for _ in range(10)]
    micros = [time.ToMicroseconds() for time in times]
    assert micros == sorted(set(micros))


@pytest.mark.parametrize("step_us", [0, -3_600_000_000], ids=["stands", "goes back"])
def test_record_time_rises_when_the_clock_does_not(step_us: int, open_ledger: Any) -> None:
    ledger = open_ledger(clock=ticking(step_us=step_us))
    requests = [AppendEventsRequest(events=[registered(), registered()]) for _ in range(5)]
    answers = [append_events(ledger, request, 10) for request in requests]
    micros = [answer.receipts[0].record_time.ToMicroseconds() for answer in answers]
    assert micros == sorted(set(micros))


# Sending again.


def test_a_retry_returns_the_first_receipt(client: Client) -> None:
    events = [registered(), booked(str(uuid4())), registered()]
    first = append(client, *events)
    after = checkpoint(client)

    again = append(client, *events)

    assert places(again.receipts) == places(first.receipts)
    assert all(one.already_recorded for one in again.receipts)
    assert checkpoint(client) == after


def test_a_retry_is_proven_to_the_root_as_it_is_by_then(client: Client) -> None:
    sent = registered()
    append(client, sent)
    append(client, registered(), registered())

    again = append(client, sent, prove=True)

    leaves = leaves_of(client, again.stamp.size)
    assert list(again.receipts[0].inclusion_path) == path_of(again.receipts[0].position - 1, leaves)


def test_what_is_new_among_what_is_known_is_appended(client: Client) -> None:
    known, new = [registered(), registered()], [registered(), registered()]
    first = append(client, *known)

    mixed = append(client, new[0], known[1], new[1], known[0])

    assert [one.already_recorded for one in mixed.receipts] == [False, True, False, True]
    assert [one.position - first.stamp.size for one in mixed.receipts] == [1, 0, 2, -1]
    assert mixed.stamp.size == first.stamp.size + 2


def test_the_same_event_twice_in_one_append_is_kept_once(client: Client) -> None:
    before, sent = checkpoint(client), registered()

    first, second = append(client, sent, sent).receipts

    assert (first.already_recorded, second.already_recorded) == (False, True)
    assert places([first]) == places([second])
    assert checkpoint(client).size == before.size + 1


def test_a_retry_may_come_in_other_batches(client: Client) -> None:
    events = [registered() for _ in range(4)]
    first = places(append(client, *events).receipts)
    again = [places(append(client, one).receipts)[0] for one in reversed(events)]
    assert again == first[::-1]


def test_the_same_content_encoded_otherwise_is_the_same_event(
    server: Server, client: Client
) -> None:
    """Protobuf has no one encoding: a client in another language may order fields otherwise."""
    sent = registered(correlation_id=str(uuid4()))
    first = append(client, sent)
    parts = [
        type(sent)(**{field.name: value}).SerializeToString() for field, value in sent.ListFields()
    ]
    backwards = b"".join(reversed(parts))
    assert backwards != sent.SerializeToString()
    request = b"\x0a" + bytes([len(backwards) & 0x7F | 0x80, len(backwards) >> 7]) + backwards

    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(
            "/ledger.v1.LedgerService/AppendEvents",
            response_deserializer=AppendEventsResponse.FromString,
        )
        again = call(request, timeout=20)

    assert places(again.receipts) == places(first.receipts)
    assert again.receipts[0].already_recorded


CHANGES = {
    "valid time": {"valid_time": ValidTime(time=datetime(2018, 5, 2, tzinfo=UTC))},
    "precision": {"valid_time": ValidTime(precision=Precision.PRECISION_MINUTE)},
    "zone": {"valid_time": ValidTime(zone="Etc/UTC")},
    "source": {"source": Source(system="another")},
    "record reference": {"source": Source(record_reference="17")},
    "line": {"source": Source(line=17)},
    "actor": {"actor": Actor(agency="ICE")},
    "officer": {"actor": Actor(actor_id="17")},
    "correlation": {"correlation_id": id_of("other incident")},
    "causation": {"causation_id": id_of("other cause")},
    "content": {"person_registered": PersonRegistered(stated_age_years=0)},
    "person": {"person_registered": PersonRegistered(person_id=id_of("another"))},
    "kind": {"placed": {"child_id": id_of("c"), "agency": "ORR", "facility": {"name": "x"}}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_event_id_with_other_content_is_refused(change: str, client: Client) -> None:
    sent = registered()
    append(client, sent)
    other = Event()
    other.CopyFrom(sent)
    other.MergeFrom(Event(**CHANGES[change]))
    before = checkpoint(client)

    with refused(ALREADY_EXISTS, "EVENT_ID_TAKEN", "events[1].event_id"):
        append(client, registered(), other)

    assert checkpoint(client) == before


# All or none.


def test_of_a_batch_with_one_bad_event_nothing_is_kept(client: Client) -> None:
    known = registered()
    append(client, known)
    for bad in (
        registered(agency="NO_SUCH_AGENCY"),
        registered(event_id="no id"),
        registered(on=1.5),
        retracted(str(uuid4())),
        registered(event_id=known.event_id),
    ):
        before, good = checkpoint(client), [registered() for _ in range(4)]

        with pytest.raises(grpc.RpcError):
            append(client, *good[:2], bad, *good[2:])

        assert checkpoint(client) == before
        for one in good:
            with refused(NOT_FOUND, "EVENT_NOT_FOUND", "event_id"):
                client.ledger.GetEvent(GetEventRequest(event_id=one.event_id))


def test_a_refused_event_may_be_mended_and_sent_under_the_same_id(client: Client) -> None:
    sent = registered(agency="NO_SUCH_AGENCY")
    with pytest.raises(grpc.RpcError):
        append(client, sent)
    sent.actor.agency = "ICE"
    assert not append(client, sent).receipts[0].already_recorded


def test_every_fault_of_a_batch_is_named(client: Client) -> None:
    with refused(
        INVALID,
        "UNKNOWN_CODE",
        "events[0].actor.agency",
        "events[2].valid_time.time",
        "events[3].released.sponsor_id",
    ):
        one = str(uuid4())
        append(
            client,
            registered(agency="NO_SUCH_AGENCY"),
            registered(),
            registered(on=1.5),
            event(Released(person_id=one, agency="ORR", reason_code="AGED_OUT", sponsor_id=one)),
        )


def test_clocks_may_differ_by_five_minutes(open_ledger: Any) -> None:
    now_us = 1_600_000_000_000_000
    ledger = open_ledger(clock=lambda: now_us)

    def at(us: int) -> AppendEventsRequest:
        instant = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)
        sent = registered(on=instant, precision=Precision.PRECISION_INSTANT)
        return AppendEventsRequest(events=[sent])

    assert append_events(ledger, at(now_us + 300_000_000), 10).receipts[0].position == 1
    with pytest.raises(LedgerError, match="later than now"):
        append_events(ledger, at(now_us + 300_000_001), 10)


# What must not have happened.


def test_a_precondition_holds_while_nothing_matches(client: Client) -> None:
    person, size = str(uuid4()), checkpoint(client).size
    conditions = [
        anything(f"person:{person}"),
        anything(f"person:{person}", types=["Released"]),
        anything(after=size),
    ]
    assert append(client, registered(), preconditions=conditions).stamp.size == size + 1


def test_a_precondition_is_about_what_came_after_a_position(client: Client) -> None:
    person = str(uuid4())
    seen = append(client, registered(person)).stamp.size
    looked_at = anything(f"person:{person}", after=seen)
    assert append(client, registered(), preconditions=[looked_at]).receipts

    append(client, booked(person))

    with refused(ABORTED, "PRECONDITION_FAILED", "preconditions[0].no_events_match"):
        append(client, registered(), preconditions=[looked_at])


def test_a_precondition_asks_for_all_of_an_item_and_any_of_the_items(client: Client) -> None:
    mother, child = str(uuid4()), str(uuid4())
    separated = event(
        Separated(child_id=child, adult_ids=[mother], agency="CBP", reason_codes=["ZERO_TOLERANCE"])
    )
    append(client, registered(mother), registered(child), separated)
    both = EventFilter.Item(types=["Separated"], subjects=[f"person:{mother}", f"person:{child}"])
    neither = EventFilter.Item(types=["Reunified"], subjects=[f"person:{child}"])
    of_kinds = EventFilter.Item(types=["Released", "Separated"], subjects=[f"person:{child}"])
    half = EventFilter.Item(subjects=[f"person:{child}", f"person:{uuid4()}"])
    wanted = [
        ([both], False),
        ([neither], True),
        ([half], True),
        ([of_kinds], False),
        ([neither, both], False),
        ([neither, half], True),
    ]
    for items, holds in wanted:
        condition = Precondition(no_events_match=EventFilter(items=items))
        if holds:
            append(client, registered(), preconditions=[condition])
        else:
            with refused(ABORTED, "PRECONDITION_FAILED", "preconditions[0].no_events_match"):
                append(client, registered(), preconditions=[condition])


def test_a_precondition_does_not_see_its_own_events(client: Client) -> None:
    person = str(uuid4())
    answer = append(
        client, registered(person), registered(person), preconditions=[anything(f"person:{person}")]
    )
    assert len(answer.receipts) == 2


def test_sending_again_is_not_stopped_by_its_own_precondition(client: Client) -> None:
    person = str(uuid4())
    sent, condition = registered(person), anything(f"person:{person}")
    first = append(client, sent, preconditions=[condition])

    again = append(client, sent, preconditions=[condition])

    assert places(again.receipts) == places(first.receipts)


def test_of_many_who_looked_at_the_same_log_one_appends(server: Server, client: Client) -> None:
    person = str(uuid4())
    size = append(client, registered(person)).stamp.size
    start = threading.Barrier(8)

    def try_to_book(name: str) -> str:
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/ledger.v1.LedgerService/AppendEvents")
            request = AppendEventsRequest(
                events=[booked(person, name)],
                preconditions=[anything(f"person:{person}", after=size)],
            )
            start.wait(20)
            try:
                call(request.SerializeToString(), timeout=20)
            except grpc.RpcError as error:
                return refusal_of(error).reason
            return "kept"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(try_to_book, map(str, range(8))))

    assert sorted(outcomes) == ["PRECONDITION_FAILED"] * 7 + ["kept"]
    assert len(kept(client, f"person:{person}")) == 2


def test_of_many_who_send_the_same_batch_one_appends_and_all_have_its_receipts(
    server: Server, client: Client
) -> None:
    person, before = str(uuid4()), checkpoint(client)
    request = AppendEventsRequest(events=[registered(person), booked(person), booked(person, "B")])
    start = threading.Barrier(8)

    def send(_: int) -> AppendEventsResponse:
        with Client(server.address) as own:
            start.wait(20)
            return own.ledger.AppendEvents(request)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))

    assert len({str(places(answer.receipts)) for answer in answers}) == 1
    fresh = [answer for answer in answers if not answer.receipts[0].already_recorded]
    assert len(fresh) == 1
    assert checkpoint(client).size == before.size + 3


# A dry run.


def test_a_dry_run_writes_nothing_and_promises_no_place(client: Client) -> None:
    before, events = checkpoint(client), [registered(), registered()]

    answer = append(client, *events, validate_only=True, prove=True)

    assert checkpoint(client) == before
    assert [one.event_id for one in answer.receipts] == [one.event_id for one in events]
    for receipt in answer.receipts:
        assert receipt.position == 0
        assert not receipt.HasField("record_time")
        assert not receipt.already_recorded
        assert receipt.inclusion_path == []
    assert (answer.stamp.size, answer.stamp.root) == (before.size, before.root)
    assert not append(client, *events).receipts[0].already_recorded


def test_a_dry_run_in_the_transaction_of_an_append_does_not_get_its_place(
    open_ledger: Any, database_url: str
) -> None:
    ledger, one = open_ledger(), registered()

    def begun(*events: Event, **options: Any) -> Pending:
        options |= {"events": events, "without_findings": True}
        return begin(ledger, AppendEventsRequest(**options))

    with blocked(database_url) as block:
        first = begun(registered())
        assert block.reached.wait(20)
        dry = begun(one, one, validate_only=True, prove=True)
        others = begun(registered(), registered())
        block.release()
    assert first.result(20).receipts[0].position == 1
    assert [each.position for each in others.result(20).receipts] == [2, 3]
    answer = dry.result(20)
    assert answer.stamp.size == 3
    for receipt in answer.receipts:
        assert receipt.position == 0
        assert not receipt.HasField("record_time")
        assert receipt.inclusion_path == []


def test_a_dry_run_finds_what_is_there(client: Client) -> None:
    known = registered()
    first = append(client, known).receipts

    answer = append(client, registered(), known, validate_only=True)

    assert not answer.receipts[0].already_recorded
    assert places(answer.receipts[1:]) == places(first)
    assert answer.receipts[1].already_recorded


def test_a_dry_run_refuses_as_the_append_would(client: Client) -> None:
    known = registered()
    append(client, known)
    with refused(ALREADY_EXISTS, "EVENT_ID_TAKEN", "events[0].event_id"):
        append(client, registered(event_id=known.event_id), validate_only=True)
    with refused(ABORTED, "PRECONDITION_FAILED", "preconditions[0].no_events_match"):
        append(client, registered(), preconditions=[anything()], validate_only=True)
    with refused(INVALID, "UNKNOWN_CODE", "events[0].actor.agency"):
        append(client, registered(agency="NO_SUCH_AGENCY"), validate_only=True)
    with refused(
        FAILED_PRECONDITION, "CORRECTION_WITHOUT_RETRACTION", "events[0].corrects_event_id"
    ):
        append(client, registered(corrects_event_id=known.event_id), validate_only=True)


# Corrections.


def test_a_correction_is_a_retraction_and_a_new_event_in_one_append(client: Client) -> None:
    person, other = str(uuid4()), str(uuid4())
    wrong = event(
        TransferDeparted(transfer_id=other, person_ids=[person], from_agency="CBP", to_agency="ORR")
    )
    append(client, wrong)
    voided = retracted(wrong.event_id)
    right = booked(person, corrects_event_id=wrong.event_id)

    append(client, voided, right)

    # A retraction is about everyone whom the retracted event is about; the correction about its own.
    ids = [wrong.event_id, voided.event_id, right.event_id]
    assert kept(client, f"person:{person}") == ids
    assert kept(client, f"transfer:{other}") == ids[:2]


def test_the_correction_may_come_before_its_retraction_in_the_batch(client: Client) -> None:
    wrong = registered()
    append(client, wrong)
    answer = append(
        client, booked(str(uuid4()), corrects_event_id=wrong.event_id), retracted(wrong.event_id)
    )
    assert len(answer.receipts) == 2


def test_the_correction_may_come_in_a_later_append(client: Client) -> None:
    wrong, bystander = registered(), registered()
    append(client, wrong, bystander, retracted(wrong.event_id))

    append(client, registered(corrects_event_id=wrong.event_id))

    with refused(
        FAILED_PRECONDITION, "CORRECTION_WITHOUT_RETRACTION", "events[0].corrects_event_id"
    ):
        append(client, registered(corrects_event_id=bystander.event_id))


def test_an_event_may_be_retracted_in_the_append_that_asserts_it(client: Client) -> None:
    person = str(uuid4())
    wrong = registered(person)
    voided = retracted(wrong.event_id)
    append(client, wrong, voided)
    assert kept(client, f"person:{person}") == [wrong.event_id, voided.event_id]


def test_two_sources_may_retract_the_same_event(client: Client) -> None:
    person = str(uuid4())
    wrong = registered(person)
    append(client, wrong)
    voids = [retracted(wrong.event_id), retracted(wrong.event_id, agency="ICE")]
    for one in voids:
        append(client, one)
    assert kept(client, f"person:{person}", types=["Retracted"]) == [v.event_id for v in voids]


def test_a_retraction_of_a_retraction_is_refused_in_the_same_append_too(client: Client) -> None:
    wrong = registered()
    voided = retracted(wrong.event_id)
    with refused(
        FAILED_PRECONDITION,
        "RETRACTION_OF_RETRACTION",
        "events[2].retracted.retracted_event_id",
    ):
        append(client, wrong, voided, retracted(voided.event_id))


def test_a_correction_sent_again_returns_the_first_receipts(client: Client) -> None:
    wrong = registered()
    append(client, wrong)
    events = [retracted(wrong.event_id), registered(corrects_event_id=wrong.event_id)]
    first = append(client, *events)

    assert places(append(client, *events).receipts) == places(first.receipts)


def test_a_retracted_event_sent_again_returns_its_first_receipt(client: Client) -> None:
    """It is retracted, not forgotten: a late retry must not bring it back."""
    sent = registered()
    first = append(client, sent)
    append(client, retracted(sent.event_id))
    before = checkpoint(client)

    again = append(client, sent)

    assert places(again.receipts) == places(first.receipts)
    assert checkpoint(client) == before


def test_five_hundred_events_go_in_one_append(client: Client) -> None:
    events = [registered() for _ in range(500)]
    receipts = append(client, *events).receipts
    assert [one.event_id for one in receipts] == [one.event_id for one in events]
