"""Appending batch after batch: one is decided while those before it are being written.

Two threads share a stream: one begins batches as they arrive, the other tells what became of them,
in their order. The credit of the sender bounds what is under way between them, so that whoever
sends without waiting, or does not read the answers, costs no more than that.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ledger.append import Pending, reads_the_log
from ledger.errors import LedgerError
from ledger.receipts import batch_receipt
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    BatchReceipt,
    Credit,
)

# So many that the writer need not wait for the network; of the largest size, two.
BATCHES_MAX = 8
BYTES_MAX = 8 * 1024 * 1024
# How long a batch may take to be written.
WRITE_S = 30.0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that arrived, and what its beginning came to."""

    size: int
    """In bytes, as it arrived."""
    began_s: float
    """When, by the clock of time.perf_counter."""
    begun: Pending | Exception
    request: AppendEventsRequest | None = None
    """None: it could not be read."""

    def outcome(self) -> BatchReceipt | Exception:
        """Its receipt, once it is kept, or why it is not, or may not be."""
        if isinstance(self.begun, Exception):
            return self.begun
        try:
            kept = self.begun.kept(WRITE_S)
            return batch_receipt(self.begun.ledger, self.begun.request, kept)
        except LedgerError as refusal:
            return light(refusal)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this batch's outcome
            return error


class Stream:
    """The batches of one sender that are under way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batches: deque[Batch] = deque()
        self._credit = opening()
        self._is_beginning = False
        self._has_ended = False
        self._why: Exception | None = None

    # Of the thread that begins.

    def spend(self, size: int) -> None:
        """Take a batch of so many bytes off the credit. Raises CREDIT_EXCEEDED."""
        with self._changed:
            if not self._credit.batches or self._credit.bytes < size:
                raise LedgerError(
                    ErrorReason.ERROR_REASON_CREDIT_EXCEEDED,
                    "more was sent than the credit allows: wait for answers",
                )
            self._credit.batches -= 1
            self._credit.bytes -= size

    def begin(self, begin: Callable[[], Pending], request: AppendEventsRequest, size: int) -> None:
        """Have a batch decided and handed to the writer; after the end, nothing."""
        is_alone = reads_the_log(request)
        with self._changed:
            if is_alone:
                self._changed.wait_for(lambda: self._has_ended or not self._batches)
            if self._has_ended:
                return
            self._is_beginning = True
        begun: Pending | Exception
        began_s = time.perf_counter()
        try:
            begun = begin()
        except LedgerError as refusal:
            begun = light(refusal)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this batch's answer
            begun = error
        with self._changed:
            self._is_beginning = False
            self._batches.append(Batch(size, began_s, begun, request))
            self._changed.notify_all()
            if is_alone:
                self._changed.wait_for(lambda: self._has_ended or not self._batches)

    def refuse(self, refusal: LedgerError, size: int) -> None:
        """Answer a batch with a refusal, in its turn."""
        with self._changed:
            self._batches.append(Batch(size, time.perf_counter(), light(refusal)))
            self._changed.notify_all()

    # Of the thread that tells.

    def oldest(self, patience_s: float) -> Batch | None:
        """The batch to be told of next; None: there is none yet, or it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self.is_over, patience_s)
            return self._batches[0] if self._batches else None

    def settle(self, batch: Batch) -> Credit:
        """Give back what the oldest batch took, for it is told of now."""
        with self._changed:
            self._batches.popleft()
            self._credit.batches += 1
            self._credit.bytes += batch.size
            self._changed.notify_all()
        return Credit(batches=1, bytes=batch.size)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is under way, and nothing more comes."""
        return self._has_ended and not self._batches and not self._is_beginning

    def require_whole(self) -> None:
        """Raise why it ended, unless the sender ended it."""
        why, self._why = self._why, None
        try:
            if why is not None:
                raise why
        finally:
            del why  # as in `light`

    def close(self) -> None:
        """End, and see what was begun through: whoever is gone may have erased somebody."""
        self.end()
        while not self.is_over:
            if batch := self.oldest(WRITE_S):
                batch.outcome()
                self.settle(batch)

    # Of both.

    def end(self, why: Exception | None = None) -> None:
        """Begin nothing more. What was begun is still told of. The first reason counts."""
        with self._changed:
            self._has_ended = True
            self._why = self._why or why
            self._changed.notify_all()


def light(refusal: LedgerError) -> LedgerError:
    """A refusal that keeps nothing alive of where it was raised: not the call, nor its connection.

    Whoever keeps it in a frame that it went through would make a circle of it.
    """
    refusal.__traceback__ = refusal.__context__ = None
    return refusal


def opening() -> Credit:
    """What a sender is granted at first."""
    return Credit(batches=BATCHES_MAX, bytes=BYTES_MAX)
