#!/usr/bin/env python3
"""Measure the ledger beside raw sqlite3 doing the same work on this machine, in one run.

    scripts/bench.py                         on SQLite, about two minutes
    scripts/bench.py --database postgresql:  on PostgreSQL, in two new logs that stay there: give it
                                             a database to throw away

Appends one event at a time and 100 at a time; asks for a person and for the roster of a facility,
each as of T known at K; rebuilds every table; verifies the whole log. "in-process" calls the
functions behind the services. "gRPC" calls the services of a server in a process of its own, one
call in flight, and so pays for judging the request's shape and for the wire. Each has its own log.

The floor is sqlite3 as durable (WAL, synchronous=FULL) in the same directory, with the same events,
but no tree, checks or words:
    append   one transaction a batch: the bytes of each entry, its unique id, and a row for each of
             its subjects (three on average) by a number known beforehand
    person   the bytes of the entries about a person up to K, by the index of subjects
    roster   the rows of a table of stays that hold at T known at K: a page of 100, and their number
    rebuild  every entry is read in order and one row inserted for each, 500 a transaction
    verify   every entry is read in order and hashed

A round measures every figure once, floor and ledger in turn, every other round in reverse. A round
before the first warms up. Nothing is measured while tables still follow an append, except where a
figure says that it waits for them. The invented history is the same each time.

On stdout a line of JSON a figure, on stderr a table. `rate` and `floor_rate` are medians of the
rounds, `ratio` is the median of their ratios, `min` and `max` are of the rate. It judges nothing.
"""

import argparse
import gc
import json
import multiprocessing
import os
import platform
import resource
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import count, islice
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import structlog
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ledger.append import append_events
from ledger.ask import get_person, list_roster, list_separations
from ledger.entry import encode, seal, subjects_of
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.store.audit import verify
from ledger.store.database import Database
from ledger.v1 import custody_query_service_pb2 as questions
from ledger.v1 import event_pb2 as words
from ledger.v1.basis_pb2 import Basis
from ledger.v1.ledger_service_pb2 import AppendEventsRequest

FAMILIES = 3_000  # in the log when measuring begins
WINDOW = 50  # families whose events come interleaved
BATCH, BATCHES, SINGLES = 100, 10, 100  # a round
PERSONS, ROSTERS, PAGE = 300, 100, 100  # a round
CHUNK = 500  # events a call, or rows a transaction, where nothing else is said
TIMEOUT_S = 60.0
FIRST_DAY, DAY = datetime(2018, 1, 1, tzinfo=ZoneInfo("America/Chicago")), timedelta(days=1)
CARE_DAYS_MAX = 60
OPEN = 2**63 - 1
FACT_FIELDS = {one.message_type: one.name for one in words.Event.DESCRIPTOR.oneofs[0].fields}
SCHEMA = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
    PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-65536;  -- as the ledger has them
    CREATE TABLE entry (position INTEGER PRIMARY KEY, id BLOB UNIQUE, data BLOB);
    CREATE TABLE about (subject INTEGER, position INTEGER, PRIMARY KEY (subject, position))
        WITHOUT ROWID;
    CREATE TABLE stay (facility TEXT, valid_from INTEGER, valid_to INTEGER, known_from INTEGER,
        known_to INTEGER, person TEXT, state BLOB,
        PRIMARY KEY (facility, valid_from, person, known_from)) WITHOUT ROWID;
    CREATE TABLE made (position INTEGER PRIMARY KEY, data BLOB);
"""
ABOUT = """SELECT data FROM about JOIN entry USING (position)
    WHERE subject = ?1 AND position <= ?2 ORDER BY position"""
HOLDING = """FROM stay WHERE facility = ?1 AND valid_from > ?2 AND valid_from <= ?3
    AND valid_to > ?3 AND known_from <= ?4 AND known_to > ?4"""

console = Console(stderr=True)
Given = list[tuple[Any, Any]]  # (the request, what the floor is given instead)


def invent(random: Random, number: int) -> list[words.Event]:
    """The six events of a family: a child and two adults, separated for some weeks."""
    child, *adults = people = [new_id(random, number) for _ in range(3)]
    day = FIRST_DAY + number // 10 * DAY
    met = day + timedelta(minutes=random.randrange(1_440))
    together = day + random.randrange(25, CARE_DAYS_MAX) * DAY
    station = words.Place(name=f"Sector {number % 9}", kind="BORDER_PATROL_STATION")
    shelter = words.Place(name=f"Shelter {number % 4}", kind="ORR_SHELTER")
    both = {"child_id": child, "adult_ids": adults}
    why = {
        "reason_codes": ["PROSECUTION_ILLEGAL_ENTRY_1325"],
        "reason_text": "Parent referred for prosecution, 8 USC 1325",
    }
    one, other, incident = (new_id(random, number) for _ in range(3))
    moved = {"transfer_id": one, "from_agency": "CBP", "to_agency": "ICE"}
    facts = (
        (met, words.Apprehended(person_ids=people, agency="CBP", place=station)),
        (day, words.FamilyGroupFormed(family_id=other, member_ids=people)),
        (day + 1 * DAY, words.TransferDeparted(person_ids=people, **moved)),
        (day + 2 * DAY, words.Separated(agency="ICE", **both, **why)),
        (day + 3 * DAY, words.Placed(child_id=child, agency="ORR", facility=shelter)),
        (together, words.Reunified(agency="ORR", outcome_text="Reunified by ORR", **both)),
    )
    return [say(new_id(random, number), incident, when, body) for when, body in facts]


def new_id(random: Random, number: int) -> str:
    """A UUIDv7 (RFC 9562, 5.7) of the family's millisecond."""
    high = (1_750_000_000_000 + number) << 80 | 7 << 76 | random.getrandbits(12) << 64
    return str(uuid.UUID(int=high | 2 << 62 | random.getrandbits(62)))


def say(event_id: str, incident: str, when: datetime, body: Message) -> words.Event:
    event = words.Event(
        event_id=event_id,
        source=words.Source(system="UAC Portal", record_reference=f"R-{event_id[-12:]}"),
        actor=words.Actor(agency="CBP", actor_id=f"officer-{incident[-3:]}"),
        correlation_id=incident,
        **{FACT_FIELDS[body.DESCRIPTOR]: body},
    )
    event.valid_time.time.FromDatetime(when)
    event.valid_time.zone = "America/Chicago"
    on_the_day = when.hour == when.minute == 0
    event.valid_time.precision = words.PRECISION_DAY if on_the_day else words.PRECISION_MINUTE
    return event


def in_order(families: Iterable[list[words.Event]]) -> Iterator[words.Event]:
    """The events as they reach the ledger: each stage of several families, in turn."""
    rest = iter(families)
    while some := list(islice(rest, WINDOW)):
        for stage in zip(*some, strict=True):
            yield from stage


class Floor:
    """Raw sqlite3."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(SCHEMA)
        self.numbers: dict[str, int] = {}
        self.positions: dict[str, int] = {}

    def rows(self, events: list[words.Event]) -> dict[str, list[Any]]:
        """The rows to insert for some events."""
        entries, about = [], []
        for event in events:
            position = self.positions[event.event_id] = len(self.positions) + 1
            data = seal(encode(event), time.time_ns() // 1_000)
            entries.append((position, uuid.UUID(event.event_id).bytes, data))
            for name in subjects_of(event):
                number = self.numbers.setdefault(name, len(self.numbers) + 1)
                about.append((number, position))
        return {"entry": entries, "about": sorted(about)}

    def insert(self, tables: dict[str, list[Any]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for table, rows in tables.items():
            marks = ",".join("?" * len(rows[0]))
            self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
        self.connection.execute("COMMIT")

    def append(self, given: Given) -> None:
        for _, tables in given:
            self.insert(tables)

    def ask(self, queries: list[str], given: Given) -> list[list[list[Any]]]:
        run = self.connection.execute
        return [[run(query, values).fetchall() for query in queries] for _, values in given]

    def rebuild(self, _given: Given) -> None:
        after, page = 0, "SELECT position, data FROM entry WHERE position > ? ORDER BY 1 LIMIT ?"
        while rows := self.connection.execute(page, (after, CHUNK)).fetchall():
            self.insert({"made": rows})
            after = rows[-1][0]

    def verify(self, _given: Given) -> None:
        for (data,) in self.connection.execute("SELECT data FROM entry ORDER BY position"):
            sha256(data).digest()


Side = dict[str, Callable[[Any], Any]]  # the calls to one ledger


def in_process(ledger: Ledger) -> Side:
    side = {"append": partial(append_events, ledger, timeout_s=TIMEOUT_S)}
    asks = {"person": get_person, "roster": list_roster, "separations": list_separations}
    return side | {name: partial(ask, ledger) for name, ask in asks.items()}


@contextmanager
def over_grpc(url: str, name: str, peaks: dict[str, float]) -> Iterator[Side]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, name, theirs))
    process.start()
    theirs.close()
    with Client(ours.recv()) as client:
        ask, append = client.custody, client.ledger.AppendEvents
        asks = {"person": ask.GetPerson, "roster": ask.ListRoster}
        side = asks | {"append": append, "separations": ask.ListSeparations}
        yield {name: partial(call, timeout=TIMEOUT_S) for name, call in side.items()}
    ours.send("stop")
    peaks["server"] = ours.recv()
    process.join()


def serve(url: str, name: str, pipe: Connection) -> None:
    """Serve a log until told to stop, in a process of its own."""
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()],
            logger_factory=structlog.WriteLoggerFactory(nowhere),
        )
        server = Server(Ledger(url, name=name), "127.0.0.1:0")
        pipe.send(server.address)
        pipe.recv()
        server.stop()
    pipe.send(peak_mib())


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def call(side: Side, name: str, given: Given) -> None:
    for request, _ in given:
        side[name](request)


def settle(side: Side) -> None:
    """Wait until the tables have come to the end of the log."""
    roster = questions.ListRosterRequest(agency="ORR", count_only=True)
    separations = questions.ListSeparationsRequest(count_only=True)
    until = time.monotonic() + TIMEOUT_S
    for name, request in (("roster", roster), ("separations", separations)):
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


class Bench:
    """One run: what to measure, and what each round gives to every way of doing it."""

    def __init__(self, url: str, ledger: Ledger, floor: Floor, sides: dict[str, Side]) -> None:
        self.url, self.ledger, self.floor, self.sides = url, ledger, floor, sides
        self.random = Random(2018)  # noqa: S311
        families = (invent(self.random, number) for number in count())
        self.families = list(islice(families, FAMILIES))
        self.events = in_order(self.families)
        for _ in track(range(len(self.families) * 6 // CHUNK), "filling", console=console):
            _, given = self.batches(CHUNK, 1)
            floor.append(given)
            for side in sides.values():
                call(side, "append", given)
        self.size = len(floor.positions)
        floor.insert({"stay": [row for events in self.families for row in self.stay(events)]})
        self.events = in_order(families)
        for side in sides.values():
            settle(side)

    def stay(self, events: list[words.Event]) -> Iterator[tuple[Any, ...]]:
        """A child's stay: without an end until that is known, then with it."""
        placed, reunified = events[-2:]
        start, end = (one.valid_time.time.ToMicroseconds() for one in (placed, reunified))
        known, ended = (self.floor.positions[one.event_id] for one in (placed, reunified))
        key, who = (placed.placed.facility.name, start), (placed.placed.child_id, bytes(100))
        yield *key, OPEN, known, ended, *who
        yield *key, end, ended, OPEN, *who

    def batches(self, size: int, number: int) -> tuple[int, Given]:
        batches = [list(islice(self.events, size)) for _ in range(number)]
        given = [(AppendEventsRequest(events=one), self.floor.rows(one)) for one in batches]
        return size * number, given

    def persons(self) -> tuple[int, Given]:
        """Children, each as of a day of hers, known at a size that has every entry about her."""
        given: Given = []
        for events in self.random.choices(self.families, k=PERSONS):
            child_id, last = events[-1].reunified.child_id, events[-1]
            size = self.random.randint(self.floor.positions[last.event_id], self.size)
            basis = Basis(as_of_time=last.valid_time.time, at_size=size)
            basis.as_of_time.seconds -= self.random.randrange(-10, CARE_DAYS_MAX) * 86_400
            request = questions.GetPersonRequest(person_id=child_id, basis=basis)
            given.append((request, (self.floor.numbers[f"person:{child_id}"], size)))
        return PERSONS, given

    def rosters(self) -> tuple[int, Given]:
        """Shelters, each known at some size of the log's later half, as of about that family's day."""
        given: Given = []
        for number in self.random.choices(range(FAMILIES // 2, FAMILIES - WINDOW), k=ROSTERS):
            placed, size = self.families[number][-2], (number + WINDOW) * 6
            basis = Basis(as_of_time=placed.valid_time.time, at_size=size)
            name, at = placed.placed.facility.name, basis.as_of_time.ToMicroseconds()
            request = questions.ListRosterRequest(
                agency="ORR", facility=name, basis=basis, page_size=PAGE
            )
            given.append((request, (name, at - CARE_DAYS_MAX * 86_400_000_000, at, size)))
        return ROSTERS, given

    def whole(self) -> tuple[int, Given]:
        self.floor.connection.execute("DELETE FROM made")
        return len(self.floor.positions), []

    def rebuild(self, _given: Given) -> None:
        for name in {one.projection for one in self.ledger.populations.generations()}:
            self.ledger.populations.rebuild(name)

    def verify(self, _given: Given) -> None:
        if not verify(Database(self.url), self.ledger.log.id).ok:
            sys.exit("the log is not as it was written")

    def works(self) -> Iterator[tuple[str, Callable, Callable, dict[str, Callable]]]:
        """(figure, what is given, the floor's way, the ledger's ways)."""

        def by(name: str) -> dict[str, Callable]:
            return {way: partial(call, side, name) for way, side in self.sides.items()}

        floor, many = self.floor, partial(self.batches, BATCH, BATCHES)
        following = {way: partial(follow, side) for way, side in self.sides.items()}
        roster = [f"SELECT person, state {HOLDING} ORDER BY person LIMIT {PAGE}"]
        roster.append(f"SELECT count(*) {HOLDING}")
        yield "append 1", partial(self.batches, 1, SINGLES), floor.append, by("append")
        yield f"append {BATCH}", many, floor.append, by("append")
        yield f"append {BATCH}, tables followed", many, floor.append, following
        yield "person", self.persons, partial(floor.ask, [ABOUT]), by("person")
        yield "roster", self.rosters, partial(floor.ask, roster), by("roster")
        yield "rebuild", self.whole, floor.rebuild, {"in-process": self.rebuild}
        yield "verify", self.whole, floor.verify, {"in-process": self.verify}


def measure(run: Callable[[Given], Any], units: int, given: Given) -> float:
    gc.collect()
    began = time.perf_counter()
    run(given)
    return units / (time.perf_counter() - began)


def play(bench: Bench, rounds: int) -> Iterator[dict[str, Any]]:
    """The figures of all rounds."""
    rates: dict[str, list[tuple[float, float]]] = {}
    for number in track(range(rounds + 1), "measuring", console=console):
        for figure, prepare, floor, ways in bench.works():
            units, given = prepare()
            runs = {"": floor, **ways}
            order = list(runs)[:: -1 if number % 2 else 1]
            found = {way: measure(runs[way], units, given) for way in order}
            for side in bench.sides.values():
                settle(side)
            for way in ways if number else ():
                rates.setdefault(f"{figure}, {way}", []).append((found[way], found[""]))
    for figure, pairs in rates.items():
        ours, floors = zip(*pairs, strict=True)
        yield {
            "figure": figure,
            "rate": round(median(ours), 1),
            "unit": "1/s",
            "floor_rate": round(median(floors), 1),
            "ratio": round(median(one / other for one, other in pairs), 4),
            "rounds": rounds,
            "min": round(min(ours), 1),
            "max": round(max(ours), 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", help="postgresql://…; otherwise a new SQLite database")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", help="where databases are made; on a real disk")
    chosen = parser.parse_args()
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", dir=chosen.directory) as directory:
        urls = [chosen.database or f"sqlite:///{directory}/{n}.db" for n in (1, 2)]
        names = [f"bench-{uuid.uuid4().hex}" for _ in urls]
        with (
            over_grpc(urls[1], names[1], peaks) as served,
            closing(Ledger(urls[0], name=names[0])) as ledger,
        ):
            sides = {"in-process": in_process(ledger), "gRPC": served}
            bench = Bench(urls[0], ledger, Floor(Path(directory) / "floor.db"), sides)
            for figure in play(bench, chosen.rounds):
                print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
