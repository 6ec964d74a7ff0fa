"""The one thread of a process that appends: it drains waiting batches into one transaction.

Durability costs a flush to disk for each transaction, whatever it holds; so those who wait while
one is being written share the next (group commit).
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import sqlalchemy as sa
import structlog
from eventsourcing.persistence import IntegrityError

from ledger.errors import LedgerError
from ledger.store.batch import Append, Appended
from ledger.store.database import Database, OutcomeUnknownError, is_transient
from ledger.store.log import Log
from ledger.v1.error_pb2 import ErrorReason

GROUP_EVENTS_MAX = 4_000
WAITING_MAX = 2_000
# Until a database server that was killed is back, on a busy machine: ten seconds.
ATTEMPTS_MAX = 9
RETRY_S = 0.02

logger = structlog.get_logger()


class Writer:
    """Appends to a log. `on_failure` is called once if the database fails in a way that lasts."""

    def __init__(self, database: Database, log: Log, on_failure: Callable[[], None]) -> None:
        """Become the writing process. Raises StartupError if another one is, on SQLite."""
        database.lock_for_writing()
        self._database = database
        self._log = log
        self._on_failure = on_failure
        self._waiting: deque[tuple[Append, Future[Appended]]] = deque()
        self._wake = threading.Condition()
        self._refusal: LedgerError | None = None
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, append: Append) -> "Future[Appended]":
        """Queue a batch. The future gives what became of it, or raises.

        IntegrityError: refused as it stands. LedgerError: not written, or not known whether.
        """
        future: Future[Appended] = Future()
        with self._wake:
            if self._refusal:
                # Another each time: one that is raised again keeps whatever met it before alive.
                raise LedgerError(self._refusal.reason, str(self._refusal))
            if len(self._waiting) >= WAITING_MAX:
                raise LedgerError(
                    ErrorReason.ERROR_REASON_APPENDS_EXHAUSTED, "too many appends are waiting"
                )
            self._waiting.append((append, future))
            self._wake.notify()
        return future

    def close(self) -> None:
        """Write what waits, take nothing more, and stop."""
        self._refuse(LedgerError(ErrorReason.ERROR_REASON_STOPPING, "the ledger is stopping"))
        self._thread.join()

    def _refuse(self, refusal: LedgerError) -> None:
        with self._wake:
            self._refusal = self._refusal or refusal
            self._wake.notify()

    def _run(self) -> None:
        while group := self._next():
            try:
                outcomes = self._append([append for append, _ in group])
            except LedgerError as error:
                for _, future in group + (self._abandon() if self._has_failed else []):
                    future.set_exception(error)
                continue
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, IntegrityError):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    def _next(self) -> list[tuple[Append, Future[Appended]]]:
        """The batches for the next transaction; none once closed and drained."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._refusal)
            group: list[tuple[Append, Future[Appended]]] = []
            count = 0
            while self._waiting:
                count += len(self._waiting[0][0].events)
                if group and count > GROUP_EVENTS_MAX:
                    break
                group.append(self._waiting.popleft())
        return [one for one in group if one[1].set_running_or_notify_cancel()] or (
            self._next() if group else []
        )

    def _abandon(self) -> list[tuple[Append, Future[Appended]]]:
        """What waits and will not be written."""
        with self._wake:
            group = [one for one in self._waiting if one[1].set_running_or_notify_cancel()]
            self._waiting.clear()
        return group

    def _append(self, appends: list[Append]) -> list[Appended | IntegrityError]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                outcomes = self._log.append_group(appends)
                self._database.checkpoint()
            except OutcomeUnknownError:
                raise LedgerError(
                    ErrorReason.ERROR_REASON_OUTCOME_UNKNOWN,
                    "written here; whether a standby has it is not known",
                ) from None
            except sa.exc.DBAPIError as error:
                if is_transient(error) and attempt < ATTEMPTS_MAX:
                    # What a lost connection left written is found by its event ids.
                    threading.Event().wait(RETRY_S * 2**attempt)
                    continue
                raise self._failed(error) from error
            except Exception as error:
                raise self._failed(error) from error
            return outcomes
        raise AssertionError("unreachable")

    def _failed(self, error: Exception) -> LedgerError:
        """After a failure that lasts, what is on disk is not known: the process must not go on.

        After a failed flush the kernel may have dropped what it could not write, and a second
        flush would report success.
        """
        logger.critical("append failed", error=type(error).__name__)
        refusal = LedgerError(
            ErrorReason.ERROR_REASON_OUTCOME_UNKNOWN, "the database failed; the ledger stops"
        )
        self._has_failed = True
        self._refuse(LedgerError(refusal.reason, str(refusal)))
        self._on_failure()
        return refusal
