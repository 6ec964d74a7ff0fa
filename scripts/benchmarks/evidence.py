"""What an append costs in process, and what of it is the evidence: leaves, tiles and roots.

As the bulk path appends, which looks for no findings; "with findings" is what a unary call does.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from unittest.mock import patch

from benchmarks.at_rest import AT_REST, tables_at_rest
from benchmarks.families import Families, as_request
from benchmarks.measuring import Figure, Measured, Target, rate_of
from benchmarks.peers import Peer, measured
from ledger.append import append_events
from ledger.ledger import Ledger
from ledger.store.tree import Tree
from ledger.v1.ledger_service_pb2 import AppendEventsRequest

Append = Callable[[Ledger, AppendEventsRequest], object]

_EVIDENCE = Target("≤ 20 % of an append", 0.8, of_ratio=True)
WRITE_S = 60.0


def in_process(create: Callable[[], str], floors: dict[str, Peer], events: int) -> Iterator[Figure]:
    """Batches of 1, 10 and 100, one after the other, with and without the tree."""
    families = Families(2)
    with ExitStack() as stack:
        stack.enter_context(tables_at_rest())
        whole, bare = (stack.enter_context(closing(Ledger(create()))) for _ in range(2))

        def appends(number: int, size: int, append: Append = _in_bulk) -> Measured:
            return _appends(whole, families, number, size, append)

        for size in (1, 10, 100):
            number = max(events // size // (20 if size == 1 else 1), 2)
            yield Figure(
                f"append, in process, batches of {size}, {AT_REST}",
                "events/s",
                appends(number, size),
                {name: measured(one, families, number, size) for name, one in floors.items()},
            )
            without = _appends(bare, families, number, size, _in_bulk, proven=False)
            yield Figure(
                f"evidence, batches of {size}, {AT_REST}",
                "events/s",
                appends(number, size),
                {"the same without tree": without},
                _EVIDENCE if size > 1 else None,
            )
        few = max(events // 80, 2)
        yield Figure(
            f"append, in process, with findings, {AT_REST}",
            "events/s",
            appends(few, 1, _with_findings),
        )


def _in_bulk(ledger: Ledger, request: AppendEventsRequest) -> object:
    request.without_findings = True
    return append_events(ledger, request, WRITE_S)


def _with_findings(ledger: Ledger, request: AppendEventsRequest) -> object:
    return append_events(ledger, request, WRITE_S)


def _appends(
    ledger: Ledger,
    families: Families,
    number: int,
    size: int,
    append: Append,
    *,
    proven: bool = True,
) -> Measured:
    def once() -> float:
        given = [
            AppendEventsRequest.FromString(as_request(batch))
            for batch in families.batches(number, size)
        ]
        with nullcontext() if proven else _no_tree():
            return rate_of(number * size, lambda: [append(ledger, one) for one in given])

    return once


@contextmanager
def _no_tree() -> Iterator[None]:
    """No leaf, tile or root is hashed or kept: what is appended cannot be proven."""
    nothing = bytes(32)
    with (
        patch.object(Tree, "grow", lambda *_args, **_named: None),
        patch.object(Tree, "root", lambda *_args, **_named: nothing),
        patch("ledger.merkle.leaf_hash", lambda _data: nothing),
    ):
        yield
