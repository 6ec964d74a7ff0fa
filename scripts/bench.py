#!/usr/bin/env python3
"""Measure the ledger beside raw sqlite3 doing the same work on the same machine, in one run.

    .venv/bin/python scripts/bench.py                           on SQLite: about two minutes
    .venv/bin/python scripts/bench.py --database postgresql://… on an empty database to throw away

Appends one event at a time and 100 at a time; asks for a person and for the roster of a shelter,
each as of T known at K; rebuilds every table; verifies the whole log. "in-process" calls the
functions behind the services. "gRPC" calls `ledger serve`, a process of its own, with one call in
flight, and so pays for judging a request's shape and for the wire. Each has a log of its own.

The floor (`Floor` says what it does for each figure) is always sqlite3, as durable as the ledger:
WAL, synchronous=FULL, in the same directory, given the same events. The invented history is the
same each time: families of a child and two adults, six events of three subjects on average.

A round measures every figure once, floor and ledger in turn, every other round in reverse. One
round before the first warms up. Nothing is measured while tables still follow an append, except
where a figure says that it waits for them.

A line of JSON a figure on stdout, a table on stderr. `rate` and `floor_rate` are medians of the
rounds, `ratio` is the median of their ratios, `min` and `max` are of the rate. It judges nothing.
"""

import argparse
import gc
import json
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import grpc
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ledger.append import append_events
from ledger.ask import get_person, list_roster, list_separations
from ledger.entry import encode, seal, subjects_of
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.store.audit import verify
from ledger.store.database import Database
from ledger.v1 import custody_query_service_pb2 as questions
from ledger.v1 import event_pb2 as words
from ledger.v1.audit_service_pb2 import GetCheckpointRequest
from ledger.v1.basis_pb2 import Basis
from ledger.v1.ledger_service_pb2 import AppendEventsRequest

FAMILIES, WINDOW = 2_000, 50  # in the log when measuring begins; so many at a time, interleaved
BATCH, BATCHES, SINGLES, PERSONS, ROSTERS = 100, 5, 100, 200, 100  # a round
CHUNK = 500  # events a call, and rows a transaction, where nothing else is said
TIMEOUT_S = 60.0
ZONE, DAY, CARE_DAYS_MAX = "America/Chicago", timedelta(days=1), 60
FIRST_DAY = datetime(2018, 1, 1, tzinfo=ZoneInfo(ZONE))
OPEN = 2**63 - 1
FIELDS = {one.message_type: one.name for one in words.Event.DESCRIPTOR.oneofs_by_name["fact"].fields}
SCHEMA = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
    PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-65536;  -- as much as the ledger takes
    CREATE TABLE entry (position INTEGER PRIMARY KEY, id BLOB UNIQUE, data BLOB);
    CREATE TABLE about (subject INTEGER, position INTEGER, PRIMARY KEY (subject, position))
        WITHOUT ROWID;
    CREATE TABLE stay (facility TEXT, valid_from INTEGER, valid_to INTEGER, known_from INTEGER,
        known_to INTEGER, person TEXT, state BLOB,
        PRIMARY KEY (facility, valid_from, person, known_from)) WITHOUT ROWID;
    CREATE TABLE made (position INTEGER PRIMARY KEY, data BLOB)"""
PERSON = """SELECT data FROM about JOIN entry USING (position)
    WHERE subject = ? AND position <= ? ORDER BY position"""
HELD = """FROM stay WHERE facility = ?1 AND valid_from > ?2 AND valid_from <= ?3 AND valid_to > ?3
    AND known_from <= ?4 AND known_to > ?4"""
ROSTER = (f"SELECT person, state {HELD} ORDER BY person LIMIT 100", f"SELECT count(*) {HELD}")

Family = list[words.Event]
Given = list[tuple[Any, Any]]  # a request for the ledger, and what says the same to the floor
Side = dict[str, Callable[[Any], Any]]  # the calls of one ledger
console = Console(stderr=True)


def invent(random: Random, number: int) -> Family:
    """A child and two adults apprehended, separated, the child placed, and reunified."""

    def new_id() -> str:  # UUIDv7 (RFC 9562, 5.7) of a millisecond for each family
        high = (1_750_000_000_000 + number) << 80 | 7 << 76 | random.getrandbits(12) << 64
        return str(uuid.UUID(int=high | 2 << 62 | random.getrandbits(62)))

    def say(when: datetime, body: Message) -> words.Event:
        event = words.Event(event_id=new_id(), correlation_id=incident)
        event.valid_time.time.FromDatetime(when)
        event.valid_time.zone = ZONE
        event.valid_time.precision = words.PRECISION_MINUTE if when.hour else words.PRECISION_DAY
        event.source.system, event.source.record_reference = "UAC Portal", f"R-{number:010}"
        event.actor.agency, event.actor.actor_id = "CBP", f"officer-{number % 500}"
        getattr(event, FIELDS[body.DESCRIPTOR]).CopyFrom(body)
        return event

    child, *adults = people = [new_id() for _ in range(3)]
    incident, day = new_id(), FIRST_DAY + number // 10 * DAY
    met = day + timedelta(hours=random.randint(1, 23), minutes=random.randrange(60))
    station = words.Place(name=f"Sector {number % 9}", kind="BORDER_PATROL_STATION")
    shelter = words.Place(name=f"Shelter {number % 4}", kind="ORR_SHELTER")
    moved = {"transfer_id": new_id(), "from_agency": "CBP", "to_agency": "ICE"}
    apart = {"agency": "ICE", "reason_codes": ["PROSECUTION_ILLEGAL_ENTRY_1325"]}
    text = "Parent referred for prosecution under 8 USC 1325"
    family = {"child_id": child, "adult_ids": adults}
    end = day + random.randrange(25, CARE_DAYS_MAX) * DAY
    return [
        say(met, words.Apprehended(person_ids=people, agency="CBP", place=station)),
        say(day, words.FamilyGroupFormed(family_id=new_id(), member_ids=people)),
        say(day + DAY, words.TransferDeparted(person_ids=people, **moved)),
        say(day + 2 * DAY, words.Separated(**family, **apart, reason_text=text)),
        say(day + 3 * DAY, words.Placed(child_id=child, agency="ORR", facility=shelter)),
        say(end, words.Reunified(**family, agency="ORR", outcome_text="Reunified by ORR")),
    ]


def in_order(families: Iterator[Family]) -> Iterator[words.Event]:
    """The events as they reach the ledger: each stage of several families, in turn."""
    while some := list(islice(families, WINDOW)):
        for stage in zip(*some, strict=True):
            yield from stage


class Floor:
    """Raw sqlite3: the same bytes and as durable, but no tree, no checks and no words."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(SCHEMA)
        self.numbers: dict[str, int] = {}
        self.positions: dict[str, int] = {}

    def rows(self, events: Family) -> dict[str, list[Any]]:
        """What `append` inserts, made beforehand: the numbers of subjects are known to it."""
        entries, about = [], []
        for event in events:
            position = self.positions[event.event_id] = len(self.positions) + 1
            data = seal(encode(event), time.time_ns() // 1_000)
            entries.append((position, uuid.UUID(event.event_id).bytes, data))
            for name in subjects_of(event):
                about.append((self.numbers.setdefault(name, len(self.numbers) + 1), position))
        return {"entry": entries, "about": sorted(about)}

    def insert(self, tables: dict[str, list[Any]]) -> None:
        """Insert rows in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table, rows in tables.items():
            marks = ",".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
        self._connection.execute("COMMIT")

    def append(self, given: Given) -> None:
        """One transaction a batch: entries, their unique ids, and the index of their subjects."""
        for _, tables in given:
            self.insert(tables)

    def ask(self, queries: tuple[str, ...], given: Given) -> list[Any]:
        """For a person the bytes of her entries up to K. For a roster a page of stays at T known
        at K, and how many there are, by an index of the facility and the day."""
        run = self._connection.execute
        return [run(query, values).fetchall() for _, values in given for query in queries]

    def rebuild(self, _given: Given) -> None:
        """Read every entry in order and insert one row for each."""
        after, page = 0, "SELECT position, data FROM entry WHERE position > ? ORDER BY 1 LIMIT ?"
        while rows := self._connection.execute(page, (after, CHUNK)).fetchall():
            self.insert({"made": rows})
            after = rows[-1][0]

    def forget(self) -> None:
        """Empty what `rebuild` made."""
        self._connection.execute("DELETE FROM made")

    def verify(self, _given: Given) -> None:
        """Read every entry in order and hash it."""
        for (data,) in self._connection.execute("SELECT data FROM entry ORDER BY position"):
            sha256(data).digest()


def in_process(ledger: Ledger) -> Side:
    side = {"append": partial(append_events, ledger, timeout_s=TIMEOUT_S)}
    asks = {"person": get_person, "roster": list_roster, "separations": list_separations}
    return side | {name: partial(ask, ledger) for name, ask in asks.items()}


@contextmanager
def served(database: str, log: Path) -> Iterator[Side]:
    """`ledger serve` on an empty database, as a process of its own."""
    command = [sys.executable, "-m", "ledger", "serve", "--listen", "127.0.0.1:0"]
    with log.open("w") as written:
        process = subprocess.Popen([*command, "--database", database], stderr=written)
    try:
        while "\n" not in (said := log.read_text()) and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is not None:
            sys.exit(said)
        with Client(said.split(" at ")[1].split()[0]) as client:
            if client.audit.GetCheckpoint(GetCheckpointRequest()).checkpoint.size:
                sys.exit("there is a ledger in this database: give an empty one, to throw away")
            ask, side = client.custody, {"append": client.ledger.AppendEvents}
            side |= {"person": ask.GetPerson, "roster": ask.ListRoster}
            side |= {"separations": ask.ListSeparations}
            yield {name: partial(call, timeout=TIMEOUT_S) for name, call in side.items()}
    finally:
        process.terminate()
        process.wait()


def call(side: Side, name: str, given: Given) -> None:
    for request, _ in given:
        side[name](request)


def settle(side: Side) -> None:
    """Wait until the tables have come to the end of the log."""
    until = time.monotonic() + TIMEOUT_S
    for name, request in (
        ("roster", questions.ListRosterRequest(agency="ORR", count_only=True)),
        ("separations", questions.ListSeparationsRequest(count_only=True)),
    ):
        while True:
            try:
                side[name](request)
                break
            except (LedgerError, grpc.RpcError):  # they are behind
                if time.monotonic() > until:
                    raise


def follow(side: Side, given: Given) -> None:
    call(side, "append", given)
    settle(side)
