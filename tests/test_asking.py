"""What a question costs, and that what is found fast is what is there."""

import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import keyring_of
from events import event, id_of
from test_store import listening, on_postgresql, on_sqlite, recorded

from ledger.append import append_events
from ledger.ask.person import get_person
from ledger.ask.population import list_roster
from ledger.ledger import Ledger
from ledger.prove import get_checkpoint
from ledger.store import migrations
from ledger.store.belonging import NAMES_MAX, Belonging
from ledger.store.database import Database
from ledger.store.generations import Generation, State
from ledger.store.guards import Guards
from ledger.store.statement import Statement
from ledger.store.tables import KNOWN_BITS, period
from ledger.store.vault import Vault
from ledger.v1.audit_service_pb2 import GetCheckpointRequest
from ledger.v1.custody_pb2 import Placed
from ledger.v1.custody_query_service_pb2 import GetPersonRequest, ListRosterRequest
from ledger.v1.identity_pb2 import PersonRegistered, PersonsLinkedAsSame
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.protection_pb2 import ConfidentialityDeclared, RecordSealed, RecordUnsealed
from projections.membership import HORIZON_US, LONG_US, OPEN

COUNT = Statement("SELECT COUNT(*) FROM head WHERE log IN (...) AND size >= ?")
SIZE = 2**34


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the tables."""
    opened = Database(database_url)
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


# Statements.


def test_a_statement_takes_lists_and_is_heard_by_who_listens(database: Database) -> None:
    with recorded() as statements:
        assert database.readers.ask(COUNT, [1, 2, 3], 0) == [(0,)]
    assert len(statements) == 1
    assert statements[0].startswith("SELECT COUNT(*) FROM head WHERE log ")


def test_a_statement_that_fails_does_so_as_sqlalchemys_and_without_its_values(
    database: Database,
) -> None:
    with pytest.raises(sa.exc.DBAPIError) as raised:
        database.readers.ask(Statement("SELECT nothing FROM head WHERE name = ?"), "A123456789")
    assert "A123456789" not in str(raised.value)
    assert database.readers.ask(COUNT, [1], 0) == [(0,)]


@on_postgresql
def test_a_connection_that_died_is_replaced(database: Database) -> None:
    backend = Statement("SELECT pg_backend_pid()")
    ((died,),) = database.readers.ask(backend)
    with database.engine.connect() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": died})
    time.sleep(0.2)

    ((alive,),) = database.readers.ask(backend)
    assert alive != died


def test_a_connection_that_another_thread_takes_first_is_not_closed(database: Database) -> None:
    class Taken(list[Any]):
        """It had one when it was looked at."""

        def __bool__(self) -> bool:
            return True

    database.readers._idle = Taken()
    database.readers.close()


# What a question asks the database.


def placed_child(ledger: Ledger) -> str:
    """A child in a shelter; her id."""
    child = id_of("c-1")
    made = [
        event(PersonRegistered(person_id=child, stated_age_years=7)),
        event(Placed(child_id=child, agency="ORR"), 2, agency="ORR"),
    ]
    append_events(ledger, AppendEventsRequest(events=made), 20)
    return child


def statements_of(ask: Callable[[], Any]) -> int:
    """How many statements this thread sends for a question that was asked before."""
    ask()
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == asker:
            sent.append(statement)

    asker = threading.get_ident()
    with listening("before_cursor_execute", note):
        ask()
    return len(sent)


def test_a_question_asks_the_database_little(open_ledger: Any) -> None:
    ledger = open_ledger()
    child = placed_child(ledger)

    # The size and the time of the last entry; her entries.
    asked = GetPersonRequest(person_id=child)
    assert statements_of(lambda: get_person(ledger, asked)) == 2
    assert statements_of(lambda: get_checkpoint(ledger, GetCheckpointRequest())) == 1
    # The size; the tables in use, before and after; a page, which holds all there are.
    roster = ListRosterRequest(agency="ORR")
    assert statements_of(lambda: list_roster(ledger, roster)) == 4


# Who belongs to a population.


def invented_rows(random: Random, count: int) -> list[dict[str, Any]]:
    """Periods of every length, known for every length of time, those at the bounds among them."""
    lengths = [1, HORIZON_US - 1, LONG_US, LONG_US + 1, 40 * LONG_US]
    spans = [1, *(2**bits + d for bits in KNOWN_BITS for d in (-1, 0, 1))]
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for _ in range(count):
        begin = random.randrange(-3 * LONG_US, 3 * LONG_US)
        # What is not long is cut at the multiples of the horizon.
        end = begin + random.choice(lengths)
        if end - begin <= LONG_US:
            end = min(end, (begin // HORIZON_US + 1) * HORIZON_US)
        known = random.randrange(1, SIZE)
        row = {
            "log": 1,
            "generation": random.choice([1, 1, 1, 2]),
            "population": random.choice(["a:1", "a:2", "b"]),
            "valid_from": begin,
            "subject": id_of(f"p-{random.randrange(60)}"),
            "known_from": known,
            "valid_to": random.choice([end, end, OPEN]),
            "known_to": random.choice([known + random.choice(spans), OPEN]),
            "state": b"\0" + str(len(rows)).encode(),
        }
        rows[tuple(row.values())[:6]] = row
    return list(rows.values())


def test_who_is_found_is_who_belongs(database: Database) -> None:
    random = Random(7)
    rows = invented_rows(random, 3_000)
    with database.writing() as connection:
        connection.execute(sa.insert(period), rows)
    belonging = Belonging(database, 1, Vault(database, 1, keyring_of(database)))
    of = Generation(1, "custody", 1, State.LIVE, SIZE, 0)
    bounds = [(row["valid_from"], row["known_from"]) for row in random.sample(rows, 20)]
    ends = [(row["valid_to"] - 1, row["known_to"] - 1) for row in random.sample(rows, 20)]

    for at_us, size in [*bounds, *((min(a, 3 * LONG_US), min(k, SIZE)) for a, k in ends)]:
        held = sorted(
            (row["population"], row["subject"], row["state"][1:])
            for row in rows
            if row["generation"] == 1
            and row["valid_from"] <= at_us < row["valid_to"]
            and row["known_from"] <= size < row["known_to"]
        )
        names = ["a:1", "a:2", "b", *(f"none-{number}" for number in range(NAMES_MAX))]
        found = belonging.members(of, names, at_us, size)
        assert sorted((name, *one) for name, some in found.items() for one in some) == held
        at = (of, ["a:1", "b"], at_us, size)
        wanted = [one[1:] for one in held if one[0] in ("a:1", "b")]
        ids = {one for one, _ in wanted}
        assert belonging.ids(*at) == ids
        assert belonging.count(*at) == len(ids)
        assert sorted(belonging.all(*at)) == sorted(wanted)
        page = belonging.page(*at, min(ids, default=""), 5)
        assert [one for one, _ in page] == sorted(one for one, _ in wanted if one > min(ids))[:5]
        assert belonging.counts(of, ["a:1", "b"], at_us, size) == {
            name: count for name in ("a:1", "b") if (count := sum(one[0] == name for one in held))
        }
        shared = belonging.shared(of, "a:", at_us, size)
        several = [
            name for name in ("a:1", "a:2") if len({one for one, _ in found.get(name, ())}) > 1
        ]
        assert list(shared) == several
        assert all(sorted(shared[name]) == sorted(found[name]) for name in several)


@on_sqlite
def test_nobody_is_found_by_reading_every_subject(database: Database) -> None:
    belonging = Belonging(database, 1, Vault(database, 1, keyring_of(database)))
    of = Generation(1, "custody", 1, State.LIVE, 9, 0)
    asked: list[tuple[str, Any]] = []

    def look(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    with listening("before_cursor_execute", look):
        for some in (["a"], ["a", "b"]):
            belonging.count(of, some, 9, 9)
            belonging.counts(of, some, 9, 9)
            belonging.ids(of, some, 9, 9)
            belonging.page(of, some, 9, 9, "", 100)
            belonging.ever(of, some, 9)
            belonging.is_known(of, some, 9)
    with database.engine.connect() as connection:
        for statement, values in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
            steps = [row.detail for row in plan if "SEARCH" in row.detail or "SCAN p" in row.detail]
            assert steps
            assert all("population" in one for one in steps if "SCAN page" not in one), steps


@on_sqlite
def test_who_belongs_is_found_in_indexes_without_what_is_shown(database: Database) -> None:
    belonging = Belonging(database, 1, Vault(database, 1, keyring_of(database)))
    asked: list[tuple[str, Any]] = []

    def look(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    with listening("before_cursor_execute", look):
        belonging.count(Generation(1, "custody", 1, State.LIVE, 9, 0), ["a"], 9, 9)
    ((statement, values),) = asked
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        steps = [row.detail for row in plan if "period" in row.detail]
    bounds = "(log=? AND generation=? AND population=? AND "
    short, *long = steps
    assert short.startswith(f"SEARCH period USING PRIMARY KEY {bounds}valid_from>? AND valid_from<")
    assert len(long) == len(KNOWN_BITS) + 1
    for step in long:
        assert step.startswith(f"SEARCH period USING COVERING INDEX period_known {bounds}<expr>=?")
        assert "known_from>? AND known_from<?" in step


# Guards.


def test_guards_that_are_kept_are_those_that_are_folded_anew(open_ledger: Any) -> None:
    ledger = open_ledger()
    a, b, c = (id_of(name) for name in ("p-1", "p-2", "p-3"))
    hidden = event(ConfidentialityDeclared(person_id=b, ground_code="ASYLUM_208_6"), 9)
    appends = [
        [event(PersonRegistered(person_id=one)) for one in (a, b, c)],
        [event(RecordSealed(person_id=a, order_reference="1"), 3)],
        [hidden],
        [event(RecordUnsealed(person_id=a, order_reference="2"), 5)],
        [event(PersonsLinkedAsSame(person_ids=[a, c]), 6)],
        [event(Retracted(retracted_event_id=hidden.event_id, reason_text="not so"), 7)],
    ]
    days = [event(PersonRegistered(person_id=a), day).valid_time.time for day in (4, 1, 8, 10, 2)]
    for events in appends:
        append_events(ledger, AppendEventsRequest(events=events), 20)
        for at_us in [2**62, *(one.ToMicroseconds() for one in days)]:
            anew = Guards(ledger.log)
            assert ledger.guards.all(at_us) == anew.all(at_us)
            assert ledger.guards.of([a, c], at_us) == anew.of([a, c], at_us)
