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
from ledger.store.tables import IS_LONG, IS_SHORT, period
from ledger.store.vault import State, Vault
from projections.belief import Belief
from projections.membership import HORIZON_US, OPEN, Membership

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

    def count(self, of: Generation, populations: Sequence[str], as_of_us: int, size: int) -> int:
        """How many belong to any of these populations."""
        found = self._holding(of, _any(populations), as_of_us, size).subquery()
        subjects = sa.select(sa.func.count(sa.distinct(found.c.subject)))
        with self._database.reading.connect() as connection:
            return int(connection.execute(subjects).scalar_one())

    def counts(self, of: Generation, prefix: str, as_of_us: int, size: int) -> dict[str, int]:
        """How many belong to each population whose name begins so; a prefix ends with ":"."""
        found = self._holding(of, _beginning(prefix), as_of_us, size).subquery()
        rows = sa.select(found.c.population, sa.func.count()).group_by(found.c.population)
        with self._database.reading.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(rows)}

    def page(
        self,
        of: Generation,
        populations: Sequence[str],
        as_of_us: int,
        size: int,
        after: str,
        limit: int | None,
    ) -> list[tuple[str, bytes]]:
        """The first (subject id, state) after a subject id that belong to any of these."""
        found = self._holding(of, _any(populations), as_of_us, size).subquery()
        with self._database.reading.connect() as connection:
            rows = connection.execute(
                sa.select(found.c.subject, found.c.state)
                .where(found.c.subject > after)
                .order_by(found.c.subject)
                .limit(limit)
            )
            return self._opened(rows)

    def all(
        self, of: Generation, populations: Sequence[str], as_of_us: int, size: int
    ) -> list[tuple[str, bytes]]:
        """Every (subject id, state) that belongs to any of these, by subject id."""
        return self.page(of, populations, as_of_us, size, "", None)

    def members(
        self, of: Generation, populations: Sequence[str], as_of_us: int, size: int
    ) -> dict[str, list[tuple[str, bytes]]]:
        """For each of these populations that has any its (subject id, state), by subject id."""
        found: dict[str, list[tuple[str, bytes]]] = {}
        with self._database.reading.connect() as connection:
            for some in chunks(sorted(populations)):
                held = self._holding(of, _any(some), as_of_us, size).subquery()
                rows = sa.select(held.c.population, held.c.subject, held.c.state).order_by(
                    held.c.population, held.c.subject
                )
                held_by = list(connection.execute(rows))
                opened = self._opened((row.subject, row.state) for row in held_by)
                for row, one in zip(held_by, opened, strict=True):
                    found.setdefault(row.population, []).append(one)
        return found

    def shared(
        self, of: Generation, prefix: str, as_of_us: int, size: int
    ) -> dict[str, list[tuple[str, bytes]]]:
        """The populations whose name begins so that several belong to; a prefix ends with ":"."""
        found = self._holding(of, _beginning(prefix), as_of_us, size).subquery()
        names = (
            sa.select(found.c.population)
            .group_by(found.c.population)
            .having(sa.func.count(sa.distinct(found.c.subject)) > 1)
        )
        with self._database.reading.connect() as connection:
            shared = list(connection.execute(names).scalars())
        return self.members(of, shared, as_of_us, size)

    def is_known(self, of: Generation, populations: Sequence[str], size: int) -> bool:
        """Whether anybody was ever believed to belong to any of these, as known at a size."""
        ever = sa.select(period.c.subject).where(
            *self._of(of), _any(populations), period.c.known_from <= size
        )
        with self._database.reading.connect() as connection:
            return connection.execute(ever.limit(1)).first() is not None

    def ever(self, of: Generation, populations: Sequence[str], size: int) -> list[str]:
        """Everybody who belonged to any of these at whatever time, as believed at a size."""
        with self._database.reading.connect() as connection:
            return list(
                connection.execute(
                    sa.select(period.c.subject)
                    .distinct()
                    .where(
                        *self._of(of),
                        period.c.population.in_(populations),
                        period.c.known_from <= size,
                        period.c.known_to > size,
                    )
                ).scalars()
            )

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

    def _holding(
        self, of: Generation, meant: sa.ColumnElement[bool], as_of_us: int, size: int
    ) -> sa.CompoundSelect[Any]:
        """Those that hold as of an instant, known at a size: short ones, and long ones."""
        columns = sa.select(period.c.population, period.c.subject, period.c.state).where(
            *self._of(of),
            meant,
            period.c.known_from <= size,
            period.c.known_to > size,
            period.c.valid_from <= as_of_us,
        )
        ended = columns.where(
            period.c.valid_from > as_of_us - HORIZON_US,
            period.c.valid_to > as_of_us,
            IS_SHORT,
        )
        return sa.union_all(ended, columns.where(IS_LONG, period.c.valid_to > as_of_us))

    def _opened(self, rows: Iterable[Any]) -> list[tuple[str, bytes]]:
        """(subject id, state in plain) of (subject id, state)."""
        kept = [(subject, state) for subject, state in rows]
        states = self._vault.open_states(kept)
        return [(subject, state) for (subject, _), state in zip(kept, states, strict=True)]

    def _plain(self, rows: Sequence[sa.Row[Any]]) -> Iterator[PlainRow]:
        """Rows of the table with their states in plain."""
        states = self._vault.open_states((row.subject, row.state) for row in rows)
        for row, state in zip(rows, states, strict=True):
            yield PlainRow._make((*row[:-1], state))

    def _of(self, of: Generation) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return period.c.log == self._log, period.c.generation == of.number


def _any(populations: Sequence[str]) -> sa.ColumnElement[bool]:
    return period.c.population.in_(populations)


def _beginning(prefix: str) -> sa.ColumnElement[bool]:
    # Compared byte by byte, ";" is what follows ":".
    return sa.and_(
        period.c.population >= prefix, period.c.population < f"{prefix.removesuffix(':')};"
    )
