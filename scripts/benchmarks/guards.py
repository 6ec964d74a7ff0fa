"""What guarding costs: TLS, policy, the access entry, sealing; each beside the same without it.

In the same process and in turn with it: a ratio of 0.8 says that a fifth of the rate goes to it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from benchmarks.at_rest import tables_at_rest
from benchmarks.families import Families, as_request
from benchmarks.measuring import Figure, Measured
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
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import Role

CALLS, BATCHES, BATCH = 100, 3, 100
METHOD = "CustodyQueryService/GetPerson"

Work = Callable[[], Any]


def guarded(here: Path) -> Iterator[Figure]:
    """A figure for each cost."""
    # A line for each call would be in the way, and cost both sides the same.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    authority.make(here / "trial")
    families = Families(5)
    first = _request(families)
    with ExitStack() as stack:
        stack.enter_context(tables_at_rest())
        plain, secure = (Ledger(f"sqlite:///{here}/{name}.db") for name in ("open", "closed"))
        bare = stack.enter_context(closing(Ledger(f"sqlite:///{here}/bare.db")))
        for one in (plain, secure):
            append_events(one, first, 60.0)
        person = GetPersonRequest(person_id=first.events[0].apprehended.person_ids[0])
        append_events(bare, _bare(first), 60.0)
        server = Server(plain, "127.0.0.1:0")
        closed = Server(secure, "localhost:0", Identities(here / "trial" / "server"))
        for one in (server, closed):
            stack.callback(one.stop)
        clients = here / "trial" / "clients"
        inside = stack.enter_context(Client(server.address))
        auditor, investigator = (
            stack.enter_context(
                Client(closed.address, identity=clients / name, purpose="OVERSIGHT")
            )
            for name in ("gao-auditor", "oig-investigator")
        )
        size = GetCheckpointRequest()
        yield _figure(
            "TLS and policy, a checkpoint",
            lambda: auditor.audit.GetCheckpoint(size),
            lambda: inside.audit.GetCheckpoint(size),
        )
        yield _figure(
            "TLS, policy and sight, a person",
            lambda: investigator.custody.GetPerson(person),
            lambda: inside.custody.GetPerson(person),
        )
        caller = Caller(
            "spiffe://custody.example/agency/OIG/role/investigator",
            "OIG",
            Role.ROLE_INVESTIGATOR,
            purpose_code="OVERSIGHT",
        )
        alone = partial(get_person, plain, person)
        yield _figure("sight, a person", lambda: get_person(plain.seen_by(caller), person), alone)
        yield _figure("access entry, a person", lambda: note(plain, METHOD, person, alone()), alone)
        answer = alone()
        yield _figure(
            "access entry alone",
            lambda: note(plain, METHOD, person, answer),
            lambda: answer.SerializeToString(deterministic=True),
        )
        yield _figure("opening, a person", alone, lambda: get_person(bare, person))
        yield Figure(
            "guarding: sealing, append 100",
            "events/s",
            _appends(plain, families, lambda request: request),
            {"without": _appends(bare, families, _bare)},
        )


def _figure(name: str, ours: Work, without: Work) -> Figure:
    return Figure(f"guarding: {name}", "answers/s", _rate(ours), {"without": _rate(without)})


def _rate(work: Work) -> Measured:
    def measured() -> float:
        began = time.perf_counter()
        for _ in range(CALLS):
            work()
        return CALLS / (time.perf_counter() - began)

    return measured


def _appends(
    ledger: Ledger,
    families: Families,
    change: Callable[[AppendEventsRequest], AppendEventsRequest],
) -> Measured:
    def measured() -> float:
        given = [change(_request(families)) for _ in range(BATCHES)]
        began = time.perf_counter()
        for one in given:
            append_events(ledger, one, 60.0)
        return BATCHES * BATCH / (time.perf_counter() - began)

    return measured


def _request(families: Families) -> AppendEventsRequest:
    return AppendEventsRequest.FromString(as_request(families.events(BATCH)))


def _bare(request: AppendEventsRequest) -> AppendEventsRequest:
    """The same events without what is personal in them."""
    for event in request.events:
        take_out(event)
    return request
