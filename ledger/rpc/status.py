"""Refusals on the wire: google.rpc.Status with ErrorInfo, and BadRequest for fields at fault."""

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from ledger.errors import LedgerError, Violation
from ledger.v1.error_pb2 import ErrorReason

DOMAIN = "ledger.v1"
_DETAILS = "grpc-status-details-bin"
VIOLATIONS_MAX = 50

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def status_of(error: LedgerError) -> Status:
    """A refusal in the words of gRPC."""
    details = [_packed(ErrorInfo(reason=error.name, domain=DOMAIN, metadata=error.metadata))]
    if error.violations:
        # Metadata has a limit, and nobody reads the fifty-first.
        bad = BadRequest(
            field_violations=[
                BadRequest.FieldViolation(
                    field=one.field, description=one.description, reason=one.rule
                )
                for one in error.violations[:VIOLATIONS_MAX]
            ]
        )
        details.append(_packed(bad))
    return Status(code=error.status, message=str(error), details=details)


def trailing(error: LedgerError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """(code, message, trailing metadata) that a call ends with."""
    return _CODES[error.status], str(error), ((_DETAILS, status_of(error).SerializeToString()),)


def refusal_in(status: Status) -> LedgerError:
    """The refusal that a ledger told in the words of gRPC."""
    cause, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(cause)
        detail.Unpack(bad)
    found = LedgerError(
        ErrorReason.Value(f"ERROR_REASON_{cause.reason}"),
        status.message,
        violations=[
            Violation(one.field, one.description, one.reason) for one in bad.field_violations
        ],
    )
    found.metadata = dict(cause.metadata)
    return found


def received(error: grpc.RpcError) -> LedgerError:
    """The refusal that a call ended with, for the caller; also one that no ledger sent."""
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == _DETAILS:
            return refusal_in(Status.FromString(value))
    reason = {
        # How a call ends that the server had taken when it stopped.
        grpc.StatusCode.CANCELLED: ErrorReason.ERROR_REASON_UNREACHABLE,
        grpc.StatusCode.UNAVAILABLE: ErrorReason.ERROR_REASON_UNREACHABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED: ErrorReason.ERROR_REASON_DEADLINE_PASSED,
        grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorReason.ERROR_REASON_TOO_LARGE,
    }.get(error.code(), ErrorReason.ERROR_REASON_INTERNAL)
    return LedgerError(reason, error.details() or error.code().name)


def _packed(message: ErrorInfo | BadRequest) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
