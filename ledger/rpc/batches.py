"""Streams of batches at the edge: each batch is judged as a call of its own, but for its credit.

Who sends is known anew with each batch, what she sends counts against her limits, and is told of in
its turn. A batch that is refused ends nothing; the stream ends with what would refuse the next too.
"""

from __future__ import annotations  # grpc's types take parameters in their stubs only

import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc

from ledger.errors import LedgerError
from ledger.rpc.call import Call
from ledger.rpc.methods import Method
from ledger.rpc.status import status_of
from ledger.rpc.strict import check, decode, require_none
from ledger.streaming import Batch, Stream, light, opening
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    AppendEventBatchesResponse,
    AppendEventsRequest,
    BatchReceipt,
)

# How often it is looked whether a stream may go on, where nothing comes.
LOOK_S = 1.0
# Nothing came for so long: a stream holds two threads.
IDLE_S = 60.0
# How long an answer may wait to be taken.
TAKE_S = 30.0

# A batch is read as the append that it is begun as: the fields of both have the same numbers.
_read = decode(AppendEventsRequest)
_ONLY_OF_APPENDS = set(AppendEventsRequest.DESCRIPTOR.fields_by_number) - set(
    AppendEventBatchesRequest.DESCRIPTOR.fields_by_number
)

# The statuses of what ends a stream, and not one batch alone.
ENDING = {
    code.value[0]
    for code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.INTERNAL,
    )
}


def answer_batches(call: Call, messages: Any, begin: Method, age_s: float) -> Iterator[bytes]:
    """What became of each batch, in order, until the sender ends the stream or it must end."""
    stream = Stream()
    begins = threading.Thread(
        target=_begin_each, args=(call, messages, begin, stream), name="batches", daemon=True
    )
    begins.start()
    heard = time.monotonic()
    old = heard + age_s
    try:
        yield from _taken(call, AppendEventBatchesResponse(credit=opening()))
        while not stream.is_over:
            batch = stream.oldest(LOOK_S)
            call.require_still_known()
            if batch is not None:
                heard = time.monotonic()
                answer = _told(call, batch, stream)
                if answer is None:
                    break
                yield from _taken(call, answer)
            if call.ledger.stopping.is_set():
                stream.end(LedgerError(ErrorReason.ERROR_REASON_STOPPING, "the ledger is stopping"))
            elif time.monotonic() > old:
                stream.end(
                    LedgerError(
                        ErrorReason.ERROR_REASON_STOPPING,
                        "the stream is an hour old: go on where it ended",
                    )
                )
            elif time.monotonic() > heard + IDLE_S:
                stream.end(
                    LedgerError(ErrorReason.ERROR_REASON_REQUEST_TOO_SLOW, "no batch came in time")
                )
        stream.require_whole()
    finally:
        stream.close()


def _taken(call: Call, answer: AppendEventBatchesResponse) -> Iterator[bytes]:
    """An answer, which the sender takes in time, or is cut off."""
    with call.bodies.within(TAKE_S, call.context):
        yield answer.SerializeToString()


def _told(call: Call, batch: Batch, stream: Stream) -> AppendEventBatchesResponse | None:
    """The answer to the oldest batch; None: it ends the stream."""
    answer = AppendEventBatchesResponse()
    call.request = batch.request
    outcome = batch.outcome()
    if isinstance(outcome, LedgerError) and outcome.status not in ENDING:
        outcome = light(call.refused(outcome))
    if isinstance(outcome, BatchReceipt):
        answer.receipt.CopyFrom(outcome)
        call.count("events", len(outcome.leaf_hashes))
    elif isinstance(outcome, LedgerError) and outcome.status not in ENDING:
        call.conceal(outcome, batch.began_s)
        answer.refusal.CopyFrom(status_of(outcome))
        call.count("refused", 1)
    else:
        stream.end(outcome)
        return None
    call.request = None
    call.count("batches", 1)
    answer.credit.CopyFrom(stream.settle(batch))
    return answer


def _begin_each(call: Call, messages: Any, begin: Method, stream: Stream) -> None:
    """Begin the batches as they arrive, until none comes any more."""
    try:
        for data in _arriving(messages):
            stream.spend(len(data))
            call.identify()
            time.sleep(call.limits.pace(call.caller))
            _begin(call, data, begin, stream)
    except Exception as error:  # noqa: BLE001  # whatever it is, the other thread ends the call
        stream.end(error)
    stream.end()


def _begin(call: Call, data: bytes, begin: Method, stream: Stream) -> None:
    try:
        request = _read(data)
        require_none(request, _ONLY_OF_APPENDS)
        request.without_findings = True
        call.is_plain = check(request)
    except LedgerError as refusal:
        stream.refuse(refusal, len(data))
        return
    stream.begin(lambda: begin(call, request), request, len(data))


def _arriving(messages: Any) -> Iterator[bytes]:
    while True:
        try:
            data = next(messages, None)
        except Exception:  # noqa: BLE001  # grpc's own, where the call was cut off or given up
            return
        if data is None:
            return
        yield data
