"""An audit of a whole database: the file, the log, and the tables made from it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from ledger.errors import StartupError
from ledger.store import migrations
from ledger.store.audit import PROBLEMS_MAX, Problem, Verdict, verify
from ledger.store.database import Database
from ledger.store.log import Log
from ledger.store.logs import CUSTODY
from ledger.store.populations import Populations
from projections.projection import Projection


def examine(
    url: str,
    projections: Mapping[str, Projection[Any]],
    checkpoints: Sequence[tuple[int, bytes]] = (),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verdict:
    """Verify the log of a database and, where that is whole, what is made from it.

    Writes nothing. Raises StartupError if there is no ledger in the database.
    """
    database = Database(url, must_exist=True)
    try:
        migrations.require(database.engine)
        log = Log(database, lambda: 0, CUSTODY, must_exist=True)
        verdict = verify(database, log.id, checkpoints, progress)
        if verdict.ok:
            verdict.problems += _around(database, log, projections)
    except sa.exc.DBAPIError as error:
        raise StartupError(f"the database cannot be read: {type(error.orig).__name__}") from None
    finally:
        database.close()
    return verdict


def _around(
    database: Database, log: Log, projections: Mapping[str, Projection[Any]]
) -> list[Problem]:
    """What is wrong around a log that is whole: only then is it known what ought to be there."""
    try:
        found = [
            Problem(position, f"the tables of {name} do not say what the log says")
            for position, name in islice(
                Populations(database, log, projections).differences(), PROBLEMS_MAX
            )
        ]
        return found + [Problem(1, f"the file: {fault}") for fault in database.faults()]
    except sa.exc.DBAPIError:
        return [Problem(1, "the database cannot be read to the end")]
