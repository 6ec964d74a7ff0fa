"""The rows of the tables: who belonged to which population, over which time, known at which sizes.

Rows are closed and added, never patched, so a size is a snapshot here too.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from ledger.store.bulk import insert
from ledger.store.database import Database
from ledger.store.digests import Row, Sums
from ledger.store.entries import chunks
from ledger.store.folding import Change
from ledger.store.generations import Generation
from ledger.store.statement import Statement
from ledger.store.tables import period
from ledger.store.vault import Vault
from projections.membership import OPEN

READ_MAX = 5_000

# Of one subject a population shows one thing at a time.
_CLOSE = Statement(
    "UPDATE period SET known_to = ? WHERE log = ? AND generation = ? AND population = ? "
    "AND valid_from = ? AND subject = ? AND known_to = ?"
)
_KEY = itemgetter(slice(0, 6))


class Periods:
    """The periods of one log. On disk a state is sealed under the keys of whom it tells of."""

    def __init__(self, database: Database, log: int, vault: Vault) -> None:
        self._database = database
        self._log = log
        self._vault = vault

    def write(self, connection: sa.Connection, of: Generation, changes: Sequence[Change]) -> None:
        """Bring a table from one size to another."""
        for change in changes:
            for some in chunks(change.anew):
                connection.execute(
                    sa.delete(period).where(*self._of(of), period.c.subject.in_(some))
                )
        if closed := [(*row, OPEN) for change in changes for row in change.closed]:
            _CLOSE.on_each(connection, closed)
        if added := [row for change in changes for row in change.added]:
            insert(connection, period, sorted(added, key=_KEY))

    def rows(self, connection: sa.Connection, of: Generation) -> Iterator[Row]:
        """Every row that a connection in a transaction sees, its state in plain."""
        found = connection.execute(
            sa.select(period).where(*self._of(of)), execution_options={"yield_per": READ_MAX}
        )
        for some in found.partitions():
            yield from self._plain(some)

    def digests(self, of: Generation, size: int) -> list[bytes]:
        """One digest for each bucket of subjects, over what was believed up to a size.

        Two generations that came to the same size by different ways have the same.
        """
        sums = Sums()
        with self._database.snapshot() as connection:
            for row in self.rows(connection, of):
                if row.known_from <= size:
                    known_to = row.known_to if row.known_to <= size else OPEN
                    sums.add(row._replace(known_to=known_to))
        return sums.digests()

    def _plain(self, rows: Sequence[sa.Row[Any]]) -> Iterator[Row]:
        """Rows of the table with their states in plain."""
        states = self._vault.open_states((row.subject, row.state) for row in rows)
        for row, state in zip(rows, states, strict=True):
            yield Row._make((*row[:-1], state))

    def _of(self, of: Generation) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return period.c.log == self._log, period.c.generation == of.number
