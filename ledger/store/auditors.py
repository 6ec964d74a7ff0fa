"""The processes that share an audit: each has a connection and a snapshot of its own.

What they look at is complete before they begin, so it is the same in every snapshot.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.errors import StartupError
from ledger.keys.keyring import Keyring
from ledger.store.audit_range import Means
from ledger.store.database import Database
from ledger.store.vault import Vault

Task = Callable[..., Any]
"""A function of a module, called with a connection, the log, the means and what else is given."""
Run = Callable[[Task, Iterable[Any]], Iterator[Any]]
"""Calls a task for each of some items, and gives what comes of them in their order."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a process finds what it is to look at."""

    url: str
    log: int
    means: Means
    """Without the vault, which is opened anew from its keyring."""
    keyring: Path | None


@contextmanager
def auditors(
    database: Database, connection: sa.Connection, log: int, means: Means, workers: int
) -> Iterator[Run]:
    """Share tasks between so many processes; with one, they are done here on the connection.

    Raises StartupError where a process ends before its work is done.
    """
    if workers <= 1:
        yield lambda task, items: (task(connection, log, means, one) for one in items)
        return
    place = _Place(
        database.url.render_as_string(hide_password=False),
        log,
        replace(means, vault=None),
        means.vault.keyring.path if means.vault else None,
    )
    # A process that is forked from one with threads may wait for ever for a lock of one of them.
    context = get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, _begin, (place,)) as pool:
            yield partial(_shared, pool, 2 * workers)
    except BrokenProcessPool:
        raise StartupError("a process of the audit has ended before its work was done") from None


def _shared(
    pool: ProcessPoolExecutor, ahead: int, task: Task, items: Iterable[Any]
) -> Iterator[Any]:
    """What comes of the items in their order; so many are given out ahead, however many come."""
    given: deque[Future[Any]] = deque()
    for item in items:
        given.append(pool.submit(_do, task, item))
        if len(given) > ahead:
            yield given.popleft().result()
    while given:
        yield given.popleft().result()


# What this process works on: set once, when it begins.
_mine: list[tuple[Database, int, Means]] = []


def _begin(place: _Place) -> None:
    # Nothing here refers to itself, and looking for what does costs a tenth of the time.
    gc.disable()
    database = Database(place.url, must_exist=True)
    vault = place.keyring and Vault(database, place.log, Keyring(place.keyring))
    _mine.append((database, place.log, replace(place.means, vault=vault or None)))


def _do(task: Task, item: Any) -> Any:
    ((database, log, means),) = _mine
    with database.snapshot() as connection:
        return task(connection, log, means, item)
