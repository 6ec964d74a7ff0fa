"""Generations: the tables of a projection that are in use, being made, or no longer wanted."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from ledger.store.database import Database
from ledger.store.statement import Statement
from ledger.store.tables import generation, head, period

DELETE_MAX = 20_000

# Of tables that have every subject: what is left is to catch up.
ALL_DONE = 2**63 - 1

_FIND = Statement(
    "SELECT generation, version, position, subject_done FROM generation "
    "WHERE log = ? AND projection = ? AND state = ? ORDER BY generation"
)


class State(StrEnum):
    """What tables are there for."""

    MAKING = "making"
    LIVE = "live"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Generation:
    """Tables of a projection."""

    number: int
    projection: str
    version: int
    state: State
    position: int
    """The size of the log that they have come to."""
    subject_done: int
    """While they are being made: the number of the last subject done, or ALL_DONE."""


class Generations:
    """The generations of one log."""

    def __init__(self, database: Database, log: int) -> None:
        self._database = database
        self._log = log

    def all(self) -> list[Generation]:
        """Every generation there is."""
        with self._database.reading.connect() as connection:
            return self.all_on(connection)

    def all_on(self, connection: sa.Connection) -> list[Generation]:
        """Every generation that a connection sees."""
        columns = (
            generation.c.generation,
            generation.c.projection,
            generation.c.version,
            generation.c.state,
            generation.c.position,
            generation.c.subject_done,
        )
        rows = connection.execute(
            sa.select(*columns)
            .where(generation.c.log == self._log)
            .order_by(generation.c.projection, generation.c.generation)
        )
        return [Generation(*row[:3], State(row.state), *row[4:]) for row in rows]

    def find(self, projection: str, state: State) -> Generation | None:
        """The tables of a projection that are in this state."""
        rows = self._database.readers.ask(_FIND, self._log, projection, state.value)
        return next(
            (
                Generation(number, projection, version, state, position, subject_done)
                for number, version, position, subject_done in rows
            ),
            None,
        )

    def get(self, number: int) -> Generation | None:
        """The tables of a number; None: they have been dropped."""
        return next((one for one in self.all() if one.number == number), None)

    def make(self, projection: str, version: int, size: int) -> Generation:
        """New, empty tables that are to come to a size; or those that are being made already."""
        with self._alone() as connection:
            for one in self.all_on(connection):
                wanted = (projection, version, State.MAKING)
                if (one.projection, one.version, one.state) == wanted:
                    return one
            return self._make(connection, projection, version, State.MAKING, size)

    def make_empty(self, versions: Mapping[str, int]) -> None:
        """Tables in use of a log that has no entries: there is nothing to make them from."""
        with self._alone() as connection:
            if self.all_on(connection):
                return
            for projection, version in versions.items():
                self._make(connection, projection, version, State.LIVE, 0)

    @contextmanager
    def _alone(self) -> Iterator[sa.Connection]:
        """A transaction under the head row: of two processes that make tables one comes first."""
        with self._database.writing() as connection:
            connection.execute(
                sa.select(head.c.size).where(head.c.log == self._log).with_for_update()
            )
            yield connection

    def _make(
        self, connection: sa.Connection, projection: str, version: int, state: State, size: int
    ) -> Generation:
        number = connection.execute(
            sa.select(sa.func.coalesce(sa.func.max(generation.c.generation), 0) + 1).where(
                generation.c.log == self._log
            )
        ).scalar_one()
        made = Generation(number, projection, version, state, size, 0)
        connection.execute(
            sa.insert(generation).values(
                log=self._log,
                generation=made.number,
                projection=made.projection,
                version=made.version,
                state=made.state,
                position=made.position,
                subject_done=made.subject_done,
            )
        )
        return made

    def advance(self, connection: sa.Connection, of: Generation, up_to: int) -> bool:
        """Note that tables have come to a position, unless another process has moved them."""
        moved = connection.execute(
            sa.update(generation)
            .where(*self._is(of), generation.c.position == of.position)
            .values(position=up_to)
        )
        return moved.rowcount == 1

    def note_done(self, connection: sa.Connection, of: Generation, subject: int) -> bool:
        """Note the last subject that tables have, unless another process makes them as well."""
        moved = connection.execute(
            sa.update(generation)
            .where(*self._is(of), generation.c.subject_done == of.subject_done)
            .values(subject_done=subject)
        )
        return moved.rowcount == 1

    def change_over(self, to: int) -> None:
        """Put tables in use; those that were are no longer wanted."""
        it = (generation.c.log == self._log, generation.c.generation == to)
        with self._database.writing() as connection:
            put = connection.execute(
                sa.update(generation)
                .where(*it, generation.c.state == State.MAKING)
                .values(state=State.LIVE)
                .returning(generation.c.projection)
            )
            # None: another process has put them in use, or thrown them away.
            if (projection := put.scalar_one_or_none()) is not None:
                connection.execute(
                    sa.update(generation)
                    .where(
                        generation.c.log == self._log,
                        generation.c.projection == projection,
                        generation.c.state == State.LIVE,
                        generation.c.generation != to,
                    )
                    .values(state=State.RETIRED)
                )

    def drop_some(self, of: Generation) -> bool:
        """Delete some of the rows of tables, and with the last the tables; whether more are left.

        So many that nobody has to wait for it.
        """
        keys = (period.c.population, period.c.valid_from, period.c.subject, period.c.known_from)
        theirs = (period.c.log == self._log, period.c.generation == of.number)
        # Up to a bound in the order of the key: a list of keys is planned badly by PostgreSQL.
        beyond = sa.select(*keys).where(*theirs).order_by(*keys).offset(DELETE_MAX).limit(1)
        with self._database.writing() as connection:
            bound = connection.execute(beyond).one_or_none()
            some = sa.tuple_(*keys) < tuple(bound) if bound else sa.true()
            connection.execute(sa.delete(period).where(*theirs, some))
            if bound is None:
                connection.execute(sa.delete(generation).where(*self._is(of)))
        return bound is not None

    def drop(self, of: Generation) -> None:
        """Delete tables, in as many portions as it takes."""
        while self.drop_some(of):
            pass

    def _is(self, of: Generation) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return generation.c.log == self._log, generation.c.generation == of.number
