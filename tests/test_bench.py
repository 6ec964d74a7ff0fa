"""scripts/bench.py runs, and measures every row of DESIGN 7. What it measures here says nothing."""

import json
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT, environment

pytest.importorskip("umadb")

sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks.measuring import Figure, Target
from benchmarks.plot import writable

ROWS = {
    "append, streamed, batches of 100, tables at rest": "UmaDB",
    "append, unary, 64 in flight, tables at rest": "UmaDB",
    "evidence, batches of 10, tables at rest": "the same without tree",
    "person, in store, tables at rest": None,
    "person, in store, tables at rest, by size of log": "log of 200",
    "roster, in store, tables at rest": None,
    "rebuild of all tables": None,
    "rebuild, beside the library's runner": "eventsourcing's ProjectionRunner, one table",
    "verify": None,
    "set-based audit": None,
}
PARTS = ("streamed", "in-process", "person", "roster", "verify", "rebuild", "audit")


def bench(*arguments: object) -> tuple[list[dict[str, Any]], str]:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), "--tiny", *map(str, arguments)]
    ran = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


def test_every_row_of_the_design_is_measured(tmp_path: Path) -> None:
    picture = tmp_path / "cost.svg"
    chosen = ("--stores", "sqlite", "--only", *PARTS, "--plot", picture)
    lines, table = bench("--rounds", 0, *chosen)

    found = {line["figure"]: line["peer"] for line in reversed(lines) if line["target"]}
    assert found.keys() >= ROWS.keys(), found
    assert {name: found[name] for name in ROWS} == ROWS
    assert all(line["value"] > 0 and line["store"] == "sqlite" for line in lines)
    assert all(f"  {name}" in table for name in ROWS)
    assert "<svg" in picture.read_text(encoding="utf-8")
    streamed = [
        line for line in lines if line["figure"].startswith("append, streamed, batches of 100,")
    ]
    judged = {line["peer"] for line in streamed if line["target"]}
    assert judged == {"UmaDB", "UmaDB, 4 callers"}, "the faster of them counts"
    of_size = ("person", "roster", "verify", "rebuild of", "set-based", "memory")
    assert all(line["size"] for line in lines if line["figure"].startswith(of_size))


@pytest.mark.parametrize("picture", ["nowhere/cost.svg", "cost.txt"])
def test_where_no_picture_can_be_is_said_before_anything_is_measured(
    tmp_path: Path, picture: str
) -> None:
    with pytest.raises(ArgumentTypeError, match="cost"):
        writable(str(tmp_path / picture))


def test_a_figure_is_the_median_and_its_ratio_that_of_the_rounds() -> None:
    ours, theirs = iter([1.0, 10.0, 30.0, 20.0]), iter([1.0, 10.0, 10.0, 40.0])
    figure = Figure(
        "it", "events/s", lambda: next(ours), {"peer": lambda: next(theirs)}, Target("2", 2.0)
    )
    (line,) = figure.lines(3, "sqlite")

    assert (line.value, line.least, line.most, line.peer_value) == (20.0, 10.0, 30.0, 10.0)
    assert (line.ratio, line.rounds, line.met) == (1.0, 3, True)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("at least", 10.0), True),
        (Target("at most", 10.0, at_most=True), False),
        (Target("of the ratio", 1.0, of_ratio=True), False),
        (Target("at most, of the ratio", 1.0, at_most=True, of_ratio=True), True),
    ],
)
def test_a_target_is_met_or_not(target: Target, *, met: bool) -> None:
    assert target.is_met(20.0, 0.5) is met
    assert not Target("of a ratio", 1.0, of_ratio=True).is_met(20.0, None)
