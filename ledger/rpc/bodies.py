"""Requests that take their time: whoever does not send what was announced is cut off."""

import threading
import time
from typing import Any

import grpc

BODY_S = 5.0
LOOK_S = 0.5


class Bodies:
    """The calls whose request has not arrived yet."""

    def __init__(self, patience_s: float = BODY_S) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[float, grpc.ServicerContext]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bodies", daemon=True)
        self._thread.start()

    def receive(self, messages: Any, context: grpc.ServicerContext) -> bytes | None:
        """The request of a call, as bytes; None: none came."""
        with self._lock:
            self._waiting[id(context)] = (time.monotonic() + self._patience_s, context)
        try:
            return next(messages, None)
        except Exception:  # noqa: BLE001  # grpc's own, where the call was cut off or given up
            return None
        finally:
            with self._lock:
                self._waiting.pop(id(context), None)

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_S):
            now = time.monotonic()
            with self._lock:
                late = [context for until, context in self._waiting.values() if until < now]
            for context in late:
                context.cancel()
