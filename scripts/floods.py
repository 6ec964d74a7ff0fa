#!/usr/bin/env python3
"""Flood a ledger in every way known, and see how honest callers of it fare meanwhile.

    .venv/bin/python scripts/floods.py                   about four minutes
    .venv/bin/python scripts/floods.py --seconds 30 resets pings

One caller, with a good certificate, floods a server that runs in a process of its own, on this
machine and nowhere else; two others go on asking and recording. Before and after each flood they do
so in quiet, for as long. On stdout a line of JSON a flood, on stderr a table. Exits with 1 where
more than 1 % of the honest calls failed, or where their p99 was more than ten times the quiet one.
The abuser has the same cores as the server, which is worse than it would be in earnest.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flood import KINDS
from honest import Fared, Outcome, served
from rich.console import Console
from rich.table import Table

ERRORS_MAX, RATIO_MAX = 0.01, 10.0


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("kinds", nargs="*", default=list(KINDS), help=", ".join(KINDS))
    asked.add_argument("--seconds", type=float, default=12.0, help="of each flood (12)")
    told = asked.parse_args()
    if unknown := set(told.kinds) - KINDS.keys():
        asked.error(f"no such flood: {', '.join(sorted(unknown))}")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="floods-") as folder, served(Path(folder)) as server:
        before = server.measure(told.seconds)
        for kind in told.kinds:
            fared, sent, closed = server.flooded(kind, told.seconds)
            after = server.measure(told.seconds)
            quiet = Fared(before.durations_s + after.durations_s, before.errors + after.errors)
            outcomes.append(Outcome.of(kind, quiet, fared, sent, closed, server.rss_mb()))
            print(outcomes[-1].as_json(), flush=True)
            before = after
    show(outcomes)
    sys.exit(any(one.error_rate > ERRORS_MAX or one.ratio > RATIO_MAX for one in outcomes))


def show(outcomes: list[Outcome]) -> None:
    table = Table(title="Honest callers in a flood")
    for name in ("flood", "sent", "calls", "errors", "quiet p99", "p50", "p99", "ratio", "memory"):
        table.add_column(name, justify="left" if name == "flood" else "right")
    for one in outcomes:
        table.add_row(
            one.kind,
            f"{one.sent:,}",
            f"{one.calls}",
            f"{one.errors}",
            f"{one.quiet_p99_ms:.0f} ms",
            f"{one.flood_p50_ms:.0f} ms",
            f"{one.flood_p99_ms:.0f} ms",
            f"{one.ratio:.1f}",
            f"{one.rss_mb} MB",
        )
    Console(stderr=True, width=100).print(table)


if __name__ == "__main__":
    main()
