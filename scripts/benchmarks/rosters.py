"""A page of a roster at T known at K, from tables of different size that are written directly.

A fold of as many events as come to a million periods would take its time. Every tenth period is of
one large facility; the others are of facilities where some two hundred are held at a time, more of
them the larger the table.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from invented.days import DAY_S

from benchmarks.at_rest import AT_REST, tables_at_rest
from benchmarks.families import FIRST_DAY, Families, as_request
from benchmarks.measuring import Figure, Measured, Target
from benchmarks.serving import ledger_serve
from ledger.append import append_events
from ledger.ask.population import list_roster
from ledger.ledger import Ledger, Moment
from ledger.members import Members
from ledger.rpc.client import Client
from ledger.store.bulk import insert
from ledger.store.generations import State
from ledger.store.tables import period
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_query_service_pb2 import ListRosterRequest
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.view_pb2 import Custody
from projections import custody
from projections.custody_view import by_facility

PAGE = 100
_FAST = Target("≤ 1 ms for 100 rows", 1_000, at_most=True)
_LEVEL = Target("≤ 1.5 times that of the smaller table", 1.5, at_most=True, of_ratio=True)

ENTRIES = 200
DAYS = 1_095
DAY_US = DAY_S * 1_000_000
HORIZON_US = 32 * DAY_US
OPEN = 2**63 - 1
OF_A_FACILITY = 15_000  # periods: with stays of two weeks in three years, two hundred at a time
_LARGE, _CORRECTED, _LONG = 0.1, 0.08, 0.02  # of periods

Ask = Callable[[ListRosterRequest], object]


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with so many periods in its table of custody."""

    url: str
    size: int


def filled(url: str, size: int) -> Filled:
    """A log of a hundred families, and beside what follows from it so many periods."""
    random = Random(size)  # noqa: S311
    with tables_at_rest(), closing(Ledger(url)) as ledger:
        for batch in Families(3).batches(ENTRIES // 100, 100):
            append_events(ledger, AppendEventsRequest.FromString(as_request(batch)), 60.0)
        ledger.populations.catch_up()
        live = ledger.populations.generations.find(custody.custody.name, State.LIVE)
        facilities = max(size // OF_A_FACILITY, 1)
        key = (ledger.log.id, live.number)
        rows = sorted((*key, *_period(random, facilities)) for _ in range(size))
        with ledger.log._database.writing() as connection:
            insert(connection, period, rows)
        if ledger.log._database.engine.dialect.name == "postgresql":
            with ledger.log._database.writing() as connection:
                connection.exec_driver_sql("ANALYZE period")  # autovacuum would, in a minute
    return Filled(url, size)


def _period(random: Random, facilities: int) -> tuple[object, ...]:
    """The columns of a period behind those of its log and generation."""
    start = (FIRST_DAY + random.randrange(DAYS)) * DAY_US
    if random.random() < _LONG:
        end = start + random.randrange(400, 900) * DAY_US
    else:  # cut as the tables are
        end = start + random.randrange(1, 31) * DAY_US
        end = min(end, (start // HORIZON_US + 1) * HORIZON_US)
    large = random.random() < _LARGE
    facility = "Influx" if large else f"Shelter {random.randrange(facilities):04}"
    subject = str(uuid.UUID(int=random.getrandbits(128)))
    known_from = random.randrange(1, ENTRIES)
    corrected = random.random() < _CORRECTED
    known_to = random.randrange(known_from + 1, ENTRIES + 1) if corrected else OPEN
    state = b"\0" + Custody(agency="ORR", facility=facility).SerializeToString()
    population = by_facility("ORR", facility)
    return population, start, subject, known_from, end, known_to, state


def rosters(tables: Sequence[Filled], log: Path, asked: int) -> Iterator[Figure]:
    """A page of a hundred: in the store, the answer in process, and over gRPC."""
    shelter, influx = "Shelter 0000", "Influx"
    with ExitStack() as stack:
        stack.enter_context(tables_at_rest())
        opened = [stack.enter_context(closing(Ledger(one.url))) for one in tables]
        yield from _compared(
            f"roster, in store, {AT_REST}", opened, tables, _in_store, shelter, asked
        )
        largest = _timed(_in_store(opened[-1]), influx, asked)
        size = tables[-1].size
        yield Figure(
            f"roster, in store, {AT_REST}, a page of {size // 1_000 * 13 // 10:,} held",
            "µs",
            largest,
            {},
            _FAST,
            size,
        )
        whole = _timed(lambda one: list_roster(opened[-1], one), shelter, asked)
        yield Figure(f"roster, in process, {AT_REST}", "µs", whole, {}, None, size)
    with (
        ledger_serve(tables[-1].url, log, at_rest=True) as server,
        Client(server.address) as client,
    ):
        answered = _timed(client.custody.ListRoster, shelter, asked)
        yield Figure(f"roster, gRPC, {AT_REST}", "µs", answered, {}, None, size)


def _compared(
    name: str,
    opened: Sequence[Ledger],
    tables: Sequence[Filled],
    way: Callable[[Ledger], Ask],
    facility: str,
    asked: int,
) -> Iterator[Figure]:
    took = [_timed(way(ledger), facility, asked) for ledger in opened]
    for ours, one in zip(took, tables, strict=True):
        yield Figure(name, "µs", ours, {}, _FAST, one.size)
    if len(tables) > 1:
        smaller = {f"table of {tables[0].size:,}": took[0]}
        yield Figure(f"{name}, by size of table", "µs", took[-1], smaller, _LEVEL, tables[-1].size)


def _in_store(ledger: Ledger) -> Ask:
    """A hundred rows with their states, without the count and the stamp of an answer."""

    def ask(one: ListRosterRequest) -> object:
        moment = Moment(one.basis.as_of_time.ToMicroseconds(), one.basis.at_size)
        wanted = [by_facility(one.agency, one.facility)]
        return Members(ledger, custody.custody, moment).page(wanted, "", PAGE)

    return ask


def _timed(ask: Ask, facility: str, asked: int) -> Measured:
    """Microseconds of a question at a time, each of another moment."""
    random = Random(facility)  # noqa: S311

    def measured() -> float:
        took = []
        for _ in range(asked):
            basis = Basis(at_size=random.randrange(ENTRIES * 9 // 10, ENTRIES + 1))
            day = FIRST_DAY + random.randrange(60, DAYS - 60)
            basis.as_of_time.FromMicroseconds(day * DAY_US + DAY_US // 2)
            one = ListRosterRequest(agency="ORR", facility=facility, basis=basis, page_size=PAGE)
            began = time.perf_counter()
            ask(one)
            took.append(time.perf_counter() - began)
        return median(took) * 1e6

    return measured
