"""Making tables: subject by subject from the log as it was, then entry by entry to where it is."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ledger.store.database import Database
from ledger.store.erasure import beside, erased_between
from ledger.store.folding import Folded, Folder, Task
from ledger.store.generations import ALL_DONE, Generation, Generations
from ledger.store.log import Log
from ledger.store.periods import Periods
from projections.projection import Projection

CATCH_UP_MIN, CATCH_UP_MAX = 250, 2_000
STEP_S = 1.5
BUILD_SUBJECTS_MAX = 1_000

SHARED_MIN = 100
"""So many subjects are worth the way to another process."""

Fold = Callable[[Iterable[Task]], Iterator[Folded]]
"""Carries out tasks, and gives what comes of them in their order."""


class Making:
    """Writes what is folded. Several processes may do so at once: whoever comes later has not."""

    def __init__(
        self,
        database: Database,
        log: Log,
        projections: Mapping[str, Projection[Any]],
        fold: Fold | None,
    ) -> None:
        """`fold` carries out large tasks; None: they are carried out here, as small ones are."""
        self.generations = Generations(database, log.id)
        self.periods = Periods(database, log.id, log.vault)
        self._database = database
        self._log = log
        self._projections = projections
        self._folder = Folder(database, log, projections)
        self._fold = fold
        self._step = CATCH_UP_MAX

    def build_some(self, numbers: Iterable[int]) -> bool:
        """Give tables some more of the subjects that they do not have; False: they have all.

        Tables about one kind of subject that have come as far as one another are made together:
        what they are made from is read once.
        """
        left = [one for one in self._some(numbers) if one.subject_done != ALL_DONE]
        if not left:
            return False
        kind, up_to, after = stage = min(map(self._stage, left))
        together = [one for one in left if self._stage(one) == stage]
        some = self._log.entries.subjects(kind, after, BUILD_SUBJECTS_MAX)
        done = some[-1][0] if some else ALL_DONE
        ids = [name.partition(":")[2] for _, name in some]
        folded = self._folded(Task(_tables(together), kind, ids, 0, up_to))
        with self._database.writing() as connection:
            for one in together:
                if self.generations.note_done(connection, one, done):
                    changes = [some.changes[one.number] for some in folded]
                    self.periods.write(connection, one, changes)
        return True

    def done(self, numbers: Iterable[int]) -> tuple[int, int]:
        """(how many subjects the tables of these numbers have on the average, of how many)."""
        total = self._log.entries.term_count()
        some = self._some(numbers)
        have = sum(min(one.subject_done, total) for one in some)
        return have // max(len(some), 1), total

    def catch_up(self, numbers: Sequence[int], size: int) -> None:
        """Bring tables to a size; those that are dropped meanwhile are left out."""
        while self.catch_up_some(numbers, size) < size:
            pass

    def catch_up_some(self, numbers: Sequence[int], size: int) -> int:
        """Take those that are the furthest behind a step on their way to a size.

        Returns how far all of them have come at least; at the end, the size.
        """
        behind = [one for one in self._some(numbers) if one.position < size]
        if not behind:
            return size
        # Those that have come as far as one another are taken further together.
        position = min(one.position for one in behind)
        together = [one for one in behind if one.position == position]
        up_to = min(size, position + min(self._step, CATCH_UP_MAX))
        began = time.monotonic()
        is_moved = self._advance(together, position, up_to)
        # Who asks for the latest waits for a step: it is made shorter where it takes long.
        if time.monotonic() - began > STEP_S:
            self._step = max(self._step // 2, CATCH_UP_MIN)
        else:
            self._step = min(self._step * 2, CATCH_UP_MAX)
        return up_to if is_moved and len(together) == len(behind) else position

    def _advance(self, of: Sequence[Generation], after: int, up_to: int) -> bool:
        """Take the entries up to a position into account; False: another process has moved some."""
        touched = dict.fromkeys(self._log.entries.subjects_between(after, up_to))
        erased = erased_between(self._log, after, up_to)
        self._log.vault.destroy(erased)
        # What tables show of somebody who was erased, or was named beside her, is made anew at
        # every size: the texts about both are gone.
        remade = frozenset(beside(self._log, erased, up_to))
        touched |= dict.fromkeys(sorted(remade))
        by_kind: dict[str, list[Generation]] = {}
        for one in of:
            by_kind.setdefault(self._kind(one), []).append(one)
        folded: dict[str, list[Folded]] = {}
        for kind, tables in by_kind.items():
            ids = [name.partition(":")[2] for name in touched if name.startswith(f"{kind}:")]
            task = Task(_tables(tables), kind, ids, after, up_to, remade)
            folded[kind] = self._folded(task)
            # Whoever is linked with some of them has another record by it.
            linked = {one for some in folded[kind] for one in some.linked_ids}.difference(ids)
            folded[kind] += self._folded(replace(task, subject_ids=sorted(linked)))
        with self._database.writing() as connection:
            moved = [one for one in of if self.generations.advance(connection, one, up_to)]
            for one in moved:
                changes = [some.changes[one.number] for some in folded[self._kind(one)]]
                self.periods.write(connection, one, changes)
        return len(moved) == len(of)

    def _folded(self, task: Task) -> list[Folded]:
        tasks = self._folder.split(task)
        if self._fold and len(task.subject_ids) >= SHARED_MIN:
            return list(self._fold(tasks))
        return list(map(self._folder.fold, tasks))

    def _some(self, numbers: Iterable[int]) -> list[Generation]:
        """The tables of these numbers, as they are now."""
        wanted = set(numbers)
        return [
            one
            for one in self.generations.all()
            if one.number in wanted and one.projection in self._projections
        ]

    def _kind(self, of: Generation) -> str:
        return self._projections[of.projection].subject

    def _stage(self, of: Generation) -> tuple[str, int, int]:
        """What tables that are made together have in common."""
        return self._kind(of), of.position, of.subject_done


def _tables(of: Iterable[Generation]) -> tuple[tuple[int, str], ...]:
    return tuple((one.number, one.projection) for one in of)
