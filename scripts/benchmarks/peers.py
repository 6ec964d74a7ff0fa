"""The peers: UmaDB, the eventsourcing library's own recorders, and raw drivers as floors."""

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.families import Families, tagged
from benchmarks.measuring import Measured, rate_of

Prepared = Any
Peer = tuple[Callable[[list[bytes]], Prepared], Callable[[Prepared], object]]
"""(makes of a batch what the peer is given, appends it durably)."""

CALLERS_MAX = 64

SCHEMA = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;  -- these and the next as the ledger has them
    PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-65536;
    CREATE TABLE entry (position INTEGER PRIMARY KEY, id BLOB UNIQUE, data BLOB);
    CREATE TABLE about (subject, position, PRIMARY KEY (subject, position)) WITHOUT ROWID"""


def umadb(address: str) -> Peer:
    """UmaDB: an event with a tag for each subject; no tree, no checks."""
    from umadb import Client, Event

    # One for each caller; taken from and given back at the end that was used last.
    clients = deque(Client(f"http://{address}") for _ in range(CALLERS_MAX))

    def prepare(batch: list[bytes]) -> list[Event]:
        return [
            Event(event_type=kind, data=data, tags=tags, uuid=key)
            for data in batch
            for key, kind, tags in [tagged(data)]
        ]

    def append(batch: list[Event]) -> None:
        client = clients.pop()
        client.append(batch)
        clients.append(client)

    return prepare, append


class _Rows:
    """The rows of raw tables: (entries, about), subjects numbered beforehand."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._position = 0

    def __call__(self, batch: list[bytes]) -> tuple[list[Any], list[Any]]:
        entries, about = [], []
        for data in batch:
            key, _, tags = tagged(data)
            self._position += 1
            entries.append((self._position, key.bytes, data))
            for tag in tags:
                number = self._numbers.setdefault(tag, len(self._numbers))
                about.append((number, self._position))
        return entries, sorted(about)


@contextmanager
def raw_sqlite(path: Path) -> Iterator[Peer]:
    """Raw sqlite3: the same bytes, as durable, ids and subjects found by; no tree and no checks."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA)

        def append(rows: tuple[list[Any], list[Any]]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows[0])
            connection.executemany("INSERT INTO about VALUES (?, ?)", rows[1])
            connection.execute("COMMIT")

        yield _Rows(), append


@contextmanager
def raw_postgres(url: str) -> Iterator[Peer]:
    """psycopg: binary COPY into the same two tables."""
    import psycopg

    with psycopg.connect(_conninfo(url)) as connection:
        connection.execute("DROP TABLE IF EXISTS raw_about, raw_entry")
        connection.execute(
            "CREATE TABLE raw_entry (position BIGINT PRIMARY KEY, id BYTEA UNIQUE, data BYTEA)"
        )
        connection.execute(
            "CREATE TABLE raw_about (subject BIGINT, position BIGINT, "
            "PRIMARY KEY (subject, position))"
        )
        connection.commit()

        def append(rows: tuple[list[Any], list[Any]]) -> None:
            types = (["int8", "bytea", "bytea"], ["int8", "int8"])
            cursor = connection.cursor()
            for table, some, kinds in zip(("raw_entry", "raw_about"), rows, types, strict=True):
                with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(kinds)
                    for row in some:
                        copy.write_row(row)
            connection.commit()

        yield _Rows(), append


def library_sqlite(path: Path) -> Peer:
    """The library's recorder on SQLite: a stream for each event, nothing found by subject."""
    from eventsourcing.sqlite import SQLiteFactory

    recorder = SQLiteFactory({"SQLITE_DBNAME": str(path)}).application_recorder()
    return _stored, recorder.insert_events


def library_postgres(url: str) -> Peer:
    """The library's recorder of tagged events on PostgreSQL, of the same model as ours."""
    from eventsourcing.dcb.api import DCBEvent
    from eventsourcing.dcb.postgres_tt import PostgresTTDCBFactory

    recorder = PostgresTTDCBFactory(postgres_environment(url)).dcb_recorder()

    def prepare(batch: list[bytes]) -> list[DCBEvent]:
        return [
            DCBEvent(type=kind, data=data, tags=tags)
            for data in batch
            for _, kind, tags in [tagged(data)]
        ]

    return prepare, recorder.append


def _stored(batch: list[bytes]) -> Sequence[Any]:
    from eventsourcing.persistence import StoredEvent

    return [
        StoredEvent(
            originator_id=UUID(bytes=os.urandom(16)), originator_version=1, topic=kind, state=data
        )
        for data in batch
        for _, kind, _ in [tagged(data)]
    ]


def _conninfo(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def postgres_environment(url: str) -> dict[str, str]:
    """The settings of the library for a database."""
    from psycopg.conninfo import conninfo_to_dict

    known = conninfo_to_dict(_conninfo(url))
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(known["dbname"]),
        "POSTGRES_HOST": str(known.get("host", "127.0.0.1")),
        "POSTGRES_PORT": str(known.get("port", "5432")),
        "POSTGRES_USER": str(known.get("user", "postgres")),
        "POSTGRES_PASSWORD": str(known.get("password", "")),
    }


def measured(one: Peer, families: Families, number: int, size: int, threads: int = 1) -> Measured:
    """Its rate, from so many threads at a time, each waiting for its answer."""
    prepare, append = one

    def once() -> float:
        given = [prepare(batch) for batch in families.batches(number, size)]
        if threads > 1:
            return rate_of(number * size, lambda: _threaded(append, given, threads))
        return rate_of(number * size, lambda: [append(batch) for batch in given])

    return once


def _threaded(append: Callable[[object], object], given: Sequence[object], threads: int) -> None:
    parts = [given[one::threads] for one in range(threads)]
    waiting = [
        threading.Thread(target=lambda some=some: [append(one) for one in some]) for some in parts
    ]
    for one in waiting:
        one.start()
    for one in waiting:
        one.join()
