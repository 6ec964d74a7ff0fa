"""An audit of a whole database: the file, the logs, and the tables made from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.errors import StartupError
from ledger.keys.keyring import Keyring
from ledger.keys.writers import Writers
from ledger.store import migrations
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import Database
from ledger.store.log import Log
from ledger.store.logs import ACCESS, CUSTODY, find_or_make
from ledger.store.populations import Populations
from ledger.store.suspect import access_leaf
from ledger.store.verdict import PROBLEMS_MAX, Problem, Verdict
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Examined:
    """The outcome of an audit of a database."""

    custody: Verdict
    accesses: Verdict | None
    """None: the access log is kept in another database."""
    has_keys: bool
    """Whether sealed fields, and the tables, which are made of what they say, were looked at."""


def examine(
    url: str,
    projections: Mapping[str, Projection[Any]],
    checkpoints: Sequence[tuple[int, bytes]] = (),
    *,
    keys: Path | None = None,
    writers: Writers | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Examined:
    """Verify the logs of a database and, where they are whole, what is made from them.

    `keys`: as in `Ledger`; where there are none, what is sealed stays closed. `writers`: the keys
    of agencies that sign, as they gave them to the auditor. `workers`: as in `verify`. Writes
    nothing. Raises StartupError if there is no ledger in the database.
    """
    database = Database(url, must_exist=True)
    try:
        migrations.require(database.engine)
        log = _log(database, keys)
        number = log.id if log else find_or_make(database, CUSTODY, must_exist=True)
        means = Means(checkpoints=checkpoints, vault=log.vault if log else None, writers=writers)
        verdict = verify(database, number, means, progress, workers=workers)
        accesses = _verify_accesses(database, workers)
        if verdict.ok:
            verdict.problems += _around(database, log, projections)
    except sa.exc.DBAPIError as error:
        raise StartupError(f"the database cannot be read: {type(error.orig).__name__}") from None
    finally:
        database.close()
    return Examined(verdict, accesses, has_keys=log is not None)


def _log(database: Database, keys: Path | None) -> Log | None:
    """The custody log with its keys; None: an auditor who is not to open anything has none."""
    try:
        path = database.keys_file(keys)
    except StartupError:
        return None
    if not path.exists():
        return None
    return Log(database, lambda: 0, Keyring(path), CUSTODY, must_exist=True)


def _verify_accesses(database: Database, workers: int | None) -> Verdict | None:
    try:
        number = find_or_make(database, ACCESS, must_exist=True)
    except StartupError:
        return None
    return verify(database, number, Means(access_leaf), workers=workers)


def _around(
    database: Database, log: Log | None, projections: Mapping[str, Projection[Any]]
) -> list[Problem]:
    """What is wrong around a log that is whole: only then is it known what ought to be there."""
    try:
        found = []
        if log is not None:
            found = [
                Problem(position, f"the tables of {name} do not say what the log says")
                for position, name in islice(
                    Populations(database, log, projections).differences(), PROBLEMS_MAX
                )
            ]
        return found + [Problem(1, f"the file: {fault}") for fault in database.faults()]
    except sa.exc.DBAPIError:
        return [Problem(1, "the database cannot be read to the end")]
