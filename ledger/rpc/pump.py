"""Sending batches within the credit: batches in, what became of each out, in their order."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import grpc

from ledger.errors import LedgerError
from ledger.rpc.status import received, refusal_in
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    AppendEventBatchesResponse,
    BatchReceipt,
)

# As often in a row a stream is begun again that answered nothing.
ATTEMPTS_MAX = 4
RETRY_S = 0.05
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]

# Of an iterator of batches, an iterator of answers: the stub.
Call = Callable[[Iterator[AppendEventBatchesRequest]], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch."""

    batch: AppendEventBatchesRequest
    receipt: BatchReceipt
    """Empty where it is refused."""
    refusal: LedgerError | None
    """None: it is kept."""


class Pump:
    """Sends batches, on one stream after the other if need be.

    Because every event has an id, what was not answered when a stream broke off is sent again.
    """

    def __init__(self, call: Call, batches: Iterable[AppendEventBatchesRequest]) -> None:
        self._call = call
        self._source = iter(batches)
        self._again: deque[AppendEventBatchesRequest] = deque()

    def outcomes(self) -> Iterator[Outcome]:
        """What became of each batch, in the order in which they were given.

        A batch is taken when the credit has room for it, in the thread that asks for outcomes.
        Raises LedgerError where no stream can be had, or one ends for a reason that lasts.
        """
        attempt = 0
        while True:
            try:
                for outcome in self._stream():
                    attempt = 0
                    yield outcome
            except LedgerError as error:
                attempt += 1
                is_passing = error.status == UNAVAILABLE or (
                    error.reason == ErrorReason.ERROR_REASON_REQUEST_TOO_SLOW
                )
                if not is_passing or attempt == ATTEMPTS_MAX:
                    raise
                time.sleep(RETRY_S * 2**attempt)
            else:
                return

    def _stream(self) -> Iterator[Outcome]:
        """What comes of one stream."""
        sent: SimpleQueue[AppendEventBatchesRequest | None] = SimpleQueue()
        under_way: deque[AppendEventBatchesRequest] = deque()
        answers = self._call(iter(sent.get, None))
        batches = size = 0
        is_all_answered = False
        try:
            for answer in answers:
                if answer.WhichOneof("outcome"):
                    yield _outcome(under_way.popleft(), answer)
                batches, size = batches + answer.credit.batches, size + answer.credit.bytes
                while batches and (batch := self._next()):
                    if batch.ByteSize() > size:
                        self._again.appendleft(batch)
                        break
                    batches, size = batches - 1, size - batch.ByteSize()
                    under_way.append(batch)
                    sent.put(batch)
                if not under_way:
                    _require_nothing(self._again)
                    sent.put(None)
                    is_all_answered = True
        except grpc.RpcError as error:
            raise received(error) from None
        else:
            if not is_all_answered:
                raise LedgerError(
                    ErrorReason.ERROR_REASON_UNREACHABLE, "the stream ended before the batches did"
                )
        finally:
            sent.put(None)
            answers.cancel()
            self._again.extendleft(reversed(under_way))

    def _next(self) -> AppendEventBatchesRequest | None:
        return self._again.popleft() if self._again else next(self._source, None)


def _outcome(batch: AppendEventBatchesRequest, answer: AppendEventBatchesResponse) -> Outcome:
    is_refused = answer.HasField("refusal")
    return Outcome(batch, answer.receipt, refusal_in(answer.refusal) if is_refused else None)


def _require_nothing(left: deque[AppendEventBatchesRequest]) -> None:
    """Raise TOO_LARGE for a batch for which the whole credit has no room."""
    if left:
        raise LedgerError(
            ErrorReason.ERROR_REASON_TOO_LARGE, "a batch is larger than the server takes"
        )
