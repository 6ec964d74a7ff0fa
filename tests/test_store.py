"""The log on every store: its order, its durability, and the portable SQL it is written in."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import VERSIONS, keyring_of, on_every_store, raw, ticking
from events import event, place
from eventsourcing.dcb.api import DCBQuery
from eventsourcing.dcb.tests import DCBRecorderTestCase
from google.protobuf.timestamp_pb2 import Timestamp

import projections
from ledger.append import append_events
from ledger.ask.person import get_person, get_person_timeline
from ledger.ask.population import list_roster, list_separations
from ledger.ask.relatives import get_family
from ledger.entry import FORMAT, kind_of
from ledger.errors import LedgerError, StartupError
from ledger.ledger import Ledger, now_us
from ledger.prove import get_checkpoint, get_consistency_proof, get_inclusion_proof
from ledger.read import get_event, read_events
from ledger.store import migrations
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import Database
from ledger.store.log import Append, Appended, LedgerEvent, Log
from ledger.store.tables import metadata
from ledger.store.tree import Tree
from ledger.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
)
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_pb2 import BookedIn
from ledger.v1.custody_query_service_pb2 import (
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    ListRosterRequest,
    ListSeparationsRequest,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    EventFilter,
    GetEventRequest,
    Precondition,
    ReadEventsRequest,
)
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.separation_pb2 import Separated
from projections.subjects import subjects_of

ROOT = Path(__file__).parents[1]
WITH_TABLES = sorted(name for name, one in projections.load().items() if one.populations)
T0 = 1_600_000_000_000_000

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_one_postgresql = pytest.mark.parametrize("database_url", [*VERSIONS][:1], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", VERSIONS, indirect=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the tables."""
    opened = Database(database_url)
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


def environment() -> dict[str, str]:
    """In which programs that a test starts find the ledger and the tests."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own, which says when it is ready and waits for a line."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(processes: list[subprocess.Popen[str]]) -> None:
    """Let them run, all at once."""
    assert [one.stdout.readline() for one in processes] == ["ready\n" for _ in processes]
    for one in processes:
        one.stdin.write("go\n")
        one.stdin.flush()


def direct(database_url: str) -> psycopg.Connection[Any]:
    """A way around the ledger on PostgreSQL."""
    return psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True)


def registered(person_id: str | None = None) -> Event:
    return event(PersonRegistered(person_id=person_id or str(uuid.uuid4())))


def booked(person_id: str) -> Event:
    return event(BookedIn(person_id=person_id, agency="CBP", facility=place("Station")), 2)


def ledger_event(made: Event) -> LedgerEvent:
    """An event as the log takes it."""
    event_id = uuid.UUID(made.event_id).bytes
    rest = Entry(event=made, format=FORMAT).SerializeToString(deterministic=True)
    return LedgerEvent(kind_of(made), rest, subjects_of(made), event_id, event=made)


def batch(count: int) -> list[LedgerEvent]:
    return [ledger_event(registered()) for _ in range(count)]


@contextmanager
def listening(name: str, hook: Callable[..., None]) -> Iterator[None]:
    """Calls the hook when this happens to any engine of SQLAlchemy."""
    sa.event.listen(sa.Engine, name, hook)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, name, hook)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Every statement that is sent to a database."""
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with listening("before_cursor_execute", record):
        yield statements


# The library's own test case.


@on_every_store
def test_the_log_is_a_recorder(database: Database) -> None:
    DCBRecorderTestCase()._test_append_read(Log(database, now_us, keyring_of(database), "read"))


@on_every_store
def test_the_log_is_a_recorder_that_can_be_followed(database: Database) -> None:
    DCBRecorderTestCase()._test_append_subscribe(
        Log(database, now_us, keyring_of(database), "subscribe")
    )


def test_the_log_is_a_recorder_beside_another(database: Database) -> None:
    other = Log(database, now_us, keyring_of(database), "other")
    other.append(batch(20))
    DCBRecorderTestCase()._test_append_read(Log(database, now_us, keyring_of(database), "one"))
    assert len(list(other.read())) == 20


def test_a_log_that_was_opened_with_many_entries_goes_on(database: Database) -> None:
    Log(database, now_us, keyring_of(database), "log").append(batch(300))
    again = Log(database, now_us, keyring_of(database), "log")

    for size in (301, 302):
        again.append(batch(1))
        assert again.tree.root(size) == Tree(database, again.id).root(size)


# Order.


@on_every_store
def test_positions_are_dense_under_eight_threads(database: Database) -> None:
    log, chance, start = (
        Log(database, now_us, keyring_of(database), "log"),
        random.Random(8),
        threading.Barrier(8),
    )
    sizes = [[chance.randrange(1, 12) for _ in range(12)] for _ in range(8)]

    def append(own: list[int]) -> list[int]:
        start.wait(20)
        found: list[int] = []
        for count in own:
            last = log.append(batch(count))
            found += range(last - count + 1, last + 1)
        return found

    with ThreadPoolExecutor(8) as pool:
        said = [position for own in pool.map(append, sizes) for position in own]

    total = sum(map(sum, sizes))
    assert sorted(said) == list(range(1, total + 1))
    assert [one.position for one in log.read()] == list(range(1, total + 1))
    verdict = verify(database, log.id, Means())
    assert (verdict.problems, verdict.size) == ([], total)
    assert verdict.root == log.tree.root(total)


APPENDER = """
import random, sys
from ledger.ledger import now_us
from ledger.store.database import Database
from ledger.store.log import Log
from conftest import keyring_of
from test_store import batch

url, name, seed = sys.argv[1:]
database = Database(url)
log, chance = Log(database, now_us, keyring_of(database), name), random.Random(seed)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(15):
    events = batch(chance.randrange(1, 8))
    last = log.append(events)
    for position, one in enumerate(events, last - len(events) + 1):
        print(seed, position, one.event_id.hex())
database.close()
"""


@on_one_postgresql
def test_several_processes_append_to_one_log(database: Database, database_url: str) -> None:
    processes = [start(APPENDER, database_url, "shared", str(seed)) for seed in range(2)]
    go(processes)
    outputs = [one.communicate(timeout=60)[0] for one in processes]
    assert [one.returncode for one in processes] == [0, 0]

    said = sorted(
        (int(position), event_id, seed)
        for seed, position, event_id in (
            line.split() for out in outputs for line in out.splitlines()
        )
    )
    log = Log(database, now_us, keyring_of(database), "shared")
    kept = log.entries.page(DCBQuery(), 0, len(said) + 1, len(said) + 1)
    assert [one.position for one in kept] == list(range(1, len(said) + 1))
    assert [(one.position, one.event_id.hex()) for one in kept] == [one[:2] for one in said]
    verdict = verify(database, log.id, Means())
    assert (verdict.problems, verdict.size) == ([], len(said))
    # They took turns; otherwise this would show nothing.
    assert sum(one[2] != other[2] for one, other in pairwise(said)) > 3


@on_postgresql
def test_two_servers_of_one_log_bring_its_tables_up_together(open_ledger: Any) -> None:
    ledgers = open_ledger(name="shared"), open_ledger(name="shared")
    people = [str(uuid.uuid4()) for _ in range(40)]

    def book(number: int) -> None:
        request = AppendEventsRequest(events=[booked(people[number])])
        append_events(ledgers[number % 2], request, 20)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book, range(40)))

    for ledger in ledgers:
        request = ListRosterRequest(agency="CBP", basis=Basis(at_least_size=40))
        assert [who.person_id for who in list_roster(ledger, request).people] == sorted(people)
    assert ledgers[0].populations.rebuild("custody").differing == []


STARTER = """
import sys
from ledger.ledger import Ledger
from ledger.store import migrations

print("ready", flush=True)
sys.stdin.readline()
Ledger(sys.argv[1]).close()
"""


@on_one_postgresql
def test_several_processes_may_start_on_an_empty_database_at_once(database_url: str) -> None:
    processes = [start(STARTER, database_url) for _ in range(2)]
    go(processes)
    assert [one.wait(60) for one in processes] == [0, 0]

    with closing(Ledger(database_url)) as ledger:
        broad_run(ledger)


def test_two_logs_of_a_database_have_their_own_order_tree_and_ids(database: Database) -> None:
    one, two = (Log(database, ticking(), keyring_of(database), name) for name in ("one", "two"))
    shared = batch(3)
    assert one.append(shared) == 3
    assert two.append(batch(2)) == 2
    assert two.append(shared) == 5

    assert [verify(database, log.id, Means()).problems for log in (one, two)] == [[], []]
    assert one.tree.root(3) != two.tree.root(3)
    assert Log(database, ticking(), keyring_of(database), "one").id == one.id != two.id


def test_the_same_content_in_other_bytes_is_the_same_event(database: Database) -> None:
    """Another version of the library may write the fields of an event in another order."""
    log, made = Log(database, now_us, keyring_of(database), "log"), booked(str(uuid.uuid4()))
    entry = Entry.FromString(ledger_event(made).data)
    fields = [Entry(**{field.name: value}) for field, value in entry.ListFields()]
    otherwise = b"".join(one.SerializeToString() for one in reversed(fields))
    assert otherwise != ledger_event(made).data

    assert log.append([ledger_event(made)]) == 1
    again = replace(ledger_event(made), data=otherwise)
    assert log.append([again]) == 1

    assert log.entries.size() == 1
    assert verify(database, log.id, Means()).ok


# Waiting appends.


@dataclass(frozen=True)
class Block:
    """What keeps everybody from writing."""

    reached: threading.Event
    """Set once the writer waits for its turn."""
    release: Callable[[], None]


@contextmanager
def blocked(database_url: str) -> Iterator[Block]:
    """While nobody gets to write."""
    reached = threading.Event()

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("BEGIN IMMEDIATE", "UPDATE head")):
            reached.set()

    if database_url.startswith("sqlite"):
        blocker: Any = raw(database_url)
        blocker.execute("BEGIN IMMEDIATE")
    else:
        blocker = psycopg.connect(database_url.replace("+psycopg", ""))
        blocker.execute("SELECT 1 FROM head FOR UPDATE")
    with listening("before_cursor_execute", look), closing(blocker):
        yield Block(reached, blocker.rollback)
        blocker.rollback()


def first_in_line(ledger: Ledger, block: Block) -> Future[Appended]:
    """An append that the writer is waiting to write; whatever is submitted now waits behind it."""
    future = ledger.writer.submit(Append(batch(1)))
    assert block.reached.wait(20)
    return future


def test_those_who_wait_share_a_transaction(open_ledger: Any, database_url: str) -> None:
    ledger = open_ledger()
    with recorded() as statements:
        with blocked(database_url) as block:
            futures = [first_in_line(ledger, block)]
            futures += [ledger.writer.submit(Append(batch(2))) for _ in range(50)]
        appended = [future.result(20) for future in futures]

    assert sum(one.startswith("UPDATE head SET size") for one in statements) == 2
    positions = [stored.position for one in appended for stored in one.entries]
    assert positions == list(range(1, 102))
    # Each append has a time of its own all the same.
    times = [{stored.record_us for stored in one.entries} for one in appended]
    assert all(len(one) == 1 for one in times)
    assert all(max(one) < min(other) for one, other in pairwise(times))


def test_of_those_who_wait_one_may_be_refused_and_the_others_kept(
    open_ledger: Any, database_url: str
) -> None:
    ledger, taken = open_ledger(), registered()
    other = Event()
    other.CopyFrom(taken)
    other.source.system = "another"
    with blocked(database_url) as block:
        futures = [first_in_line(ledger, block)]
        futures += [
            ledger.writer.submit(Append(events))
            for events in (
                [ledger_event(taken)],
                [ledger_event(registered()), ledger_event(other)],
                [ledger_event(registered())],
                [ledger_event(taken)],
            )
        ]
    outcomes = [future.exception(20) or future.result() for future in futures]

    assert [type(one).__name__ for one in outcomes] == [
        "Appended",
        "Appended",
        "EventIdTakenError",
        "Appended",
        "Appended",
    ]
    assert [outcomes[i].entries[0].position for i in (0, 1, 3, 4)] == [1, 2, 3, 2]
    assert outcomes[4].new == [False]
    assert ledger.log.entries.size() == 3


def test_an_append_that_was_not_written_in_time_may_be_sent_again(
    open_ledger: Any, database_url: str
) -> None:
    ledger = open_ledger()
    requests = [AppendEventsRequest(events=[registered()]) for _ in range(2)]
    with blocked(database_url) as block:
        first_in_line(ledger, block)
        for request in requests:
            with pytest.raises(LedgerError) as refusal:
                append_events(ledger, request, 0.05)
            assert refusal.value.name == "DEADLINE_PASSED"

    receipts = [append_events(ledger, request, 20).receipts[0] for request in requests]

    assert sorted(one.position for one in receipts) == [2, 3]
    assert ledger.log.entries.size() == 3


def test_when_too_many_appends_wait_the_next_is_refused(
    open_ledger: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.writer.WAITING_MAX", 5)
    ledger = open_ledger()
    with blocked(database_url) as block:
        futures = [first_in_line(ledger, block)]
        futures += [ledger.writer.submit(Append(batch(1))) for _ in range(5)]
        with pytest.raises(LedgerError) as refusal:
            ledger.writer.submit(Append(batch(1)))
    assert refusal.value.name == "APPENDS_EXHAUSTED"
    assert [future.result(20).entries[0].position for future in futures] == [1, 2, 3, 4, 5, 6]


def test_closing_writes_what_waits_and_takes_nothing_more(
    open_ledger: Any, database_url: str
) -> None:
    ledger = open_ledger(name="log")
    with blocked(database_url) as block:
        futures = [first_in_line(ledger, block)]
        futures += [ledger.writer.submit(Append(batch(1))) for _ in range(5)]
        closer = threading.Thread(target=ledger.close)
        closer.start()
        assert ledger.stopping.wait(20)
    closer.join(20)

    assert [future.result(0).entries[0].position for future in futures] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(LedgerError) as refusal:
        ledger.writer.submit(Append(batch(1)))
    assert refusal.value.name == "STOPPING"
    with closing(Ledger(database_url, name="log")) as again:
        assert again.log.entries.size() == 6


# What was known at an instant.


def known_at(ledger: Ledger, us: int) -> tuple[int, bytes]:
    """The size and root of what was known at an instant."""
    time = Timestamp()
    time.FromMicroseconds(us)
    size = ledger.moment(Basis(known_at_time=time)).size
    return size, ledger.stamp(size).root


def test_what_was_known_at_an_instant_is_what_was_recorded_by_then(open_ledger: Any) -> None:
    now = [T0]
    ledger = open_ledger(clock=lambda: now[0])
    times: list[int] = []
    for count in (1, 3, 2, 5, 1):
        now[0] += 4
        sent = AppendEventsRequest(events=[registered() for _ in range(count)])
        times += [
            one.record_time.ToMicroseconds() for one in append_events(ledger, sent, 10).receipts
        ]
    now[0] += 4

    for us in range(T0 - 1, now[0] + 1):
        assert known_at(ledger, us)[0] == sum(time <= us for time in times)


def test_an_append_that_is_being_written_is_known_or_later(open_ledger: Any) -> None:
    """It has taken its time, and is not there yet: whoever asks about that time waits for it."""
    ledger = open_ledger(clock=lambda: T0)
    append_events(ledger, AppendEventsRequest(events=[registered()]), 10)
    asked, writing, answers = threading.Event(), threading.get_ident(), []

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == asker.ident and "FROM head" in statement:
            asked.set()

    def ask() -> None:
        answers.append(known_at(ledger, T0 + 5))

    def ask_before_it_is_there(_connection: Any) -> None:
        if threading.current_thread().name == "writer" and not asker.ident:
            asker.start()
            assert asked.wait(20)

    asker = threading.Thread(target=ask)
    assert asker.ident != writing
    ledger.clock = lambda: T0 + 5
    with listening("before_cursor_execute", look), listening("commit", ask_before_it_is_there):
        append_events(ledger, AppendEventsRequest(events=[registered()]), 10)
    asker.join(20)

    assert answers == [known_at(ledger, T0 + 5)]
    assert answers[0][0] == 2


@on_postgresql
def test_an_append_of_another_process_is_known_or_later(open_ledger: Any) -> None:
    """It looked at its clock, then somebody asked what is known now, then it was written."""
    asker = open_ledger(name="shared", clock=lambda: T0)
    answers: list[tuple[int, bytes]] = []

    def ask_and_tell() -> int:
        answers.append(known_at(asker, T0))
        return T0

    writer = open_ledger(name="shared", clock=lambda: T0)
    append_events(writer, AppendEventsRequest(events=[registered()]), 10)
    writer.log._clock = ask_and_tell
    append_events(writer, AppendEventsRequest(events=[registered()]), 10)

    assert answers[0] == known_at(asker, T0)
    assert answers[0][0] == 1


def test_what_is_known_now_can_be_repeated_while_many_append(open_ledger: Any) -> None:
    ledger = open_ledger()
    stop = threading.Event()

    def append() -> None:
        while not stop.is_set():
            append_events(ledger, AppendEventsRequest(events=[registered()]), 20)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(append) for _ in range(4)]
        try:
            said = {us: known_at(ledger, us) for us in (now_us() for _ in range(20))}
        finally:
            stop.set()
        for writer in writers:
            writer.result(20)

    assert len({size for size, _ in said.values()}) > 3
    assert said == {us: known_at(ledger, us) for us in said}


# Tables and statements.


@on_every_store
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_tables_are_those_of_the_migrations(database: Database) -> None:
    by_expression = {"period_known"}
    others = {"include_object": lambda _, name, *__: name not in by_expression}
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=others)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == migrations.LATEST


@on_every_store
def test_an_index_by_an_expression_is_that_of_the_migrations(database: Database) -> None:
    """What the libraries do not compare: made anew from the tables it has the same words."""
    (index,) = (one for one in metadata.tables["period"].indexes if one.name == "period_known")
    made = sa.text(
        "SELECT sql FROM sqlite_master WHERE name = 'period_known'"
        if database.is_sqlite
        else "SELECT indexdef FROM pg_indexes WHERE indexname = 'period_known'"
    )
    with database.engine.begin() as connection:
        by_migrations = connection.execute(made).scalar_one()
        index.drop(connection)
        index.create(connection)
        assert connection.execute(made).scalar_one() == by_migrations


def test_a_database_of_another_edition_is_refused(database: Database, database_url: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartupError, match="9999"):
        migrations.require(database.engine)
    with pytest.raises(StartupError):
        Ledger(database_url)


def broad_run(ledger: Ledger) -> None:
    """A little of everything that a ledger does."""
    mother, child = str(uuid.uuid4()), str(uuid.uuid4())
    separated = event(
        Separated(
            child_id=child, adult_ids=[mother], reason_codes=["ZERO_TOLERANCE"], agency="CBP"
        ),
        3,
    )
    wanted = EventFilter(items=[EventFilter.Item(types=["Released"], subjects=[f"person:{child}"])])
    sent = AppendEventsRequest(
        events=[registered(mother), booked(mother), booked(child), separated],
        preconditions=[Precondition(no_events_match=wanted)],
        prove=True,
    )
    append_events(ledger, sent, 20)
    append_events(ledger, sent, 20)
    voided = event(Retracted(retracted_event_id=separated.event_id, reason_text="not so"))
    append_events(ledger, AppendEventsRequest(events=[voided]), 20)
    append_events(ledger, AppendEventsRequest(events=[registered()], validate_only=True), 20)
    get_event(ledger, GetEventRequest(event_id=voided.event_id))
    list(read_events(ledger, ReadEventsRequest(filter=wanted)))
    list(ledger.log.read())
    basis = Basis(known_at_time=ledger.stamp(5).known_at_time)
    get_person(ledger, GetPersonRequest(person_id=child, basis=basis))
    get_person_timeline(ledger, GetPersonTimelineRequest(person_id=child))
    get_family(ledger, GetFamilyRequest(person_id=child))
    list_roster(ledger, ListRosterRequest(agency="CBP", page_size=1))
    list_roster(ledger, ListRosterRequest(facility="Station", count_only=True))
    list_separations(ledger, ListSeparationsRequest(include_reunified=True))
    get_checkpoint(ledger, GetCheckpointRequest())
    get_inclusion_proof(ledger, GetInclusionProofRequest(event_id=voided.event_id))
    get_consistency_proof(ledger, GetConsistencyProofRequest(first_size=2))
    known_at(ledger, now_us())
    for name in WITH_TABLES:
        assert ledger.populations.rebuild(name).differing == []


NOT_PORTABLE = re.compile(
    r"\b(SERIAL|BIGSERIAL|SEQUENCE|NEXTVAL|CURRVAL|IDENTITY|AUTOINCREMENT|LOCK TABLE|pg_\w*lock\w*|"
    r"NOTIFY|LISTEN|TRIGGER|EXCLUDE|GIST|GIN|RANGE|INT8RANGE|TSTZRANGE|FUNCTION|EXTENSION)\b",
    re.IGNORECASE,
)
# A column more changes nothing of those that are there.
CHANGES_WHAT_IS_KEPT = re.compile(
    r"\b(UPDATE|DELETE FROM|TRUNCATE|REPLACE INTO|DROP TABLE|ALTER TABLE)\s+(entry|entry_subject|term)\b"
    r"(?! ADD COLUMN \w+ (BLOB|BYTEA)$)",
    re.IGNORECASE,
)


def test_the_statements_are_portable_and_change_nothing_that_was_kept(open_ledger: Any) -> None:
    with recorded() as statements:
        broad_run(open_ledger())

    for table in metadata.tables:
        assert any(f"CREATE TABLE {table} " in one for one in statements)
        assert any(f"INSERT INTO {table} " in one for one in statements), table
    assert [one for one in statements if NOT_PORTABLE.search(one)] == []
    assert [one for one in statements if CHANGES_WHAT_IS_KEPT.search(one)] == []


OURS = "FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
AM = "(SELECT amname FROM pg_am WHERE pg_am.oid = relam)"
PLAIN = [
    (f"SELECT DISTINCT relkind::text {OURS}", [("i",), ("r",)]),
    (f"SELECT DISTINCT {AM} {OURS}", [("btree",), ("heap",)]),
    ("SELECT tgname FROM pg_trigger", []),
    ("SELECT conname FROM pg_constraint WHERE contype NOT IN ('p', 'u', 'n', 'c')", []),
    ("SELECT extname FROM pg_extension", [("plpgsql",)]),
]


@on_postgresql
def test_nothing_of_one_database_is_in_the_tables(open_ledger: Any, database_url: str) -> None:
    broad_run(open_ledger())
    with direct(database_url) as connection:
        for question, wanted in PLAIN:
            assert connection.execute(question).fetchall() == wanted


# Durability.


@on_sqlite
def test_every_append_is_flushed_to_disk(open_ledger: Any) -> None:
    found: set[tuple[Any, ...]] = set()

    def look(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO entry "):
            asked = cursor.connection
            found.add(
                tuple(
                    asked.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("journal_mode", "synchronous", "wal_autocheckpoint")
                )
            )

    ledger = open_ledger()
    with listening("before_cursor_execute", look):
        append_events(ledger, AppendEventsRequest(events=[registered()]), 10)
    assert found == {("wal", 2, 0)}


@on_sqlite
def test_what_is_in_the_write_ahead_log_is_moved_into_the_database(
    open_ledger: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.database.WAL_PAGES_MAX", 50)
    ledger = open_ledger()
    for _ in range(30):
        append_events(ledger, AppendEventsRequest(events=[registered() for _ in range(20)]), 10)

    alone = tmp_path / "without-its-log.db"
    shutil.copy(database_url.removeprefix("sqlite:///"), alone)
    with closing(raw(f"sqlite:///{alone}")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM entry").fetchone()[0] > 300


OWNER = """
import sys
from ledger.ledger import Ledger

ledger = Ledger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""


@on_sqlite
def test_a_second_process_that_writes_is_refused(database_url: str) -> None:
    with start(OWNER, database_url) as owner:
        assert owner.stdout.readline() == "ready\n"
        with pytest.raises(StartupError, match="another process writes"):
            Ledger(database_url)
        # To read, there may be as many as there like.
        with closing(Database(database_url)) as reader:
            assert verify(reader, 1, Means()).ok
        owner.send_signal(signal.SIGKILL)
    Ledger(database_url).close()


@on_postgresql
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_flush_is_refused(setting: str, database_url: str) -> None:
    def wait_for(value: str) -> None:
        with direct(database_url) as connection:
            connection.execute("SELECT pg_reload_conf()")
        while True:
            with direct(database_url) as connection:
                if connection.execute(f"SHOW {setting}").fetchone() == (value,):
                    return

    with direct(database_url) as connection:
        connection.execute(f"ALTER SYSTEM SET {setting} = off")
    try:
        wait_for("off")
        with pytest.raises(StartupError, match=f"{setting}=off"):
            Ledger(database_url)
    finally:
        with direct(database_url) as connection:
            connection.execute(f"ALTER SYSTEM RESET {setting}")
        wait_for("on")
    Ledger(database_url).close()


@on_postgresql
def test_a_database_that_does_not_wait_for_the_disk_is_refused(database_url: str) -> None:
    name = sa.make_url(database_url).database
    with direct(database_url) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(StartupError, match="synchronous_commit=off"):
        Ledger(database_url)


@pytest.mark.parametrize(
    "url",
    [
        "ledger.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////nowhere/at/all/ledger.db",
        "mysql://root:hunter22@127.0.0.1/ledger",
        "postgresql://ledger:hunter22@127.0.0.1:1/ledger",
        "postgresql+psycopg2://ledger:hunter22@127.0.0.1:1/ledger",
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StartupError) as refusal:
        Ledger(url)
    assert "hunter22" not in str(refusal.value)


def test_a_dry_run_a_retry_and_a_refusal_do_not_move_the_log(open_ledger: Any) -> None:
    ledger = open_ledger(clock=lambda: T0)
    sent = AppendEventsRequest(events=[registered()])
    append_events(ledger, sent, 10)
    before = ledger.stamp(1)

    append_events(ledger, sent, 10)
    append_events(ledger, AppendEventsRequest(events=[registered()], validate_only=True), 10)
    unmet = Precondition(no_events_match=EventFilter())
    with pytest.raises(LedgerError):
        append_events(ledger, AppendEventsRequest(events=[registered()], preconditions=[unmet]), 10)

    assert (ledger.log.entries.size(), ledger.stamp(1)) == (1, before)
    after = append_events(ledger, AppendEventsRequest(events=[registered()]), 10).receipts[0]
    assert after.record_time.ToMicroseconds() == T0 + 1
