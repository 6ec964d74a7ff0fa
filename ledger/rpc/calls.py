"""What every call goes through: strict requests, named refusals, its own pool, one log line."""

from __future__ import annotations  # grpc's types take parameters in their stubs only

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import structlog

from ledger.errors import LedgerError
from ledger.rpc.status import trailing
from ledger.rpc.strict import Undecodable, check, decoder
from ledger.store.database import refusal_of
from ledger.v1.error_pb2 import ErrorReason

# Each open stream holds a thread; unary calls have threads of their own, so streams starve nobody.
STREAMS_MAX = 64
OURS = "/ledger.v1."

logger = structlog.get_logger()


class Calls(grpc.ServerInterceptor):
    """Wraps each method of ours. The outermost interceptor: the pool of a stream is set here."""

    def __init__(self) -> None:
        self._streams = ThreadPoolExecutor(STREAMS_MAX + 1, thread_name_prefix="stream")
        self._open = threading.BoundedSemaphore(STREAMS_MAX)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """A method of ours, wrapped."""
        method = continuation(details)
        if method is None or not details.method.startswith(OURS):
            return method
        assert method.request_deserializer  # noqa: S101  # every method of ours has one
        decode = decoder(method.request_deserializer)
        if method.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(details.method, method.unary_unary),
                decode,
                method.response_serializer,
            )
        assert method.unary_stream  # noqa: S101  # there are no other kinds
        stream = self._stream(details.method, method.unary_stream)
        stream.experimental_thread_pool = self._streams  # type: ignore[attr-defined]
        return grpc.unary_stream_rpc_method_handler(stream, decode, method.response_serializer)

    def _unary(self, method: str, handle: Callable[..., Any]) -> Callable[..., Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            call = _Call(method, context)
            try:
                call.begin(request)
                return handle(request, context)
            except Exception as error:  # noqa: BLE001  # the edge: nothing may fall through
                call.fail(error)
            finally:
                call.end()

        return answer

    def _stream(self, method: str, handle: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            call = _Call(method, context)
            free = self._open.acquire(blocking=False)
            try:
                _require_free(free)
                call.begin(request)
                yield from handle(request, context)
            except Exception as error:  # noqa: BLE001  # the edge: nothing may fall through
                call.fail(error)
            finally:
                if free:
                    self._open.release()
                call.end()

        return answer


def _require_free(free: bool) -> None:
    if not free:
        raise LedgerError(
            ErrorReason.ERROR_REASON_WATCHERS_EXHAUSTED,
            f"there are {STREAMS_MAX} open streams already",
        )


class _Call:
    """One call from its beginning to its line in the log."""

    def __init__(self, method: str, context: grpc.ServicerContext) -> None:
        self._method = method
        self._context = context
        self._began = time.perf_counter()
        self._reason = "OK"

    def begin(self, request: Any) -> None:
        """Refuse what cannot be a request."""
        if isinstance(request, Undecodable):
            raise request.refusal
        check(request)

    def fail(self, error: Exception) -> None:
        """End the call with a named refusal. Raises, as grpc's own way to end a call."""
        if not isinstance(error, LedgerError):
            known = refusal_of(error)
            if known is None:
                # The traceback names places in our code, not what was asked about.
                frames = error.__traceback__
                while frames and frames.tb_next:
                    frames = frames.tb_next
                logger.error(
                    "fault",
                    method=self._method,
                    error=type(error).__name__,
                    module=frames.tb_frame.f_globals.get("__name__") if frames else "",
                    line=frames.tb_lineno if frames else 0,
                )
            error = known or LedgerError(ErrorReason.ERROR_REASON_INTERNAL, "internal error")
        self._reason = error.name
        code, message, metadata = trailing(error)
        self._context.set_trailing_metadata(metadata)
        self._context.abort(code, message)

    def end(self) -> None:
        """The one line of the call. Nothing of what was asked or answered is in it."""
        logger.info(
            "rpc",
            method=self._method.removeprefix(OURS),
            reason=self._reason,
            duration_ms=round((time.perf_counter() - self._began) * 1_000, 2),
        )
