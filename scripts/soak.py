#!/usr/bin/env python3
"""Stream a million events into a ledger from eight writers, and see that a watcher misses none.

    .venv/bin/python scripts/soak.py                     a million, on SQLite in a temporary folder
    .venv/bin/python scripts/soak.py --events 20000 --database postgresql://USER@HOST/NAME

The ledger is served by a process of its own, on this machine and nowhere else. The watcher follows
from the beginning, is cut off half way, and goes on after the last position that she saw. At the
end the server is killed, as by a power cut. Exits with 1 unless the watcher has seen every position
once and in order, the receipts of the writers name the same events at the same positions, and the
log verifies. On stdout one line of JSON: rates, and the memory of the server at ten sizes; on
stderr the same before the log is verified, which takes long.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

import grpc  # noqa: E402

from ledger.rpc.client import Client  # noqa: E402
from ledger.v1.event_pb2 import Event  # noqa: E402
from ledger.v1.ledger_service_pb2 import (  # noqa: E402
    AppendEventBatchesRequest,
    WatchEventsRequest,
)
from ledger.v1.time_pb2 import Precision  # noqa: E402

READY = "ledger: ready, serving "
DAY_S = 1_525_132_800  # 2018-05-01
SUM = 2**64
SAMPLES = 10


class Tally:
    """Which events stand at which positions, as a number that does not depend on the order."""

    def __init__(self) -> None:
        self.count = self.total = 0

    def add(self, position: int, event_id: str) -> None:
        """Count an event at a position."""
        mark = blake2b(f"{position} {event_id}".encode(), digest_size=8)
        self.count, self.total = self.count + 1, (self.total + int.from_bytes(mark.digest())) % SUM


def batches(writer: int, events: int, size: int) -> Iterator[AppendEventBatchesRequest]:
    """The registrations of new people by a writer, the same each time."""
    template = Event()
    template.valid_time.time.seconds = DAY_S
    template.valid_time.precision = Precision.PRECISION_DAY
    template.valid_time.zone = "UTC"
    template.source.system = "soak"
    template.actor.agency = "CBP"
    for start in range(0, events, size):
        batch = AppendEventBatchesRequest()
        for number in range(start, min(start + size, events)):
            event = batch.events.add()
            event.CopyFrom(template)
            event.event_id = str(UUID(int=writer << 96 | 1 << 64 | number))
            event.person_registered.person_id = str(UUID(int=writer << 96 | 2 << 64 | number))
        yield batch


def write(server: str, writer: int, events: int, size: int) -> tuple[int, int]:
    """Stream the events of one writer; return the tally of the receipts as (count, total)."""
    tally = Tally()
    with Client(server) as client:
        for outcome in client.append_batches(batches(writer, events, size)):
            if outcome.refusal is not None:
                raise outcome.refusal
            known = {one.event_id: one.position for one in outcome.receipt.already_recorded}
            position = outcome.receipt.first_position
            for event in outcome.batch.events:
                if event.event_id in known:
                    tally.add(known[event.event_id], event.event_id)
                else:
                    tally.add(position, event.event_id)
                    position += 1
    return tally.count, tally.total


def write_all(server: str, writers: range, events: int, size: int) -> list[tuple[int, int]]:
    """Some writers at once, in a process of their own, each on a stream and a connection."""
    with ThreadPoolExecutor(len(writers)) as pool:
        return list(pool.map(lambda writer: write(server, writer, events, size), writers))


def written_by(told: argparse.Namespace, server: str, each: int) -> list[tuple[int, int]]:
    """Have all writers write so many events each, in as many processes as there should be."""
    if not told.processes:
        return write_all(server, range(told.writers), each, told.batch)
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(told.processes, mp_context=spawning) as pool:
        parts = [
            pool.submit(
                write_all, server, range(first, told.writers, told.processes), each, told.batch
            )
            for first in range(told.processes)
        ]
        return [one for part in parts for one in part.result()]


class Watcher:
    """Follows the log from the beginning to a size, cut off once on the way."""

    def __init__(self, server: str, size: int, memory: "Memory") -> None:
        self.tally = Tally()
        self.fault = ""
        self.cut_at = 0
        self._server, self._size, self._memory = server, size, memory
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait(self) -> None:
        """Wait until she has seen it all, or something that should not be."""
        self._thread.join()

    def _run(self) -> None:
        while self.tally.count < self._size and not self.fault:
            with Client(self._server) as client:
                self._follow(client.ledger.WatchEvents(self._request()))

    def _request(self) -> WatchEventsRequest:
        return WatchEventsRequest(after_position=self.tally.count)

    def _follow(self, stream: Any) -> None:
        try:
            for message in stream:
                for one in message.batch.events:
                    if one.position != self.tally.count + 1:
                        self.fault = f"{one.position} came after {self.tally.count}"
                        return
                    self.tally.add(one.position, one.entry.event.event_id)
                self._memory.note(self.tally.count)
                if self.tally.count >= self._size:
                    return
                if not self.cut_at and self.tally.count >= self._size // 2:
                    self.cut_at = self.tally.count
                    return
        except grpc.RpcError as error:
            self.fault = str(error.details())
        finally:
            stream.cancel()


class Memory:
    """What a process takes in memory, at ten sizes of the log."""

    def __init__(self, process: int, size: int) -> None:
        self.mebibytes: dict[int, int] = {}
        self._status = Path(f"/proc/{process}/status")
        self._each = max(1, size // SAMPLES)

    def note(self, size: int) -> None:
        """Look, where the log has come to a further tenth."""
        if size // self._each > len(self.mebibytes):
            kibibytes = self._status.read_text().split("VmRSS:")[1].split()[0]
            self.mebibytes[size] = int(kibibytes) // 1024


@contextmanager
def served(database: str, keys: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A ledger that is served: its process and address. Killed at the end."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "ledger", "serve", "--quiet", "--listen", "127.0.0.1:0"),
            *("--database", database, "--keys", keys),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            said = process.stderr.readline() if process.stderr else ""
            if not said.startswith(READY):
                raise SystemExit(f"the ledger does not start: {said}")
            yield process, said.rpartition(" at ")[2].split()[0]
        finally:
            process.kill()


def verified(database: str, keys: str) -> dict[str, Any]:
    """What `ledger audit verify` says of a log at rest."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ledger", "audit", "verify", "-o", "json"),
            *("--database", database, "--keys", keys),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(json.loads(done.stdout)) if done.stdout else {"ok": False, "said": done.stderr}


def soak(told: argparse.Namespace, database: str, keys: str) -> dict[str, Any]:
    """Write and watch; what came of it."""
    each = told.events // told.writers
    size = each * told.writers
    begun = time.monotonic()
    with served(database, keys) as (process, server):
        memory = Memory(process.pid, size)
        watcher = Watcher(server, size, memory)
        receipts = written_by(told, server, each)
        written = time.monotonic()
        watcher.wait()
        watched = time.monotonic()
    kept = Tally()
    kept.count = sum(count for count, _ in receipts)
    kept.total = sum(total for _, total in receipts) % SUM
    seen = watcher.tally
    is_whole = not watcher.fault and (seen.count, seen.total) == (kept.count, kept.total)
    found = {
        "ok": is_whole and kept.count == size,
        "events": size,
        "writers": told.writers,
        "batch": told.batch,
        "watcher_fault": watcher.fault,
        "watcher_cut_at": watcher.cut_at,
        "receipts": kept.count,
        "watched": seen.count,
        "written_per_second": round(size / (written - begun)),
        "watched_per_second": round(size / (watched - begun)),
        "watcher_behind_s": round(watched - written, 2),
        "server_mebibytes": memory.mebibytes,
        "seconds": round(time.monotonic() - begun, 1),
    }
    # To verify a long log takes its time: what was measured is told before.
    print(json.dumps(found), file=sys.stderr, flush=True)
    verdict = verified(database, keys)
    is_verified = bool(verdict["ok"]) and verdict["size"] == size
    return {
        **found,
        "ok": found["ok"] and is_verified,
        "verified": verdict,
        "seconds": round(time.monotonic() - begun, 1),
    }


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--events", type=int, default=1_000_000, help="in all (1000000)")
    asked.add_argument("--writers", type=int, default=8, help="streams at once (8)")
    asked.add_argument("--processes", type=int, default=2, help="of the writers; 0: this one (2)")
    asked.add_argument("--batch", type=int, default=500, help="events in a batch (500)")
    asked.add_argument("--database", default="", help="an empty one; default: SQLite")
    told = asked.parse_args()
    if told.writers < 1 or told.batch < 1 or not 0 <= told.processes <= told.writers:
        asked.error("at least one writer, with a batch of one, and no process without a writer")
    if told.events < told.writers * told.batch:
        asked.error(f"--events {told.events} is less than a batch of {told.batch} for each writer")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        database = told.database or f"sqlite:///{folder}/ledger.db"
        found = soak(told, database, folder)
    print(json.dumps(found))
    sys.exit(not found["ok"])


if __name__ == "__main__":
    main()
