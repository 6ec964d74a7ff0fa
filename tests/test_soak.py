"""A watcher misses nothing while eight writers stream as fast as they can.

`scripts/soak.py` does it with a million events, and says what it takes.
"""

import json
import subprocess
import sys

from commands import ROOT, environment

EVENTS, WRITERS = 8_000, 8


def test_a_watcher_misses_nothing_that_eight_writers_stream(database_url: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "scripts" / "soak.py", "--database", database_url),
            *("--events", str(EVENTS), "--writers", str(WRITERS)),
            *("--processes", "0", "--batch", "100"),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["receipts"] == found["watched"] == found["verified"]["size"] == EVENTS
    # She was cut off on the way, and went on where she had been.
    assert EVENTS // 2 <= found["watcher_cut_at"] < EVENTS
