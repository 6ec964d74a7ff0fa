"""Folding some subjects: what the tables of projections have to show of them otherwise than before.

It only reads, so that it can be done in any process, and several times.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ledger.store.database import Database
from ledger.store.digests import Row
from ledger.store.entries import chunks
from ledger.store.log import Log
from ledger.store.records import records, told_of
from ledger.store.statement import Statement
from ledger.store.vault import State
from projections.belief import Belief, Revision, SubjectEntries, revise
from projections.projection import Projection

ENTRIES_MAX = 1_000
"""About so many entries are folded as one task; of one subject, all there are."""

_COUNTS = Statement(
    "SELECT name, count(*) FROM term JOIN entry_subject ON entry_subject.log = term.log "
    "AND entry_subject.subject = term.id "
    "WHERE term.log = ? AND name IN (...) AND position <= ? GROUP BY name"
)

Projections = Mapping[str, Projection[Any]]
Closed = tuple[int, int, int, str, int, str]
"""(known_to, log, generation, population, valid_from, subject) of a row that is shown no more."""


@dataclass(frozen=True, slots=True)
class Task:
    """Some subjects of one kind, and the tables that are to be brought from one size to another."""

    tables: tuple[tuple[int, str], ...]
    """(generation, projection) of each."""
    kind: str
    subject_ids: list[str]
    after: int
    up_to: int
    remade: frozenset[str] = frozenset()
    """Subjects of whom, and of whoever is named with them, everything is made anew."""


@dataclass(slots=True)
class Change:
    """What becomes of the rows of a generation."""

    anew: list[str] = field(default_factory=list)
    """The subjects whose rows are all taken out first."""
    closed: list[Closed] = field(default_factory=list)
    added: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Folded:
    """What came of a task."""

    changes: dict[int, Change]
    """By generation."""
    linked_ids: set[str] = field(default_factory=set)
    """Those linked with some of the subjects, and not among them: they change, too."""


class Folder:
    """Folds subjects of one log."""

    def __init__(self, database: Database, log: Log, projections: Projections) -> None:
        self._database = database
        self._log = log
        self._projections = projections

    def split(self, task: Task) -> Iterator[Task]:
        """A task in several of a bounded size."""
        counts: dict[str, int] = {}
        for names in chunks(f"{task.kind}:{one}" for one in task.subject_ids):
            counts |= self._database.readers.ask(_COUNTS, self._log.id, names, task.up_to)
        some: list[str] = []
        total = 0
        for one in task.subject_ids:
            count = counts.get(f"{task.kind}:{one}", 0)
            if some and total + count > ENTRIES_MAX:
                yield replace(task, subject_ids=some)
                some, total = [], 0
            some.append(one)
            total += count
        if some:
            yield replace(task, subject_ids=some)

    def fold(self, task: Task) -> Folded:
        """What the tables have to show otherwise."""
        found = records(self._log, task.kind, task.subject_ids, task.up_to)
        wanted = [self._projections[name] for _, name in task.tables]
        folded = Folded({number: Change() for number, _ in task.tables})
        for subject_id in task.subject_ids:
            record = found.pop(subject_id)
            is_anew = bool(task.remade) and not task.remade.isdisjoint(record.names)
            after = 0 if is_anew else task.after
            revisions = revise(wanted, record, after, self._log.vault.blinded)
            states = self._closed(record, revisions.values())
            for number, name in task.tables:
                change = folded.changes[number]
                if is_anew:
                    change.anew.append(subject_id)
                change.closed += (
                    (until, self._log.id, number, one.population, one.valid_from, subject_id)
                    for one, until in revisions[name].closed
                )
                change.added += (
                    self._row(number, subject_id, one, states[one.membership.state])
                    for one in revisions[name].added
                )
        folded.linked_ids.update(found)
        return folded

    def shown(self, task: Task, is_left_out: Callable[[SubjectEntries], bool]) -> Iterator[Row]:
        """All that the tables have to show, the states in plain."""
        found = records(self._log, task.kind, task.subject_ids, task.up_to)
        wanted = [self._projections[name] for _, name in task.tables]
        for subject_id in task.subject_ids:
            if is_left_out(found[subject_id]):
                continue
            revisions = revise(wanted, found[subject_id], 0, self._log.vault.blinded)
            for number, name in task.tables:
                for one in revisions[name].added:
                    yield self._row(number, subject_id, one, one.membership.state)

    def _closed(self, record: SubjectEntries, revisions: Iterable[Revision]) -> dict[bytes, bytes]:
        """The states of a subject, each sealed once for however many rows."""
        plain = {one.membership.state for some in revisions for one in some.added}
        people = told_of(record) if plain else frozenset()
        closed = self._log.vault.close_states(
            State(record.subject_id, people, one) for one in plain
        )
        return dict(zip(plain, closed, strict=True))

    def _row(self, number: int, subject_id: str, belief: Belief, state: bytes) -> Row:
        one = belief.membership
        return Row(
            self._log.id,
            number,
            one.population,
            one.valid_from,
            subject_id,
            belief.known_from,
            one.valid_to,
            belief.known_to,
            state,
        )
