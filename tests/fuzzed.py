"""A ledger that is called within the process as over a connection, and what became of each call."""

import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import Any

import grpc
import structlog
from canaries import fill
from events import event
from examples import every_kind
from fuzzing import CANARY
from test_bad_input import world

from ledger.access.limits import Limits
from ledger.append import append_events
from ledger.errors import LedgerError
from ledger.keys import certificates, tokens
from ledger.keys.authority import make
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.rpc import call
from ledger.rpc.calls import Calls
from ledger.rpc.server import SERVICES
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import Role

CALLERS = (
    "cbp-agency-supervisor", "orr-agency-supervisor", "orr-case-manager", "cbp-field-agent",
    "oig-investigator", "gao-auditor", "court-witness", "operator", "cbp",
)  # fmt: skip
OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
"""How no call may end, whatever it is."""
MESSAGES_MAX = 5
APPENDS_EVERY = 50
"""One append in so many is kept; the others are checked to the end, and not kept."""
# As if it were written so: the last dry run counts; of preconditions, this one never holds.
SPARED = {"AppendEvents": b"\x18\x01", "AppendEventBatches": b"\x12\x02\x0a\x00"}
SECRETS = [CANARY.encode(), CANARY.lower().encode(), CANARY.encode().hex().encode()]
SECRETS += [urlsafe_b64encode(CANARY.encode()[:12])]


class Aborted(Exception):  # noqa: N818
    """As grpc ends a call."""


class Context:
    """What a call knows of its connection."""

    def __init__(self, pem: bytes, spiffe_id: str, metadata: list[tuple[str, Any]]) -> None:
        self._auth = {"x509_pem_cert": [pem], "peer_spiffe_id": [spiffe_id.encode()]}
        self._metadata = metadata
        self.code, self.text, self.trailing = grpc.StatusCode.OK, "", ()

    def auth_context(self) -> Any:
        return self._auth

    def invocation_metadata(self) -> Any:
        return self._metadata

    def time_remaining(self) -> float:
        return 10.0

    def is_active(self) -> bool:
        return True

    def cancel(self) -> None:
        pass

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.trailing = metadata

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        self.code, self.text = code, text
        raise Aborted


class _Kept:
    """Instead of the writer of the access log: what that keeps is judged elsewhere, and it waits."""

    def submit(self, _append: Any) -> Future[None]:
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def close(self) -> None:
        pass


class Judge:
    """What becomes of calls, and what should not have."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self._logged: list[Any] = []
        structlog.configure(processors=[self._log])

    def _log(self, _logger: Any, _level: str, line: Any) -> Any:
        self._logged.append(line)
        raise structlog.DropEvent

    def judge(self, name: str, code: grpc.StatusCode, text: str, details: bytes) -> None:
        """A call has ended so; what was logged since the one before is judged with it."""
        logged, self._logged = self._logged, []
        self.outcomes[f"{name} {code.name}"] += 1
        faults = [
            f"{one['error']} {one['module']}:{one['line']}"
            for one in logged
            if one.get("event") == "fault"
        ]
        if code in OURS or faults:
            self.findings[f"{name}: {code.name} {faults}"] += 1
        if holds_secret(text.encode() + details):
            self.findings[f"{name}: repeats what was sent or kept"] += 1
        if holds_secret(repr(logged).encode()):
            self.findings[f"{name}: logs what was sent or kept"] += 1


class Fuzzed(Judge):
    """The target."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.authority = folder / "authority"
        make(self.authority)
        self.ledger = Ledger(f"sqlite:///{folder}/ledger.db", keys=folder / "keys")
        seed(self.ledger)
        self.ledger.access_writer.close()
        self.ledger.access_writer = _Kept()
        identities = Identities(self.authority / "server")
        self._calls = Calls(self.ledger, SERVICES, identities)
        # What is asked too often is refused before it is looked at: here, time flies.
        self._calls.limits = Limits(count(0, 1_000).__next__)
        call.ABSENT_S = 0.0
        self._pems = {
            name: (self.authority / "clients" / name / "client.pem").read_bytes()
            for name in CALLERS
        }
        self._token = token_of(self.authority)
        self.calls = 0

    def close(self) -> None:
        self._calls.close()
        self.ledger.close()

    def metadata(self, caller: str) -> list[tuple[str, Any]]:
        """What a caller's call carries, if it is a good one."""
        return good_metadata(caller, self._token)

    def call(self, method: Any, caller: str, metadata: list[tuple[str, Any]], data: bytes) -> None:
        """Make a call, and note what it should not have come to."""
        self.calls += 1
        pem = self._pems[caller]
        context = Context(pem, certificates.read(pem).spiffe_id, metadata)
        path = f"/{method.containing_service.full_name}/{method.name}"
        made = self._calls.service(_Details(path))
        data = self._spared(method, data)
        try:
            if method.server_streaming:
                answers = made.stream_stream(iter([data]), context)
                last = MESSAGES_MAX if method.name != "WatchEvents" else 1
                for _ in islice(answers, last):
                    pass
                answers.close()
            else:
                made.stream_unary(iter([data]), context)
        except Aborted:
            pass
        details = b"".join(value for _, value in context.trailing)
        self.judge(method.name, context.code, context.text, details)

    def _spared(self, method: Any, data: bytes) -> bytes:
        if method.name not in SPARED or self.calls % APPENDS_EVERY == 0:
            return data
        return data + SPARED[method.name]


def holds_secret(told: bytes) -> bool:
    """Whether something of what was sent or kept is in it, as it is or encoded."""
    return any(one in told for one in SECRETS)


def good_metadata(caller: str, token: str) -> list[tuple[str, Any]]:
    """What a caller's call carries, if it is a good one."""
    shown = [("authorization", f"Bearer {token}")] if caller == "cbp" else []
    return [("ledger-purpose", "REUNIFICATION"), *shown]


class _Details:
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


def token_of(authority: Path) -> str:
    """Somebody at CBP, over the certificate that CBP's people share."""
    certificate = certificates.read((authority / "clients/cbp/client.pem").read_bytes())
    return tokens.issue(
        (authority / "agencies/CBP/token.key").read_bytes(),
        agency="CBP",
        actor_id="b-1138",
        role=Role.ROLE_AGENCY_SUPERVISOR,
        audience=certificate.trust_domain,
        thumbprint=certificate.thumbprint,
        lifetime_s=4 * 3_600,
        now_us=time.time_ns() // 1_000,
    )


def seed(ledger: Ledger) -> None:
    """Something to ask about, with a name in every personal field."""
    for one in [*world(), *_filled()]:
        # What needs two people, or a computed citation, is not for a beginning.
        with suppress(LedgerError):
            append_events(ledger, AppendEventsRequest(events=[one]), 10.0)


def _filled() -> Iterator[Any]:
    for body in every_kind():
        # Whoever is sealed or erased is not there for anybody: then there is nothing to ask about.
        if body.DESCRIPTOR.file.name != "ledger/v1/protection.proto":
            fill(body, CANARY)
            yield event(body, 3)
