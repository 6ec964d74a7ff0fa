"""The thread that keeps the tables of periods, and the keys that are known, up to the log."""

import threading
import time

import structlog

from ledger.store.erasure import obey
from ledger.store.folders import Folders
from ledger.store.log import Log
from ledger.store.populations import Populations

IDLE_S = 1.0
CLOSE_S = 10.0
"""What is not in the tables by then is put in when the ledger opens again."""

TOLD_S = 10.0
"""So often it is said how far behind they are, while that grows."""

logger = structlog.get_logger()


class Follower:
    """Follows a log until it is closed."""

    def __init__(
        self, log: Log, populations: Populations, obeyed: int, folders: Folders | None = None
    ) -> None:
        """`obeyed`: the size up to which erasures are; `folders`: processes, closed at the end."""
        self._log = log
        self._populations = populations
        self._obeyed = obeyed
        self._folders = folders
        self._closing = threading.Event()
        self._told = 0.0
        self._behind = 0
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Come to the end of the log, unless it is far, and stop."""
        self._closing.set()
        self._log.wake()
        self._thread.join()

    def _run(self) -> None:
        until = None
        while until is None or time.monotonic() < until:
            if self._closing.is_set() and until is None:
                until = time.monotonic() + CLOSE_S
            try:
                # Whoever moves the tables: the keys that this process knows are its own.
                size = self._obeyed = obey(self._log, self._obeyed)
                come_to = self._populations.catch_up_some(size)
                self._tell(size, come_to)
                if until and come_to == size:
                    break
                has_more = not until and self._populations.go_on()
                if come_to == size and not has_more and not until:
                    self._log.wait_beyond(size, IDLE_S)
            except Exception as error:  # noqa: BLE001
                # The tables are made from the log and can wait; questions of populations are told
                # that they are behind. A thread that ended would leave them so for good.
                logger.warning("tables are behind", error=type(error).__name__)
                if until:
                    break
                self._closing.wait(IDLE_S)
        if self._folders:
            self._folders.close()

    def _tell(self, size: int, come_to: int) -> None:
        """Log how far the tables are behind, while they fall further behind."""
        now, behind = time.monotonic(), size - come_to
        if now - self._told < TOLD_S:
            return
        if self._told and behind > self._behind:
            seconds = round(self._populations.lag_s(come_to, size), 1)
            logger.warning("tables are behind", entries=behind, seconds=seconds)
        self._told, self._behind = now, behind
