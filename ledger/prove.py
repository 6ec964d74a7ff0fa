"""Proving the log: checkpoints, inclusion, consistency (RFC 9162, 2.1)."""

from ledger.errors import out_of_range
from ledger.ledger import Ledger
from ledger.read import find
from ledger.v1.audit_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    GetCheckpointResponse,
    GetConsistencyProofRequest,
    GetConsistencyProofResponse,
    GetInclusionProofRequest,
    GetInclusionProofResponse,
)


def get_checkpoint(ledger: Ledger, request: GetCheckpointRequest) -> GetCheckpointResponse:
    """The size and root of the log, now or when it had a size. Raises SIZE_OUT_OF_RANGE."""
    size = _size(ledger, "size", request.size if request.HasField("size") else None)
    return GetCheckpointResponse(checkpoint=_checkpoint(ledger, size))


def get_inclusion_proof(
    ledger: Ledger, request: GetInclusionProofRequest
) -> GetInclusionProofResponse:
    """The path from an entry to a root. Raises SIZE_OUT_OF_RANGE, EVENT_NOT_FOUND."""
    size = _size(ledger, "size", request.size if request.HasField("size") else None)
    if request.WhichOneof("entry") == "event_id":
        stored = find(ledger, request.event_id)
    else:
        _size(ledger, "position", request.position)
        stored = ledger.log.entries.at(request.position)
    if stored.position > size:
        raise out_of_range("size", f"the entry is at position {stored.position}", size)
    return GetInclusionProofResponse(
        position=stored.position,
        entry_bytes=stored.data,
        inclusion_path=ledger.log.tree.inclusion_path(stored.position - 1, size),
        checkpoint=_checkpoint(ledger, size),
    )


def get_consistency_proof(
    ledger: Ledger, request: GetConsistencyProofRequest
) -> GetConsistencyProofResponse:
    """Proof that one state of the log is the beginning of another. Raises SIZE_OUT_OF_RANGE."""
    second = _size(
        ledger, "second_size", request.second_size if request.HasField("second_size") else None
    )
    if request.first_size > second:
        raise out_of_range("first_size", f"larger than the second, which is {second}", second)
    return GetConsistencyProofResponse(
        consistency_path=ledger.log.tree.consistency_path(request.first_size, second),
        second=_checkpoint(ledger, second),
    )


def _size(ledger: Ledger, field: str, wanted: int | None) -> int:
    size = ledger.log.entries.size()
    if wanted is None:
        return size
    if wanted > size:
        raise out_of_range(field, f"the log has {size} entries", size)
    return wanted


def _checkpoint(ledger: Ledger, size: int) -> Checkpoint:
    checkpoint = Checkpoint(size=size, root=ledger.log.tree.root(size))
    if size:
        checkpoint.record_time.FromMicroseconds(ledger.log.entries.record_us(size))
    return checkpoint
