"""Honest callers of a server in a process of its own, and how they fare while somebody floods it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import grpc
from commands import LEDGER, READY, environment
from events import event, id_of

from ledger.keys.authority import make
from ledger.rpc.client import Client
from ledger.v1.custody_pb2 import BookedIn
from ledger.v1.custody_query_service_pb2 import GetPersonRequest
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, ListCodesRequest
from ledger.v1.place_pb2 import Place

HONEST, ABUSER = ("cbp-field-agent", "orr-case-manager"), "ice-field-agent"
EACH_S = 0.12
"""So long after a call does each thread begin the next one: two callers, three threads each."""
TIMEOUT_S = 10.0
STARTS_S = 0.5
"""So long before the others does an abuser begin."""
FLOOD = Path(__file__).with_name("flood.py")


@dataclass
class Fared:
    """How honest calls went."""

    durations_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many there were."""
        return len(self.durations_s)

    @property
    def p99_s(self) -> float:
        """The duration that one call of a hundred exceeds."""
        return sorted(self.durations_s)[int(self.calls * 0.99)]

    @property
    def p50_s(self) -> float:
        """The duration that half of the calls exceed."""
        return sorted(self.durations_s)[self.calls // 2]


@dataclass(frozen=True)
class Outcome:
    """A flood, and how honest callers fared before it and in it."""

    kind: str
    calls: int
    errors: int
    error_rate: float
    quiet_p99_ms: float
    flood_p50_ms: float
    flood_p99_ms: float
    ratio: float
    """Of the two p99."""
    sent: int
    """By the abuser, of whatever it is a flood of."""
    closed: int
    """So many of its connections."""
    rss_mb: int
    """The most memory that the server had so far."""

    @classmethod
    def of(cls, kind: str, quiet: Fared, fared: Fared, sent: int, closed: int, rss_mb: int) -> Self:
        """What came of it."""
        return cls(
            kind,
            fared.calls,
            len(fared.errors),
            round(len(fared.errors) / fared.calls, 4),
            round(quiet.p99_s * 1_000, 1),
            round(fared.p50_s * 1_000, 1),
            round(fared.p99_s * 1_000, 1),
            round(fared.p99_s / quiet.p99_s, 2),
            sent,
            closed,
            rss_mb,
        )

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


class Served:
    """`ledger serve` with certificates, in a process of its own, and honest callers of it."""

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "authority"
        make(self.authority)
        self._told = (folder / "serve.log").open("wb+")
        self.process = subprocess.Popen(
            [
                *LEDGER, "serve", "--quiet", "--listen", "127.0.0.1:0",
                "--database", f"sqlite:///{folder}/ledger.db", "--keys", folder / "keys",
                "--identities", self.authority / "server",
            ],
            stderr=self._told,
            env=environment(),
        )  # fmt: skip
        self.address = self._wait()
        self.callers = [self.client(one) for one in HONEST]
        for one, agency in zip(self.callers, ("CBP", "ORR"), strict=True):
            one.ledger.AppendEvents(_arrival(agency), timeout=30)

    def _wait(self) -> str:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if ready := READY.search(self.told()):
                return ready[1]
            time.sleep(0.05)
        raise AssertionError(self.told())

    def told(self) -> str:
        """What the server has said on standard error."""
        return Path(self._told.name).read_text(encoding="utf-8")

    def identity(self, name: str) -> Path:
        """The folder of a caller's certificate."""
        return self.authority / "clients" / name

    def client(self, name: str) -> Client:
        """A caller, over a channel of her own."""
        return Client(self.address, identity=self.identity(name), purpose="CUSTODY")

    def rss_mb(self) -> int:
        """The most memory that the server has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def close(self) -> None:
        """Let the callers go and the server end."""
        for one in self.callers:
            one.__exit__(None, None, None)
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._told.close()

    def measure(self, seconds: float) -> Fared:
        """Call for a while, as honest callers do."""
        fared, until = Fared(), time.monotonic() + seconds
        threads = [
            threading.Thread(target=_call, args=(call, until, fared))
            for caller, agency in zip(self.callers, ("CBP", "ORR"), strict=True)
            for call in _calls(caller, agency)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return fared

    def flooded(self, kind: str, seconds: float) -> tuple[Fared, int, int]:
        """How they fare in a flood, which begins before; what the abuser sent, and how often the
        server closed its connection.
        """
        abuser = subprocess.Popen(
            [
                *(sys.executable, FLOOD, kind, self.address, self.identity(ABUSER)),
                str(seconds + STARTS_S),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(STARTS_S)
            fared = self.measure(seconds)
            did = json.loads(abuser.communicate(timeout=30)[0])
        finally:
            if abuser.poll() is None:
                abuser.kill()
                abuser.wait()
        return fared, did["sent"], did["closed"]


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """A server meanwhile."""
    one = Served(folder)
    try:
        yield one
    finally:
        one.close()


def _arrival(agency: str) -> AppendEventsRequest:
    """Somebody is registered and booked in."""
    who = id_of(f"held by {agency}")
    return AppendEventsRequest(
        events=[
            event(PersonRegistered(person_id=who), agency=agency),
            event(
                BookedIn(person_id=who, agency=agency, facility=Place(name="Harbor")),
                2,
                agency=agency,
            ),
        ]
    )


def _calls(caller: Client, agency: str) -> list[Callable[[], object]]:
    """A question, a look at the words, and something to record."""
    asked = GetPersonRequest(person_id=id_of(f"held by {agency}"))

    def record() -> object:
        newcomer = event(PersonRegistered(person_id=id_of(str(time.time_ns()))), agency=agency)
        return caller.ledger.AppendEvents(AppendEventsRequest(events=[newcomer]), timeout=TIMEOUT_S)

    return [
        lambda: caller.custody.GetPerson(asked, timeout=TIMEOUT_S),
        lambda: caller.ledger.ListCodes(ListCodesRequest(name="agency"), timeout=TIMEOUT_S),
        record,
    ]


def _call(call: Callable[[], object], until: float, fared: Fared) -> None:
    while time.monotonic() < until:
        began = time.perf_counter()
        try:
            call()
        except grpc.RpcError as error:
            fared.errors.append(f"{error.code().name}: {error.details()}")
        fared.durations_s.append(time.perf_counter() - began)
        time.sleep(EACH_S)
