"""The thread that keeps the tables of periods up to the log."""

import threading

import structlog

from ledger.store.log import Log
from ledger.store.populations import Populations

IDLE_S = 1.0

logger = structlog.get_logger()


class Follower:
    """Follows a log until it is closed."""

    def __init__(self, log: Log, populations: Populations) -> None:
        self._log = log
        self._populations = populations
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Come to the end of the log and stop."""
        self._closing.set()
        self._log.wake()
        self._thread.join()

    def _run(self) -> None:
        size = -1
        while True:
            closing = self._closing.is_set()
            try:
                if closing or self._log.wait_beyond(size, IDLE_S) > size:
                    size = self._populations.catch_up()
            except Exception as error:  # noqa: BLE001
                # The tables are made from the log and can wait; questions of populations are told
                # that they are behind. A thread that ended would leave them so for good.
                logger.warning("tables are behind", error=type(error).__name__)
                self._closing.wait(IDLE_S)
            if closing:
                return
