"""A watcher misses nothing while eight writers stream as fast as they can.

`scripts/soak.py` does it with a million events, and says what it takes.
"""

import json
import subprocess
import sys

import pytest
from commands import ROOT, environment

EVENTS, WRITERS = 4_000, 8


def soak(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "soak.py", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_watcher_misses_nothing_that_eight_writers_stream(database_url: str) -> None:
    many = ("--events", EVENTS, "--writers", WRITERS, "--processes", 0, "--batch", 100)
    done = soak("--database", database_url, *many)

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["receipts"] == found["watched"] == found["verified"]["size"] == EVENTS
    # She was cut off on the way, and went on where she had been.
    assert EVENTS // 2 <= found["watcher_cut_at"] < EVENTS
    # What was measured is told before the log is verified.
    told = json.loads(done.stderr.splitlines()[0])
    assert "verified" not in told
    assert told["written_per_second"] == found["written_per_second"]


@pytest.mark.parametrize("few", [("--events", 3), ("--writers", 0), ("--processes", 9)])
def test_what_would_show_nothing_is_refused(few: tuple[object, ...]) -> None:
    done = soak(*few)

    assert done.returncode == 2
    assert "error: " in done.stderr
