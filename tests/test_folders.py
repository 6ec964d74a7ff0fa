"""Folding in other processes: the same rows, whichever of them ends, and none left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from events import event, id_of, place

from ledger.append import append_events
from ledger.errors import LedgerError, Violation
from ledger.store import folders, making
from ledger.store.folders import Folders
from ledger.store.folding import Folded, Task
from ledger.store.generations import State
from ledger.v1.custody_pb2 import Placed
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.separation_pb2 import Separated

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
TEXT = b"what a source says"
PARENT = """
import sys, time
from ledger.keys.keyring import Keyring
from ledger.store.database import Database
from ledger.store.folders import Folders
from ledger.store.folding import Task

if __name__ == "__main__":
    found = Database(sys.argv[1])
    folders = Folders(found, "custody", Keyring(found.keys_file(None)), 2)
    list(folders.fold([Task((), "person", [], 0, 0)]))
    print(*folders._pool._processes, flush=True)
    time.sleep(600)
"""


def append(ledger, prefix: str) -> None:
    """Children taken and placed, with a personal field each: what is shown of them is sealed."""
    events = [
        event(body, day)
        for i in range(60)
        for day, body in enumerate(
            (
                Separated(
                    child_id=id_of(f"{prefix}-{i}"),
                    adult_ids=[id_of(f"{prefix}-{i}-mother")],
                    reason_codes=["OTHER"],
                    reason_text=TEXT.decode(),
                    agency="CBP",
                ),
                Placed(child_id=id_of(f"{prefix}-{i}"), agency="ORR", facility=place("Casa")),
            ),
            1,
        )
    ]
    append_events(ledger, AppendEventsRequest(events=events), 60)


def caught_up(ledger) -> None:
    size = ledger.log.entries.size()
    for name in ("custody", "duties", "separation"):
        ledger.populations.ask(name, size, PATIENCE_S, lambda _: None)


def test_tables_follow_though_a_process_that_folds_is_killed(open_ledger, monkeypatch) -> None:
    monkeypatch.setattr(making, "SHARED_MIN", 10)
    ledger = open_ledger(name="folded", workers=1)
    append(ledger, "one")
    caught_up(ledger)
    (worker,) = ledger._follower._folders._pool._processes
    assert os.getpriority(os.PRIO_PROCESS, worker) > os.getpriority(os.PRIO_PROCESS, 0)

    os.kill(worker, signal.SIGKILL)
    append(ledger, "two")
    caught_up(ledger)

    (other,) = ledger._follower._folders._pool._processes
    assert other != worker
    assert list(ledger.populations.differences()) == []
    live = ledger.populations.generations.find("separation", State.LIVE)
    digests = ledger.populations.periods.digests(live, live.position)
    ledger.close()
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)
    again = open_ledger(name="folded")
    assert again.populations.rebuild("separation").differing == []
    live = again.populations.generations.find("separation", State.LIVE)
    assert again.populations.periods.digests(live, live.position) == digests


def test_a_process_that_folds_remembers_no_key_beyond_an_erasure(open_ledger) -> None:
    ledger = open_ledger(name="erased")
    append(ledger, "one")
    caught_up(ledger)
    child = id_of("one-0")
    keyring = ledger.log.vault.keyring
    pool = Folders(ledger._database, "erased", keyring, 1)
    task = Task(((1, "separation"),), "person", [child], 0, ledger.log.entries.size())

    def states() -> list[bytes]:
        (folded,) = pool.fold([task])
        kept = [(row.subject, row.state) for row in folded.changes[1].added]
        assert not any(TEXT in state for _, state in kept)
        return ledger.log.vault.open_states(kept)

    try:
        assert any(TEXT in one for one in states())
        ledger.log.vault.destroy([child])
        after = states()
    finally:
        pool.close()
    # What was sealed under a key that is gone would be empty.
    assert after
    assert all(after)
    assert not any(TEXT in one for one in after)


def broken(_: Task) -> Folded:
    raise LedgerError(
        ErrorReason.ERROR_REASON_VERIFICATION_FAILED,
        "it is not what was written",
        violations=[Violation("field", "description", "RULE")],
        size=7,
    )


def test_what_a_process_refuses_is_refused_here_and_the_process_lives(
    open_ledger, monkeypatch
) -> None:
    ledger = open_ledger(name="refused")
    pool = Folders(ledger._database, "refused", ledger.log.vault.keyring, 1)
    task = Task((), "person", [], 0, 0)
    try:
        list(pool.fold([task]))
        before = set(pool._pool._processes)
        with monkeypatch.context() as patch:
            patch.setattr(folders, "_fold", broken)
            with pytest.raises(LedgerError, match="not what was written") as refused:
                list(pool.fold([task]))
        list(pool.fold([task]))
        assert set(pool._pool._processes) == before
    finally:
        pool.close()
    assert refused.value.name == "VERIFICATION_FAILED"
    assert refused.value.metadata == {"size": "7"}
    assert refused.value.violations == (Violation("field", "description", "RULE"),)


def test_no_process_outlives_the_one_that_began_it(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    made = subprocess.run(
        [sys.executable, "-c", f"from ledger.ledger import Ledger; Ledger({url!r}).close()"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert made.returncode == 0
    with subprocess.Popen(
        [sys.executable, str(script), url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout
        workers = [int(one) for one in parent.stdout.readline().split()]
        assert workers
        parent.kill()

    until = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{one}").exists() and not is_dead(one) for one in workers):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_dead(process: int) -> bool:
    """Whether a process has ended and nobody has asked how."""
    try:
        return ") Z " in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
