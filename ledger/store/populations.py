"""Populations: the tables of periods of every projection that has any, made from the log.

Everything here can be thrown away and made again. A rebuild makes the next generation of tables
beside the one in use, and changes over when it has come to the same size.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import sqlalchemy as sa

from ledger.errors import LedgerError, MistakeError
from ledger.store.belonging import Belonging
from ledger.store.database import Database
from ledger.store.erasure import beside, erased_between
from ledger.store.generations import ALL_DONE, Generation, Generations, State
from ledger.store.log import Log
from ledger.store.periods import Periods, Row
from ledger.store.records import records, told_of
from ledger.store.tables import period
from ledger.v1.error_pb2 import ErrorReason
from projections.belief import Belief, Revision, SubjectEntries, revise
from projections.membership import Membership
from projections.projection import Projection

CATCH_UP_MAX = 2_000
REBUILD_SUBJECTS_MAX = 500
ATTEMPTS_MAX = 6
RETRY_S = 0.5

_KNOWN_FROM = list(period.c).index(period.c.known_from)

Added = tuple[str, Belief]
Closed = tuple[str, Membership, int]
People = dict[str, frozenset[str]]
"""By subject id, whom the record tells of."""
Progress = Callable[[int, int], None]
Answer = TypeVar("Answer")


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
        self.generations = Generations(database, log.id)
        self.periods = Periods(database, log.id, log.vault)
        self.belonging = Belonging(database, log.id, log.vault)

    def prepare(self, progress: Progress = lambda _done, _total: None) -> None:
        """See to it that every projection has live tables of its version; rebuild where not."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                self._prepare(progress)
                break
            except sa.exc.DBAPIError:
                # Another process that starts makes the same tables: let it come first.
                if attempt == ATTEMPTS_MAX:
                    raise
                threading.Event().wait(RETRY_S * attempt)

    def catch_up(self) -> int:
        """Bring the live tables to the size that the log has now; return it."""
        size = self._log.entries.size()
        self._catch_up([one for one in self.generations.all() if one.state == State.LIVE], size)
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

    def rebuild(self, name: str, progress: Progress = lambda _done, _total: None) -> Rebuilt:
        """Make the tables of a projection anew from the log, and change over to them.

        Goes on where an earlier rebuild was broken off. The new tables are put in use even where
        they differ from the old: they are what the log says. Raises MistakeError for a projection
        that has none.
        """
        projection = self._projections.get(name)
        if projection is None:
            known = ", ".join(self._projections)
            raise MistakeError(f"no projection with tables is named {name}: there are {known}")
        for one in self.generations.all():
            unwanted = one.state == State.MAKING and one.version != projection.version
            if one.projection == name and (one.state == State.RETIRED or unwanted):
                self.generations.drop(one)
        making = self.generations.find(name, State.MAKING) or self.generations.make(
            name, projection.version, self._log.entries.size()
        )
        self._build(making, progress)
        self._catch_up([making], self._log.entries.size())
        building = self.generations.get(making.number) or making
        live = self.generations.find(name, State.LIVE)
        size, differing = building.position, []
        if live and live.version == building.version:
            size = min(size, live.position)
            new, old = self.periods.digests(building, size), self.periods.digests(live, size)
            differing = [bucket for bucket, digest in enumerate(new) if digest != old[bucket]]
        digest = sha256(b"".join(self.periods.digests(building, size))).digest()
        self.generations.change_over(building)
        if live:
            self.generations.drop(live)
        return Rebuilt(name, size, digest, differing)

    def differences(self) -> Iterator[tuple[int, str]]:
        """(position, projection) where the live tables are not what the log says.

        The position is that of an entry from which on they show something else of somebody.
        """
        kept: dict[str, dict[str, set[Row]]] = {name: {} for name in self._projections}
        with self._database.snapshot() as connection:
            every = self.generations.all_on(connection)
            found = [one for one in every if one.state == State.LIVE]
            for live in found:
                for row in self.periods.rows(connection, live):
                    kept[live.projection].setdefault(row.subject, set()).add(tuple(row))
        size = self._log.entries.size()
        for live in found:
            theirs = kept[live.projection]
            wrong: set[Row] = set()
            # Of those who were erased since, and whoever was named with them, all is made anew.
            erased = erased_between(self._log, live.position, size)
            pending = beside(self._log, erased, size)
            for _, some in self._subjects(live):
                for record in some:
                    shown = theirs.pop(record.subject_id, set())
                    if not pending or pending.isdisjoint(record.names):
                        wrong |= shown ^ {
                            self.periods.row(live, record.subject_id, one)
                            for one in self._beliefs(live, record)
                        }
            wrong |= {row for rows in theirs.values() for row in rows}
            yield from ((row[_KNOWN_FROM], live.projection) for row in wrong)

    def _prepare(self, progress: Progress) -> None:
        live = {
            one.projection: one.version for one in self.generations.all() if one.state == State.LIVE
        }
        wanted = {
            name: projection.version
            for name, projection in self._projections.items()
            if live.get(name) != projection.version
        }
        if not live and not self._log.entries.size():
            self.generations.make_empty(wanted)
            return
        for name in wanted:
            self.rebuild(name, progress)

    def _catch_up(self, of: Sequence[Generation], size: int) -> None:
        """Bring tables to a size; several processes may do so at once, or drop them meanwhile."""
        numbers = {one.number for one in of}
        while behind := [
            one
            for one in self.generations.all()
            if one.number in numbers and one.position < size and one.projection in self._projections
        ]:
            # Those that have come as far as one another are taken further together: what they are
            # made from is read once.
            position = min(one.position for one in behind)
            together = [one for one in behind if one.position == position]
            self._advance(together, position, min(size, position + CATCH_UP_MAX))

    def _advance(self, of: Sequence[Generation], after: int, up_to: int) -> None:
        """Take the entries up to a position into account, unless another process has done so."""
        touched = self._log.entries.subjects_between(after, up_to)
        erased = erased_between(self._log, after, up_to)
        self._log.vault.destroy(erased)
        # What tables show of somebody who was erased, or was named beside her, is made anew at
        # every size: the texts about both are gone.
        remade = beside(self._log, erased, up_to)
        touched |= remade
        revised: list[tuple[Generation, People, list[str], list[Closed], list[Added]]] = []
        for kind, tables in self._by_subject(of).items():
            ids = [name.partition(":")[2] for name in touched if name.startswith(f"{kind}:")]
            found = records(self._log, kind, ids, up_to)
            anew = {one for one, record in found.items() if remade and remade & record.names}
            # By kind: a number may be given the id of a person.
            people = {one: told_of(record) for one, record in found.items()}
            closed: dict[str, list[Closed]] = {one.projection: [] for one in tables}
            added: dict[str, list[Added]] = {one.projection: [] for one in tables}
            for subject_id, record in found.items():
                since = 0 if subject_id in anew else after
                for name, revision in self._revise(closed, record, since).items():
                    closed[name] += ((subject_id, *one) for one in revision.closed)
                    added[name] += ((subject_id, belief) for belief in revision.added)
            revised += (
                (one, people, sorted(anew), closed[one.projection], added[one.projection])
                for one in tables
            )
        with self._database.writing() as connection:
            for one, people, anew_ids, gone, come in revised:
                if self.generations.advance(connection, one, up_to):
                    self.periods.remove(connection, one, anew_ids)
                    self.periods.close(connection, one, gone)
                    self.periods.add(connection, one, come, people)

    def _by_subject(self, of: Sequence[Generation]) -> dict[str, list[Generation]]:
        """Tables by the kind of subject that they are about."""
        found: dict[str, list[Generation]] = {}
        for one in of:
            found.setdefault(self._projections[one.projection].subject, []).append(one)
        return found

    def _build(self, building: Generation, progress: Progress) -> None:
        """Fold every subject of the log as it was when the rebuild began."""
        for done, some in self._subjects(building):
            beliefs = [
                (record.subject_id, one)
                for record in some
                for one in self._beliefs(building, record)
            ]
            people = {record.subject_id: told_of(record) for record in some}
            with self._database.writing() as connection:
                self.periods.add(connection, building, beliefs, people)
                self.generations.note_done(connection, building, done)
            progress(done, self._log.entries.term_count())
        with self._database.writing() as connection:
            self.generations.note_done(connection, building, ALL_DONE)

    def _beliefs(self, of: Generation, record: SubjectEntries) -> list[Belief]:
        """Everything that was ever believed of a subject."""
        return self._revise([of.projection], record, 0)[of.projection].added

    def _revise(
        self, names: Iterable[str], record: SubjectEntries, after: int
    ) -> dict[str, Revision]:
        wanted = [self._projections[name] for name in names]
        return revise(wanted, record, after, self._log.vault.blinded)

    def _subjects(self, of: Generation) -> Iterator[tuple[int, list[SubjectEntries]]]:
        """(number of the last, their records) of some subjects after some, from where it was."""
        projection = self._projections[of.projection]
        done = of.subject_done if of.state == State.MAKING else 0
        while some := self._log.entries.subjects(projection.subject, done, REBUILD_SUBJECTS_MAX):
            done = some[-1][0]
            ids = [name.partition(":")[2] for _, name in some]
            found = records(self._log, projection.subject, ids, of.position)
            yield done, [found[one] for one in ids]

    def _live(self, name: str) -> Generation:
        live = self.generations.find(name, State.LIVE)
        assert live is not None, f"{name} was not prepared"  # noqa: S101
        return live

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
