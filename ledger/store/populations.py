"""The tables of periods: who belonged to which population, as of any time, known at any size.

Everything here can be thrown away and made again from the log. A projection's tables in use are a
generation; a rebuild makes the next beside it and changes over when that is equal.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import sqlalchemy as sa

from ledger.errors import LedgerError, StartupError
from ledger.store.database import Database
from ledger.store.log import Log
from ledger.store.tables import generation, period
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry
from projections.belief import HORIZON_US, OPEN, Belief, Membership, revise
from projections.projection import Projection

CATCH_UP_MAX = 2_000
REBUILD_SUBJECTS_MAX = 500
DELETE_MAX = 20_000
BUCKETS = 256

_KNOWN_FROM = list(period.c).index(period.c.known_from)

Progress = Callable[[int, int], None]
Answer = TypeVar("Answer")
# A literal, because a partial index is not matched by a parameter.
_OPEN: sa.ColumnClause[int] = sa.literal_column(str(OPEN))


@dataclass(frozen=True, slots=True)
class Generation:
    """The tables of a projection: those in use, or those being built."""

    number: int
    projection: str
    version: int
    live: bool
    position: int
    """The size of the log that they have come to."""
    subject_done: int
    """While they are being built: the last subject done."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild: the size it was compared at, and the buckets of subjects that differed."""

    projection: str
    size: int
    digest: bytes
    differing: list[int]


class Populations:
    """The tables of every projection that has populations, for one log."""

    def __init__(
        self, database: Database, log: Log, projections: Mapping[str, Projection[Any]]
    ) -> None:
        self._database = database
        self._log = log
        self._projections = {
            name: projection for name, projection in projections.items() if projection.populations
        }
        self._moved = threading.Condition()

    def prepare(self, progress: Progress = lambda _done, _total: None) -> None:
        """See to it that every projection has live tables of its version; rebuild where not."""
        for name, projection in self._projections.items():
            live = self._find(name, live=True)
            if live is None or live.version != projection.version:
                self.rebuild(name, progress)

    def generations(self) -> list[Generation]:
        """Every generation there is."""
        with self._database.reading.connect() as connection:
            rows = connection.execute(
                sa.select(
                    generation.c.generation,
                    generation.c.projection,
                    generation.c.version,
                    generation.c.live,
                    generation.c.position,
                    generation.c.subject_done,
                )
                .where(generation.c.log == self._log.id)
                .order_by(generation.c.projection, generation.c.generation)
            )
            return [Generation(*row) for row in rows]

    def catch_up(self) -> int:
        """Bring the live tables to the size that the log has now; return it."""
        size = self._log.entries.size()
        for name in self._projections:
            while (live := self._live(name)).position < size:
                self._advance(live, min(size, live.position + CATCH_UP_MAX))
        with self._moved:
            self._moved.notify_all()
        return size

    def ask(
        self, name: str, size: int, timeout_s: float, question: Callable[[Generation], Answer]
    ) -> Answer:
        """The answer of the live tables once they have come to a size. PROJECTION_BEHIND."""
        while True:
            live = self._wait_for(name, size, timeout_s)
            answer = question(live)
            # A rebuild may have changed over, and begun to delete these tables, meanwhile.
            if self._live(name).number == live.number:
                return answer

    def _wait_for(self, name: str, size: int, timeout_s: float) -> Generation:
        live = self._live(name)
        if live.position < size:
            with self._moved:
                self._moved.wait_for(lambda: self._live(name).position >= size, timeout_s)
            live = self._live(name)
        if live.position < size:
            raise LedgerError(
                ErrorReason.ERROR_REASON_PROJECTION_BEHIND,
                f"the tables of {name} have come to size {live.position}, not to {size}",
                size=live.position,
                wanted_size=size,
            )
        return live

    def count(self, live: Generation, populations: Sequence[str], as_of_us: int, size: int) -> int:
        """How many belong to any of these populations."""
        found = self._holding(live, populations, as_of_us, size).subquery()
        with self._database.reading.connect() as connection:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()
            )

    def page(
        self,
        live: Generation,
        populations: Sequence[str],
        as_of_us: int,
        size: int,
        after: str,
        limit: int,
    ) -> list[tuple[str, bytes]]:
        """The first (subject id, state) after a subject id that belong to any of these."""
        found = self._holding(live, populations, as_of_us, size).subquery()
        with self._database.reading.connect() as connection:
            rows = connection.execute(
                sa.select(found.c.subject, found.c.state)
                .where(found.c.subject > after)
                .order_by(found.c.subject)
                .limit(limit)
            )
            return [(subject, state) for subject, state in rows]

    def is_known(self, live: Generation, populations: Sequence[str], size: int) -> bool:
        """Whether anybody was ever believed to belong to any of these, as known at a size."""
        with self._database.reading.connect() as connection:
            return bool(
                connection.execute(
                    sa.select(period.c.subject)
                    .where(
                        *self._of(live.number),
                        period.c.population.in_(populations),
                        period.c.known_from <= size,
                    )
                    .limit(1)
                ).first()
            )

    def rebuild(self, name: str, progress: Progress = lambda _done, _total: None) -> Rebuilt:
        """Make the tables of a projection anew from the log, and change over to them.

        Goes on where an earlier rebuild was broken off. The new tables are put in use even where
        they differ from the old: they are what the log says.
        """
        if name not in self._projections:
            raise StartupError(
                f"no projection with tables is named {name}: there are "
                + ", ".join(self._projections)
            )
        building = self._find(name, live=False) or self._make(name)
        if building.version != self._projections[name].version:
            self._drop(building)
            building = self._make(name)
        self._build(building, progress)
        live = self._find(name, live=True)
        size = self._log.entries.size()
        number = building.number
        while (building := self._get(number)).position < size:
            self._advance(building, min(size, building.position + CATCH_UP_MAX))
        same_version = live is not None and live.version == building.version
        size = min(building.position, live.position) if live and same_version else building.position
        digests = self.digests(building, size)
        differing = []
        if live and same_version:
            before = self.digests(live, size)
            differing = [i for i in range(BUCKETS) if before[i] != digests[i]]
        with self._database.writing() as connection:
            self._mark(connection, generation.c.projection == name, live=False)
            self._mark(connection, generation.c.generation == number, live=True)
        if live:
            self._drop(live)
        return Rebuilt(name, size, sha256(b"".join(digests)).digest(), differing)

    def digests(self, of: Generation, size: int) -> list[bytes]:
        """One SHA-256 for each bucket of subjects, over what was believed up to a size.

        Two generations that came to the same size by different ways have the same.
        """
        buckets: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        with self._database.reading.connect().execution_options(yield_per=5_000) as connection:
            for row in connection.execute(
                sa.select(period).where(*self._of(of.number), period.c.known_from <= size)
            ):
                known_to = row.known_to if row.known_to <= size else OPEN
                key = (row.population, row.subject, row.valid_from, row.valid_to, row.known_from)
                line = repr((*key, known_to)).encode() + row.state
                bucket = sha256(row.subject.encode()).digest()[0]
                buckets[bucket].append(sha256(line).digest())
        return [sha256(b"".join(sorted(bucket))).digest() for bucket in buckets]

    def differences(self) -> Iterator[tuple[int, str]]:
        """(position, projection) where the live tables are not what the log says.

        The position is that of an entry from which on they show something else of somebody.
        """
        for name in self._projections:
            live = self._live(name)
            kept: dict[str, set[tuple[Any, ...]]] = {}
            with self._database.reading.connect() as connection:
                for row in connection.execute(sa.select(period).where(*self._of(live.number))):
                    kept.setdefault(row.subject, set()).add(tuple(row))
            wrong = [
                row
                for subject_id, wanted in self._fresh_rows(live)
                for row in wanted ^ kept.pop(subject_id, set())
            ]
            wrong += (row for rows in kept.values() for row in rows)
            yield from ((row[_KNOWN_FROM], name) for row in wrong)

    def _fresh_rows(self, of: Generation) -> Iterator[tuple[str, set[tuple[Any, ...]]]]:
        """For each subject the rows that a rebuild would make."""
        projection = self._projections[of.projection]
        done = 0
        while some := self._log.entries.subjects(projection.subject, done, REBUILD_SUBJECTS_MAX):
            done = some[-1][0]
            names = [name for _, name in some]
            for _, subject_id, entries in self._entries(names, of.position):
                beliefs = revise(projection, subject_id, entries, 0, {})[1]
                rows = self._rows(of.number, subject_id, beliefs)
                yield subject_id, {tuple(row[column.name] for column in period.c) for row in rows}

    def _build(self, building: Generation, progress: Progress) -> None:
        """Fold every subject of the log as it was when the rebuild began."""
        projection = self._projections[building.projection]
        done = building.subject_done
        while some := self._log.entries.subjects(projection.subject, done, REBUILD_SUBJECTS_MAX):
            names = [name for _, name in some]
            rows = [
                row
                for _, subject_id, entries in self._entries(names, building.position)
                for row in self._rows(
                    building.number, subject_id, revise(projection, subject_id, entries, 0, {})[1]
                )
            ]
            done = some[-1][0]
            with self._database.writing() as connection:
                if rows:
                    connection.execute(sa.insert(period), rows)
                connection.execute(
                    sa.update(generation)
                    .where(
                        generation.c.log == self._log.id,
                        generation.c.generation == building.number,
                    )
                    .values(subject_done=done)
                )
            progress(done, self._log.entries.term_count())

    def _advance(self, of: Generation, up_to: int) -> None:
        """Take the entries up to a position into account, unless another process has done so."""
        projection = self._projections[of.projection]
        prefix = f"{projection.subject}:"
        names = [
            name
            for name in self._log.entries.subjects_between(of.position, up_to)
            if name.startswith(prefix)
        ]
        believed = self._believed(of, [name.removeprefix(prefix) for name in names])
        closed: list[dict[str, Any]] = []
        added: list[dict[str, Any]] = []
        for _, subject_id, entries in self._entries(names, up_to):
            gone, come = revise(
                projection, subject_id, entries, of.position, believed.get(subject_id, {})
            )
            closed += (
                {
                    "b_population": one.membership.population,
                    "b_valid_from": one.membership.valid_from,
                    "b_subject": subject_id,
                    "b_known_from": one.known_from,
                    "b_known_to": one.known_to,
                }
                for one in gone
            )
            added += self._rows(of.number, subject_id, come)
        with self._database.writing() as connection:
            moved = connection.execute(
                sa.update(generation)
                .where(
                    generation.c.log == self._log.id,
                    generation.c.generation == of.number,
                    generation.c.position == of.position,
                )
                .values(position=up_to)
            )
            if moved.rowcount != 1:
                return
            if closed:
                connection.execute(
                    sa.update(period)
                    .where(
                        *self._of(of.number),
                        period.c.population == sa.bindparam("b_population"),
                        period.c.valid_from == sa.bindparam("b_valid_from"),
                        period.c.subject == sa.bindparam("b_subject"),
                        period.c.known_from == sa.bindparam("b_known_from"),
                    )
                    .values(known_to=sa.bindparam("b_known_to")),
                    closed,
                )
            if added:
                connection.execute(sa.insert(period), added)

    def _entries(
        self, names: Sequence[str], up_to: int
    ) -> Iterator[tuple[str, str, list[tuple[int, Entry]]]]:
        """(name, subject id, entries) of subjects."""
        for name, stored in self._log.entries.about(names, up_to).items():
            entries = [(one.position, Entry.FromString(one.data)) for one in stored]
            yield name, name.partition(":")[2], entries

    def _believed(
        self, of: Generation, subject_ids: Sequence[str]
    ) -> dict[str, dict[Membership, int]]:
        """For each subject the memberships that are still believed, with the size since when."""
        found: dict[str, dict[Membership, int]] = {}
        with self._database.reading.connect() as connection:
            rows = connection.execute(
                sa.select(period).where(
                    *self._of(of.number),
                    period.c.subject.in_(subject_ids),
                    period.c.known_to == _OPEN,
                )
            )
            for row in rows:
                membership = Membership(row.population, row.valid_from, row.valid_to, row.state)
                found.setdefault(row.subject, {})[membership] = row.known_from
        return found

    def _rows(
        self, number: int, subject_id: str, beliefs: Sequence[Belief]
    ) -> Iterator[dict[str, Any]]:
        for one in beliefs:
            yield {
                "log": self._log.id,
                "generation": number,
                "population": one.membership.population,
                "valid_from": one.membership.valid_from,
                "subject": subject_id,
                "known_from": one.known_from,
                "valid_to": one.membership.valid_to,
                "known_to": one.known_to,
                "state": one.membership.state,
            }

    def _holding(
        self, live: Generation, populations: Sequence[str], as_of_us: int, size: int
    ) -> sa.CompoundSelect[Any]:
        """Those that hold as of an instant, known at a size: ended ones, and ones without end."""
        columns = sa.select(period.c.subject, period.c.state).where(
            *self._of(live.number),
            period.c.population.in_(populations),
            period.c.known_from <= size,
            period.c.known_to > size,
            period.c.valid_from <= as_of_us,
        )
        ended = columns.where(
            period.c.valid_from > as_of_us - HORIZON_US,
            period.c.valid_to > as_of_us,
            period.c.valid_to < _OPEN,
        )
        return sa.union_all(ended, columns.where(period.c.valid_to == _OPEN))

    def _of(self, number: int) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return period.c.log == self._log.id, period.c.generation == number

    def _find(self, name: str, *, live: bool) -> Generation | None:
        return next(
            (one for one in self.generations() if (one.projection, one.live) == (name, live)), None
        )

    def _live(self, name: str) -> Generation:
        live = self._find(name, live=True)
        assert live is not None, f"{name} was not prepared"  # noqa: S101
        return live

    def _get(self, number: int) -> Generation:
        return next(one for one in self.generations() if one.number == number)

    def _make(self, name: str) -> Generation:
        """New, empty tables that are to come to the size that the log has now."""
        size = self._log.entries.size()
        with self._database.writing() as connection:
            number = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(generation.c.generation), 0) + 1).where(
                    generation.c.log == self._log.id
                )
            ).scalar_one()
            connection.execute(
                sa.insert(generation).values(
                    log=self._log.id,
                    generation=number,
                    projection=name,
                    version=self._projections[name].version,
                    live=False,
                    position=size,
                    subject_done=0,
                )
            )
        return self._get(number)

    def _mark(
        self, connection: sa.Connection, which: sa.ColumnElement[bool], *, live: bool
    ) -> None:
        connection.execute(
            sa.update(generation).where(generation.c.log == self._log.id, which).values(live=live)
        )

    def _drop(self, of: Generation) -> None:
        """Delete a generation, some rows at a time, so that nobody waits for it."""
        keys = (period.c.population, period.c.valid_from, period.c.subject, period.c.known_from)
        while True:
            some = sa.select(*keys).where(*self._of(of.number)).limit(DELETE_MAX)
            with self._database.writing() as connection:
                if not connection.execute(
                    sa.delete(period).where(*self._of(of.number), sa.tuple_(*keys).in_(some))
                ).rowcount:
                    break
        with self._database.writing() as connection:
            connection.execute(
                sa.delete(generation).where(
                    generation.c.log == self._log.id, generation.c.generation == of.number
                )
            )
