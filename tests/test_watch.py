"""Reading and watching over gRPC: every position once, in order, whoever else is there."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import grpc
import pytest
from conftest import raw
from events import event, place
from test_bad_input import refusal_of
from test_store import blocked, direct

from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.rpc.status import received
from ledger.v1.custody_pb2 import Apprehended, BookedIn, Released, TransferDeparted
from ledger.v1.custody_query_service_pb2 import GetPersonRequest
from ledger.v1.event_pb2 import Event, RecordedEvent
from ledger.v1.family_pb2 import FamilyGroupFormed
from ledger.v1.identity_pb2 import IdentifierAsserted, PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    EventFilter,
    ReadEventsRequest,
    WatchEventsRequest,
    WatchEventsResponse,
)
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.separation_pb2 import Separated

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def registered(person_id: str | None = None, **envelope: Any) -> Event:
    return event(PersonRegistered(person_id=person_id or str(uuid4())), **envelope)


def identified() -> Event:
    who = str(uuid4())
    return event(IdentifierAsserted(person_id=who, scheme="A_NUMBER", value="200000000"))


def append(client: Client, *events: Event) -> AppendEventsResponse:
    return client.ledger.AppendEvents(AppendEventsRequest(events=events))


def only(*subjects: str, types: Sequence[str] = ()) -> EventFilter:
    return EventFilter(items=[EventFilter.Item(types=types, subjects=subjects)])


def read(client: Client, **request: Any) -> list[RecordedEvent]:
    answers = client.ledger.ReadEvents(ReadEventsRequest(**request))
    return [one for answer in answers for one in answer.events]


def places(events: Sequence[RecordedEvent]) -> list[int]:
    return [one.position for one in events]


class Watcher:
    """Follows the log on a connection of its own, and remembers all that it is told."""

    def __init__(self, server: Server, **request: Any) -> None:
        self._channel = grpc.insecure_channel(server.address)
        self._call = LedgerServiceStub(self._channel).WatchEvents(WatchEventsRequest(**request))
        self._told = threading.Condition()
        self.messages: list[WatchEventsResponse] = []
        self.error: grpc.RpcError | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._call.cancel()
        self._thread.join(20)
        self._channel.close()

    @property
    def events(self) -> list[RecordedEvent]:
        """The events, in the order in which they came."""
        return [one for message in self.messages for one in message.batch.events]

    @property
    def caught_up(self) -> int:
        """The size up to which it was told that there is nothing else; at first -1."""
        sizes = [one.caught_up.size for one in self.messages if one.HasField("caught_up")]
        return sizes[-1] if sizes else -1

    def wait_for(self, condition: Callable[[Self], bool]) -> Self:
        """Wait until it holds of what was told."""
        with self._told:
            assert self._told.wait_for(lambda: self.error or condition(self), 30)
        assert condition(self), self.error
        return self

    def ended(self) -> grpc.RpcError:
        """How the call ended."""
        with self._told:
            assert self._told.wait_for(lambda: self.error, 30)
        return self.error

    def _run(self) -> None:
        try:
            for message in self._call:
                with self._told:
                    self.messages.append(message)
                    self._told.notify_all()
        except grpc.RpcError as error:
            with self._told:
                self.error = error
                self._told.notify_all()


def caught_up_to(size: int) -> Callable[[Watcher], bool]:
    return lambda watcher: watcher.caught_up >= size


# Reading.


def test_a_read_gives_the_log_in_its_order_and_ends(client: Client) -> None:
    events = [registered() for _ in range(450)]
    append(client, *events)

    answers = list(client.ledger.ReadEvents(ReadEventsRequest()))

    found = [one for answer in answers for one in answer.events]
    assert places(found) == list(range(1, 451))
    assert [one.entry.event for one in found] == events
    assert {answer.size for answer in answers} == {450}
    assert len(answers) > 1


def test_a_read_does_not_see_what_is_appended_after_it_began(client: Client) -> None:
    append(client, *[registered() if i % 2 else identified() for i in range(500)])
    wanted = only(types=["PersonRegistered"])
    answers = client.ledger.ReadEvents(ReadEventsRequest(filter=wanted))
    first = next(answers)
    append(client, *[registered() for _ in range(10)])

    found = [*first.events, *(one for answer in answers for one in answer.events)]

    assert places(found) == list(range(2, 501, 2))
    assert first.size == 500


@pytest.mark.parametrize(
    ("after", "limit", "wanted"),
    [
        (0, 1, range(1, 2)),
        (0, 250, range(1, 251)),
        (100, 200, range(101, 301)),
        (449, 10, range(450, 451)),
        (450, 0, range(0)),
        (0, 10_000, range(1, 451)),
    ],
)
def test_a_read_may_begin_later_and_end_earlier(
    after: int, limit: int, wanted: range, sqlite_server: Server
) -> None:
    with Client(sqlite_server.address) as client:
        append(client, *[registered() for _ in range(450)])
        assert places(read(client, after_position=after, limit=limit)) == list(wanted)


def test_a_filter_means_what_it_says(client: Client) -> None:
    """Compared with a filter of ours over what we sent."""
    chance = random.Random(17)
    people = [str(uuid4()) for _ in range(6)]
    sent: list[tuple[str, set[str]]] = []
    events = []
    for _ in range(120):
        one, other, third = chance.sample(people, 3)
        body = chance.choice(
            [
                PersonRegistered(person_id=one),
                BookedIn(person_id=one, agency="CBP", facility=place("Station")),
                Apprehended(person_ids=[one, other], agency="CBP"),
                Separated(
                    child_id=one,
                    adult_ids=[other, third],
                    agency="CBP",
                    reason_codes=["ZERO_TOLERANCE"],
                ),
            ]
        )
        named = {
            "PersonRegistered": {one},
            "BookedIn": {one},
            "Apprehended": {one, other},
            "Separated": {one, other, third},
        }[body.DESCRIPTOR.name]
        sent.append((body.DESCRIPTOR.name, {f"person:{who}" for who in named}))
        events.append(event(body))
    append(client, *events)
    kinds = ["PersonRegistered", "BookedIn", "Apprehended", "Separated", "Reunified"]

    for _ in range(40):
        items = [
            EventFilter.Item(
                types=chance.sample(kinds, chance.randrange(3)),
                subjects=[f"person:{who}" for who in chance.sample(people, chance.randrange(3))],
            )
            for _ in range(chance.randrange(4))
        ]
        wanted = [
            position
            for position, (kind, subjects) in enumerate(sent, 1)
            if not items
            or any(
                (not item.types or kind in item.types) and set(item.subjects) <= subjects
                for item in items
            )
        ]
        assert places(read(client, filter=EventFilter(items=items))) == wanted


def test_an_event_is_found_by_everyone_it_is_about(client: Client) -> None:
    mother, child, sponsor, family, transfer = (str(uuid4()) for _ in range(5))
    formed = event(FamilyGroupFormed(family_id=family, member_ids=[mother, child]))
    departed = event(
        TransferDeparted(
            transfer_id=transfer, person_ids=[mother, child], from_agency="CBP", to_agency="ICE"
        )
    )
    released = event(
        Released(
            person_id=child,
            agency="ORR",
            reason_code="SPONSOR_PARENT_OR_GUARDIAN",
            sponsor_id=sponsor,
        )
    )
    voided = event(Retracted(retracted_event_id=departed.event_id, reason_text="another day"))
    append(client, formed, departed, released, voided)

    for subject, wanted in {
        f"person:{mother}": [1, 2, 4],
        f"person:{child}": [1, 2, 3, 4],
        f"person:{sponsor}": [3],
        f"family:{family}": [1],
        f"transfer:{transfer}": [2, 4],
        f"family:{mother}": [],
    }.items():
        assert places(read(client, filter=only(subject))) == wanted


# Watching.


def test_a_watcher_is_told_when_there_is_nothing_else(server: Server, client: Client) -> None:
    with Watcher(server) as empty:
        empty.wait_for(caught_up_to(0))
    append(client, *[registered() for _ in range(450)])

    with Watcher(server) as watcher:
        watcher.wait_for(caught_up_to(450))
        assert places(watcher.events) == list(range(1, 451))
        assert watcher.messages[-1].HasField("caught_up")

        append(client, registered())
        watcher.wait_for(caught_up_to(451))
        assert places(watcher.events) == list(range(1, 452))


def test_a_watcher_can_tell_silence_from_a_cut(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one who waits for something rare learns how far the log has come meanwhile."""
    monkeypatch.setattr("ledger.read.HEARTBEAT_S", 0.1)
    with Watcher(server, filter=only(types=["Reunified"])) as watcher:
        watcher.wait_for(lambda it: len(it.messages) >= 3)
        append(client, registered(), registered())
        watcher.wait_for(caught_up_to(2))
        assert watcher.events == []


def test_a_watcher_sees_every_position_once_and_in_order_while_eight_clients_append(
    server: Server, client: Client
) -> None:
    append(client, *[registered() for _ in range(30)])
    start, person = threading.Barrier(8), str(uuid4())

    def append_some(seed: int) -> list[tuple[int, str]]:
        chance, said = random.Random(seed), []
        with Client(server.address) as own:
            start.wait(20)
            for _ in range(8):
                events = [
                    registered(person if chance.random() < 0.1 else None)
                    for _ in range(chance.randrange(1, 20))
                ]
                receipts = append(own, *events).receipts
                said += [(one.position, one.event_id) for one in receipts]
        return said

    with ExitStack() as stack:
        everything = stack.enter_context(Watcher(server))
        later = stack.enter_context(Watcher(server, after_position=30))
        hers = stack.enter_context(Watcher(server, filter=only(f"person:{person}")))
        with ThreadPoolExecutor(8) as pool:
            said = sorted(one for own in pool.map(append_some, range(8)) for one in own)
        size = 30 + len(said)
        for watcher in (everything, later):
            watcher.wait_for(caught_up_to(size))
        last = read(client, filter=only(f"person:{person}"))[-1].position
        hers.wait_for(lambda it: last in places(it.events))

    assert [position for position, _ in said] == list(range(31, size + 1))
    assert places(everything.events) == list(range(1, size + 1))
    seen = [(one.position, one.entry.event.event_id) for one in later.events]
    assert seen == said
    assert hers.events == [
        one for one in everything.events if one.entry.event.person_registered.person_id == person
    ]


def test_a_watcher_resumes_where_she_was_cut_off(server: Server, client: Client) -> None:
    chance, wanted = random.Random(5), only(types=["IdentifierAsserted"])
    seen: list[RecordedEvent] = []
    after = 0
    for _ in range(8):
        sent = [
            identified() if chance.random() < 0.5 else registered()
            for _ in range(chance.randrange(1, 250))
        ]
        size = append(client, *sent).stamp.size
        with Watcher(server, after_position=after, filter=wanted) as watcher:
            told = chance.randrange(1, 4)
            watcher.wait_for(
                lambda it, told=told, size=size: len(it.messages) >= told or it.caught_up >= size
            )
            for message in watcher.messages[:told]:
                if message.HasField("caught_up"):
                    after = message.caught_up.size
                else:
                    seen += message.batch.events
                    after = seen[-1].position
    seen += read(client, after_position=after, filter=wanted)

    assert places(seen) == places(read(client, filter=wanted))
    assert len(seen) > 200


def test_a_slow_reader_loses_nothing_and_delays_nobody(
    server: Server, client: Client, database_url: str
) -> None:
    narrow = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    count = 900

    def long(number: int) -> Event:
        body = Separated(
            child_id=str(uuid4()),
            adult_unknown_reason="not recorded",
            reason_codes=["ZERO_TOLERANCE"],
            reason_text=f"{number} ".ljust(2_000, "."),
            agency="CBP",
        )
        return event(body)

    with grpc.insecure_channel(server.address, options=narrow) as channel:
        slow = LedgerServiceStub(channel).WatchEvents(WatchEventsRequest())
        assert next(slow).caught_up.size == 0
        with Watcher(server) as other:
            for start in range(0, count, 300):
                append(client, *[long(start + i) for i in range(300)])
            other.wait_for(caught_up_to(count))
            assert places(other.events) == list(range(1, count + 1))
        # Nearly two megabytes wait for a window of 64 kB. No transaction does.
        # (Others take one for a moment: asked again and again, there is none at some time.)
        if database_url.startswith("sqlite"):
            with closing(raw(database_url)) as connection:
                tries = (connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") for _ in range(500))
                assert any(one.fetchone()[0] == 0 for one in tries)
        else:
            held = (
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE state LIKE 'idle in trans%' AND datname = current_database()"
            )
            with direct(database_url) as connection:
                tries = (connection.execute(held) for _ in range(500))
                assert any(one.fetchone() == (0,) for one in tries)

        seen: list[RecordedEvent] = []
        while len(seen) < count:
            seen += next(slow).batch.events
        slow.cancel()

    assert places(seen) == list(range(1, count + 1))
    texts = [one.entry.event.separated.reason_text for one in seen]
    assert [int(text.split()[0]) for text in texts] == list(range(count))


def test_sixty_four_watchers_starve_nobody_and_the_next_is_refused(
    server: Server, client: Client
) -> None:
    with grpc.insecure_channel(server.address) as channel, ExitStack() as stack:
        stub = LedgerServiceStub(channel)
        watchers = [stub.WatchEvents(WatchEventsRequest()) for _ in range(64)]
        for one in watchers:
            stack.callback(one.cancel)
            assert next(one).HasField("caught_up")

        person = str(uuid4())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: append(client, registered(person)), range(16)))
        assert client.custody.GetPerson(GetPersonRequest(person_id=person), timeout=20).claims

        for method in (stub.WatchEvents, stub.ReadEvents):
            with pytest.raises(grpc.RpcError) as caught:
                next(method(ReadEventsRequest(), timeout=20))
            found = refusal_of(caught.value)
            assert found.code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert found.reason == "WATCHERS_EXHAUSTED"

        for one in watchers:
            events = 0
            while events < 16:
                events += len(next(one).batch.events)

        watchers[7].cancel()
        # Her place is free once the server has noticed; each try is a call.
        tries = (stub.WatchEvents(WatchEventsRequest(), timeout=20) for _ in range(2_000))
        assert any(map(is_answered, tries))


def is_answered(call: Any) -> bool:
    """Whether a stream begins; it is ended in either case."""
    try:
        return bool(next(call))
    except grpc.RpcError as error:
        if refusal_of(error).reason != "WATCHERS_EXHAUSTED":
            raise
        return False
    finally:
        call.cancel()


# Stopping.


@contextmanager
def stopping(server: Server) -> Iterator[threading.Thread]:
    """While the server stops; afterwards it has."""
    thread = threading.Thread(target=server.stop)
    thread.start()
    assert server._ledger.stopping.wait(20)
    yield thread
    thread.join(30)
    assert not thread.is_alive()


def test_stopping_ends_watchers_with_their_place_and_a_name(server: Server, client: Client) -> None:
    append(client, *[registered() for _ in range(3)])
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watcher(server)) for _ in range(5)]
        for one in watchers:
            one.wait_for(caught_up_to(3))
        with stopping(server):
            pass
        for one in watchers:
            found = refusal_of(one.ended())
            assert (found.code, found.reason) == (UNAVAILABLE, "STOPPING")
            assert places(one.events) == [1, 2, 3]
            assert one.messages[-1].caught_up.size == 3


def test_stopping_completes_an_append_that_is_under_way(
    server: Server, client: Client, database_url: str
) -> None:
    sent = registered()
    with ThreadPoolExecutor(1) as pool, Watcher(server) as watcher:
        with blocked(database_url) as block:
            under_way = pool.submit(append, client, sent)
            assert block.reached.wait(20)
            with stopping(server) as thread:
                assert refusal_of(watcher.ended()).reason == "STOPPING"
                # It is neither dropped nor answered yet.
                assert thread.is_alive()
                assert not under_way.done()
                block.release()
        receipt = under_way.result(20).receipts[0]

    assert (receipt.event_id, receipt.position) == (sent.event_id, 1)
    with closing(Ledger(database_url)) as ledger:
        assert ledger.log.entries.size() == 1


def test_a_reader_who_does_not_read_delays_a_stop_no_longer_than_the_grace(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.rpc.server.STOP_GRACE_S", 0.5)
    narrow = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    for _ in range(5):
        append(client, *[registered() for _ in range(500)])
    with grpc.insecure_channel(server.address, options=narrow) as channel:
        slow = LedgerServiceStub(channel).WatchEvents(WatchEventsRequest())
        next(slow)
        with stopping(server):
            pass
        with pytest.raises(grpc.RpcError):
            list(slow)


def test_what_was_acknowledged_before_a_stop_is_there_after_it(
    server: Server, database_url: str
) -> None:
    """Clients that append while the server stops are either acknowledged or told."""
    kept: list[UUID] = []
    told: set[str] = set()
    many = threading.Event()

    def append_until_it_ends(_: int) -> None:
        with grpc.insecure_channel(server.address) as channel:
            stub = LedgerServiceStub(channel)
            while True:
                request = AppendEventsRequest(events=[registered()])
                try:
                    answer = stub.AppendEvents(request, timeout=20)
                except grpc.RpcError as error:
                    told.add(received(error).name)
                    return
                kept.append(UUID(answer.receipts[0].event_id))
                if len(kept) > 50:
                    many.set()

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(append_until_it_ends, number) for number in range(8)]
        assert many.wait(30)
        with stopping(server):
            pass
        for one in clients:
            one.result(30)

    # Kept or not, she knows that the server is gone and that she may send again.
    assert told
    assert told <= {"STOPPING", "UNREACHABLE"}
    with closing(Ledger(database_url)) as ledger:
        assert len(ledger.log.entries.find([one.bytes for one in kept])) == len(kept)
        assert len(kept) <= ledger.log.entries.size() <= len(kept) + 8
