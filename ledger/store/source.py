"""The custody log of a database that is only read, or of a backup of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger.errors import StartupError
from ledger.store import migrations
from ledger.store.database import Database
from ledger.store.entries import Entries
from ledger.store.logs import CUSTODY, find_or_make
from ledger.store.tree import Tree


@contextmanager
def source(url: str) -> Iterator[tuple[Entries, Tree]]:
    """The entries and the tree, whether or not the database is being served.

    Raises StartupError where there is no ledger in it, or it cannot be read.
    """
    database = Database(url, must_exist=True)
    try:
        migrations.require(database.engine)
        number = find_or_make(database, CUSTODY, must_exist=True)
        yield Entries(database, number), Tree(database, number)
    except sa.exc.DBAPIError as error:
        raise StartupError(f"the database cannot be read: {type(error.orig).__name__}") from None
    finally:
        database.close()
