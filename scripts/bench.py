#!/usr/bin/env python3
"""Measure the ledger beside raw sqlite3 doing the same work on the same machine, in one run.

    .venv/bin/python scripts/bench.py                            on SQLite, about seven minutes
    .venv/bin/python scripts/bench.py --database postgresql://…  on an empty one, to be thrown away

Appends; one person and the roster of a shelter, each as of T known at K; rebuilding every table;
verifying the log. "in-process" calls the functions behind the services. "gRPC" calls `ledger
serve`, a process of its own, one call in flight, and pays for judging a request's shape and for the
wire. `Floor` is sqlite3, as durable, on the same disk ($TMPDIR), given the same events. A round
measures each figure once, floor and ledger in turn, every other round in reverse; one more before
them warms up. Tables have come to the end of the log before anything is measured; "and tables"
waits for them after each batch. On stdout a line of JSON a figure, on stderr a table: medians of
the rounds; `ratio` is the median of their ratios, `min` and `max` are of `rate`. It judges nothing.
What guarding costs (TLS, policy, access entries, sealing) is measured beside the same without it.
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
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import chain, count, islice, product
from operator import truediv
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import grpc
from bench_guards import guarded
from rich.console import Console
from rich.progress import track
from rich.table import Table

import projections
from ledger.append import append_events
from ledger.ask.person import get_person
from ledger.ask.population import list_roster, list_separations
from ledger.entry import encode, seal
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.store.audit import Means, verify
from ledger.v1 import custody_query_service_pb2 as custody
from ledger.v1.basis_pb2 import Basis
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.time_pb2 import PRECISION_DAY, PRECISION_MINUTE
from projections.subjects import subjects_of

FAMILIES, WINDOW = 1_000, 50  # in the log when measuring begins; so many at a time, interleaved
SINGLES, BATCHES, QUESTIONS = 100, 5, 150  # a round
READS, READS_S = ("person", "roster", "verify"), 0.3
CHUNK = 500  # events a call, and rows a transaction, where nothing else is said
ZONE, DAY = "America/Chicago", timedelta(days=1)
FINENESS = (PRECISION_DAY, PRECISION_MINUTE)
FIRST_DAY = datetime(2018, 1, 1, tzinfo=ZoneInfo(ZONE))
SCHEMA = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;  -- these and the next as the ledger has them
    PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-65536;
    CREATE TABLE entry (position INTEGER PRIMARY KEY, id BLOB UNIQUE, data BLOB);
    CREATE TABLE about (subject, position, PRIMARY KEY (subject, position)) WITHOUT ROWID;
    CREATE TABLE stay (facility, valid_from, valid_to, known_from, known_to, person, state,
        PRIMARY KEY (facility, valid_from, person, known_from)) WITHOUT ROWID;
    CREATE TABLE made (position INTEGER PRIMARY KEY, data BLOB)"""
ENTRIES = "SELECT position, data FROM entry WHERE position > ? ORDER BY position LIMIT ?"
PERSON = "SELECT data FROM about JOIN entry USING (position) WHERE subject = ? AND position <= ?"
ROSTER = """SELECT person, state, count(*) OVER () FROM stay WHERE facility = ?1
    AND valid_from > ?2 - 5184000000000 AND valid_from <= ?2 AND valid_to > ?2
    AND known_from <= ?3 AND known_to > ?3 ORDER BY person LIMIT 100"""  # no stay has 60 days

Item = tuple[Any, Any]  # a request to the ledger, and what says the same to the floor
Calls = dict[str, Callable[[Any], Any]]  # what one side does with an item
KEYS = ("figure", "rate", "unit", "floor_rate", "ratio", "rounds", "min", "max")
console = Console(stderr=True)


def invent(random: Random, number: int) -> list[Event]:
    """A family: a child and two adults apprehended, separated, the child placed, reunified."""
    prefix = (1_750_000_000_000 + number) << 80 | 7 << 76 | 2 << 62  # UUIDv7 (RFC 9562, 5.7)
    ids = [str(uuid.UUID(int=prefix | random.getrandbits(62))) for _ in range(12)]
    child, *adults = people = ids[:3]
    day = FIRST_DAY + number // 10 * DAY
    met = day + timedelta(hours=random.randint(1, 23), minutes=random.randrange(60))
    family = {"child_id": child, "adult_ids": adults}
    moved = {"person_ids": people, "from_agency": "CBP", "to_agency": "ICE"}
    apart = {"agency": "ICE", "reason_codes": ["ZERO_TOLERANCE"], "reason_text": "8 USC 1325"}
    shelter = {"name": f"Shelter {number % 4}", "kind": "ORR_SHELTER"}
    together = {"agency": "ORR", "outcome_text": "Reunified by ORR"}
    facts: list[tuple[datetime, dict[str, Any]]] = [
        (met, {"apprehended": {"person_ids": people, "agency": "CBP", "place": {"name": "RGV"}}}),
        (day, {"family_group_formed": {"family_id": ids[3], "member_ids": people}}),
        (day + DAY, {"transfer_departed": {"transfer_id": ids[4], **moved}}),
        (day + 2 * DAY, {"separated": family | apart}),
        (day + 3 * DAY, {"placed": {"child_id": child, "agency": "ORR", "facility": shelter}}),
        (day + random.randrange(25, 60) * DAY, {"reunified": family | together}),
    ]
    return [
        Event(
            event_id=event_id,
            valid_time={"time": when, "precision": FINENESS[when.hour > 0], "zone": ZONE},
            source={"system": "UAC Portal", "record_reference": f"R-{number:010}"},
            actor={"agency": "CBP", "actor_id": f"officer-{number % 500}"},
            correlation_id=ids[5],
            **fact,
        )
        for event_id, (when, fact) in zip(ids[6:], facts, strict=True)
    ]


class Floor:
    """Raw sqlite3: the same bytes, as durable, but no tree, no checks and no words.

    append: in one transaction the bytes of each entry, its unique id, and a row for each of its
    subjects, numbered beforehand, in an index. person: the bytes of her entries up to K. roster: a
    page of stays at T known at K, and how many there are, of a table that is only read. rebuild:
    delete what was made, read every entry in order, insert a row for each. verify: hash each.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._run = run = self._connection.execute
        self.calls: Calls = {
            "append": lambda item: self.insert(**item[1]),
            "settle": lambda _item: None,
            "person": lambda item: run(PERSON, item[1]).fetchall(),
            "roster": lambda item: run(ROSTER, item[1]).fetchall(),
            "rebuild": self._rebuild,
            "verify": lambda _item: [sha256(one).digest() for _, one in run(ENTRIES, (0, -1))],
        }

    def insert(self, **tables: list[Any]) -> None:
        """Insert rows in one transaction."""
        self._run("BEGIN IMMEDIATE")
        for table, rows in tables.items():
            marks = ",".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
        self._run("COMMIT")

    def _rebuild(self, _item: Item) -> None:
        self._run("DELETE FROM made")
        after = 0
        while rows := self._run(ENTRIES, (after, CHUNK)).fetchall():
            self.insert(made=rows)
            after = rows[-1][0]


def calls_of(append: Any, person: Any, roster: Any, separations: Any) -> Calls:
    def settle(_item: Item | None) -> Any:  # wait until the tables have come to the end of the log
        for _ in range(20):
            with suppress(LedgerError, grpc.RpcError):  # behind, still
                roster(custody.ListRosterRequest(agency="ORR", count_only=True))
                return separations(custody.ListSeparationsRequest(count_only=True))
        sys.exit("the tables do not follow the log")

    return {
        "append": lambda item: append(item[0]),
        "settle": settle,
        "person": lambda item: person(item[0]),
        "roster": lambda item: roster(item[0]),
    }


def in_process(ledger: Ledger) -> Calls:
    append = partial(append_events, ledger, timeout_s=60.0)
    tables = [name for name, one in projections.load().items() if one.populations]
    means = Means(vault=ledger.log.vault)
    asks = (partial(ask, ledger) for ask in (get_person, list_roster, list_separations))
    return calls_of(append, *asks) | {
        "rebuild": lambda _item: [ledger.populations.rebuild(name) for name in tables],
        "verify": lambda _item: verify(ledger._database, ledger.log.id, means),
    }


@contextmanager
def served(database: str, log: Path) -> Iterator[Calls]:
    """`ledger serve`, a process of its own."""
    command = [sys.executable, "-m", "ledger", "serve", "--listen", "127.0.0.1:0", "--database"]
    with log.open("w") as out, subprocess.Popen([*command, database], stderr=out) as process:
        try:
            while " at " not in (said := log.read_text()):
                if process.poll() is not None:
                    sys.exit(said)
                time.sleep(0.05)
            with Client(said.split(" at ")[1].split()[0]) as client:
                ask, append = client.custody, client.ledger.AppendEvents
                calls = calls_of(append, ask.GetPerson, ask.ListRoster, ask.ListSeparations)
                if calls["settle"](None).stamp.size:
                    sys.exit("there is a ledger in this database: give an empty one to throw away")
                yield calls
        finally:
            process.terminate()


class History:
    """What is given to floor and ledger alike."""

    def __init__(self) -> None:
        self._random = Random(2018)  # noqa: S311
        families = (invent(self._random, number) for number in count())
        self._families = list(islice(families, FAMILIES))
        windows = zip(*[chain(self._families, families)] * WINDOW, strict=True)
        stages = (stage for some in windows for stage in zip(*some, strict=True))
        self._events = chain.from_iterable(stages)
        self._numbers: dict[str, int] = {}
        self._positions: dict[str, int] = {}

    def batches(self, size: int, number: int) -> list[Item]:
        """The next events, to be appended."""
        batches = [list(islice(self._events, size)) for _ in range(number)]
        return [(AppendEventsRequest(events=one), self._rows(one)) for one in batches]

    def stays(self) -> Iterator[tuple[Any, ...]]:
        """The floor's table for rosters."""
        for *_, placed, reunified in self._families:
            body, known = placed.placed, self._positions[reunified.event_id]
            start, end = (one.valid_time.time.ToMicroseconds() for one in (placed, reunified))
            yield body.facility.name, start, end, known, 2**63 - 1, body.child_id, bytes(100)

    def figures(self) -> Iterator[tuple[str, tuple[str, ...], int, Any]]:
        """The figures of a round: the calls for each item, how many it does, the items."""
        many, (persons, rosters) = 100 * BATCHES, zip(*self._questions(), strict=True)
        yield "append 1", ("append",), SINGLES, self.batches(1, SINGLES)
        yield "append 100", ("append",), many, self.batches(100, BATCHES)
        yield "append 100 and tables", ("append", "settle"), many, self.batches(100, BATCHES)
        yield "person", ("person",), QUESTIONS, persons
        yield "roster", ("roster",), QUESTIONS, rosters
        yield "rebuild", ("rebuild",), len(self._positions), [None]
        yield "verify", ("verify",), len(self._positions), [None]

    def _rows(self, events: list[Event]) -> dict[str, list[Any]]:
        """What the floor inserts for some events."""
        entries, about = [], set()
        for event in events:
            position = self._positions[event.event_id] = len(self._positions) + 1
            data = seal(encode(event), time.time_ns() // 1_000)
            entries.append((position, uuid.UUID(event.event_id).bytes, data))
            for name in subjects_of(event):
                about.add((self._numbers.setdefault(name, len(self._numbers)), position))
        return {"entry": entries, "about": sorted(about)}

    def _questions(self) -> Iterator[tuple[Item, Item]]:
        """A child and her shelter on the day she came, known at any size that has all of her."""
        for chosen in self._random.choices(range(FAMILIES), k=QUESTIONS):
            event = self._families[chosen][-2]
            child_id, name = event.placed.child_id, event.placed.facility.name
            size = self._random.randint((chosen // WINDOW + 1) * WINDOW * 6, FAMILIES * 6)
            basis = Basis(as_of_time=event.valid_time.time, at_size=size)
            us, number = basis.as_of_time.ToMicroseconds(), self._numbers[f"person:{child_id}"]
            person = custody.GetPersonRequest(person_id=child_id, basis=basis)
            roster = custody.ListRosterRequest(agency="ORR", facility=name, basis=basis)
            yield (person, (number, size)), (roster, (name, us, size))


def play(history: History, sides: dict[str, Calls], *, backwards: bool) -> dict[str, Any]:
    """A round: for each figure the rates of the sides that have it."""
    rates: dict[str, dict[str, float]] = {}
    for figure, names, number, given in history.figures():
        able = [side for side in sides if names[0] in sides[side]]
        for side in reversed(able) if backwards else able:
            for calls in sides.values():
                calls["settle"](None)
            work = [(sides[side][name], item) for item in given for name in names]
            gc.collect()
            began, done, passed = time.perf_counter(), 0, 0.0
            # The floor reads in too short a moment to be measured once; it remembers no answer.
            while not done or (side == "sqlite3" and figure in READS and passed < READS_S):
                for call, item in work:
                    call(item)
                done, passed = done + number, time.perf_counter() - began
            rates.setdefault(figure, {})[side] = done / passed
    return rates


def summed_up(rounds: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for figure, sides in rounds[0].items():
        unit = "answers/s" if figure in ("person", "roster") else "events/s"
        floors = [one[figure]["sqlite3"] for one in rounds]
        for side in sorted(sides.keys() - {"sqlite3"}, reverse=True):
            ours = [one[figure][side] for one in rounds]
            compared = (median(floors), median(map(truediv, ours, floors)), len(rounds))
            yield f"{figure}, {side}", median(ours), unit, *compared, min(ours), max(ours)
    for who, whose in (("bench", resource.RUSAGE_SELF), ("server", resource.RUSAGE_CHILDREN)):
        peak = resource.getrusage(whose).ru_maxrss / 1024  # Linux counts in KiB
        yield f"peak memory, {who}", peak, "MiB", None, None, None, None, None


def run(database: str | None, number: int, here: Path) -> list[dict[str, Any]]:
    """The rounds; the first does not count."""
    url, other = (database or f"sqlite:///{here}/{name}.db" for name in ("one", "two"))
    log = f"bench-{uuid.uuid4().hex}"
    with served(other, here / "log") as server, closing(Ledger(url, name=log)) as ledger:
        floor, history = Floor(here / "floor.db"), History()
        sides = {"sqlite3": floor.calls, "in-process": in_process(ledger), "gRPC": server}
        fill = history.batches(CHUNK, FAMILIES * 6 // CHUNK)
        for item, calls in track(list(product(fill, sides.values())), "filling", console=console):
            calls["append"](item)
            calls["settle"](item)
        floor.insert(stay=list(history.stays()))
        gc.freeze()
        turns = track(range(number + 1), "measuring", console=console)
        return [play(history, sides, backwards=turn % 2 == 1) for turn in turns]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", help="an empty PostgreSQL database; else new SQLite files")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    on = f"{(chosen.database or 'sqlite').split(':')[0]}, floor SQLite {sqlite3.sqlite_version}"
    system = f"{os.uname().sysname} {os.uname().release}"  # platform's would start a process
    facts = f"{os.cpu_count()} cores, Python {platform.python_version()}, {system}"
    table = Table(*KEYS, title=f"{on}; {facts}", box=None)
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as directory:
        os.environ.setdefault("LEDGER_KEYS", directory)
        rounds = run(chosen.database, chosen.rounds, Path(directory))
        costs = guarded(lambda n: invent(Random(n), n), chosen.rounds, Path(directory))  # noqa: S311
        for line in chain(summed_up(rounds[1:]), costs):
            values = [round(x, 4 if x < 1 else 1) if isinstance(x, float) else x for x in line]
            print(json.dumps(dict(zip(KEYS, values, strict=True))), flush=True)
            table.add_row(*("" if x is None else str(x) for x in values))
    console.print(table, width=110, crop=False)


if __name__ == "__main__":
    main()
