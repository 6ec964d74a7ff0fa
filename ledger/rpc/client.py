"""A client: the three services at one address, with retries that are safe for a ledger."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import grpc

from ledger.rpc.identity import PURPOSE, TOKEN
from ledger.rpc.pump import Outcome, Pump
from ledger.rpc.status import received
from ledger.rpc.transport import channel_credentials
from ledger.v1.audit_service_pb2_grpc import AuditServiceStub
from ledger.v1.custody_query_service_pb2_grpc import CustodyQueryServiceStub
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import AppendEventBatchesRequest
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

BEHIND = ErrorReason.ERROR_REASON_PROJECTION_BEHIND

# Only because an event id makes every append idempotent may an append be sent again by itself.
_RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": f"ledger.v1.{name}"}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
            for name in ("LedgerService", "CustodyQueryService", "AuditService")
        ]
    }
)


class _Presenting(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Shows with each call whose it is, and what it is for."""

    def __init__(self, metadata: Sequence[tuple[str, str]]) -> None:
        self._metadata = metadata

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        """See grpc.UnaryUnaryClientInterceptor."""
        return continuation(self._shown(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        """See grpc.UnaryStreamClientInterceptor."""
        return continuation(self._shown(client_call_details), request)

    def intercept_stream_stream(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, requests: Any
    ) -> Any:
        """See grpc.StreamStreamClientInterceptor."""
        return continuation(self._shown(client_call_details), requests)

    def _shown(self, details: Any) -> Any:
        return details._replace(metadata=[*(details.metadata or ()), *self._metadata])


class _Patience(grpc.UnaryUnaryClientInterceptor):
    """Asks again, for a time, where the tables have not come to what is asked for.

    After a large import that takes longer than the retries of a single call.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        """See grpc.UnaryUnaryClientInterceptor."""
        until = time.monotonic() + self._patience_s
        while True:
            call = continuation(client_call_details, request)
            error = call.exception()
            is_behind = isinstance(error, grpc.RpcError) and received(error).reason == BEHIND
            if not is_behind or time.monotonic() > until:
                return call


class Client:
    """Stubs of the services at HOST:PORT. As a context, it raises refusals as LedgerError."""

    def __init__(
        self,
        server: str,
        *,
        patience_s: float = 0,
        identity: Path | None = None,
        token: str = "",
        purpose: str = "",
    ) -> None:
        """`patience_s`: for how long to ask again while tables catch up, in seconds.

        `identity`: a folder with a certificate; without one, over loopback. `token`: who at the
        agency asks. `purpose`: what for, as a code. Raises MistakeError for what is no identity.
        """
        options: list[tuple[str, Any]] = [
            ("grpc.service_config", _RETRIES),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        ]
        self._channel = (
            grpc.secure_channel(server, channel_credentials(identity), options)
            if identity
            else grpc.insecure_channel(server, options)
        )
        shown = [(TOKEN, f"Bearer {token}")] if token else []
        shown += [(PURPOSE, purpose)] if purpose else []
        channel = grpc.intercept_channel(
            self._channel, _Patience(patience_s), *([_Presenting(shown)] if shown else [])
        )
        self.ledger = LedgerServiceStub(channel)
        self.custody = CustodyQueryServiceStub(channel)
        self.audit = AuditServiceStub(channel)

    def append_batches(self, batches: Iterable[AppendEventBatchesRequest]) -> Iterator[Outcome]:
        """Append batch after batch, without waiting for each; see `Pump.outcomes`."""
        return Pump(self.ledger.AppendEventBatches, batches).outcomes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._channel.close()
        if isinstance(error, grpc.RpcError):
            raise received(error) from None
