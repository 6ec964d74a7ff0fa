"""The server: three services over one ledger, with health and reflection, and an orderly stop."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.errors import MistakeError, StartupError
from ledger.ledger import Ledger
from ledger.rpc.calls import Calls
from ledger.rpc.methods import METHODS, Servicer
from ledger.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    custody_query_service_pb2,
    custody_query_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)

UNARY_THREADS = 16
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
METADATA_BYTES_MAX = 8 * 1024
STOP_GRACE_S = 10.0
ADDRESS = re.compile(r"^\S+:\d{1,5}$")
LOOPBACK = re.compile(r"^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d+$")

SERVICES = [
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (ledger_service_pb2, "LedgerService"),
        (custody_query_service_pb2, "CustodyQueryService"),
        (audit_service_pb2, "AuditService"),
    )
]


class Server:
    """A server that listens. `stop` lets calls that are under way end."""

    def __init__(self, ledger: Ledger, listen: str) -> None:
        """Listen at HOST:PORT; port 0 chooses one. Raises StartupError if it cannot be had."""
        if not ADDRESS.match(listen):
            raise MistakeError(f"{listen} is not like HOST:PORT")
        if not LOOPBACK.match(listen):
            raise MistakeError(
                f"{listen} can be reached from outside, and this edition has no certificates: "
                "listen at 127.0.0.1"
            )
        self._ledger = ledger
        self._health = health.HealthServicer(
            experimental_non_blocking=True,
            experimental_thread_pool=ThreadPoolExecutor(2, thread_name_prefix="health"),
        )
        self._server = grpc.server(
            ThreadPoolExecutor(UNARY_THREADS, thread_name_prefix="unary"),
            interceptors=[Calls()],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                # Equal, because between them the library refuses at random.
                ("grpc.max_metadata_size", METADATA_BYTES_MAX),
                ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
                ("grpc.max_concurrent_streams", 200),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        for add, name in (
            (ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server, "LedgerService"),
            (
                custody_query_service_pb2_grpc.add_CustodyQueryServiceServicer_to_server,
                "CustodyQueryService",
            ),
            (audit_service_pb2_grpc.add_AuditServiceServicer_to_server, "AuditService"),
        ):
            # Its methods are looked up by name, which a stub cannot know.
            add(cast("Any", Servicer(ledger, METHODS[name])), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError:
            raise StartupError(f"cannot listen at {listen}: is it taken?") from None
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        self._server.start()
        for name in ("", *SERVICES):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> None:
        """Take no new calls, end watches, let the others end, close the ledger."""
        self._health.enter_graceful_shutdown()
        self._ledger.stopping.set()
        self._server.stop(STOP_GRACE_S).wait()
        self._ledger.close()
