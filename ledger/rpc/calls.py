"""What every call goes through: who calls, whether she may, strict requests, the access log.

In this order, so that nothing is read of a request before its caller is known, nothing is looked
up before she may ask, and nothing leaves before it is noted. A unary request is received as a
stream of one: the caller is known before it has arrived, and who never sends it is cut off.
"""

from __future__ import annotations  # grpc's types take parameters in their stubs only

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.access.caller import LOOPBACK, Caller
from ledger.access.limits import Limits
from ledger.access.policy import policies, require_allowed
from ledger.accesses import note
from ledger.errors import LedgerError
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.rpc.bodies import Bodies, too_slow
from ledger.rpc.identity import caller_of
from ledger.rpc.methods import METHODS, Method
from ledger.rpc.status import trailing
from ledger.rpc.strict import check, decode
from ledger.store.database import refusal_of
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import AppendEventsResponse, WatchEventsResponse

# Each open stream holds a thread; unary calls have threads of their own, so streams starve nobody.
STREAMS_MAX = 64
# Half of the calls that one may have under way: who watches can still ask.
STREAMS_OF_ONE_MAX = 4
STREAM_AGE_S = 3_600.0
# So much longer may it take until a stream that is old ends: its reader may take nothing more.
STREAM_GRACE_S = 60.0
# What is not there, or not the caller's to see, is said no sooner: the two take the same time.
ABSENT_S = 0.1

NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
_ABORTED = "aborted by the server"

logger = structlog.get_logger()


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
        if not method.server_streaming:

            def unary(messages: Any, context: grpc.ServicerContext) -> bytes:
                with self._call(path, context) as call:
                    request = call.begin(messages, read)
                    return call.sent(request, answer(call.ledger, request, context))

            return grpc.stream_unary_rpc_method_handler(unary, None, None)

        def stream(messages: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
            with (
                self._call(path, context) as call,
                self._streams.one(call.caller),
                self.bodies.within(STREAM_AGE_S + STREAM_GRACE_S, context),
            ):
                request = call.begin(messages, read)
                until = time.monotonic() + STREAM_AGE_S
                for message in answer(call.ledger, request, context):
                    call.require_still_known()
                    yield call.sent(request, message)
                    if time.monotonic() > until:
                        raise LedgerError(
                            ErrorReason.ERROR_REASON_STOPPING,
                            "the stream is an hour old: go on where it ended",
                        )

        stream.experimental_thread_pool = self._pool  # type: ignore[attr-defined]
        return grpc.stream_stream_rpc_method_handler(stream, None, None)

    @contextmanager
    def _call(self, path: str, context: grpc.ServicerContext) -> Iterator[_Call]:
        """A call from its beginning to its line in the log, whatever becomes of it."""
        call = _Call(path, context, self._ledger, self._identities, self.bodies, self.limits)
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


class _Call:
    """One call."""

    def __init__(
        self,
        path: str,
        context: grpc.ServicerContext,
        ledger: Ledger,
        identities: Identities | None,
        bodies: Bodies,
        limits: Limits,
    ) -> None:
        self.caller = LOOPBACK
        self.ledger = ledger
        self._path = path
        self._method = path.removeprefix("/ledger.v1.")
        self._context = context
        self._identities = identities
        self._bodies = bodies
        self._limits = limits
        self._began = time.perf_counter()
        self._reason = "OK"
        self._request: Message | None = None

    def identify(self) -> None:
        """Find out who calls, and whether she may. Raises UNIDENTIFIED, FORBIDDEN."""
        self.caller = caller_of(self._context, self._identities)
        policy = policies()[self._path]
        if self.caller.is_identified:
            require_allowed(self.caller, self._path)
        if policy.purpose_code and not self.caller.purpose_code:
            self.caller = replace(self.caller, purpose_code=policy.purpose_code)
        self.ledger = self.ledger.seen_by(self.caller, counts=policy.counts)

    def begin(self, messages: Any, read: Callable[[bytes], Message]) -> Message:
        """The request. Refuses what cannot be one."""
        data = self._bodies.receive(messages, self._context)
        if data is None:
            raise too_slow()
        request = read(data)
        check(request)
        self._request = request
        return request

    def require_still_known(self) -> None:
        """Raise UNIDENTIFIED where the caller of a stream has been revoked meanwhile."""
        caller_of(self._context, self._identities)

    def sent(self, request: Message, answer: Message) -> bytes:
        """An answer as it leaves, once it is noted what it tells of whom."""
        if policies()[self._path].discloses and is_telling(answer):
            self._limits.learn(self.caller, note(self.ledger, self._method, request, answer))
        return answer.SerializeToString()

    def fail(self, error: Exception) -> NoReturn:
        """End the call with a named refusal. Raises, as grpc's own way to end a call."""
        refusal = _refusal(error, self._method)
        request = self._request if policies()[self._path].discloses else None
        # That nothing can be answered now tells of nobody, and does not wait for what cannot be
        # written now.
        if request is not None and refusal.status != UNAVAILABLE:
            try:
                note(self.ledger, self._method, request, None, refusal.name)
            except Exception as unwritten:  # noqa: BLE001  # a refusal tells something, too
                refusal = _refusal(unwritten, self._method)
        self._reason = refusal.name
        code, message, metadata = trailing(refusal)
        if refusal.status == NOT_FOUND and self.caller.is_identified:
            time.sleep(max(0.0, ABSENT_S - (time.perf_counter() - self._began)))
        self._context.set_trailing_metadata(metadata)
        self._context.abort(code, message)
        raise AssertionError(_ABORTED)

    def end(self) -> None:
        """The one line of the call. Nothing of what was asked or answered is in it."""
        logger.info(
            "rpc",
            method=self._method,
            agency=self.caller.agency,
            reason=self._reason,
            duration_ms=round((time.perf_counter() - self._began) * 1_000, 2),
        )


def is_telling(answer: Any) -> bool:
    """Whether an answer tells of anybody what the question did not.

    Word to a watcher that nothing was recorded does not, nor a receipt without findings.
    """
    if isinstance(answer, WatchEventsResponse):
        return answer.WhichOneof("content") == "batch"
    return not isinstance(answer, AppendEventsResponse) or bool(answer.findings)


def _refusal(error: Exception, method: str) -> LedgerError:
    """What a caller is told of an error. What is no refusal is a fault of ours, and in our log."""
    if isinstance(error, LedgerError):
        return error
    known = refusal_of(error)
    if known is None:
        # The place in our code, not what was asked about.
        frames = error.__traceback__
        while frames and frames.tb_next:
            frames = frames.tb_next
        logger.error(
            "fault",
            method=method,
            error=type(error).__name__,
            module=frames.tb_frame.f_globals.get("__name__") if frames else "",
            line=frames.tb_lineno if frames else 0,
        )
    return known or LedgerError(ErrorReason.ERROR_REASON_INTERNAL, "internal error")
