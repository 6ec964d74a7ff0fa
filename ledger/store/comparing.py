"""Comparing the tables in use with what the log says, in memory that does not grow with them.

First the sums of both, bucket by bucket of subjects; then, where they differ, the rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ledger.store.database import Database
from ledger.store.digests import Row, Sums, bucket_of
from ledger.store.erasure import beside, erased_between
from ledger.store.folding import Folder, Task
from ledger.store.generations import Generation
from ledger.store.log import Log
from ledger.store.periods import Periods
from projections.belief import SubjectEntries
from projections.projection import Projection

SUBJECTS_MAX = 500


class Comparison:
    """The tables of a projection, and what they ought to have."""

    def __init__(
        self,
        database: Database,
        connection: sa.Connection,
        log: Log,
        projections: Mapping[str, Projection[Any]],
        of: Generation,
    ) -> None:
        """`connection`: of the snapshot in which the tables have come to where `of` says."""
        self._connection = connection
        self._log = log
        self._kind = projections[of.projection].subject
        self._of = of
        self._folder = Folder(database, log, projections)
        self._periods = Periods(database, log.id, log.vault)
        # Of those who were erased since, and whoever was named with them, all is made anew.
        erased = erased_between(log, of.position, log.entries.size())
        self._pending = frozenset(beside(log, erased, log.entries.size()))
        self._passed_over: set[str] = set()
        """Those of whom it cannot be said yet."""

    def differences(self) -> Iterator[Row]:
        """The rows that are there and ought not to be, or the other way round."""
        ours, theirs = Sums(), Sums()
        for row in self._wanted():
            ours.add(row)
        for row in self._kept():
            theirs.add(row)
        pairs = zip(ours.digests(), theirs.digests(), strict=True)
        for bucket, (one, other) in enumerate(pairs):
            if one != other:
                kept = {row for row in self._kept() if bucket_of(row.subject) == bucket}
                yield from kept ^ set(self._wanted(bucket))

    def _wanted(self, bucket: int | None = None) -> Iterator[Row]:
        """What the log says, of the subjects of a bucket or of all."""
        done = 0
        while some := self._log.entries.subjects(self._kind, done, SUBJECTS_MAX):
            done = some[-1][0]
            ids = [name.partition(":")[2] for _, name in some]
            meant = [one for one in ids if bucket is None or bucket_of(one) == bucket]
            tables = ((self._of.number, self._of.projection),)
            task = Task(tables, self._kind, meant, 0, self._of.position)
            for part in self._folder.split(task):
                yield from self._folder.shown(part, self._is_pending)

    def _kept(self) -> Iterator[Row]:
        """What the tables have. Asked after what is wanted: by then it is known who is pending."""
        for row in self._periods.rows(self._connection, self._of):
            if row.subject not in self._passed_over:
                yield row

    def _is_pending(self, record: SubjectEntries) -> bool:
        """Whether the tables are still to be made anew as to somebody."""
        if not self._pending or self._pending.isdisjoint(record.names):
            return False
        self._passed_over.add(record.subject_id)
        return True
