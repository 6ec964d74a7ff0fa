"""What a question costs: one person as of T known at K, in logs of different size."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random
from statistics import median

from invented.history import invent
from invented.loading import load

from benchmarks.at_rest import AT_REST, tables_at_rest
from benchmarks.measuring import Figure, Measured, Target
from benchmarks.serving import ledger_serve
from ledger.ask.known import PERSON, known_of
from ledger.ask.person import get_person
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_query_service_pb2 import GetPersonRequest
from ledger.v1.event_pb2 import Event
from projections import custody

FAST, LEVEL = (
    Target("≤ 300 µs", 300, at_most=True),
    Target("≤ 1.5 times that of the smaller log", 1.5, at_most=True, of_ratio=True),
)
_MOONSHOT = Target("≤ 1 ms", 1_000, at_most=True)
BASE = 100_000
"""The size of the log that larger ones are compared with."""
ENTRIES = range(9, 12)
"""So many has each person who is asked about, where the log is no small one."""
SMALL = 4_000
SAMPLE = 2_000
"""So many persons are asked about, in turn: what was read of one is not what the next one needs."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A database with a history, and questions of it."""

    url: str
    size: int
    load_rate: float
    """Events a second, in process, by batches of 500."""
    questions: Sequence[GetPersonRequest]


def loaded(url: str, size: int) -> Loaded:
    """Load an invented history, and choose whom to ask about."""
    some: list[Event] = []
    every = max(size // 100_000, 1)
    with tables_at_rest(), closing(Ledger(url)) as ledger:
        began = time.perf_counter()
        for index, batch in enumerate(load(ledger, invent(size))):
            if index % every == 0:
                some += map(Event.FromString, islice(batch, 0, None, 3))
        rate = size / (time.perf_counter() - began)
        return Loaded(url, size, rate, list(_questions(ledger, some, size)))


def _questions(ledger: Ledger, some: Sequence[Event], size: int) -> Iterator[GetPersonRequest]:
    """Persons with about ten entries, on days of theirs, known at sizes that have all of them."""
    random = Random(size)  # noqa: S311
    registered = [one for one in some if one.WhichOneof("fact") == "person_registered"]
    random.shuffle(registered)
    found = 0
    for event in registered:
        person_id = event.person_registered.person_id
        entries = known_of(ledger, PERSON, [person_id], size)[person_id].entries
        if len(entries) in ENTRIES or (size < SMALL and entries):
            basis = Basis(at_size=random.randint(entries[-1][0], size))
            basis.as_of_time.FromMicroseconds(event.valid_time.time.ToMicroseconds() + 10**12)
            yield GetPersonRequest(person_id=person_id, basis=basis)
            found += 1
            if found == SAMPLE:
                return


def persons(histories: Sequence[Loaded], log: Path, asked: int) -> Iterator[Figure]:
    """One person: in the store (read and fold), the answer in process, and over gRPC."""
    endless = [cycle(one.questions) for one in histories]
    with ExitStack() as stack:
        stack.enter_context(tables_at_rest())
        opened = [stack.enter_context(closing(Ledger(one.url))) for one in histories]
        ways = {
            "in store": _in_store,
            "in process": lambda ledger: lambda one: get_person(ledger, one),
        }
        for way, make in ways.items():
            medians = [
                _median(make(ledger), one, asked)
                for ledger, one in zip(opened, endless, strict=True)
            ]
            target = FAST if way == "in store" else None
            yield from _compared(f"person, {way}, {AT_REST}", medians, histories, target)
    with ExitStack() as stack:
        medians = []
        for one, questions in zip(histories, endless, strict=True):
            server = stack.enter_context(
                ledger_serve(one.url, log.with_suffix(f".{one.size}"), at_rest=True)
            )
            client = stack.enter_context(Client(server.address))
            medians.append(_median(client.custody.GetPerson, questions, asked))
        yield from _compared(f"person, gRPC, {AT_REST}", medians, histories, _MOONSHOT)


def _compared(
    name: str, medians: Sequence[Measured], histories: Sequence[Loaded], target: Target | None
) -> Iterator[Figure]:
    """A figure for each size, and the largest beside a smaller one."""
    sizes = [one.size for one in histories]
    for size, ours in zip(sizes, medians, strict=True):
        yield Figure(name, "µs", ours, {}, target, size)
    base = next((index for index, size in enumerate(sizes) if size >= BASE), 0)
    base = min(base, max(len(sizes) - 2, 0))
    if len(sizes) > 1:
        smaller = {f"log of {sizes[base]:,}": medians[base]}
        target = LEVEL if target is FAST else None
        yield Figure(f"{name}, by size of log", "µs", medians[-1], smaller, target, sizes[-1])


def _in_store(ledger: Ledger) -> Callable[[GetPersonRequest], object]:
    """Her entries read and opened, and her custody folded."""

    def ask(one: GetPersonRequest) -> object:
        known = known_of(ledger, PERSON, [one.person_id], one.basis.at_size)[one.person_id]
        as_of_us = one.basis.as_of_time.ToMicroseconds()
        return custody.custody.fold(one.person_id, known.facts, as_of_us)

    return ask


def _median(
    ask: Callable[[GetPersonRequest], object], endless: Iterator[GetPersonRequest], asked: int
) -> Measured:
    """Microseconds of a question, one after the other."""

    def measured() -> float:
        took = []
        for one in islice(endless, asked):
            began = time.perf_counter()
            ask(one)
            took.append(time.perf_counter() - began)
        return median(took) * 1e6

    return measured
