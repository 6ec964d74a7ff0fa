"""The server: three services over one ledger, with health and reflection, and an orderly stop."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.append import append_events
from ledger.ask import get_family, get_person, get_person_timeline, list_roster, list_separations
from ledger.errors import MistakeError, StartupError
from ledger.ledger import Ledger
from ledger.prove import get_checkpoint, get_consistency_proof, get_inclusion_proof
from ledger.read import get_event, list_codes, read_events, watch_events
from ledger.rpc.calls import Calls
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
DEADLINE_S = 30.0
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


def _left_s(context: grpc.ServicerContext) -> float:
    """How long the caller waits; where she did not say, as long as we let anybody wait."""
    left = context.time_remaining()
    return DEADLINE_S if left is None else min(left, DEADLINE_S)


class LedgerServicer(ledger_service_pb2_grpc.LedgerServiceServicer):
    """See protos/ledger/v1/ledger_service.proto."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def AppendEvents(
        self, request: ledger_service_pb2.AppendEventsRequest, context: grpc.ServicerContext
    ) -> ledger_service_pb2.AppendEventsResponse:
        return append_events(self._ledger, request, _left_s(context))

    def GetEvent(
        self, request: ledger_service_pb2.GetEventRequest, _context: grpc.ServicerContext
    ) -> ledger_service_pb2.GetEventResponse:
        return get_event(self._ledger, request)

    def ReadEvents(
        self, request: ledger_service_pb2.ReadEventsRequest, _context: grpc.ServicerContext
    ) -> Iterator[ledger_service_pb2.ReadEventsResponse]:
        return read_events(self._ledger, request)

    def WatchEvents(
        self, request: ledger_service_pb2.WatchEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[ledger_service_pb2.WatchEventsResponse]:
        return watch_events(self._ledger, request, context.is_active)

    def ListCodes(
        self, request: ledger_service_pb2.ListCodesRequest, _context: grpc.ServicerContext
    ) -> ledger_service_pb2.ListCodesResponse:
        return list_codes(request)


class CustodyQueryServicer(custody_query_service_pb2_grpc.CustodyQueryServiceServicer):
    """See protos/ledger/v1/custody_query_service.proto."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def GetPerson(
        self, request: custody_query_service_pb2.GetPersonRequest, _context: grpc.ServicerContext
    ) -> custody_query_service_pb2.GetPersonResponse:
        return get_person(self._ledger, request)

    def GetPersonTimeline(
        self,
        request: custody_query_service_pb2.GetPersonTimelineRequest,
        _context: grpc.ServicerContext,
    ) -> custody_query_service_pb2.GetPersonTimelineResponse:
        return get_person_timeline(self._ledger, request)

    def GetFamily(
        self, request: custody_query_service_pb2.GetFamilyRequest, _context: grpc.ServicerContext
    ) -> custody_query_service_pb2.GetFamilyResponse:
        return get_family(self._ledger, request)

    def ListRoster(
        self, request: custody_query_service_pb2.ListRosterRequest, _context: grpc.ServicerContext
    ) -> custody_query_service_pb2.ListRosterResponse:
        return list_roster(self._ledger, request)

    def ListSeparations(
        self,
        request: custody_query_service_pb2.ListSeparationsRequest,
        _context: grpc.ServicerContext,
    ) -> custody_query_service_pb2.ListSeparationsResponse:
        return list_separations(self._ledger, request)


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """See protos/ledger/v1/audit_service.proto."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def GetCheckpoint(
        self, request: audit_service_pb2.GetCheckpointRequest, _context: grpc.ServicerContext
    ) -> audit_service_pb2.GetCheckpointResponse:
        return get_checkpoint(self._ledger, request)

    def GetInclusionProof(
        self, request: audit_service_pb2.GetInclusionProofRequest, _context: grpc.ServicerContext
    ) -> audit_service_pb2.GetInclusionProofResponse:
        return get_inclusion_proof(self._ledger, request)

    def GetConsistencyProof(
        self, request: audit_service_pb2.GetConsistencyProofRequest, _context: grpc.ServicerContext
    ) -> audit_service_pb2.GetConsistencyProofResponse:
        return get_consistency_proof(self._ledger, request)


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
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(
            LedgerServicer(ledger), self._server
        )
        custody_query_service_pb2_grpc.add_CustodyQueryServiceServicer_to_server(
            CustodyQueryServicer(ledger), self._server
        )
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server(
            AuditServicer(ledger), self._server
        )
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
