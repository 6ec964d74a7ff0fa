"""Calls that take their time: whoever does not send what was announced, or take it, is cut off."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from ledger.errors import LedgerError
from ledger.v1.error_pb2 import ErrorReason

BODY_S = 5.0
LOOK_S = 0.5


class Bodies:
    """The calls that must come to something by some time."""

    def __init__(self, patience_s: float = BODY_S) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[float, grpc.ServicerContext]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bodies", daemon=True)
        self._thread.start()

    def receive(self, messages: Any, context: grpc.ServicerContext) -> bytes | None:
        """The request of a call, as bytes; None: none came."""
        with self.within(self._patience_s, context):
            try:
                return next(messages, None)
            except Exception:  # noqa: BLE001  # grpc's own, where the call was cut off or given up
                return None

    @contextmanager
    def within(self, seconds: float, context: grpc.ServicerContext) -> Iterator[None]:
        """The block ends in time, or its call does: a peer that takes nothing holds it up, too."""
        with self._lock:
            before = self._waiting.get(id(context))
            self._waiting[id(context)] = (time.monotonic() + seconds, context)
        try:
            yield
        finally:
            with self._lock:
                if before:
                    self._waiting[id(context)] = before
                else:
                    del self._waiting[id(context)]

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(min(LOOK_S, self._patience_s / 2)):
            now = time.monotonic()
            with self._lock:
                late = [context for until, context in self._waiting.values() if until < now]
            for context in late:
                context.cancel()


def too_slow() -> LedgerError:
    """The refusal of a request that did not come."""
    return LedgerError(
        ErrorReason.ERROR_REASON_REQUEST_TOO_SLOW, "the request did not arrive in time"
    )
