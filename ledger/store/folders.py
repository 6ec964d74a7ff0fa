"""The processes that fold, so that the one that appends and answers has its interpreter to itself.

Each reads the database by itself, and gives back rows that are sealed already.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import projections
from ledger.keys.keyring import Keyring
from ledger.store.database import Database
from ledger.store.folding import Folded, Folder, Task
from ledger.store.log import Log

NICENESS = 10
"""Appends and questions come first."""

AHEAD = 2
"""So many tasks a process are under way at once: what comes of them waits in memory."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a process finds what it is to read."""

    url: str
    log: str
    keyring: Path


class Folders:
    """So many processes that fold subjects of one log."""

    def __init__(self, database: Database, log: str, keyring: Keyring, count: int) -> None:
        """`log`: its name. The processes begin when they are first needed."""
        self._place = _Place(database.url.render_as_string(hide_password=False), log, keyring.path)
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def fold(self, tasks: Iterable[Task]) -> Iterator[Folded]:
        """Carry out tasks, several at once; what comes of them in their order.

        Raises BrokenProcessPool where a process has ended; the next time there are others.
        """
        under_way: deque[Future[Folded]] = deque()
        try:
            for task in tasks:
                under_way.append(self._running().submit(_fold, task))
                if len(under_way) >= self._count * AHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool:
            self.close()
            raise

    def close(self) -> None:
        """End the processes, when they have done what they do."""
        pool, self._pool = self._pool, None
        if pool:
            pool.shutdown(cancel_futures=True)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A process that is forked from one with threads may wait for ever for a lock of one.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, context, _begin, (self._place,))
        return self._pool


# Where this process reads: set once, when it begins.
_mine: list[tuple[Database, _Place]] = []


def _begin(place: _Place) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C goes to every process of a terminal; the parent says when it is time to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    _mine.append((Database(place.url, must_exist=True), place))


def _end_with_parent() -> None:
    """A parent that is killed cannot end its children."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _fold(task: Task) -> Folded:
    ((database, place),) = _mine
    # What knows keys is made anew for each task, so that none is remembered beyond an erasure.
    log = Log(database, lambda: 0, Keyring(place.keyring), place.log, must_exist=True)
    return Folder(database, log, projections.load()).fold(task)
