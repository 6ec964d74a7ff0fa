"""The rows of the tables: who belonged to which population, over which time, known at which sizes.

Rows are closed and added, never patched, so a size is a snapshot here too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import sqlalchemy as sa

from ledger.store.database import Database
from ledger.store.entries import chunks
from ledger.store.generations import Generation
from ledger.store.tables import period
from ledger.store.vault import State, Vault
from projections.belief import Belief
from projections.membership import OPEN, Membership

BUCKETS = 256
READ_MAX = 5_000

# A literal, because a partial index is not matched by a parameter.
_OPEN: sa.ColumnClause[int] = sa.literal_column(str(OPEN))

Row = tuple[Any, ...]


class PlainRow(NamedTuple):
    """A row of the table, its state in plain; the columns in the order of the table."""

    log: int
    generation: int
    population: str
    valid_from: int
    subject: str
    known_from: int
    valid_to: int
    known_to: int
    state: bytes


class Periods:
    """The periods of one log. On disk a state is sealed under the keys of whom it tells of."""

    def __init__(self, database: Database, log: int, vault: Vault) -> None:
        self._database = database
        self._log = log
        self._vault = vault

    def add(
        self,
        connection: sa.Connection,
        of: Generation,
        beliefs: Iterable[tuple[str, Belief]],
        people: Mapping[str, frozenset[str]],
    ) -> None:
        """Add the beliefs of subjects; `people` says whom the record of each tells of."""
        plain = [PlainRow(*self.row(of, subject_id, one)) for subject_id, one in beliefs]
        states = self._vault.close_states(
            State(row.subject, people[row.subject], row.state) for row in plain
        )
        if plain:
            rows = zip(plain, states, strict=True)
            connection.execute(
                sa.insert(period), [row._replace(state=state)._asdict() for row, state in rows]
            )

    def remove(self, connection: sa.Connection, of: Generation, subject_ids: Sequence[str]) -> None:
        """Take out everything that tables show of subjects, at whatever size."""
        for some in chunks(subject_ids):
            connection.execute(sa.delete(period).where(*self._of(of), period.c.subject.in_(some)))

    def close(
        self,
        connection: sa.Connection,
        of: Generation,
        closed: Iterable[tuple[str, Membership, int]],
    ) -> None:
        """Give memberships of subjects the size from which they are no longer believed."""
        rows = [
            {
                "its_population": one.population,
                "its_valid_from": one.valid_from,
                "its_subject": subject_id,
                "ended": known_to,
            }
            for subject_id, one, known_to in closed
        ]
        if rows:
            connection.execute(
                sa.update(period)
                .where(
                    *self._of(of),
                    period.c.population == sa.bindparam("its_population"),
                    period.c.valid_from == sa.bindparam("its_valid_from"),
                    period.c.subject == sa.bindparam("its_subject"),
                    # Of one subject a population shows one thing at a time.
                    period.c.known_to == _OPEN,
                )
                .values(known_to=sa.bindparam("ended")),
                rows,
            )

    def row(self, of: Generation, subject_id: str, belief: Belief) -> Row:
        """A belief as its row, in the order of the columns, its state in plain."""
        membership = belief.membership
        return (
            self._log,
            of.number,
            membership.population,
            membership.valid_from,
            subject_id,
            belief.known_from,
            membership.valid_to,
            belief.known_to,
            membership.state,
        )

    def rows(self, connection: sa.Connection, of: Generation) -> Iterator[PlainRow]:
        """Every row that a connection in a transaction sees, its state in plain."""
        found = connection.execute(
            sa.select(period).where(*self._of(of)), execution_options={"yield_per": READ_MAX}
        )
        for some in found.partitions():
            yield from self._plain(some)

    def digests(self, of: Generation, size: int) -> list[bytes]:
        """One SHA-256 for each bucket of subjects, over what was believed up to a size.

        Two generations that came to the same size by different ways have the same.
        """
        buckets: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        with self._database.snapshot() as connection:
            for row in self.rows(connection, of):
                if row.known_from > size:
                    continue
                known_to = row.known_to if row.known_to <= size else OPEN
                key = (row.population, row.subject, row.valid_from, row.valid_to, row.known_from)
                line = repr((*key, known_to)).encode() + row.state
                bucket = sha256(row.subject.encode()).digest()[0]
                buckets[bucket].append(sha256(line).digest())
        return [sha256(b"".join(sorted(bucket))).digest() for bucket in buckets]

    def _plain(self, rows: Sequence[sa.Row[Any]]) -> Iterator[PlainRow]:
        """Rows of the table with their states in plain."""
        states = self._vault.open_states((row.subject, row.state) for row in rows)
        for row, state in zip(rows, states, strict=True):
            yield PlainRow._make((*row[:-1], state))

    def _of(self, of: Generation) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return period.c.log == self._log, period.c.generation == of.number
