"""Proving the log: checkpoints, inclusion, consistency (RFC 9162, 2.1)."""

from uuid import UUID

from ledger.errors import out_of_range
from ledger.ledger import Ledger
from ledger.read import bytes_of, event_not_found
from ledger.store.entries import Stored
from ledger.store.log import Log
from ledger.v1.audit_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    GetCheckpointResponse,
    GetConsistencyProofRequest,
    GetConsistencyProofResponse,
    GetInclusionProofRequest,
    GetInclusionProofResponse,
    LogName,
)
from ledger.v1.options_pb2 import Role


def get_checkpoint(ledger: Ledger, request: GetCheckpointRequest) -> GetCheckpointResponse:
    """The size and root of the log, now or when it had a size. Raises SIZE_OUT_OF_RANGE."""
    log = _log(ledger, request.log)
    size = _size(log, "size", request.size if request.HasField("size") else None)
    return GetCheckpointResponse(checkpoint=checkpoint(log, size))


def get_inclusion_proof(
    ledger: Ledger, request: GetInclusionProofRequest
) -> GetInclusionProofResponse:
    """The path from an entry to a root. Raises SIZE_OUT_OF_RANGE, EVENT_NOT_FOUND."""
    log = _log(ledger, request.log)
    size = _size(log, "size", request.size if request.HasField("size") else None)
    if request.WhichOneof("entry") == "event_id":
        found = log.entries.find([UUID(request.event_id).bytes])
        stored = next(iter(found.values()), None)
    else:
        _size(log, "position", request.position)
        stored = log.entries.at(request.position)
    shown = _shown(ledger, log, stored) if stored else None
    if stored is None or shown is None:
        raise event_not_found()
    if stored.position > size:
        raise out_of_range("size", f"the entry is at position {stored.position}", size)
    return GetInclusionProofResponse(
        position=stored.position,
        entry_bytes=shown,
        inclusion_path=log.tree.inclusion_path(stored.position - 1, size),
        checkpoint=checkpoint(log, size),
    )


def get_consistency_proof(
    ledger: Ledger, request: GetConsistencyProofRequest
) -> GetConsistencyProofResponse:
    """Proof that one state of the log is the beginning of another. Raises SIZE_OUT_OF_RANGE."""
    log = _log(ledger, request.log)
    second = _size(
        log, "second_size", request.second_size if request.HasField("second_size") else None
    )
    if request.first_size > second:
        raise out_of_range("first_size", f"larger than the second, which is {second}", second)
    return GetConsistencyProofResponse(
        consistency_path=log.tree.consistency_path(request.first_size, second),
        second=checkpoint(log, second),
    )


def checkpoint(log: Log, size: int) -> Checkpoint:
    """The state of a log when it had a size."""
    made = Checkpoint(size=size, root=log.tree.root(size))
    if size:
        made.record_time.FromMicroseconds(log.entries.record_us(size))
    return made


def _log(ledger: Ledger, name: LogName.ValueType) -> Log:
    return ledger.accesses if name == LogName.LOG_NAME_ACCESS else ledger.log


def _shown(ledger: Ledger, log: Log, stored: Stored) -> bytes | None:
    """The bytes of an entry as the caller may see them, of an access as an auditor; None: not."""
    if log is ledger.log:
        entry = ledger.sight.entry(stored)
        return None if entry is None else bytes_of(stored, entry)
    caller = ledger.sight.caller
    is_theirs = not caller.is_identified or caller.role == Role.ROLE_AUDITOR
    return stored.data if is_theirs else None


def _size(log: Log, field: str, wanted: int | None) -> int:
    size = log.entries.size()
    if wanted is None:
        return size
    if wanted > size:
        raise out_of_range(field, f"the log has {size} entries", size)
    return wanted
