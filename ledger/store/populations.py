"""Populations: the tables of periods of every projection that has any, made from the log.

Everything here can be thrown away and made again. A rebuild makes the next generation of tables
beside the one in use, and changes over when it has come to the same size.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import sqlalchemy as sa

from ledger.errors import LedgerError, MistakeError
from ledger.store.database import Database
from ledger.store.generations import ALL_DONE, Generation, Generations, State
from ledger.store.log import Log
from ledger.store.periods import Periods, Row
from ledger.store.tables import period
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry
from projections.belief import Belief, revise
from projections.projection import Projection

CATCH_UP_MAX = 2_000
REBUILD_SUBJECTS_MAX = 500
ATTEMPTS_MAX = 6
RETRY_S = 0.5

_KNOWN_FROM = list(period.c).index(period.c.known_from)

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
        self.periods = Periods(database, log.id)

    def prepare(self, progress: Progress = lambda _done, _total: None) -> None:
        """See to it that every projection has live tables of its version; rebuild where not."""
        for name in self._projections:
            for attempt in range(1, ATTEMPTS_MAX + 1):
                try:
                    self._prepare(name, progress)
                    break
                except sa.exc.DBAPIError:
                    # Another process that starts makes the same tables: let it come first.
                    if attempt == ATTEMPTS_MAX:
                        raise
                    threading.Event().wait(RETRY_S * attempt)

    def catch_up(self) -> int:
        """Bring the live tables to the size that the log has now; return it."""
        size = self._log.entries.size()
        for name in self._projections:
            if live := self.generations.find(name, State.LIVE):
                self._catch_up(live, size)
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
        building = self._catch_up(making, self._log.entries.size())
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
        for live in found:
            theirs = kept[live.projection]
            wrong: set[Row] = set()
            for _, some in self._subjects(live):
                for subject_id, entries in some:
                    wanted = {
                        self.periods.row(live, subject_id, one)
                        for one in self._beliefs(live, subject_id, entries)
                    }
                    wrong |= wanted ^ theirs.pop(subject_id, set())
            wrong |= {row for rows in theirs.values() for row in rows}
            yield from ((row[_KNOWN_FROM], live.projection) for row in wrong)

    def _prepare(self, name: str, progress: Progress) -> None:
        live = self.generations.find(name, State.LIVE)
        if live is None or live.version != self._projections[name].version:
            self.rebuild(name, progress)

    def _catch_up(self, of: Generation, size: int) -> Generation:
        """Bring tables to a size; several processes may do so at once, or drop them meanwhile."""
        while (now := self.generations.get(of.number)) and now.position < size:
            self._advance(now, min(size, now.position + CATCH_UP_MAX))
        return now or of

    def _advance(self, of: Generation, up_to: int) -> None:
        """Take the entries up to a position into account, unless another process has done so."""
        projection = self._projections[of.projection]
        prefix = f"{projection.subject}:"
        touched = self._log.entries.subjects_between(of.position, up_to)
        subject_ids = [name.removeprefix(prefix) for name in touched if name.startswith(prefix)]
        believed = self.periods.believed(of, subject_ids)
        closed: list[tuple[str, Belief]] = []
        added: list[tuple[str, Belief]] = []
        for subject_id, entries in self._entries(projection, subject_ids, up_to):
            known = believed.get(subject_id, {})
            gone, come = revise(projection, subject_id, entries, of.position, known)
            closed += ((subject_id, one) for one in gone)
            added += ((subject_id, one) for one in come)
        with self._database.writing() as connection:
            if self.generations.advance(connection, of, up_to):
                self.periods.close(connection, of, closed)
                self.periods.add(connection, of, added)

    def _build(self, building: Generation, progress: Progress) -> None:
        """Fold every subject of the log as it was when the rebuild began."""
        for done, some in self._subjects(building):
            beliefs = [
                (subject_id, one)
                for subject_id, entries in some
                for one in self._beliefs(building, subject_id, entries)
            ]
            with self._database.writing() as connection:
                self.periods.add(connection, building, beliefs)
                self.generations.note_done(connection, building, done)
            progress(done, self._log.entries.term_count())
        with self._database.writing() as connection:
            self.generations.note_done(connection, building, ALL_DONE)

    def _beliefs(
        self, of: Generation, subject_id: str, entries: Sequence[tuple[int, Entry]]
    ) -> list[Belief]:
        """Everything that was ever believed of a subject."""
        return revise(self._projections[of.projection], subject_id, entries, 0, {})[1]

    def _subjects(
        self, of: Generation
    ) -> Iterator[tuple[int, Iterator[tuple[str, list[tuple[int, Entry]]]]]]:
        """(number of the last, their entries) of some subjects after some, from where it was."""
        projection = self._projections[of.projection]
        done = of.subject_done if of.state == State.MAKING else 0
        while some := self._log.entries.subjects(projection.subject, done, REBUILD_SUBJECTS_MAX):
            done = some[-1][0]
            subject_ids = [name.partition(":")[2] for _, name in some]
            yield done, self._entries(projection, subject_ids, of.position)

    def _entries(
        self, projection: Projection[Any], subject_ids: Sequence[str], up_to: int
    ) -> Iterator[tuple[str, list[tuple[int, Entry]]]]:
        """(subject id, entries) of subjects."""
        names = {f"{projection.subject}:{one}": one for one in subject_ids}
        for name, stored in self._log.entries.about(names, up_to).items():
            yield names[name], [(one.position, Entry.FromString(one.data)) for one in stored]

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
