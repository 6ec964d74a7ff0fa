#!/usr/bin/env python3
"""Measure the ledger beside its peers, doing the same work on the same machine, in one run.

    .venv/bin/pip install -e '.[dev]'
    .venv/bin/python scripts/bench.py                            every row of DESIGN 7
    .venv/bin/python scripts/bench.py --plot cost.svg            and a picture of cost against size
    .venv/bin/python scripts/bench.py --only person roster       some of it
    .venv/bin/python scripts/bench.py --database postgresql://…  on this one, in databases of it
    .venv/bin/python scripts/bench.py --largest 1000000          logs of up to a million
    .venv/bin/python scripts/bench.py --full                     of ten million: hours, and 20 GB

A quarter of an hour on two cores. On SQLite, and on a PostgreSQL where the wheel of the tests
brings one. On stdout a line of JSON a figure, on stderr a table: medians of the rounds; `ratio` is
the median of their ratios to the peer, `least` and `most` are of the ledger's own value. `met` says
whether the target of DESIGN 7 is; it judges nothing, and exits with 0. Less is better of µs and
MiB, more of a rate. `size` is that of the log or table; --plot draws what has several.

The ledger and UmaDB are servers in processes of their own, and are sent the same bytes with a tag
for each subject, batch by batch: the ledger in a stream, within its credit, UmaDB one after the
other, which is its only way, and from four callers. `raw` writes the same bytes and an index of
subjects, and `eventsourcing` is that library's own recorder, both without a server. None of them
checks, proves or seals anything. Where UmaDB has one caller, who waits for each batch, the ledger
has several under way: the target is of both lines, so that the faster of UmaDB's counts. "Tables at
rest" is a ledger that does not bring its tables up to the log meanwhile; what that costs is
`rebuild`. (Verification, audit and guarding need none, and are measured so too.) "A core" is a
second of processor time. Each question is about another person than the one before, of two
thousand; the files are in the memory of the system. `ledger audit recompute` is "files checked
first". Everything is below $TMPDIR, but the PostgreSQL of the tests is below /tmp: whether these
are one disk is for whoever measures to see to.
"""

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests")]

from benchmarks import (  # noqa: E402
    appends,
    audits,
    evidence,
    guards,
    memory,
    proofs,
    questions,
    rosters,
    serving,
    stores,
)
from benchmarks.measuring import WHOLE, Figure, Line  # noqa: E402
from benchmarks.plot import draw, writable  # noqa: E402
from benchmarks.stores import Store  # noqa: E402

console = Console(stderr=True)
WIDTH = 220  # of the table, wherever it goes


STORES = ("sqlite", "postgresql")

Measures = Iterator[Figure | Line]


def streamed(store: Store) -> Measures:
    """Appends, by servers."""
    with (
        store.floors() as floors,
        serving.umadb(store.here, store.log()) as uma,
        serving.ledger_serve(store.create(), store.log(), at_rest=True) as ledger,
    ):
        sizes = store.sizes
        yield from appends.served(ledger.address, uma.address, floors, sizes.events, sizes.singles)
        kept, theirs = serving.size_of(ledger), serving.size_of_umadb(uma)
        name = "memory of the ledger's server, events in it"
        yield Line(name, ledger.peak_mib(), "MiB", store.name, kept)
        yield Line(
            "memory of UmaDB's server, events in it", uma.peak_mib(), "MiB", store.name, theirs
        )
    with serving.ledger_serve(store.create(), store.log()) as ledger:
        yield from appends.followed(ledger.address, store.sizes.in_process, store.sizes.singles)


def in_process(store: Store) -> Measures:
    """Appends by the functions behind the services, and what of them is evidence."""
    with store.floors() as floors:
        yield from evidence.in_process(store.create, floors, store.sizes.in_process)


def person(store: Store) -> Measures:
    """One person at T known at K."""
    for one in store.histories:
        name = "load of a history, batches of 500"
        yield Line(name, one.load_rate, "events/s", store.name, one.size)
    yield from questions.persons(store.histories, store.log(), store.sizes.asked)


def roster(store: Store) -> Measures:
    """A page of a roster at T known at K."""
    tables = [rosters.filled(store.create(), size) for size in store.sizes.tables]
    yield from rosters.rosters(tables, store.log(), store.sizes.asked)


def verify(store: Store) -> Measures:
    """The log hashed again."""
    yield from proofs.verified(store.histories)


def rebuild(store: Store) -> Measures:
    """The tables made again."""
    yield from proofs.rebuilt(store.histories, store.sizes.rebuilt, store.here)


def audit(store: Store) -> Measures:
    """The log written to Parquet, and computed again by SQL; the same from every store."""
    if store.name == "sqlite":
        most, events = store.sizes.rebuilt, store.sizes.audited
        largest = store.histories[-1]
        yield from audits.audited(largest, most, events, store.here, store.name)


def memories(store: Store) -> Measures:
    """Memory at growing sizes; what a store has in its own server is not ours."""
    if store.name == "sqlite":
        yield from memory.of_server(store.create(), store.log(), store.sizes.memory, store.name)
        yield from memory.of_importer(store.here, store.sizes.memory)
        yield from memory.of_rebuild(store.histories, store.sizes.rebuilt)
        yield memory.of_bench()


def guarding(store: Store) -> Measures:
    """What guarding costs; the same on every store."""
    if store.name == "sqlite":
        yield from guards.guarded(store.here)


PARTS: dict[str, Callable[[Store], Measures]] = {
    "streamed": streamed,
    "in-process": in_process,
    "person": person,
    "roster": roster,
    "verify": verify,
    "rebuild": rebuild,
    "audit": audit,
    "memory": memories,
    "guarding": guarding,
}


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--database", metavar="URL", help="a PostgreSQL, and nothing else")
    asked.add_argument("--stores", nargs="+", choices=STORES)
    asked.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument(
        "--plot", metavar="FILE", type=writable, help="cost against size: SVG, PNG, PDF"
    )
    much = asked.add_mutually_exclusive_group()
    much.add_argument("--full", action="store_true", help="logs of up to ten million entries")
    much.add_argument("--tiny", action="store_true", help="that it runs: figures mean nothing")
    asked.add_argument("--largest", metavar="ENTRIES", type=int, help="the largest log (100000)")
    told = asked.parse_args()
    sizes = stores.FULL if told.full else stores.TINY if told.tiny else stores.Sizes()
    if told.largest:
        smaller = [10**power for power in range(3, 7) if 10**power < told.largest]
        sizes = replace(sizes, logs=(*smaller, told.largest))
    began = time.monotonic()
    lines: list[Line] = []
    with ExitStack() as stack:
        here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ledger-bench-")))
        os.environ.setdefault("LEDGER_KEYS", str(here))
        for name in told.stores or (["postgresql"] if told.database else STORES):
            store = (
                stores.sqlite(sizes, here)
                if name == "sqlite"
                else stack.enter_context(stores.postgresql(told.database, sizes, here))
            )
            if store is None:
                console.print("no PostgreSQL here: pip install -e '.[dev]' brings one")
                continue
            for line in _measured(store, told.only, told.rounds):
                print(json.dumps(line.as_row(), ensure_ascii=False), flush=True)
                lines.append(line)
    Console(stderr=True, width=WIDTH, soft_wrap=True).print(_table(lines))
    console.print(f"{time.monotonic() - began:.0f} s")
    if told.plot:
        draw(lines, told.plot)


def _measured(store: Store, parts: list[str], rounds: int) -> Iterator[Line]:
    for part in parts:
        with console.status(f"{store.name}: {part}") as status:
            for one in PARTS[part](store):
                if isinstance(one, Line):
                    yield one
                else:
                    status.update(f"{store.name}: {one.name}")
                    yield from one.lines(rounds, store.name)


def _table(lines: list[Line]) -> Table:
    system = f"{os.uname().sysname} {os.uname().release}"  # platform's would start a process
    facts = f"{os.cpu_count()} cores, Python {platform.python_version()}, {system}"
    table = Table(title=f"{facts}, SQLite {sqlite3.sqlite_version}", box=None)
    for name in ("figure", "value", "", "least … most", "beside", "", "ratio", "target", "met"):
        table.add_column(
            name, no_wrap=True, justify="right" if name in ("value", "ratio") else "left"
        )
    for store, some in groupby(lines, lambda line: line.store):
        table.add_section()
        table.add_row(f"on {store}")
        for line in some:
            table.add_row(*_cells(line))
    return table


def _cells(line: Line) -> Iterator[str]:
    size = f", {line.size:,}" if line.size else ""
    yield f"  {line.figure}{size}"
    yield f"{line.value:,.4g}" if line.value < WHOLE else f"{line.value:,.0f}"
    yield line.unit
    yield f"{line.least:,.0f} … {line.most:,.0f}" if line.least and line.rounds > 1 else ""
    yield f"{line.peer_value:,.0f}" if line.peer_value else ""
    yield line.peer or ""
    yield f"{line.ratio:.3g}" if line.ratio else ""
    yield line.target or ""
    yield {True: "yes", False: "no", None: ""}[line.met]


if __name__ == "__main__":
    main()
