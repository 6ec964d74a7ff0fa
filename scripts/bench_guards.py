"""What guarding costs: TLS, policy, the access entry, sealing; each beside the same without it.

A part of scripts/bench.py. "floor" is the ledger without what is measured, in the same process and
in turn with it: `ratio` 0.8 says that a fifth of the rate goes to it.
"""

import gc
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

import structlog

from ledger.access.caller import Caller
from ledger.accesses import note
from ledger.append import append_events
from ledger.ask.person import get_person
from ledger.keys import authority
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.personal import take_out
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.v1.audit_service_pb2 import GetCheckpointRequest
from ledger.v1.custody_query_service_pb2 import GetPersonRequest
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import Role

CALLS, BATCHES, BATCH = 100, 3, 100

Work = Callable[[], Any]
Pair = tuple[str, str, int, Work, Work]
"""(figure, unit, how many one does, guarded, without)."""


def guarded(
    invent: Callable[[int], list[Event]], rounds: int, here: Path
) -> Iterator[tuple[Any, ...]]:
    """A line for each cost, as scripts/bench.py prints them. `invent` gives the n-th family."""
    # A line for each call would be in the way, and cost both sides the same.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    authority.make(here / "trial")
    with ExitStack() as stack:
        ledgers = [Ledger(f"sqlite:///{here}/{name}.db") for name in ("open", "closed", "bare")]
        plain, secure, bare = ledgers
        for one in (plain, secure):
            append_events(one, AppendEventsRequest(events=invent(0)), 60.0)
        append_events(bare, AppendEventsRequest(events=_bare(invent(0))), 60.0)
        servers = [
            Server(plain, "127.0.0.1:0"),
            Server(secure, "localhost:0", Identities(here / "trial" / "server")),
        ]
        for server in servers:
            stack.callback(server.stop)
        stack.callback(bare.close)
        clients = here / "trial" / "clients"
        inside = stack.enter_context(Client(servers[0].address))
        auditor, investigator = (
            stack.enter_context(
                Client(servers[1].address, identity=clients / name, purpose="OVERSIGHT")
            )
            for name in ("gao-auditor", "oig-investigator")
        )
        pairs = list(_pairs(plain, bare, inside, auditor, investigator, invent))
        turns = [[_rates(pair, ledgers) for pair in pairs] for _ in range(rounds + 1)][1:]
    for index, (figure, unit, *_) in enumerate(pairs):
        ours, floors = zip(*(turn[index] for turn in turns), strict=True)
        ratio = median(map(truediv, ours, floors))
        yield figure, median(ours), unit, median(floors), ratio, rounds, min(ours), max(ours)


def _pairs(
    plain: Ledger,
    bare: Ledger,
    inside: Client,
    auditor: Client,
    investigator: Client,
    invent: Callable[[int], list[Event]],
) -> Iterator[Pair]:
    person = GetPersonRequest(person_id=invent(0)[0].apprehended.person_ids[0])
    size = GetCheckpointRequest()
    caller = Caller(
        "spiffe://custody.example/agency/OIG/role/investigator",
        "OIG",
        Role.ROLE_INVESTIGATOR,
        purpose_code="OVERSIGHT",
    )
    answer = get_person(plain, person)
    batches = _batches(invent)

    def append(ledger: Ledger, change: Callable[[list[Event]], list[Event]]) -> Work:
        return lambda: append_events(
            ledger, AppendEventsRequest(events=change(next(batches))), 60.0
        )

    yield (
        "guarding: TLS and policy, a checkpoint",
        "answers/s",
        1,
        lambda: auditor.audit.GetCheckpoint(size),
        lambda: inside.audit.GetCheckpoint(size),
    )
    yield (
        "guarding: TLS, policy and sight, a person",
        "answers/s",
        1,
        lambda: investigator.custody.GetPerson(person),
        lambda: inside.custody.GetPerson(person),
    )
    yield (
        "guarding: sight, a person, in-process",
        "answers/s",
        1,
        lambda: get_person(plain.seen_by(caller), person),
        lambda: get_person(plain, person),
    )
    yield (
        "guarding: access entry, a person, in-process",
        "answers/s",
        1,
        lambda: note(plain, "CustodyQueryService/GetPerson", person, get_person(plain, person)),
        lambda: get_person(plain, person),
    )
    yield (
        "guarding: access entry alone",
        "entries/s",
        1,
        lambda: note(plain, "CustodyQueryService/GetPerson", person, answer),
        lambda: answer.SerializeToString(deterministic=True),
    )
    yield (
        "guarding: opening, a person, in-process",
        "answers/s",
        1,
        lambda: get_person(plain, person),
        lambda: get_person(bare, person),
    )
    yield (
        "guarding: sealing, append 100",
        "events/s",
        BATCH,
        append(plain, list),
        append(bare, _bare),
    )


def _rates(pair: Pair, ledgers: Sequence[Ledger]) -> tuple[float, float]:
    """(guarded, without): how many a second."""
    _, _, number, ours, floor = pair
    times = CALLS if number == 1 else BATCHES
    found = []
    for work in (ours, floor):
        for one in ledgers:
            one.populations.catch_up()
        gc.collect()
        began = time.perf_counter()
        for _ in range(times):
            work()
        found.append(times * number / (time.perf_counter() - began))
    return found[0], found[1]


def _batches(invent: Callable[[int], list[Event]]) -> Iterator[list[Event]]:
    number = 1
    while True:
        events: list[Event] = []
        while len(events) < BATCH:
            events += invent(number)
            number += 1
        for event in events:
            event.event_id = str(uuid.uuid4())
        yield events[:BATCH]


def _bare(events: list[Event]) -> list[Event]:
    """The same events without what is personal in them."""
    for event in events:
        take_out(event)
    return events
