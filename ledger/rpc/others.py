"""Health and reflection: what others wrote, behind the guards that our own methods stand behind.

As they come, each of their calls would hold a thread until its request has arrived, for whoever has
a certificate, revoked or not: a few dozen would keep everybody else out.
"""

from __future__ import annotations  # grpc's types take parameters in their stubs only

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from ledger.access.limits import Limits
from ledger.errors import LedgerError
from ledger.keys.certificates import Identities
from ledger.rpc.bodies import Bodies, too_slow
from ledger.rpc.identity import caller_of
from ledger.rpc.status import trailing
from ledger.v1.error_pb2 import ErrorReason

logger = structlog.get_logger()


class Others(grpc.GenericRpcHandler):
    """Their methods. They register with it as they would with a server."""

    def __init__(self, identities: Identities | None, limits: Limits, bodies: Bodies) -> None:
        """The guards: who may call, how often, and how slowly."""
        self._identities = identities
        self._limits = limits
        self._bodies = bodies
        self._methods: dict[str, Any] = {}

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The method that is called; None: there is none of this name."""
        return self._methods.get(details.method)

    def add_generic_rpc_handlers(self, _same: Any) -> None:
        """Take what comes by name, below."""

    def add_registered_method_handlers(self, name: str, methods: Mapping[str, Any]) -> None:
        """Take methods."""
        for method, theirs in methods.items():
            self._methods[f"/{name}/{method}"] = self._guarded(theirs)

    def _guarded(self, theirs: Any) -> Any:
        read, write = theirs.request_deserializer, theirs.response_serializer
        if theirs.request_streaming:

            def stream(messages: Any, context: grpc.ServicerContext) -> Iterator[Any]:
                with self._call(context):
                    yield from theirs.stream_stream(self._each(messages, read, context), context)

            return grpc.stream_stream_rpc_method_handler(stream, None, write)
        if theirs.response_streaming:

            def watch(
                messages: Any, context: grpc.ServicerContext, answer: Callable[[Any], None]
            ) -> None:
                with self._call(context):
                    theirs.unary_stream(self._one(messages, read, context), context, answer)

            # It keeps no thread: it is called again when there is something to say.
            watch.experimental_non_blocking = True  # type: ignore[attr-defined]
            return grpc.stream_stream_rpc_method_handler(watch, None, write)

        def unary(messages: Any, context: grpc.ServicerContext) -> Any:
            with self._call(context):
                return theirs.unary_unary(self._one(messages, read, context), context)

        return grpc.stream_unary_rpc_method_handler(unary, None, write)

    @contextmanager
    def _call(self, context: grpc.ServicerContext) -> Iterator[None]:
        """A call of somebody who may make it."""
        try:
            with self._limits.call(caller_of(context, self._identities)):
                yield
        except LedgerError as error:
            code, message, metadata = trailing(error)
            context.set_trailing_metadata(metadata)
            context.abort(code, message)

    def _one(
        self, messages: Any, read: Callable[[bytes], Any], context: grpc.ServicerContext
    ) -> Any:
        """The request. Raises REQUEST_TOO_SLOW, MALFORMED_REQUEST."""
        data = self._bodies.receive(messages, context)
        if data is None:
            raise too_slow()
        try:
            return read(data)
        except DecodeError:
            raise LedgerError(
                ErrorReason.ERROR_REASON_MALFORMED_REQUEST, "not a message of the type asked for"
            ) from None

    def _each(
        self, messages: Any, read: Callable[[bytes], Any], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """The requests of a stream, as long as they keep coming. Raises MALFORMED_REQUEST."""
        while (data := self._bodies.receive(messages, context)) is not None:
            yield self._one(iter([data]), read, context)
