"""The server: three services over one ledger, with health and reflection, and an orderly stop."""

import re
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.errors import MistakeError, StartupError
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.rpc.calls import Calls
from ledger.rpc.identity import METADATA_BYTES_MAX
from ledger.rpc.others import Others
from ledger.rpc.transport import credentials
from ledger.v1.audit_service_pb2 import DESCRIPTOR as AUDIT
from ledger.v1.custody_query_service_pb2 import DESCRIPTOR as QUERY
from ledger.v1.ledger_service_pb2 import DESCRIPTOR as LEDGER

UNARY_THREADS = 32
# At once on one connection: somewhat more than one caller may have under way, and no more, because
# what a connection has sent ahead stands before what others send. On this machine many share one.
AT_ONCE_MAX, AT_ONCE_HERE_MAX = 10, 1_000
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
HANDSHAKE_MS = 2_000
CONNECTION_AGE_MS = 3_600_000
STOP_GRACE_S = 10.0
ADDRESS = re.compile(r"^\S+:\d{1,5}$")
LOOPBACK = re.compile(r"^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d+$")

SERVICES = [
    file.services_by_name[name]
    for file, name in (
        (LEDGER, "LedgerService"),
        (QUERY, "CustodyQueryService"),
        (AUDIT, "AuditService"),
    )
]
NAMES = [one.full_name for one in SERVICES]


class Server:
    """A server that listens. `stop` lets calls that are under way end."""

    def __init__(self, ledger: Ledger, listen: str, identities: Identities | None = None) -> None:
        """Listen at HOST:PORT; port 0 chooses one. Raises StartupError if it cannot be had.

        With identities for whoever has a certificate; without, for this machine alone.
        """
        if not ADDRESS.match(listen):
            raise MistakeError(f"{listen} is not like HOST:PORT")
        if identities is None and not LOOPBACK.match(listen):
            raise MistakeError(
                f"{listen} can be reached from outside: give --identities, or listen at 127.0.0.1"
            )
        self._ledger = ledger
        self._calls = Calls(ledger, SERVICES, identities)
        self._health = health.HealthServicer(experimental_non_blocking=True)
        others = Others(identities, self._calls.limits, self._calls.bodies)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, others)
        reflection.enable_server_reflection(
            [*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME], others
        )
        self._server = grpc.server(
            ThreadPoolExecutor(UNARY_THREADS, thread_name_prefix="unary"),
            handlers=[self._calls, others],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                # Equal, because between them the library refuses at random.
                ("grpc.max_metadata_size", METADATA_BYTES_MAX),
                ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
                ("grpc.max_concurrent_streams", AT_ONCE_MAX if identities else AT_ONCE_HERE_MAX),
                ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
                ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_MS),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        try:
            if identities is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, credentials(identities))
        except RuntimeError:
            raise StartupError(f"cannot listen at {listen}: is it taken?") from None
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        self._server.start()
        for name in ("", *NAMES):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> None:
        """Take no new calls, end watches, let the others end, close the ledger."""
        self._health.enter_graceful_shutdown()
        self._ledger.stopping.set()
        self._server.stop(STOP_GRACE_S).wait()
        self._calls.close()
        self._ledger.close()
