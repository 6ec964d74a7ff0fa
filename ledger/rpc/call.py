"""One call: who makes it, what was asked, how it ended, and its line in the log."""

from __future__ import annotations  # grpc's types take parameters in their stubs only

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.message import Message

from ledger.access.caller import LOOPBACK
from ledger.access.limits import Limits
from ledger.access.policy import policies, require_allowed
from ledger.accesses import note
from ledger.errors import LedgerError
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.rpc.bodies import Bodies, too_slow
from ledger.rpc.identity import caller_of
from ledger.rpc.status import trailing
from ledger.rpc.strict import check
from ledger.store.database import refusal_of
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesResponse,
    AppendEventsResponse,
    WatchEventsResponse,
)

# What is not there, or not the caller's to see, is said no sooner: the two take the same time.
ABSENT_S = 0.1

NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
_ABORTED = "aborted by the server"

logger = structlog.get_logger()


class Call:
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
        self.context = context
        self._identities = identities
        self.bodies = bodies
        self.limits = limits
        self._began = time.perf_counter()
        self._reason = "OK"
        self.request: Message | None = None
        """What was asked last; None: nothing that could be read."""
        self.is_plain = False
        """Whether it was found to be plain (see `ledger.shape`), and need not be judged again."""
        self._counts: dict[str, int] = {}

    def identify(self) -> None:
        """Find out who calls, and whether she may. Raises UNIDENTIFIED, FORBIDDEN."""
        self.caller = caller_of(self.context, self._identities)
        policy = policies()[self._path]
        if self.caller.is_identified:
            require_allowed(self.caller, self._path)
        if policy.purpose_code and not self.caller.purpose_code:
            self.caller = replace(self.caller, purpose_code=policy.purpose_code)
        self.ledger = self.ledger.seen_by(self.caller, counts=policy.counts)

    def begin(self, messages: Any, read: Callable[[bytes], Message]) -> Message:
        """The request. Refuses what cannot be one."""
        data = self.bodies.receive(messages, self.context)
        if data is None:
            raise too_slow()
        request = read(data)
        self.is_plain = check(request)
        self.request = request
        return request

    def require_still_known(self) -> None:
        """Raise UNIDENTIFIED where the caller of a stream has been revoked meanwhile."""
        caller_of(self.context, self._identities)

    def sent(self, request: Message, answer: Message) -> bytes:
        """An answer as it leaves, once it is noted what it tells of whom."""
        if policies()[self._path].discloses and is_telling(answer):
            self.limits.learn(self.caller, note(self.ledger, self._method, request, answer))
        return answer.SerializeToString()

    def fail(self, error: Exception) -> NoReturn:
        """End the call with a named refusal. Raises, as grpc's own way to end a call."""
        refusal = self.refused(error)
        self._reason = refusal.name
        code, message, metadata = trailing(refusal)
        self.conceal(refusal, self._began)
        self.context.set_trailing_metadata(metadata)
        self.context.abort(code, message)
        raise AssertionError(_ABORTED)

    def conceal(self, refusal: LedgerError, began_s: float) -> None:
        """Let what is not there take as long as what is not the caller's to see.

        `began_s`: when it was asked for, by the clock of time.perf_counter.
        """
        if refusal.status == NOT_FOUND and self.caller.is_identified:
            time.sleep(max(0.0, ABSENT_S - (time.perf_counter() - began_s)))

    def count(self, what: str, number: int) -> None:
        """Count what the line of the call in the log tells the number of."""
        self._counts[what] = self._counts.get(what, 0) + number

    def refused(self, error: Exception) -> LedgerError:
        """What a request is refused with, once it is noted that it is."""
        refusal = _refusal(error, self._method)
        request = self.request if policies()[self._path].discloses else None
        # That nothing can be answered now tells of nobody, and does not wait for what cannot be
        # written now.
        if request is not None and refusal.status != UNAVAILABLE:
            try:
                note(self.ledger, self._method, request, None, refusal.name)
            except Exception as unwritten:  # noqa: BLE001  # a refusal tells something, too
                refusal = _refusal(unwritten, self._method)
        return refusal

    def end(self) -> None:
        """The one line of the call. Nothing of what was asked or answered is in it."""
        logger.info(
            "rpc",
            method=self._method,
            agency=self.caller.agency,
            reason=self._reason,
            **self._counts,
            duration_ms=round((time.perf_counter() - self._began) * 1_000, 2),
        )


def is_telling(answer: Any) -> bool:
    """Whether an answer tells of anybody what the question did not.

    Word to a watcher that nothing was recorded does not, nor a receipt without findings, as those
    of batches are.
    """
    if isinstance(answer, AppendEventBatchesResponse):
        return False
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
