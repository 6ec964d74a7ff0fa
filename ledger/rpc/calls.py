"""What every call goes through: who calls, whether she may, strict requests, the access log.

In this order, so that nothing is read of a request before its caller is known, nothing is looked
up before she may ask, and nothing leaves before it is noted. A unary request is received as a
stream of one: the caller is known before it has arrived, and who never sends it is cut off.
"""

from __future__ import annotations  # grpc's types take parameters in their stubs only

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from ledger.access.caller import Caller
from ledger.access.limits import Limits
from ledger.access.policy import policies
from ledger.errors import LedgerError
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.rpc.batches import answer_batches
from ledger.rpc.bodies import Bodies
from ledger.rpc.call import Call
from ledger.rpc.methods import METHODS, Method
from ledger.rpc.strict import decode
from ledger.v1.error_pb2 import ErrorReason

# Each open stream holds a thread; unary calls have threads of their own, so streams starve nobody.
STREAMS_MAX = 64
# Half of the calls that one may have under way: who watches can still ask.
STREAMS_OF_ONE_MAX = 4
STREAM_AGE_S = 3_600.0
# So much longer may it take until a stream that is old ends: its reader may take nothing more.
STREAM_GRACE_S = 60.0


class Calls(grpc.GenericRpcHandler):
    """Every method of ours, over one ledger. Without identities, for callers on this machine."""

    def __init__(
        self, ledger: Ledger, services: list[Any], identities: Identities | None = None
    ) -> None:
        """`services`: the descriptors of those to answer. Raises where one has no policy."""
        self._ledger = ledger
        self._identities = identities
        self.limits = Limits(time.monotonic)
        self.bodies = Bodies()
        self._pool = ThreadPoolExecutor(STREAMS_MAX + 1, thread_name_prefix="stream")
        self._streams = _Streams()
        self._handlers: dict[str, Any] = {}
        for described in services:
            for method in described.methods:
                path = f"/{described.full_name}/{method.name}"
                assert path in policies(), path  # noqa: S101
                self._handlers[path] = self._made(
                    path, method, METHODS[described.name][method.name]
                )

    def close(self) -> None:
        """Let go of what watches over calls."""
        self.bodies.close()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The method that is called; None: there is none of this name."""
        return self._handlers.get(details.method)

    def _made(self, path: str, method: MethodDescriptor, answer: Method) -> Any:
        read = decode(GetMessageClass(method.input_type))
        if method.client_streaming:

            def batches(messages: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
                with self._stream(path, context) as call:
                    yield from answer_batches(call, messages, answer, STREAM_AGE_S)

            return self._streaming(batches)
        if not method.server_streaming:

            def unary(messages: Any, context: grpc.ServicerContext) -> bytes:
                with self._call(path, context) as call:
                    request = call.begin(messages, read)
                    return call.sent(request, answer(call, request))

            return grpc.stream_unary_rpc_method_handler(unary, None, None)

        def stream(messages: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
            with self._stream(path, context) as call:
                request = call.begin(messages, read)
                until = time.monotonic() + STREAM_AGE_S
                for message in answer(call, request):
                    call.require_still_known()
                    yield call.sent(request, message)
                    if time.monotonic() > until:
                        raise LedgerError(
                            ErrorReason.ERROR_REASON_STOPPING,
                            "the stream is an hour old: go on where it ended",
                        )

        return self._streaming(stream)

    def _streaming(self, answer: Any) -> Any:
        """A method whose answers come one by one."""
        answer.experimental_thread_pool = self._pool
        return grpc.stream_stream_rpc_method_handler(answer, None, None)

    @contextmanager
    def _stream(self, path: str, context: grpc.ServicerContext) -> Iterator[Call]:
        """A call that is one of the open streams."""
        with (
            self._call(path, context) as call,
            self._streams.one(call.caller),
            self.bodies.within(STREAM_AGE_S + STREAM_GRACE_S, context),
        ):
            yield call

    @contextmanager
    def _call(self, path: str, context: grpc.ServicerContext) -> Iterator[Call]:
        """A call from its beginning to its line in the log, whatever becomes of it."""
        call = Call(path, context, self._ledger, self._identities, self.bodies, self.limits)
        # A refusal is within the limits, too: it may take its time.
        with ExitStack() as under_way:
            try:
                call.identify()
                under_way.enter_context(self.limits.call(call.caller))
                yield call
            except GeneratorExit:
                raise
            except Exception as error:  # noqa: BLE001  # the edge: nothing may fall through
                call.fail(error)
            finally:
                call.end()


class _Streams:
    """How many streams are open, of everybody and of each caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, int] = {}

    @contextmanager
    def one(self, caller: Caller) -> Iterator[None]:
        """One more stream. Raises WATCHERS_EXHAUSTED."""
        with self._lock:
            mine = self._open.get(caller.spiffe_id, 0)
            most = STREAMS_OF_ONE_MAX if caller.is_identified else STREAMS_MAX
            if sum(self._open.values()) >= STREAMS_MAX or mine >= most:
                raise LedgerError(
                    ErrorReason.ERROR_REASON_WATCHERS_EXHAUSTED, "there are too many open streams"
                )
            self._open[caller.spiffe_id] = mine + 1
        try:
            yield
        finally:
            with self._lock:
                self._open[caller.spiffe_id] -= 1
