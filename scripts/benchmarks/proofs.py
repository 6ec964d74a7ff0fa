"""The log hashed again, and the tables made again."""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks import library
from benchmarks.at_rest import tables_at_rest
from benchmarks.measuring import Figure, Measured, Target
from benchmarks.questions import Loaded
from ledger.ledger import Ledger
from ledger.store.audit import Means, verify

_VERIFIED = Target("≥ 300,000 events/s a core", 300_000)
_REBUILT = Target("≥ 100,000 events/s a core", 100_000)
_AS_LIBRARY = Target("≥ 100 times the library's runner", 100, of_ratio=True)


def a_core(events: int, work: Callable[[], object]) -> Measured:
    """Events a second of processor time, that of processes that ended meanwhile included."""

    def measured() -> float:
        began = _processor_s()
        work()
        return events / (_processor_s() - began)

    return measured


def verified(histories: Sequence[Loaded]) -> Iterator[Figure]:
    """Every entry, column, index, tile and sealed field."""
    for one in histories:
        with opened(one) as ledger:
            means = Means(vault=ledger.log.vault)

            def work(ledger: Ledger = ledger, means: Means = means) -> None:
                if not verify(ledger._database, ledger.log.id, means, workers=1).ok:
                    raise RuntimeError("the log is not as it was written")

            yield Figure("verify", "events/s", a_core(one.size, work), {}, _VERIFIED, one.size)


def rebuilt(histories: Sequence[Loaded], most: int, here: Path) -> Iterator[Figure]:
    """All tables in one pass, by one process; of logs up to a size."""
    some = [one for one in histories if one.size <= most]
    for one in some:
        with opened(one) as ledger:
            ours = a_core(one.size, ledger.populations.rebuild_all)
            yield Figure("rebuild of all tables", "events/s", ours, {}, _REBUILT, one.size)
    with opened(some[0]) as ledger, library.running(here) as (events, run):
        ours = a_core(some[0].size, ledger.populations.rebuild_all)
        theirs = {"eventsourcing's ProjectionRunner, one table": a_core(events, run)}
        yield Figure("rebuild, beside the library's runner", "events/s", ours, theirs, _AS_LIBRARY)


def _processor_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def opened(one: Loaded) -> Iterator[Ledger]:
    with tables_at_rest(), closing(Ledger(one.url)) as ledger:
        yield ledger
