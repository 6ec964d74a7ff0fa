"""A client: the three services at one address, with retries that are safe for a ledger."""

import json
from typing import Self

import grpc

from ledger.rpc.status import received
from ledger.v1.audit_service_pb2_grpc import AuditServiceStub
from ledger.v1.custody_query_service_pb2_grpc import CustodyQueryServiceStub
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

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


class Client:
    """Stubs of the services at HOST:PORT. As a context, it raises refusals as LedgerError."""

    def __init__(self, server: str) -> None:
        self._channel = grpc.insecure_channel(
            server,
            options=[
                ("grpc.service_config", _RETRIES),
                ("grpc.keepalive_time_ms", 20_000),
                ("grpc.max_receive_message_length", 64 * 1024 * 1024),
            ],
        )
        self.ledger = LedgerServiceStub(self._channel)
        self.custody = CustodyQueryServiceStub(self._channel)
        self.audit = AuditServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._channel.close()
        if isinstance(error, grpc.RpcError):
            raise received(error) from None
