"""The servers that are measured, each a process of its own, and what memory they take."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger.rpc.client import Client
from ledger.v1.audit_service_pb2 import GetCheckpointRequest

ROOT = Path(__file__).resolve().parents[2]
START_S = 1_800.0  # a large log is verified first


class Process:
    """A process that is measured, and where it serves."""

    def __init__(self, process: "subprocess.Popen[bytes]", address: str = "") -> None:
        self.address = address
        self._pid = process.pid
        self._peak_mib = 0.0

    def peak_mib(self) -> float:
        """The most that it and its children had in memory so far, as far as it was looked at.

        What is shared with children counts for each. From /proc, because what `wait` tells of a
        child has the memory of its parent in it.
        """
        with suppress(OSError):  # one has ended meanwhile
            found = sum(_peak_kib(pid) for pid in _family(self._pid)) / 1024
            self._peak_mib = max(self._peak_mib, found)
        return self._peak_mib


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0  # it has ended, and was not waited for


@contextmanager
def ledger_serve(database: str, log: Path, *, at_rest: bool = False) -> Iterator[Process]:
    """`ledger serve`. `at_rest`: the same with tables that do not follow the log."""
    program = ["-m", "benchmarks.at_rest"] if at_rest else ["-m", "ledger", "serve", "--quiet"]
    command = [sys.executable, *program, "--listen", "127.0.0.1:0", "--database", database]

    def ready() -> str | None:
        said = log.read_text()
        return said.split(" at ")[1].split()[0] if " at " in said else None

    with _running(command, log, ready) as process:
        yield process


@contextmanager
def umadb(folder: Path, log: Path) -> Iterator[Process]:
    """UmaDB's server, from its wheel."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = Path(sys.executable).parent / "umadb"
    command = [str(program), "--listen", address, "--db-path", str(folder / "umadb")]

    def ready() -> str | None:
        host, port = address.split(":")
        with suppress(OSError), socket.create_connection((host, int(port)), 0.1):
            return address
        return None

    with _running(command, log, ready) as process:
        yield process


def size_of(ledger: Process) -> int:
    """How many events a ledger has that is served."""
    with Client(ledger.address) as client:
        return client.audit.GetCheckpoint(GetCheckpointRequest()).checkpoint.size


def size_of_umadb(served: Process) -> int:
    """How many events UmaDB has."""
    import umadb as library

    return library.Client(f"http://{served.address}").head() or 0


@contextmanager
def _running(command: list[str], log: Path, ready: Callable[[], str | None]) -> Iterator[Process]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")))
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": path}
        )
    try:
        until = time.monotonic() + START_S
        while (address := ready()) is None:
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{command[0]} does not start: {log.read_text()}")
            time.sleep(0.05)
        yield Process(process, address)
    finally:
        process.terminate()
        process.wait()
