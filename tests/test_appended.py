"""What an append asks of the database: little, and not again what this process knows itself."""

from collections.abc import Callable
from uuid import uuid4

import pytest
import sqlalchemy as sa
from events import event
from eventsourcing.dcb.api import DCBEvent, DCBQuery, DCBQueryItem
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st
from test_store import recorded

from ledger.append import append_events, begin
from ledger.ledger import Ledger
from ledger.store.appended import LastOfKind
from ledger.store.bulk import insert
from ledger.store.database import Database
from ledger.store.entries import Stored
from ledger.store.group import Group, _is_meant
from ledger.store.tables import metadata, person_key
from ledger.store.tree import Tree
from ledger.v1.event_pb2 import Event
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import AppendEventsRequest


def registered() -> Event:
    """A new person, with a personal field."""
    return event(PersonRegistered(person_id=str(uuid4()), birth_date=Date(year=2010)))


def test_a_large_append_takes_few_statements(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    append_events(ledger, AppendEventsRequest(events=[registered()]), 30)
    ledger._follower.close()  # the tables would follow meanwhile

    def taken(number: int) -> int:
        request = AppendEventsRequest(
            events=[registered() for _ in range(number)], without_findings=True
        )
        with recorded() as statements:
            begin(ledger, request).result(30)
        return len(statements)

    taken(1)
    few, many = taken(1), taken(500)
    assert few < 40
    assert many < few + 60


def test_the_roots_of_receipts_are_those_of_the_tiles(open_ledger: Callable[..., Ledger]) -> None:
    """Of sizes that the log has left behind, of one opened anew, and over the edge of a tile."""
    for _ in range(2):
        ledger = open_ledger(name="rooted")
        requests = [
            AppendEventsRequest(events=[registered() for _ in range(count)], without_findings=True)
            for count in (1, 2, 250, 1, 3, 1, 1, 300)
        ]
        under_way = [begin(ledger, one) for one in requests]
        stamps = [one.result(30).stamp for one in under_way]
        tree = Tree(ledger._database, ledger.log.id)
        for stamp in stamps:
            assert stamp.root == tree.root(stamp.size)
        ledger.close()


# What came last.


def test_what_this_process_did_not_append_it_does_not_know() -> None:
    last = LastOfKind()
    assert not last.has_none(["A"], 0, 5)
    last.note(5, 8, {"A": 7})
    assert last.has_none(["A"], 7, 8)
    assert last.has_none(["B"], 5, 8)
    assert not last.has_none(["A", "B"], 6, 8)
    assert not last.has_none(["B"], 4, 8)
    assert not last.has_none(["B"], 5, 9)
    assert last.has_none(["A"], 9, 9)


def test_it_begins_anew_where_somebody_else_appended_between() -> None:
    last = LastOfKind()
    last.note(0, 3, {"A": 1})
    last.note(3, 4, {"B": 4})
    assert last.has_none(["A"], 1, 4)
    assert not last.has_none(["A"], 0, 4)
    last.note(6, 7, {"B": 7})
    assert not last.has_none(["A"], 4, 7)
    assert last.has_none(["A"], 6, 7)


NAMES = st.sampled_from("abc")
TAGS = st.lists(NAMES, max_size=2, unique=True)
ADDED = st.lists(st.lists(st.tuples(st.sampled_from("AB"), TAGS), min_size=1, max_size=3))
ITEMS = st.lists(
    st.builds(DCBQueryItem, st.lists(st.sampled_from("AB"), max_size=2), TAGS), max_size=3
)


@given(ADDED, ITEMS, st.integers(0, 9))
def test_a_group_has_what_one_of_its_events_matches(
    added: list[list[tuple[str, list[str]]]], items: list[DCBQueryItem], after: int
) -> None:
    group, query = Group(0, 0), DCBQuery(items)
    for append in added:
        first = len(group.added) + 1
        group.add(
            {
                bytes([number]): (
                    Stored(number, bytes([number]), 0, b""),
                    DCBEvent(kind, b"", tags),
                )
                for number, (kind, tags) in enumerate(append, first)
            }
        )
    found = [one for one, kind in group.added if one.position > after and _is_meant(kind, query)]
    assert group.has(query, after) == bool(found)


# Many rows.


@pytest.mark.parametrize("number", [0, 1, 3, 31, 32, 33, 300])
def test_as_many_rows_are_inserted_as_are_given(database_url: str, number: int) -> None:
    database = Database(database_url)
    metadata.create_all(database.engine, [person_key])
    rows = [
        (1, f"p-{one:04}", 2**40 + one, None if one % 3 else b"\0'%\\") for one in range(number)
    ]
    try:
        with database.writing() as connection:
            insert(connection, person_key, rows)
        with database.reading.connect() as connection:
            kept = connection.execute(sa.select(person_key).order_by(person_key.c.person)).all()
        assert [tuple(one) for one in kept] == rows
    finally:
        database.close()


def test_terms_are_found_by_lists_of_any_length(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    events = [registered() for _ in range(70)]
    append_events(ledger, AppendEventsRequest(events=events), 30)
    names = [f"person:{one.person_registered.person_id}" for one in events]
    entries = ledger.log.entries
    entries._terms = {}
    with ledger._database.reading.connect() as connection:
        for count in (0, 1, 2, 3, 63, 64, 65, 70):
            found = entries.numbers(connection, names[:count])
            assert found.keys() == set(names[:count])
            back = entries.names(connection, list(found.values()))
            assert back == {number: name for name, number in found.items()}
        assert entries.numbers(connection, ["person:nobody"]) == {}
