"""What is broken or tampered with: nothing acknowledged is lost or doubled, and an audit finds it."""

import random
import resource
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import grpc
import psycopg
import pytest
import sqlalchemy as sa
from commands import Served
from conftest import STORES, VERSIONS, keyring_of, raw, ticking
from events import event, id_of, place
from eventsourcing.dcb.api import DCBQuery
from postgres import Server as Postgres
from test_bad_input import Refusal, refusal_of
from test_store import batch, blocked, direct, first_in_line, listening

from ledger.append import append_events
from ledger.ask.population import list_roster
from ledger.errors import LedgerError, StartupError
from ledger.keys.writers import Writer, Writers
from ledger.ledger import Ledger, now_us
from ledger.rpc.server import Server
from ledger.rpc.status import received
from ledger.store import subject_index
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import Database, is_transient
from ledger.store.log import Append, Log
from ledger.store.tables import entry, entry_subject, head, term, tile
from ledger.store.vault import Vault
from ledger.store.verdict import Problem, Verdict
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_pb2 import BookedIn
from ledger.v1.custody_query_service_pb2 import ListRosterRequest
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    ReadEventsRequest,
)
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.separation_pb2 import Separated

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", [*VERSIONS][:1], indirect=True)


def registered() -> Event:
    return event(PersonRegistered(person_id=str(uuid.uuid4())))


def booked(person_id: str) -> Event:
    return event(BookedIn(person_id=person_id, agency="CBP", facility=place("Station")), 2)


def request_of(count: int = 1) -> AppendEventsRequest:
    return AppendEventsRequest(events=[registered() for _ in range(count)])


# Tampering. Each case changes what is kept as someone with the database's password could.

SIZE = 300
TWO_SUBJECTS, VOIDED, RETRACTION = 40, 50, 60


def history() -> list[list[Event]]:
    """Three hundred events in appends of one to seven, the same each time."""
    events = [
        event(PersonRegistered(person_id=id_of(f"person-{i}")), event_id=id_of(f"event-{i}"))
        for i in range(1, SIZE + 1)
    ]
    events[TWO_SUBJECTS - 1] = event(
        Separated(
            child_id=id_of("child"),
            adult_ids=[id_of("mother")],
            reason_codes=["ZERO_TOLERANCE"],
            agency="CBP",
        ),
        event_id=id_of("separated"),
    )
    events[RETRACTION - 1] = event(
        Retracted(retracted_event_id=id_of(f"event-{VOIDED}"), reason_text="not so"),
        event_id=id_of("retraction"),
    )
    batches, chance = [], random.Random(1)
    while events:
        count = chance.randrange(1, 8)
        batches.append(events[:count])
        events = events[count:]
    return batches


def write(url: str, batches: Sequence[Sequence[Event]]) -> None:
    """A ledger of these appends, at the same times and under the same keys each time."""
    with pytest.MonkeyPatch.context() as patch, closing(Ledger(url, clock=ticking())) as ledger:
        patch.setattr("ledger.store.person_keys.secrets", SimpleNamespace(token_bytes=bytes))
        for one in batches:
            append_events(ledger, AppendEventsRequest(events=one), 20)


KEPT_TABLES = (head, term, entry, entry_subject, tile)


@dataclass
class Kept:
    """A database with a history, to be tampered with and mended again."""

    database: Database
    root: bytes

    def run(self, *statements: Any) -> None:
        with self.database.engine.begin() as connection:
            for one in statements:
                connection.execute(sa.text(one) if isinstance(one, str) else one)

    def mend(self) -> None:
        for table in KEPT_TABLES:
            columns = ", ".join(column.name for column in table.columns)
            self.run(
                sa.delete(table),
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM kept_{table}",
            )

    def value(self, column: Any, where: Any) -> Any:
        with self.database.engine.connect() as connection:
            return connection.execute(sa.select(column).where(where)).scalar_one()

    def verify(self, *checkpoints: tuple[int, bytes]) -> Verdict:
        return verify(self.database, 1, Means(checkpoints=checkpoints))


@pytest.fixture(scope="module", params=STORES)
def pristine(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Kept]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('kept') / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgres_of")(request.param).create_database()
    write(url, history())
    with closing(Database(url)) as database:
        found = Kept(database, verify(database, 1, Means()).root)
        for table in KEPT_TABLES:
            found.run(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
        yield found


@pytest.fixture
def kept(pristine: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr("ledger.store.audit.RANGE", 256)
    monkeypatch.setattr("ledger.store.audit.SUBJECTS", 70)
    monkeypatch.setattr("ledger.store.audit_range.CHUNK", 100)
    monkeypatch.setattr("ledger.store.subject_index.READ_MAX", 50)
    yield pristine
    pristine.mend()


def flipped(data: bytes, at: int) -> bytes:
    """The bytes with one bit of one of them turned."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def entry_at(position: int) -> Any:
    return entry.c.position == position


def number_of(kept: Kept, name: str) -> int:
    return int(kept.value(term.c.id, term.c.name == name))


def flip_entry(column: str, position: int, at: int = 5) -> Callable[[Kept], None]:
    def tamper(kept: Kept) -> None:
        found = kept.value(entry.c[column], entry_at(position))
        other = flipped(found, at) if isinstance(found, bytes) else found ^ 1
        kept.run(sa.update(entry).where(entry_at(position)).values({column: other}))

    return tamper


def flip_word(position: int) -> Callable[[Kept], None]:
    """In a text that no column repeats."""

    def tamper(kept: Kept) -> None:
        data = kept.value(entry.c.data, entry_at(position))
        set_entry(position, data=flipped(data, data.index(b"test")))(kept)

    return tamper


def set_entry(at: int, **values: Any) -> Callable[[Kept], None]:
    return lambda kept: kept.run(sa.update(entry).where(entry_at(at)).values(values))


def garble_retraction(kept: Kept) -> None:
    """What it retracts is no id any more."""
    data = kept.value(entry.c.data, entry_at(RETRACTION))
    other = data.replace(id_of(f"event-{VOIDED}").encode(), b"x" * 36)
    set_entry(RETRACTION, data=other)(kept)


def set_head(**values: Any) -> Callable[[Kept], None]:
    return lambda kept: kept.run(sa.update(head).values(values))


def flip_tile(level: int, index: int, at: int) -> Callable[[Kept], None]:
    def tamper(kept: Kept) -> None:
        where = sa.and_(tile.c.level == level, tile.c.tile == index)
        other = flipped(kept.value(tile.c.hashes, where), at)
        kept.run(sa.update(tile).where(where).values(hashes=other))

    return tamper


def cut_tile(level: int, index: int, size: int) -> Callable[[Kept], None]:
    def tamper(kept: Kept) -> None:
        where = sa.and_(tile.c.level == level, tile.c.tile == index)
        shorter = kept.value(tile.c.hashes, where)[:-size]
        kept.run(sa.update(tile).where(where).values(hashes=shorter))

    return tamper


def rename_term(name: str) -> Callable[[Kept], None]:
    return lambda kept: kept.run(sa.update(term).where(term.c.name == name).values(name="other"))


def swap_terms(kept: Kept) -> None:
    one, other = (f"person:{id_of(f'person-{i}')}" for i in (70, 80))
    first, second = number_of(kept, one), number_of(kept, other)
    named = sa.update(term)
    kept.run(
        named.where(term.c.id == first).values(name="aside"),
        named.where(term.c.id == second).values(name=one),
        named.where(term.c.id == first).values(name=other),
    )


def swap_entries(one: int, other: int) -> Callable[[Kept], None]:
    """With everything that points to them, as a careful hand would."""

    def tamper(kept: Kept) -> None:
        for table in (entry, entry_subject):
            moved = sa.update(table)
            kept.run(
                moved.where(table.c.position == one).values(position=-1),
                moved.where(table.c.position == other).values(position=one),
                moved.where(table.c.position == -1).values(position=other),
            )

    return tamper


def delete_entry(position: int, *, carefully: bool = False) -> Callable[[Kept], None]:
    def tamper(kept: Kept) -> None:
        kept.run(sa.delete(entry).where(entry_at(position)))
        if carefully:
            kept.run(sa.delete(entry_subject).where(entry_subject.c.position == position))

    return tamper


def cut_the_end(kept: Kept) -> None:
    """As if the last entry had never been, but for the tree."""
    delete_entry(SIZE, carefully=True)(kept)
    record_us = kept.value(entry.c.record_us, entry_at(SIZE - 1))
    kept.run(sa.update(head).values(size=SIZE - 1, record_us=record_us))


def add_entry(position: int) -> Callable[[Kept], None]:
    """A copy of entry 7 under another id."""

    def tamper(kept: Kept) -> None:
        other = {
            "position": sa.literal(position),
            "event_id": sa.literal(bytes(16), sa.LargeBinary),
        }
        columns = [other.get(column.name, column) for column in entry.columns]
        copy = sa.select(*columns).where(entry_at(7))
        kept.run(sa.insert(entry).from_select([*entry.columns.keys()], copy))

    return tamper


def change_index(at: int, **values: Any) -> Callable[[Kept], None]:
    return lambda kept: kept.run(
        sa.update(entry_subject).where(entry_subject.c.position == at).values(values)
    )


def drop_from_index(position: int) -> Callable[[Kept], None]:
    return lambda kept: kept.run(
        sa.delete(entry_subject).where(entry_subject.c.position == position)
    )


def add_to_index(
    position: int, name: str = f"person:{id_of('person-9')}"
) -> Callable[[Kept], None]:
    return lambda kept: kept.run(
        sa.insert(entry_subject).values(log=1, subject=number_of(kept, name), position=position)
    )


def both(*tampers: Callable[[Kept], None]) -> Callable[[Kept], None]:
    return lambda kept: [tamper(kept) for tamper in tampers] and None


TAMPERED: dict[str, tuple[Callable[[Kept], None], int]] = {
    **{
        f"byte {at} of entry {position}": (flip_entry("data", position, at), position)
        for position, at in [(1, 0), (1, 3), (99, 20), (100, 40), (101, 60), (256, 9), (257, -1), (300, 30)]
    },
    "the bytes of an entry cut": (set_entry(17, data=b""), 17),
    "the bytes of another entry": (
        lambda kept: set_entry(17, data=kept.value(entry.c.data, entry_at(16)))(kept), 17
    ),
    **{
        f"the column {column} of entry {position}": (flip_entry(column, position), position)
        for column in ("event_id", "record_us", "type", "subjects")
        for position in (1, 150, 300)
    },
    "a record time an hour early": (
        lambda kept: kept.run(sa.update(entry).where(entry_at(33)).values(record_us=entry.c.record_us - 3_600_000_000)),
        33,
    ),
    "a type that there is not": (set_entry(33, type=99_999), 33),
    "no subjects": (set_entry(33, subjects=b""), 33),
    "half a subject": (set_entry(33, subjects=b"\x00\x00\x00"), 33),
    "the subjects the other way round": (
        lambda kept: set_entry(
            TWO_SUBJECTS,
            subjects=(found := kept.value(entry.c.subjects, entry_at(TWO_SUBJECTS)))[8:] + found[:8],
        )(kept),
        TWO_SUBJECTS,
    ),
    "the subjects of a retraction": (flip_entry("subjects", RETRACTION, 7), RETRACTION),
    "an entry moved to another log": (set_entry(120, log=9), 120),
    "an entry moved to another place": (set_entry(120, position=9_999), 120),
    "the first entry deleted": (delete_entry(1), 1),
    "an entry deleted": (delete_entry(100), 100),
    "an entry deleted with what points to it": (delete_entry(123, carefully=True), 123),
    "the last entry deleted": (delete_entry(SIZE), SIZE),
    "the last entry deleted with what points to it": (cut_the_end, SIZE),
    "two entries swapped": (swap_entries(140, 141), 140),
    "two distant entries swapped": (swap_entries(12, 280), 12),
    "an entry added at the end": (add_entry(SIZE + 1), SIZE + 1),
    "a word of an entry, and then a hundred columns": (
        both(flip_word(17), lambda kept: kept.run(sa.update(entry).where(entry.c.position > 180).values(type=7))),
        17,
    ),
    "an index row deleted": (drop_from_index(77), 77),
    "an index row of one of two subjects deleted": (
        lambda kept: kept.run(
            sa.delete(entry_subject).where(
                entry_subject.c.position == TWO_SUBJECTS,
                entry_subject.c.subject == number_of(kept, f"person:{id_of('mother')}"),
            )
        ),
        TWO_SUBJECTS,
    ),
    "an index row of another subject": (change_index(77, subject=3), 77),
    "an index row of a subject that there is not": (change_index(77, subject=99_999), 77),
    "an index row at another place": (change_index(77, position=200), 77),
    "an index row of another log": (change_index(77, log=9), 77),
    "an index row added": (add_to_index(88), 88),
    "an index row added beyond the end": (add_to_index(SIZE + 1), SIZE + 1),
    "an index row added and a later one deleted": (
        both(add_to_index(88), drop_from_index(200)), 88
    ),
    "a subject renamed": (rename_term(f"person:{id_of('person-70')}"), 70),
    "a subject of a retracted event renamed": (rename_term(f"person:{id_of(f'person-{VOIDED}')}"), VOIDED),
    "two subjects swapped": (swap_terms, 70),
    "a type renamed": (rename_term("Separated"), TWO_SUBJECTS),
    "a subject deleted": (
        lambda kept: kept.run(sa.delete(term).where(term.c.name == f"person:{id_of('person-70')}")), 70
    ),
    "a subject with another number": (
        lambda kept: kept.run(sa.update(term).where(term.c.name == f"person:{id_of('person-70')}").values(id=9_999)), 70
    ),
    "a hash of the tree": (flip_tile(0, 0, 17 * 32 + 5), 18),
    "the last hash of a full tile": (flip_tile(0, 0, 255 * 32), 256),
    "a hash of the second tile": (flip_tile(0, 1, 3 * 32 + 31), 260),
    "a hash of the level above": (flip_tile(1, 0, 8), 1),
    "a tile cut by a hash": (cut_tile(0, 1, 32), SIZE),
    "a tile cut by a byte": (cut_tile(0, 1, 1), SIZE),
    "a tile deleted": (lambda kept: kept.run(sa.delete(tile).where(tile.c.tile == 1)), 257),
    "the level above deleted": (lambda kept: kept.run(sa.delete(tile).where(tile.c.level == 1)), 1),
    "a tile moved": (lambda kept: kept.run(sa.update(tile).where(tile.c.tile == 1).values(tile=7)), 257),
    "a tile of another log": (lambda kept: kept.run(sa.update(tile).where(tile.c.tile == 1).values(log=9)), 257),
    "a smaller size": (lambda kept: kept.run(sa.update(head).values(size=SIZE - 1)), SIZE),
    "no size": (lambda kept: kept.run(sa.update(head).values(size=0)), 1),
    "a larger size": (lambda kept: kept.run(sa.update(head).values(size=SIZE + 1)), SIZE + 1),
    "an endless size": (set_head(size=2**62), SIZE + 1),
    "a size below nothing": (set_head(size=-1), 1),
    "an endless size, and an entry there": (both(set_head(size=2**62), add_entry(2**62)), SIZE + 1),
    "endless terms": (set_head(term_count=10**15), 1),
    "a retraction of what is no id": (garble_retraction, RETRACTION),
    "an earlier last time": (lambda kept: kept.run(sa.update(head).values(record_us=5)), SIZE),
}  # fmt: skip


def test_an_audit_of_what_was_not_touched_finds_nothing(kept: Kept) -> None:
    verdict = kept.verify((100, root_of(kept, 100)), (SIZE, kept.root))
    assert (verdict.problems, verdict.size, verdict.root) == ([], SIZE, kept.root)
    assert verdict.first_bad_position is None


def root_of(kept: Kept, size: int) -> bytes:
    """The root that somebody would have kept when the log had this size."""
    return Log(kept.database, now_us, keyring_of(kept.database)).tree.root(size)


@pytest.mark.parametrize("name", TAMPERED)
def test_an_audit_finds_what_was_tampered_with_and_where(name: str, kept: Kept) -> None:
    tamper, position = TAMPERED[name]
    tamper(kept)

    verdict = kept.verify()

    assert not verdict.ok
    assert verdict.first_bad_position == position, verdict.problems


@pytest.mark.parametrize(
    "tamper",
    [
        add_entry(0),
        add_entry(-5),
        add_to_index(0),
        lambda kept: kept.run(sa.update(head).values(term_count=head.c.term_count - 1)),
        lambda kept: kept.run(sa.update(head).values(term_count=head.c.term_count + 1)),
        lambda kept: kept.run(sa.insert(term).values(log=1, id=9_999, name="person:forged")),
        lambda kept: kept.run(sa.insert(tile).values(log=1, level=5, tile=7, hashes=bytes(32))),
        lambda kept: kept.run(sa.delete(head)),
    ],
    ids=[
        "an entry at position 0",
        "an entry at position -5",
        "an index row at position 0",
        "fewer terms than there are",
        "more terms than there are",
        "a term that nothing uses",
        "a tile that is not of the tree",
        "no head",
    ],
)
def test_an_audit_finds_what_belongs_nowhere(tamper: Callable[[Kept], None], kept: Kept) -> None:
    tamper(kept)
    assert not kept.verify().ok


@pytest.mark.parametrize("pristine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["data", "event_id", "record_us", "type", "subjects"])
def test_an_audit_finds_values_of_another_kind(column: str, kept: Kept) -> None:
    """SQLite takes any value in any column."""
    kept.run(f"UPDATE entry SET {column} = 'a text' WHERE position = 42")
    assert kept.verify().first_bad_position == 42


NO_INTEGERS = {
    "UPDATE entry SET position = 1.5 WHERE position = 2": 2,
    "UPDATE entry SET position = 98.5 WHERE position = 2": 2,
    f"UPDATE entry SET position = {SIZE - 0.5} WHERE position = {SIZE}": SIZE,
    "UPDATE entry_subject SET subject = subject + 0.5 WHERE position = 77": 77,
    "UPDATE entry_subject SET position = 77.5 WHERE position = 77": 77,
    "UPDATE entry_subject SET subject = 'x' WHERE position = 77": 77,
    "UPDATE entry_subject SET position = 'x' WHERE position IN (77, 78)": 1,
    "UPDATE entry_subject SET position = 9e999 WHERE position = 77": 1,
    "UPDATE head SET size = 'x'": 1,
    f"UPDATE head SET size = {SIZE - 0.5}": 1,
    "UPDATE head SET term_count = 'x'": 1,
    "UPDATE head SET record_us = 'x'": SIZE,
    "INSERT INTO tile SELECT log, level, 0.5, hashes FROM tile WHERE level = 0 AND tile = 0": 1,
    "UPDATE tile SET level = 'x' WHERE level = 1": 1,
    "UPDATE tile SET tile = 'x' WHERE level = 1": 1,
    "UPDATE term SET id = id + 0.5 WHERE id = 5": 3,
}


@pytest.mark.parametrize("pristine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("tamper", NO_INTEGERS)
def test_an_audit_names_the_place_of_a_number_that_is_no_integer(tamper: str, kept: Kept) -> None:
    kept.run(tamper)
    verdict = kept.verify()
    assert verdict.first_bad_position == NO_INTEGERS[tamper], verdict.problems


@pytest.mark.parametrize("pristine", ["sqlite"], indirect=True)
def test_sealed_fields_of_another_kind_are_found(kept: Kept) -> None:
    kept.run("UPDATE entry SET sealed = 'a text' WHERE position = 42")
    vault = Vault(kept.database, 1, keyring_of(kept.database))
    assert verify(kept.database, 1, Means(vault=vault)).first_bad_position == 42


def test_no_entry_was_recorded_before_the_one_before_it(kept: Kept) -> None:
    """Within a chunk, between two of them, and between two ranges."""
    for position in (50, 101, 257):
        made = Entry.FromString(kept.value(entry.c.data, entry_at(position)))
        made.record_time.FromMicroseconds(5)
        set_entry(position, data=made.SerializeToString(), record_us=5)(kept)
        wanted = Problem(position, "the order of record times does not say what the entry says")
        assert wanted in kept.verify().problems
        kept.mend()


def test_the_index_is_read_up_to_the_size_of_the_log(kept: Kept) -> None:
    """What was appended since is of another audit."""
    named = sa.select(entry_subject.c.subject, entry_subject.c.position)
    with kept.database.snapshot() as connection:
        pairs = [tuple(row) for row in connection.execute(named) if row.position <= 100]
        found = subject_index.index_product(connection, 1, 12345, (1, 10**6), 100)
    assert found == subject_index.product(12345, pairs)


def test_several_processes_open_and_check_what_one_does(kept: Kept) -> None:
    since_us = kept.value(entry.c.record_us, entry_at(SIZE - 3))
    means = Means(
        vault=Vault(kept.database, 1, keyring_of(kept.database)),
        writers=Writers([Writer("CBP", bytes(32), since_us=since_us)]),
    )
    set_entry(RETRACTION, sealed=b"other")(kept)
    alone, shared = (verify(kept.database, 1, means, workers=workers) for workers in (1, 2))
    assert alone == shared
    first, second, *_ = shared.problems
    assert (first.position, first.what) == (RETRACTION, "sealed fields are missing")
    assert second.position > SIZE - 20
    assert "is not signed" in second.what


def test_several_processes_find_what_one_does(kept: Kept) -> None:
    whole = verify(kept.database, 1, Means(checkpoints=[(SIZE, kept.root)]), workers=2)
    assert (whole.problems, whole.size, whole.root) == ([], SIZE, kept.root)

    both(flip_word(17), drop_from_index(77), flip_entry("type", 290))(kept)
    assert verify(kept.database, 1, Means(), workers=2) == kept.verify()


def test_the_index_of_subjects_is_compared_by_a_number_that_nobody_can_foresee() -> None:
    pairs = [(subject, position) for subject in range(1, 9) for position in range(1, 9)]
    points = [subject_index.draw() for _ in range(3)]
    assert len({*points}) == 3
    for point in points:
        whole = subject_index.product(point, pairs)
        parts = [subject_index.product(point, some) for some in (pairs[40:], pairs[:40])]
        assert parts[0] * parts[1] % subject_index.PRIME == whole
        # One more, one less, one twice, two exchanged: another number.
        others = [[*pairs, (9, 9)], pairs[1:], [*pairs, pairs[0]], [(1, 2), (2, 1), *pairs[2:]]]
        assert whole not in {subject_index.product(point, other) for other in others}


def test_a_ledger_that_was_tampered_with_does_not_start(kept: Kept) -> None:
    flip_entry("data", 42)(kept)
    with pytest.raises(StartupError, match="from position 42 on"):
        Ledger(kept.database.url.render_as_string(hide_password=False))


def test_whoever_rewrites_entries_and_tree_is_found_by_a_kept_checkpoint(
    kept: Kept, tmp_path: Path
) -> None:
    """From the inside nothing can be seen: everything fits. Somebody else has to have kept a root."""
    batches = history()
    forged = next(one for batch in batches for one in batch if one.event_id == id_of("event-200"))
    forged.person_registered.person_id = id_of("somebody else")
    write(url := f"sqlite:///{tmp_path / 'forged.db'}", batches)

    with closing(Database(url)) as database:
        assert verify(database, 1, Means()).ok
        assert verify(database, 1, Means(checkpoints=[(199, root_of(kept, 199))])).ok
        for checkpoints in (
            [(200, root_of(kept, 200))],
            [(SIZE, kept.root)],
            [(100, root_of(kept, 100)), (199, root_of(kept, 199)), (250, root_of(kept, 250))],
        ):
            verdict = verify(database, 1, Means(checkpoints=checkpoints))
            assert not verdict.ok
            # It lies behind what a checkpoint shows to be whole.
            whole = max([size for size, _ in checkpoints if size < 200], default=0)
            assert whole < verdict.first_bad_position <= 200
        # Entries that were taken away leave a log that is whole, and shorter than one kept.
        assert (
            verify(database, 1, Means(checkpoints=[(SIZE + 1, kept.root)])).first_bad_position
            == SIZE + 1
        )


def test_a_flipped_byte_anywhere_in_a_file_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    write(f"sqlite:///{path}", history())
    with closing(raw(f"sqlite:///{path}")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    whole, chance = path.read_bytes(), random.Random(99)
    with closing(Database(f"sqlite:///{path}")) as database:
        root = verify(database, 1, Means()).root
    found = 0
    for number in range(60):
        broken = tmp_path / f"broken-{number}.db"
        at = chance.randrange(100, len(whole))
        broken.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        )
        try:
            with closing(Database(f"sqlite:///{broken}")) as database:
                verdict = verify(database, 1, Means())
        except StartupError:
            found += 1
        else:
            assert not verdict.ok or (verdict.size, verdict.root) == (SIZE, root), at
            found += not verdict.ok
    assert found > 10


# A process that is killed.


@dataclass
class Sent:
    """What clients sent, and what they were told."""

    requests: list[AppendEventsRequest] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    """The position of each event that was acknowledged."""
    reasons: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: AppendEventsResponse) -> None:
        with self.lock:
            for receipt in answer.receipts:
                # Told twice, told the same.
                assert self.told.setdefault(receipt.event_id, receipt.position) == receipt.position

    def assert_kept(self, ledger: Ledger) -> None:
        """Everything acknowledged is there, where it was said to be, once; nothing was made up."""
        size = ledger.log.entries.size()
        found = {
            str(uuid.UUID(bytes=one.event_id)): one.position
            for one in ledger.log.entries.page(DCBQuery(), 0, size, size)
        }
        assert sorted(found.values()) == list(range(1, size + 1))
        assert self.told.items() <= found.items()
        assert found.keys() <= {one.event_id for sent in self.requests for one in sent.events}


class Senders:
    """Clients that append as fast as they can, each at one thing until it is acknowledged."""

    def __init__(self, sent: Sent, count: int = 4) -> None:
        self._sent = sent
        self._chance = random.Random(len(sent.requests))
        self._open: list[AppendEventsRequest | None] = [None] * count

    def run(self, address: str, until: int) -> threading.Event:
        """Begin, first with what was not acknowledged before; set when so many are told."""
        enough = threading.Event()
        goal = len(self._sent.told) + until
        self._threads = [
            threading.Thread(target=self._send, args=(number, address, goal, enough))
            for number in range(len(self._open))
        ]
        for thread in self._threads:
            thread.start()
        return enough

    def join(self) -> None:
        """Wait until each of them has lost the server."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _send(self, number: int, address: str, goal: int, enough: threading.Event) -> None:
        sent = self._sent
        with grpc.insecure_channel(address) as channel:
            stub = LedgerServiceStub(channel)
            while True:
                if self._open[number] is None:
                    with sent.lock:
                        request = request_of(self._chance.randrange(1, 6))
                        sent.requests.append(request)
                    self._open[number] = request
                try:
                    sent.note(stub.AppendEvents(self._open[number], timeout=30))
                except grpc.RpcError as error:
                    sent.reasons.add(received(error).name)
                    return
                self._open[number] = None
                if len(sent.told) >= goal:
                    enough.set()


@pytest.mark.parametrize("database_url", STORES, indirect=True)
def test_a_killed_process_loses_and_doubles_nothing(database_url: str) -> None:
    sent, chance = Sent(), random.Random(3)
    senders = Senders(sent)
    for _ in range(5):
        served = Served(database_url)
        enough = senders.run(served.address, chance.randrange(5, 60))
        assert enough.wait(60)
        served.kill()
        senders.join()

    with closing(Ledger(database_url)) as ledger:  # which verifies it
        sent.assert_kept(ledger)
        # Whatever was ever sent may be sent again: what was acknowledged stays where it is.
        for request in sent.requests:
            sent.note(append_events(ledger, request, 20))
        sent.assert_kept(ledger)
        assert ledger.log.entries.size() == sum(len(one.events) for one in sent.requests)
    assert sent.reasons == {"UNREACHABLE"}


# A database that is killed, or that fails.


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A server that may be killed: nobody else's databases are on it."""
    with Postgres(next(iter(VERSIONS.values()))) as running:
        yield running


class Callers:
    """Clients that go on whatever they are told, each append being sent once."""

    def __init__(self, address: str, sent: Sent) -> None:
        self._address = address
        self._sent = sent
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(5)
        self._calls = [self._pool.submit(self._go_on, self._append) for _ in range(4)]
        self._calls.append(self._pool.submit(self._go_on, self._read))
        self.refusals: list[Refusal] = []

    def wait_for(self, count: int, unless: threading.Event) -> None:
        """Until so many more events were acknowledged."""
        goal = len(self._sent.told) + count
        while len(self._sent.told) < goal and not unless.wait(0.001):
            pass

    def stop(self) -> None:
        self._over.set()
        for one in self._calls:
            one.result(60)
        self._pool.shutdown()

    def _go_on(self, call: Callable[[LedgerServiceStub], None]) -> None:
        with grpc.insecure_channel(self._address) as channel:
            stub = LedgerServiceStub(channel)
            while not self._over.is_set():
                try:
                    call(stub)
                except grpc.RpcError as error:
                    self.refusals.append(refusal_of(error))
                    self._over.wait(0.05)

    def _append(self, stub: LedgerServiceStub) -> None:
        request = request_of(3)
        with self._sent.lock:
            self._sent.requests.append(request)
        self._sent.note(stub.AppendEvents(request, timeout=30))

    def _read(self, stub: LedgerServiceStub) -> None:
        list(stub.ReadEvents(ReadEventsRequest(limit=1), timeout=30))


def test_a_database_server_that_is_killed_loses_nothing_acknowledged(
    own_postgres: Postgres,
) -> None:
    failed, sent, url = threading.Event(), Sent(), own_postgres.create_database()
    server = Server(Ledger(url, on_failure=failed.set), "127.0.0.1:0")
    callers = Callers(server.address, sent)
    try:
        for _ in range(2):
            callers.wait_for(60, unless=failed)
            own_postgres.kill()
            own_postgres.start()
            callers.wait_for(60, unless=failed)
    finally:
        callers.stop()
        server.stop()

    # It is back within a second, and a lost connection is no reason to stop.
    assert not failed.is_set()
    assert {one.reason for one in callers.refusals} <= {"OUTCOME_UNKNOWN", "DATABASE_UNAVAILABLE"}
    with closing(Ledger(url)) as ledger:
        sent.assert_kept(ledger)
        for request in sent.requests:
            sent.note(append_events(ledger, request, 20))
        sent.assert_kept(ledger)


def test_after_a_database_server_was_killed_the_tables_go_on(own_postgres: Postgres) -> None:
    with closing(Ledger(own_postgres.create_database())) as ledger:
        people = [str(uuid.uuid4()) for _ in range(4)]
        append_events(ledger, AppendEventsRequest(events=[booked(people[0])]), 20)
        own_postgres.kill()
        own_postgres.start()
        for person in people[1:]:
            append_events(ledger, AppendEventsRequest(events=[booked(person)]), 20)
        request = ListRosterRequest(agency="CBP", basis=Basis(at_least_size=4))
        assert [one.person_id for one in list_roster(ledger, request).people] == sorted(people)


class NoStandby:
    """Every commit waits for a standby that is not there, and every such wait is cancelled."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._cancelling = threading.Thread(target=self._cancel)
        self._cancelled = threading.Condition()
        self._count = 0

    def __enter__(self) -> Self:
        self._set("nobody")
        self._cancelling.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._set("")
        self._cancelling.join(20)

    def wait_for_another(self) -> None:
        """Until one more commit was cancelled."""
        with self._cancelled:
            before = self._count
            assert self._cancelled.wait_for(lambda: self._count > before, 20)

    def _set(self, name: str) -> None:
        with direct(self._url) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute("SHOW synchronous_standby_names").fetchone() != (name,):
                pass

    def _cancel(self) -> None:
        waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        with direct(self._url) as connection:
            while not self._over.is_set():
                if cancelled := connection.execute(waiting).fetchall():
                    with self._cancelled:
                        self._count += len(cancelled)
                        self._cancelled.notify_all()


def test_a_commit_that_no_standby_confirmed_gets_no_receipt(own_postgres: Postgres) -> None:
    url, failed = own_postgres.create_database(), threading.Event()
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    request = AppendEventsRequest(events=[booked(second)])
    following = threading.Event()

    def look(_: sa.Connection) -> None:
        if threading.current_thread().name == "follower":
            following.set()

    with closing(Ledger(url, on_failure=failed.set)) as ledger:
        append_events(ledger, AppendEventsRequest(events=[booked(first)]), 20)
        with NoStandby(url) as standby:
            with pytest.raises(LedgerError) as refusal:
                append_events(ledger, request, 20)
            # The tables follow all the same, and their commit is not confirmed either.
            with listening("commit", look):
                assert following.wait(20)
            standby.wait_for_another()
        assert refusal.value.name == "OUTCOME_UNKNOWN"
        assert not failed.is_set()

        again = append_events(ledger, request, 20)

        assert again.receipts[0].already_recorded
        append_events(ledger, AppendEventsRequest(events=[booked(first)]), 20)
        question = ListRosterRequest(agency="CBP", basis=Basis(at_least_size=3))
        found = [one.person_id for one in list_roster(ledger, question).people]
        assert found == sorted([first, second])
    with closing(Database(url)) as database:
        assert verify(database, 1, Means()).ok


# Errors of the disk. The process must not go on: what is on disk is not known.


class Failures:
    """Counts how often the process is told to end."""

    def __init__(self) -> None:
        self.count = 0
        self.happened = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self.happened.set()


def assert_stopped(ledger: Ledger, failures: Failures, request: AppendEventsRequest) -> None:
    """The append got no receipt, nobody else does, and the process was told to end."""
    for one in (request, request_of()):
        with pytest.raises(LedgerError) as refusal:
            append_events(ledger, one, 20)
        assert refusal.value.name == "OUTCOME_UNKNOWN"
    assert failures.count == 1


def assert_whole(url: str, kept: Sequence[AppendEventsRequest], lost: AppendEventsRequest) -> None:
    """After a new start the acknowledged are there, and the other may be sent again."""
    with closing(Ledger(url)) as ledger:
        for request in kept:
            receipts = append_events(ledger, request, 20).receipts
            assert all(one.already_recorded for one in receipts)
        append_events(ledger, lost, 20)
        events = [one for request in (*kept, lost) for one in request.events]
        assert ledger.log.entries.size() == len(events)
        found = ledger.log.entries.find([uuid.UUID(one.event_id).bytes for one in events])
        assert len(found) == len(events)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Writing beyond is an I/O error, as on a failing disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@on_sqlite
def test_an_error_of_the_disk_stops_the_ledger(database_url: str) -> None:
    failures, kept, lost = Failures(), [request_of(5) for _ in range(5)], request_of(400)
    wal = Path(f"{database_url.removeprefix('sqlite:///')}-wal")
    with closing(Ledger(database_url, on_failure=failures)) as ledger:
        for request in kept:
            append_events(ledger, request, 20)
        with files_no_larger_than(wal.stat().st_size + 20_000):
            assert_stopped(ledger, failures, lost)
        assert ledger.log.entries.size() == 25
    assert_whole(database_url, kept, lost)


@on_sqlite
def test_a_full_disk_stops_the_ledger(database_url: str) -> None:
    failures, kept, lost = Failures(), [request_of(5) for _ in range(5)], request_of(400)

    def fill(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")  # no more than there are

    ledger = Ledger(database_url, on_failure=failures)
    with closing(ledger):
        for request in kept:
            append_events(ledger, request, 20)
        ledger._database.engine.dispose()
        with listening("connect", fill):
            assert_stopped(ledger, failures, lost)
    assert_whole(database_url, kept, lost)


class Commits:
    """Does something at the next commit of the thread that appends."""

    def __init__(self, action: Callable[[sa.Connection], None], times: int = 1) -> None:
        self._action = action
        self.left = times

    def __call__(self, connection: sa.Connection) -> None:
        if threading.current_thread().name == "writer" and self.left:
            self.left -= 1
            self._action(connection)


def fail_for_good(_: sa.Connection) -> None:
    raise OSError(5, "Input/output error")


def test_an_error_at_commit_stops_the_ledger(database_url: str) -> None:
    failures, kept, lost = Failures(), [request_of(2) for _ in range(3)], request_of(3)
    with closing(Ledger(database_url, on_failure=failures)) as ledger:
        for request in kept:
            append_events(ledger, request, 20)
        with listening("commit", Commits(fail_for_good)):
            assert_stopped(ledger, failures, lost)
    assert_whole(database_url, kept, lost)


def test_after_a_failure_nothing_more_is_written(database_url: str) -> None:
    """After a failed flush the next one may report success and be wrong."""
    failures = Failures()
    with closing(Ledger(database_url, on_failure=failures)) as ledger:
        with listening("commit", Commits(fail_for_good)):
            with blocked(database_url) as block:
                futures = [first_in_line(ledger, block)]
                futures += [ledger.writer.submit(Append(batch(2))) for _ in range(3)]
            errors = [future.exception(20) for future in futures]
        assert [getattr(one, "name", None) for one in errors] == ["OUTCOME_UNKNOWN"] * 4
        assert ledger.log.entries.size() == 0
    assert failures.count == 1


# Errors that pass.


def lose_before(connection: sa.Connection) -> None:
    """The connection is lost before the commit is sent."""
    driver = connection.connection.dbapi_connection
    if isinstance(driver, sqlite3.Connection):
        driver.rollback()
        raise lost_connection()
    terminate(driver)


def lose_after(connection: sa.Connection) -> None:
    """The connection is lost after the commit was done and before that was said."""
    driver = connection.connection.dbapi_connection
    driver.commit()
    if isinstance(driver, sqlite3.Connection):
        raise lost_connection()
    terminate(driver)


def lost_connection() -> sa.exc.OperationalError:
    error = sqlite3.OperationalError("the connection was lost")
    return sa.exc.OperationalError("COMMIT", {}, error, connection_invalidated=True)


def terminate(driver: psycopg.Connection[Any]) -> None:
    """End the server's side of a connection."""
    parameters = driver.info.get_parameters()
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10_000)", [driver.info.backend_pid])


@pytest.mark.parametrize("lose", [lose_before, lose_after])
def test_an_append_whose_connection_is_lost_is_kept_once(
    lose: Callable[[sa.Connection], None], open_ledger: Any
) -> None:
    failures = Failures()
    ledger = open_ledger(on_failure=failures)
    append_events(ledger, request_of(3), 20)
    request, commits = request_of(4), Commits(lose)

    with listening("commit", commits):
        receipts = append_events(ledger, request, 20).receipts

    assert commits.left == 0
    assert [one.position for one in receipts] == [4, 5, 6, 7]
    assert [one.event_id for one in receipts] == [one.event_id for one in request.events]
    assert failures.count == 0
    assert append_events(ledger, request_of(), 20).receipts[0].position == 8
    assert verify(ledger._database, ledger.log.id, Means()).ok


def test_several_appends_of_one_transaction_are_each_kept_once(
    open_ledger: Any, database_url: str
) -> None:
    ledger = open_ledger()
    with listening("commit", Commits(lose_after, times=2)), blocked(database_url) as block:
        futures = [first_in_line(ledger, block)]
        futures += [ledger.writer.submit(Append(batch(2))) for _ in range(5)]
        block.release()
        positions = [one.position for future in futures for one in future.result(20).entries]
    assert positions == list(range(1, 12))
    assert ledger.log.entries.size() == 11
    assert verify(ledger._database, ledger.log.id, Means()).ok


@on_postgresql
def test_another_process_may_append_between_two_tries(open_ledger: Any) -> None:
    """As many events as were lost, so that the tree looks as if it had grown as expected."""
    ledger, other = open_ledger(name="shared"), open_ledger(name="shared")
    append_events(ledger, request_of(3), 20)

    def lose_and_be_overtaken(connection: sa.Connection) -> None:
        lose_before(connection)
        append_events(other, request_of(4), 20)

    with listening("commit", Commits(lose_and_be_overtaken)):
        receipts = append_events(ledger, request_of(4), 20).receipts
    append_events(ledger, request_of(300), 20)

    assert [one.position for one in receipts] == [8, 9, 10, 11]
    assert verify(ledger._database, ledger.log.id, Means()).problems == []


@on_sqlite
def test_a_database_that_is_locked_for_a_while_is_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.database.BUSY_TIMEOUT_MS", 20)
    with closing(Ledger(database_url)) as ledger, ThreadPoolExecutor(1) as pool:
        tries = threading.Semaphore(0)

        def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement == "BEGIN IMMEDIATE":
                tries.release()

        with listening("before_cursor_execute", look), closing(raw(database_url)) as other:
            other.execute("BEGIN IMMEDIATE")
            future = pool.submit(append_events, ledger, request_of(2), 20)
            for _ in range(3):
                assert tries.acquire(timeout=20)
            other.rollback()
            assert [one.position for one in future.result(20).receipts] == [1, 2]
        assert ledger.log.entries.size() == 2


@on_postgresql
def test_an_append_that_a_deadlock_ends_is_kept_once(
    open_ledger: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, states = open_ledger(), []

    def note(error: Any) -> bool:
        states.append(error.orig.sqlstate)
        return is_transient(error)

    monkeypatch.setattr("ledger.store.writer.is_transient", note)
    append_events(ledger, request_of(3), 20)
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO tile%'"
    )
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(database_url.replace("+psycopg", "")) as other,
    ):
        other.execute("SET deadlock_timeout = '60s'")  # so that the append is the one to give up
        other.execute("SELECT 1 FROM tile FOR UPDATE")
        future = pool.submit(append_events, ledger, request_of(2), 20)
        with direct(database_url) as looking:
            while not looking.execute(waiting).fetchone()[0]:
                pass
        other.execute("UPDATE head SET size = size")
        other.rollback()
        receipts = future.result(20).receipts
    assert states == ["40P01"]
    assert [one.position for one in receipts] == [4, 5]
    assert verify(ledger._database, ledger.log.id, Means()).ok


def test_an_error_that_does_not_pass_is_not_tried_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.writer.RETRY_S", 0.0001)
    failures, request = Failures(), request_of(2)
    with closing(Ledger(database_url, on_failure=failures)) as ledger:
        commits = Commits(lose_before, times=1_000)
        with listening("commit", commits):
            assert_stopped(ledger, failures, request)
        assert 3 < 1_000 - commits.left < 50
    assert_whole(database_url, [], request)
