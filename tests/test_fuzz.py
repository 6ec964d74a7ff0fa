"""Whatever is called however wrongly: a short slice of `scripts/fuzz.py`."""

import json
import subprocess
import sys

from commands import ROOT, environment

CALLS, SECONDS = 2_000, 10


def test_no_call_ends_in_a_fault_of_ours_or_repeats_what_was_sent() -> None:
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "scripts" / "fuzz.py", "--seed=2018"),
            *(f"--calls={CALLS}", f"--seconds={SECONDS}", "--workers=1"),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    told = json.loads(done.stdout.splitlines()[-1])
    print(told)  # noqa: T201
    assert told["findings"] == {}
    assert done.returncode == 0
    # A machine that does much else makes fewer of them.
    assert told["calls"] > 100
    assert told["methods"] == 31
    assert told["codes"]["OK"] > 0
    assert told["codes"]["INVALID_ARGUMENT"] > 0
