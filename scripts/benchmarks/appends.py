"""What an append costs that a server is sent: streamed, 64 at a time, one after the other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from queue import SimpleQueue

import grpc

from benchmarks import peers
from benchmarks.at_rest import AT_REST
from benchmarks.families import Families, as_request
from benchmarks.measuring import Figure, Measured, Target, rate_of
from benchmarks.peers import Peer, measured
from ledger.rpc.client import Client
from ledger.v1.custody_query_service_pb2 import ListRosterRequest, ListSeparationsRequest
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesResponse,
    AppendEventsRequest,
    Credit,
)

IN_FLIGHT = 64
BATCH_MAX = 500
"""So many events the ledger takes at a time."""
WITHOUT_FINDINGS = AppendEventsRequest(without_findings=True).SerializeToString()
"""Behind the events of a request: UmaDB looks for none either."""
_SERVICE = "/ledger.v1.LedgerService"
_AS_UMADB = Target("≥ 1.0 times UmaDB", 1.0, of_ratio=True)


def streamed(address: str, requests: Sequence[bytes]) -> None:
    """Send batches within the credit that the ledger gives; raise unless each is kept."""
    credit: SimpleQueue[Credit | None] = SimpleQueue()

    def sent() -> Iterator[bytes]:
        batches = room = 0
        for one in requests:
            while not batches or room < len(one):
                granted = credit.get()
                if granted is None:
                    return
                batches, room = batches + granted.batches, room + granted.bytes
            batches, room = batches - 1, room - len(one)
            yield one

    with grpc.insecure_channel(address) as channel:
        stream = channel.stream_stream(
            f"{_SERVICE}/AppendEventBatches",
            response_deserializer=AppendEventBatchesResponse.FromString,
        )
        refused = []
        try:
            for answer in stream(sent()):
                credit.put(answer.credit)
                if answer.HasField("refusal"):
                    refused.append(answer.refusal.message)
        finally:
            credit.put(None)
    if refused:
        raise RuntimeError(f"{len(refused)} batches were refused: {refused[0]}")


def in_flight(address: str, requests: Sequence[bytes], most: int = IN_FLIGHT) -> None:
    """Send requests of their own, so many at a time that are not answered yet."""
    room = threading.Semaphore(most)
    failed: list[BaseException] = []

    def answered(call: grpc.Future) -> None:
        if call.exception() is not None:
            failed.append(call.exception())
        room.release()

    with grpc.insecure_channel(address) as channel:
        append = channel.unary_unary(f"{_SERVICE}/AppendEvents")
        for one in requests:
            room.acquire()
            append.future(one).add_done_callback(answered)
        for _ in range(most):
            room.acquire()
    if failed:
        raise failed[0]


def served(
    ledger: str, uma: str, floors: dict[str, Peer], events: int, singles: int
) -> Iterator[Figure]:
    """Streamed and unary, beside UmaDB over its own client; the floors have no server."""
    families, their = Families(1), peers.umadb(uma)

    def sends(
        send: Callable[[str, Sequence[bytes]], None], number: int, size: int, rest: bytes = b""
    ) -> Measured:
        def once() -> float:
            given = [as_request(batch) + rest for batch in families.batches(number, size)]
            return rate_of(number * size, lambda: send(ledger, given))

        return once

    for size, target in ((100, _AS_UMADB), (BATCH_MAX, None)):
        number = max(events // size, 1)
        peer = {
            "UmaDB": measured(their, families, number, size),
            "UmaDB, 4 callers": measured(their, families, number, size, 4),
        }
        if size == BATCH_MAX:
            twice = measured(their, families, max(number // 2, 1), 2 * size)
            peer[f"UmaDB, batches of {2 * size}"] = twice
        peer |= {name: measured(one, families, number, size) for name, one in floors.items()}
        work = sends(streamed, number, size)
        name = f"append, streamed, batches of {size}, {AT_REST}"
        # Beside one caller, and beside several: ours has several batches under way as well.
        yield Figure(name, "events/s", work, peer, target, judged=2)
    yield Figure(
        f"append, unary, {IN_FLIGHT} in flight, {AT_REST}",
        "events/s",
        sends(in_flight, singles, 1, WITHOUT_FINDINGS),
        {"UmaDB": measured(their, families, singles, 1, IN_FLIGHT)},
        _AS_UMADB,
    )
    yield Figure(
        f"append, unary, {IN_FLIGHT} in flight, with findings, {AT_REST}",
        "events/s",
        sends(in_flight, singles // 4, 1),
    )
    few = singles // 8
    yield Figure(
        f"append, unary, one after the other, {AT_REST}",
        "events/s",
        sends(partial(in_flight, most=1), few, 1, WITHOUT_FINDINGS),
        {"UmaDB": measured(their, families, few, 1)},
    )


def followed(ledger: str, events: int, singles: int) -> Iterator[Figure]:
    """By a server whose tables follow: streamed until they have come to the end of the log too."""
    families = Families(4)
    number = max(events // 100, 1)

    def both() -> float:
        given = [as_request(batch) for batch in families.batches(number, 100)]
        return rate_of(number * 100, lambda: (streamed(ledger, given), _settle(ledger)))

    def unary() -> float:
        given = [as_request(batch) for batch in families.batches(singles, 1)]
        rate = rate_of(singles, lambda: in_flight(ledger, given))
        _settle(ledger)
        return rate

    yield Figure("append, streamed, batches of 100, and tables", "events/s", both)
    yield Figure(f"append, unary, {IN_FLIGHT} in flight, tables following", "events/s", unary)


def _settle(address: str) -> None:
    with Client(address, patience_s=600.0) as client:
        client.custody.ListRoster(ListRosterRequest(agency="ORR", count_only=True))
        client.custody.ListSeparations(ListSeparationsRequest(count_only=True))
