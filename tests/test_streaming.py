"""Streams of batches: whole or not at all, in order, within a credit, and again without harm."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import grpc
import pytest
from commands import ledger_here
from events import event
from google.protobuf.json_format import MessageToDict
from google.type.date_pb2 import Date
from guarded import Guarded
from structlog.testing import capture_logs
from test_append import registered, retracted
from test_bad_input import RefusedBatch, refusal_of
from test_store import blocked
from test_watch import stopping

from ledger import merkle, streaming
from ledger.cli import append
from ledger.errors import LedgerError
from ledger.keys.certificates import not_accepted
from ledger.ledger import Ledger
from ledger.rpc import batches, calls
from ledger.rpc.call import Call
from ledger.rpc.client import Client
from ledger.rpc.pump import ATTEMPTS_MAX, Pump
from ledger.rpc.server import Server
from ledger.rpc.status import received
from ledger.streaming import BATCHES_MAX
from ledger.v1.access_pb2 import AccessEntry
from ledger.v1.event_pb2 import Event
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    AppendEventBatchesResponse,
    AppendEventsRequest,
    EventFilter,
    GetEventRequest,
    Precondition,
    ReadEventsRequest,
)
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.v1.protection_pb2 import PersonalFieldsErased


def batch(size: int, **options: Any) -> AppendEventBatchesRequest:
    """Registrations of so many new people."""
    return of(*(registered() for _ in range(size)), **options)


def of(*events: Event, **options: Any) -> AppendEventBatchesRequest:
    return AppendEventBatchesRequest(events=events, **options)


def born(person_id: str) -> Event:
    """A registration with something personal in it."""
    return event(PersonRegistered(person_id=person_id, birth_date=Date(year=2011, month=2, day=3)))


class Sending:
    """A stream that sends what it is told to, whatever its credit is."""

    def __init__(self, stub: LedgerServiceStub, **options: Any) -> None:
        self._sent: SimpleQueue[AppendEventBatchesRequest | None] = SimpleQueue()
        self.answers: Any = stub.AppendEventBatches(iter(self._sent.get, None), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.finish()
        self.answers.cancel()

    def send(self, *some: AppendEventBatchesRequest) -> None:
        for one in some:
            self._sent.put(one)

    def finish(self) -> None:
        """Send no more."""
        self._sent.put(None)

    def next(self) -> AppendEventBatchesResponse:
        return next(self.answers)

    def rest(self) -> tuple[list[AppendEventBatchesResponse], str]:
        """The answers to come, and why the stream ended; "OK"."""
        found: list[AppendEventBatchesResponse] = []
        try:
            found.extend(self.answers)
        except grpc.RpcError as error:
            return found, received(error).name
        return found, "OK"


def told(answers: Sequence[AppendEventBatchesResponse]) -> list[int | str]:
    """Of each answer the number of events that were appended, or the reason of its refusal."""
    return [
        refusal_of(RefusedBatch(one.refusal)).reason
        if one.HasField("refusal")
        else len(one.receipt.leaf_hashes)
        for one in answers
    ]


def wait_for_waiting(server: Server, number: int) -> None:
    """Wait until so many appends wait behind the one that is being written."""
    until = time.monotonic() + 20
    while len(server._ledger.writer._waiting) < number:
        assert time.monotonic() < until
        time.sleep(0.01)


def log_of(client: Client) -> list[Event]:
    answers = client.ledger.ReadEvents(ReadEventsRequest())
    return [one.entry.event for answer in answers for one in answer.events]


def anything_at_all() -> Precondition:
    return Precondition(no_events_match=EventFilter())


# Batches and receipts.


def test_batches_are_kept_in_their_order_and_receipts_prove_them(client: Client) -> None:
    some = [batch(1), batch(120), batch(7), batch(40)]

    outcomes = list(client.append_batches(some))

    assert [one.batch for one in outcomes] == some
    assert log_of(client) == [one for each in some for one in each.events]
    size = 0
    for one, receipt in zip(some, (each.receipt for each in outcomes), strict=True):
        assert receipt.first_position == size + 1
        assert not receipt.already_recorded
        assert not receipt.findings_sought
        size += len(one.events)
        assert receipt.stamp.size >= size
        for sent, leaf_hash in zip(one.events, receipt.leaf_hashes, strict=True):
            kept = client.ledger.GetEvent(GetEventRequest(event_id=sent.event_id))
            assert merkle.leaf_hash(kept.entry_bytes) == leaf_hash
            assert kept.event.entry.record_time == receipt.record_time


def test_a_batch_sent_again_gets_its_first_receipts(client: Client) -> None:
    first, new = batch(3), registered()
    (kept,) = client.append_batches([first])

    again, mixed, twice = client.append_batches(
        [first, of(first.events[1], new), of(born(str(uuid4())), *[event_ := registered(), event_])]
    )

    assert again.receipt.first_position == 0
    assert not again.receipt.HasField("record_time")
    assert [one.position for one in again.receipt.already_recorded] == [1, 2, 3]
    there = again.receipt.already_recorded
    assert [one.leaf_hash for one in there] == list(kept.receipt.leaf_hashes)
    assert {one.record_time.ToMicroseconds() for one in there} == {
        kept.receipt.record_time.ToMicroseconds()
    }
    assert mixed.receipt.first_position == 4
    assert [one.event_id for one in mixed.receipt.already_recorded] == [first.events[1].event_id]
    # The same event twice in one batch is kept once.
    assert (twice.receipt.first_position, len(twice.receipt.leaf_hashes)) == (5, 2)
    assert [one.position for one in twice.receipt.already_recorded] == [6]


def test_a_batch_that_is_refused_ends_nothing_and_nothing_of_it_is_kept(client: Client) -> None:
    wrong, taken = batch(5), batch(2)
    wrong.events[3].valid_time.zone = "Utopia"
    first = batch(2)
    taken.events[1].event_id = first.events[0].event_id
    some = [first, wrong, taken, batch(1, preconditions=[anything_at_all()]), batch(4)]

    outcomes = list(client.append_batches(some))

    assert [one.refusal and one.refusal.name for one in outcomes] == [
        None, "UNKNOWN_ZONE", "EVENT_ID_TAKEN", "PRECONDITION_FAILED", None,
    ]  # fmt: skip
    assert outcomes[1].refusal.violations[0].field == "events[3].valid_time.zone"
    assert log_of(client) == [*first.events, *some[4].events]


def test_what_depends_on_a_batch_that_is_under_way_waits_for_it(client: Client) -> None:
    """A retraction, and what corrects it; all sent at once."""
    first, never = registered(), registered()
    void = retracted(first.event_id)
    mended = registered(corrects_event_id=first.event_id)

    with Sending(client.ledger, timeout=30) as sending:
        sending.send(of(first), of(mended), of(void), of(mended), of(retracted(never.event_id)))
        sending.send(of(retracted(void.event_id)), batch(1))
        sending.finish()
        answers, why = sending.rest()

    assert why == "OK"
    assert told(answers) == [
        0, 1, "CORRECTION_WITHOUT_RETRACTION", 1, 1,
        "EVENT_NOT_FOUND", "RETRACTION_OF_RETRACTION", 1,
    ]  # fmt: skip


def test_of_a_call_there_is_one_line_with_what_it_came_to(client: Client) -> None:
    with capture_logs() as logged:
        list(client.append_batches([batch(3), batch(1, preconditions=[anything_at_all()])]))
        # The line is written after the answer.
        until = time.monotonic() + 10
        while not logged and time.monotonic() < until:
            time.sleep(0.01)

    (line,) = logged
    assert (line["method"], line["reason"]) == ("LedgerService/AppendEventBatches", "OK")
    assert (line["batches"], line["events"], line["refused"]) == (2, 3, 1)


# Credit.


def test_who_sends_beyond_the_credit_is_answered_so_far_and_no_further(
    server: Server, client: Client, database_url: str
) -> None:
    some = [batch(2) for _ in range(BATCHES_MAX + 3)]
    with Sending(client.ledger, timeout=60) as sending:
        assert sending.next().credit.batches == BATCHES_MAX
        with blocked(database_url) as block:
            sending.send(*some)
            assert block.reached.wait(20)
            # Nothing is given back meanwhile: the writer waits.
            wait_for_waiting(server, BATCHES_MAX - 1)
            time.sleep(0.2)
            block.release()
        answers, why = sending.rest()

    assert why == "CREDIT_EXCEEDED"
    assert told(answers) == [2] * BATCHES_MAX
    assert log_of(client) == [one for each in some[:BATCHES_MAX] for one in each.events]


def test_bytes_are_within_the_credit_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    one = batch(20)
    monkeypatch.setattr(streaming, "BYTES_MAX", one.ByteSize() + 10)
    with Sending(client.ledger, timeout=30) as sending:
        assert sending.next().credit.bytes == one.ByteSize() + 10
        sending.send(batch(30))
        assert sending.rest() == ([], "CREDIT_EXCEEDED")
    assert log_of(client) == []

    # A pump waits for room; for what never has any, it does not.
    some = [batch(20) for _ in range(5)]
    assert [each.batch for each in client.append_batches(some)] == some
    with pytest.raises(LedgerError) as refused:
        list(client.append_batches([batch(1), batch(30)]))
    assert refused.value.name == "TOO_LARGE"
    assert len(log_of(client)) == 101


# Streams that break off.


def test_a_stream_that_is_cut_leaves_whole_batches_and_is_sent_again_without_harm(
    client: Client,
) -> None:
    some = [batch(size) for size in (1, 30, 2, 17, 5, 40, 3, 8, 21, 9)]
    for kept in range(1, 4):
        with Sending(client.ledger, timeout=30) as sending:
            sending.send(*some[: kept + 4])
            for _ in range(kept):
                sending.next()

    def whole() -> Iterator[int]:
        found = [one.event_id for one in log_of(client)]
        for one in some:
            ids = [each.event_id for each in one.events]
            yield sum(each in found for each in ids) in (0, len(ids))

    assert all(whole())
    outcomes = list(client.append_batches(some))
    assert not any(one.refusal for one in outcomes)
    found = [one.event_id for one in log_of(client)]
    assert sorted(found) == sorted(one.event_id for each in some for one in each.events)


def test_a_deadline_ends_a_stream_and_not_what_is_under_way(
    server: Server, client: Client, database_url: str
) -> None:
    one = batch(3)
    with blocked(database_url) as block:
        with Sending(client.ledger, timeout=1) as sending:
            sending.next()
            sending.send(one)
            assert block.reached.wait(20)
            assert sending.rest() == ([], "DEADLINE_PASSED")
        block.release()
    (again,) = client.append_batches([one])
    assert len(again.receipt.already_recorded) == 3
    assert server._ledger.log.entries.size() == 3


def test_a_stop_answers_what_is_under_way_and_names_why_the_rest_is_not(
    server: Server, client: Client, database_url: str
) -> None:
    some = [batch(2), batch(3)]
    with Sending(client.ledger, timeout=60) as sending:
        sending.next()
        with blocked(database_url) as block:
            sending.send(*some)
            assert block.reached.wait(20)
            wait_for_waiting(server, 1)
            with stopping(server):
                sending.send(batch(4))
                block.release()
                answers, why = sending.rest()

    assert why == "STOPPING"
    assert told(answers)[:2] == [2, 3]
    with closing(Ledger(database_url)) as ledger:
        # What came after the stop was seen is not begun; before that, it is answered.
        assert ledger.log.entries.size() == sum(told(answers))


def test_a_stream_that_is_silent_or_old_ends_and_the_pump_begins_another(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "LOOK_S", 0.05)
    some = [batch(1) for _ in range(4)]

    def slowly() -> Iterator[AppendEventBatchesRequest]:
        for one in some:
            yield one
            time.sleep(0.4)

    with Client(sqlite_server.address) as client:
        for limit, module, why in (
            ("IDLE_S", batches, "REQUEST_TOO_SLOW"),
            ("STREAM_AGE_S", calls, "STOPPING"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(module, limit, 0.2)
                with Sending(client.ledger, timeout=30) as sending:
                    assert sending.rest()[1] == why
                assert [one.batch for one in client.append_batches(slowly())] == some
        assert len(log_of(client)) == len(some)


def test_the_pump_sends_again_what_was_not_answered() -> None:
    """And gives up where nothing is answered as often as it may."""
    opened = count()

    class Broken(grpc.RpcError):
        def trailing_metadata(self) -> Any:
            return ()

        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.UNAVAILABLE

        def details(self) -> str:
            return "gone"

    class Answers:
        """The first answers one batch a stream, and breaks; the later ones break."""

        def __init__(self, requests: Iterator[AppendEventBatchesRequest]) -> None:
            self._number, self._requests, self._told = next(opened), requests, 0

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> AppendEventBatchesResponse:
            self._told += 1
            answer = AppendEventBatchesResponse()
            answer.credit.batches, answer.credit.bytes = 3, 10_000
            if self._told == 1 and self._number < 2:
                return answer
            if self._told == 2 and self._number < 2:
                seen.append([next(self._requests) for _ in range(3)])
                answer.receipt.first_position = self._number + 1
                return answer
            raise Broken

        def cancel(self) -> None:
            pass

    seen: list[list[AppendEventBatchesRequest]] = []
    some = [batch(1) for _ in range(7)]
    outcomes, pump = [], Pump(Answers, some)
    with pytest.raises(LedgerError) as refused:
        outcomes.extend(pump.outcomes())
    assert refused.value.name == "UNREACHABLE"
    assert seen == [some[0:3], some[1:4]]
    assert next(opened) == 1 + ATTEMPTS_MAX


def test_a_stream_that_ends_well_and_early_has_not_kept_what_it_did_not_answer() -> None:
    class Answers:
        """Credit for all, and an end without an answer."""

        def __init__(self, requests: Iterator[AppendEventBatchesRequest]) -> None:
            self._requests, self._told = requests, 0

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> AppendEventBatchesResponse:
            self._told += 1
            if self._told > 1:
                raise StopIteration
            answer = AppendEventBatchesResponse()
            answer.credit.batches, answer.credit.bytes = 3, 10_000
            return answer

        def cancel(self) -> None:
            pass

    with pytest.raises(LedgerError) as refused:
        list(Pump(Answers, [batch(1)]).outcomes())
    assert refused.value.name == "UNREACHABLE"


# A file of any length.


def test_a_file_of_lines_is_appended_in_batches_and_a_wrong_line_is_named(
    sqlite_server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    events = [registered() for _ in range(1_203)]
    texts = [json.dumps(MessageToDict(one)) for one in events]
    command = ("append", "--lines", "--server", sqlite_server.address)

    file.write_text("\n".join([*texts[:700], "", *texts[700:]]) + "\n")
    first = ledger_here(*command, file, "-o", "json")
    again = ledger_here(*command, "-", given=file.read_text())

    assert '"events_appended": 1203' in first.stdout
    assert "0 events appended, 1203 there already" in again.stdout
    with Client(sqlite_server.address) as client:
        assert log_of(client) == events

    wrong, nameless = registered(), registered()
    wrong.valid_time.zone = "Utopia"
    nameless.event_id = ""
    for at, line, said in (
        (40, json.dumps(MessageToDict(wrong)), "UNKNOWN_ZONE: line 41.valid_time.zone: not a zone"),
        (40, json.dumps(MessageToDict(nameless)), "line 41: an event that is sent in a batch has"),
        (3, "{", "line 4, column 2: not JSON"),
    ):
        file.write_text("\n".join([*texts[:at], line, *texts[at:50]]))
        done = ledger_here(*command, file)
        assert done.returncode == 2
        assert said in done.stderr
        assert "stopped: 0 events appended, 0 there already" in done.stderr
    assert ledger_here(*command, file, "--dry-run").returncode == 2
    assert ledger_here(*command, tmp_path / "nowhere").returncode == 2
    assert sqlite_server._ledger.log.entries.size() == 1_203


def test_where_a_file_of_lines_breaks_off_it_is_said_how_far_it_came(
    sqlite_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was sent before, and behind a batch that is refused."""
    monkeypatch.setattr(append, "BATCH_EVENTS_MAX", 5)
    file, address = tmp_path / "events.jsonl", sqlite_server.address
    events = [registered() for _ in range(24)]
    texts = [json.dumps(MessageToDict(one)).encode() for one in events]

    file.write_bytes(b"\n".join([*texts[:11], b"\xff", *texts[11:]]))
    done = ledger_here("append", "--lines", "--server", address, file)
    assert done.returncode == 2
    assert "events.jsonl: line 12: byte 0 is not UTF-8" in done.stderr
    assert "stopped: 10 events appended, 0 there already" in done.stderr

    wrong = registered()
    wrong.valid_time.zone = "Utopia"
    file.write_bytes(b"\n".join([*texts[:5], json.dumps(MessageToDict(wrong)).encode()]))
    done = ledger_here("append", "--lines", "--server", address, file)
    assert "UNKNOWN_ZONE: line 6.valid_time.zone" in done.stderr
    assert "stopped: 0 events appended, 5 there already" in done.stderr
    assert sqlite_server._ledger.log.entries.size() == 10

    file.write_bytes(b"\n".join(texts[:2]))
    done = ledger_here("append", "--server", address, file)
    assert "line 2, column 1: not JSON: Extra data; a file with an event on each" in done.stderr


# Who sends.


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder: Path = tmp_path_factory.mktemp("streaming")
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
        yield running


def accesses_of(guarded: Guarded) -> list[tuple[str, str]]:
    """(method, reason) of the entries of the access log."""
    entries = [AccessEntry.FromString(one.event.data) for one in guarded.ledger.accesses.read()]
    return [(one.access.method, one.access.reason) for one in entries]


def test_a_batch_is_judged_as_a_call_of_who_sends_it(guarded: Guarded) -> None:
    """Another agency's word is refused and noted; receipts tell of nobody, and are not."""
    agent = guarded.caller("cbp-field-agent").client
    before = len(accesses_of(guarded))
    other = of(event(PersonRegistered(person_id=str(uuid4())), agency="ORR"))

    outcomes = list(agent.append_batches([batch(2), other, batch(1)]))

    assert [one.refusal and one.refusal.name for one in outcomes] == [
        None, "ACTOR_NOT_CALLER", None,
    ]  # fmt: skip
    assert accesses_of(guarded)[before:] == [
        ("LedgerService/AppendEventBatches", "ACTOR_NOT_CALLER")
    ]
    auditor = guarded.caller("gao-auditor").client
    with pytest.raises(LedgerError) as refused:
        list(auditor.append_batches([batch(1)]))
    assert refused.value.name == "FORBIDDEN"


def test_who_is_erased_is_erased_before_the_next_batch(guarded: Guarded) -> None:
    person_id = str(uuid4())
    first, again = (born(person_id) for _ in range(2))
    erased = event(PersonalFieldsErased(person_id=person_id, order_reference="4"))
    for one in (first, again, erased):
        one.actor.actor_id = "s-1"
    approval = guarded.approval("ORR", "s-2", erased)
    supervisor = guarded.person("cbp-agency-supervisor", "s-1").client

    with Sending(supervisor.ledger, timeout=30) as sending:
        sending.send(of(first), of(erased, approvals=[approval]), of(again), of(first))
        sending.finish()
        answers, why = sending.rest()

    assert why == "OK"
    assert told(answers) == [0, 1, 1, "PERSON_ERASED", 0]
    assert [one.event_id for one in answers[-1].receipt.already_recorded] == [first.event_id]
    kept = supervisor.ledger.GetEvent(GetEventRequest(event_id=first.event_id))
    assert not kept.event.entry.event.person_registered.HasField("birth_date")


def test_who_is_revoked_sends_no_further_batch(guarded: Guarded) -> None:
    sender = guarded.caller("ice-field-agent").client
    mine = of(event(PersonRegistered(person_id=str(uuid4())), agency="ICE"))
    with Sending(sender.ledger, timeout=30) as sending:
        sending.send(mine)
        assert told([sending.next(), sending.next()]) == [0, 1]
        size = guarded.ledger.log.entries.size()
        with (guarded.folder / "server" / "revoked.txt").open("a") as file:
            file.write("spiffe://custody.example/agency/ICE/role/field-agent\n")
        assert sending.rest() == ([], "UNIDENTIFIED")
    with pytest.raises(LedgerError) as refused:
        list(sender.append_batches([mine]))
    assert refused.value.name == "UNIDENTIFIED"
    assert guarded.ledger.log.entries.size() == size


def test_who_is_revoked_between_batches_gets_no_further_one_kept(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody looked meanwhile who is still known."""
    monkeypatch.setattr(batches, "LOOK_S", 30)
    sender = guarded.caller("orr-field-agent").client
    with Sending(sender.ledger, timeout=30) as sending:
        sending.send(of(event(PersonRegistered(person_id=str(uuid4())), agency="ORR")))
        assert told([sending.next(), sending.next()]) == [0, 1]
        size = guarded.ledger.log.entries.size()
        with (guarded.folder / "server" / "revoked.txt").open("a") as file:
            file.write("spiffe://custody.example/agency/ORR/role/field-agent\n")
        guarded.server._calls._identities._look()
        sending.send(of(event(PersonRegistered(person_id=str(uuid4())), agency="ORR")))
        assert sending.rest() == ([], "UNIDENTIFIED")
    assert guarded.ledger.log.entries.size() == size


class Erasing:
    """A supervisor who erases somebody, as another agency's approves."""

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self.client = guarded.person("cbp-agency-supervisor", "s-1").client

    def batch(self, person_id: str) -> AppendEventBatchesRequest:
        """What erases a person of whom there is something."""
        self._guarded.tell(born(person_id))
        erased = event(PersonalFieldsErased(person_id=person_id, order_reference="4"))
        erased.actor.actor_id = "s-1"
        return of(erased, approvals=[self._guarded.approval("ORR", "s-2", erased)])


def test_what_is_erased_on_a_stream_brings_no_later_batches_out_of_order(guarded: Guarded) -> None:
    """What is sealed while somebody is erased is decided anew, and others would pass it."""
    erasing, child = Erasing(guarded), str(uuid4())
    erased = erasing.batch(str(uuid4()))
    sealed, unsealed = of(born(child)), of(event(PersonRegistered(person_id=child)))
    for one in (sealed, unsealed):
        one.events[0].actor.actor_id = "s-1"

    with Sending(erasing.client.ledger, timeout=30) as sending:
        with blocked(f"sqlite:///{guarded.folder.parent / 'ledger.db'}") as block:
            sending.send(erased, sealed, unsealed)
            sending.finish()
            assert block.reached.wait(20)
            time.sleep(0.3)
            block.release()
        answers, why = sending.rest()

    assert (told(answers), why) == ([0, 1, 1, 1], "OK")
    places = [one.receipt.first_position for one in answers[1:]]
    assert places == sorted(places)


def test_who_is_gone_has_erased_whom_she_erased(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, by what answers the stream: not when the tables follow, or at the next start."""
    erasing, person_id = Erasing(guarded), str(uuid4())
    erased, gone = erasing.batch(person_id), threading.Event()
    destroyed: list[tuple[str, list[str]]] = []
    vault, known = guarded.ledger.log.vault, Call.require_still_known
    destroy = vault.destroy

    def is_known(call: Call) -> None:
        if gone.is_set():
            raise not_accepted()
        known(call)

    def noted(people: list[str]) -> None:
        destroyed.append((threading.current_thread().name, people))
        destroy(people)

    monkeypatch.setattr(batches, "LOOK_S", 30)
    monkeypatch.setattr(Call, "require_still_known", is_known)
    monkeypatch.setattr(vault, "destroy", noted)
    with Sending(erasing.client.ledger, timeout=30) as sending:
        sending.next()
        gone.set()
        sending.send(erased)
        assert sending.rest() == ([], "UNIDENTIFIED")

    assert [people for name, people in destroyed if name.startswith("stream")] == [[person_id]]


def test_a_batch_may_be_as_large_as_an_append(client: Client) -> None:
    """Five hundred events, and the same as one append is known by its ids."""
    (kept,) = client.append_batches([one := batch(500)])
    assert len(kept.receipt.leaf_hashes) == 500
    again = client.ledger.AppendEvents(AppendEventsRequest(events=one.events))
    assert all(receipt.already_recorded for receipt in again.receipts)
    (refused,) = client.append_batches([batch(501)])
    assert refused.refusal.violations[0].field == "events"
