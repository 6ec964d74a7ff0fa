"""A server that asks for certificates, and callers of every role with tokens, purposes, approvals."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.message import Message

import projections
from ledger.append import append_events
from ledger.errors import LedgerError
from ledger.keys import certificates, tokens
from ledger.keys.authority import CLIENTS, make
from ledger.keys.certificates import Identities
from ledger.keys.spiffe import ROLES
from ledger.ledger import Ledger
from ledger.personal import approved_sha256
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.rpc.status import received
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from ledger.v1.options_pb2 import Role

DOMAIN = "custody.example"
OVERSIGHT = "OVERSIGHT"
STUBS = {"LedgerService": "ledger", "CustodyQueryService": "custody", "AuditService": "audit"}
SUPERVISOR = Role.ROLE_AGENCY_SUPERVISOR


def role_of(name: str) -> Role.ValueType:
    """The role that the certificate of a client such as "cbp-field-agent" names."""
    return ROLES[CLIENTS[name].rpartition("/")[2]]


def agency_of(name: str) -> str:
    """The agency that the certificate of a client names."""
    return CLIENTS[name].partition("/")[0]


class Caller:
    """A client with its name; asks by the names of services and methods."""

    def __init__(self, client: Client, name: str, agency: str) -> None:
        self.client, self.name, self.agency = client, name, agency

    def ask(self, method: str, request: Message, timeout: float = 30) -> Any:
        """The answer to a method such as "AuditService/GetCheckpoint"; of a stream, all of it.

        Raises LedgerError where it is refused.
        """
        service, _, name = method.partition("/")
        call = getattr(getattr(self.client, STUBS[service]), name)
        until = time.monotonic() + 20
        while True:
            try:
                # Of a stream of batches, this is the only one.
                given = iter([request]) if name == "AppendEventBatches" else request
                answer = call(given, timeout=timeout)
                return answer if isinstance(answer, Message) else list(answer)
            except grpc.RpcError as error:
                refusal = received(error)
            # Whoever has ended a stream has it a moment longer, until the server looks again.
            if refusal.name != "WATCHERS_EXHAUSTED" or time.monotonic() > until:
                raise refusal from None
            time.sleep(0.2)

    def watch(self, request: WatchEventsRequest) -> list[WatchEventsResponse]:
        """What a watcher learns until she has caught up."""
        until = time.monotonic() + 20
        while True:
            try:
                return list(self._watched(request))
            except grpc.RpcError as error:
                refusal = received(error)
            # Whoever ends a watch has it a moment longer, until the server looks again.
            if refusal.name != "WATCHERS_EXHAUSTED" or time.monotonic() > until:
                raise refusal from None
            time.sleep(0.2)

    def _watched(self, request: WatchEventsRequest) -> Iterator[WatchEventsResponse]:
        watching = self.client.ledger.WatchEvents(request, timeout=30)
        for one in watching:
            if one.HasField("caught_up"):
                watching.cancel()
                return
            yield one

    def refused(self, method: str, request: Message) -> LedgerError:
        """The refusal of a method that must be refused."""
        try:
            self.ask(method, request)
        except LedgerError as refusal:
            return refusal
        raise AssertionError(f"{self.name} was answered: {method}")

    def append(
        self, *events: Event, approvals: Sequence[str] = (), **options: Any
    ) -> AppendEventsResponse:
        """Append events as this caller. Raises LedgerError."""
        request = AppendEventsRequest(events=events, approvals=approvals, **options)
        return self.ask("LedgerService/AppendEvents", request)


class Guarded:
    """A server with mutual TLS over a ledger, with an authority of its own."""

    def __init__(self, folder: Path, url: str, **options: Any) -> None:
        self.folder = folder / "authority"
        make(self.folder)
        self.ledger = Ledger(url, **options)
        self.server = Server(self.ledger, "localhost:0", Identities(self.folder / "server"))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.server.stop()

    def caller(
        self, name: str, *, token: str = "", purpose: str = OVERSIGHT, identity: Path | None = None
    ) -> Caller:
        """One with this client's certificate, on a connection of its own."""
        folder = identity or self.folder / "clients" / name
        made = Client(self.server.address, identity=folder, token=token, purpose=purpose)
        self._stack.enter_context(made)
        return Caller(made, name, agency_of(name) if name in CLIENTS else "")

    def person(self, name: str, actor_id: str, *, purpose: str = OVERSIGHT, **told: Any) -> Caller:
        """A person who calls through this client, and shows a token."""
        return self.caller(name, token=self.token(name, actor_id, **told), purpose=purpose)

    def token(self, name: str, actor_id: str, **changed: Any) -> str:
        """The token that a client's agency gives to one of its people."""
        certificate = (self.folder / "clients" / name / "client.pem").read_bytes()
        agency = changed.get("agency", agency_of(name))
        told = {
            "agency": agency,
            "actor_id": actor_id,
            "role": SUPERVISOR if name in ("cbp", "orr") else role_of(name),
            "audience": DOMAIN,
            "thumbprint": certificates.read(certificate).thumbprint,
            "lifetime_s": 3_600,
            "now_us": time.time_ns() // 1_000,
            **changed,
        }
        return tokens.issue(self.token_key(agency), **told)

    def approval(self, agency: str, actor_id: str, approved: Event, **changed: Any) -> str:
        """A statement that somebody else approves an event."""
        told = {
            "role": SUPERVISOR,
            "audience": DOMAIN,
            "event_id": approved.event_id,
            "event_sha256": approved_sha256(approved),
            "lifetime_s": 3_600,
            "now_us": time.time_ns() // 1_000,
            **changed,
        }
        return tokens.approve(self.token_key(agency), agency=agency, actor_id=actor_id, **told)

    def token_key(self, agency: str) -> bytes:
        """What an agency signs its people's tokens and approvals with."""
        return (self.folder / "agencies" / agency / "token.key").read_bytes()

    def tell(self, *events: Event) -> None:
        """Append events in this process, where nobody has to be identified."""
        for start in range(0, len(events), 50):
            some = AppendEventsRequest(events=events[start : start + 50])
            append_events(self.ledger, some, 30)

    def settle(self) -> None:
        """Wait until every table has come to what the log says."""
        size = self.ledger.log.entries.size()
        for name, one in projections.load().items():
            if one.populations:
                self.ledger.populations.ask(name, size, 60, lambda _: None)
