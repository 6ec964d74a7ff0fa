"""Comparing the tables in use with what the log says, in memory that does not grow with them.

First the sums of both, bucket by bucket of subjects; then, where they differ, the rows.
"""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from ledger.store.digests import Row, Sums, bucket_of
from ledger.store.erasure import beside, erased_between
from ledger.store.folding import Folder, Task
from ledger.store.generations import Generation
from ledger.store.log import Log
from ledger.store.periods import Periods
from projections.belief import SubjectEntries

SUBJECTS_MAX = 500


class Comparison:
    """Tables about one kind of subject that have come to one size, and what they ought to have.

    What they are made from is read and folded once for all of them.
    """

    def __init__(
        self,
        connection: sa.Connection,
        log: Log,
        folder: Folder,
        periods: Periods,
        kind: str,
        of: Sequence[Generation],
    ) -> None:
        """`connection`: of the snapshot in which the tables have come to where `of` says."""
        self._connection = connection
        self._log = log
        self._folder = folder
        self._kind = kind
        self._of = of
        self._size = of[0].position
        self._periods = periods
        self._pending: frozenset[str] = frozenset()
        self._passed_over: set[str] = set()
        """Those of whom it cannot be said yet."""

    def differences(self) -> Iterator[Row]:
        """The rows that are there and ought not to be, or the other way round."""
        self._note_erased()
        wanted = {one.number: Sums() for one in self._of}
        for row in self._wanted(self._of):
            wanted[row.generation].add(row)
        for one in self._of:
            kept = Sums()
            for row in self._kept(one):
                kept.add(row)
            pairs = zip(kept.digests(), wanted[one.number].digests(), strict=True)
            for bucket, (theirs, ours) in enumerate(pairs):
                if theirs != ours:
                    yield from self._differing(one, bucket)

    def _differing(self, of: Generation, bucket: int) -> Iterator[Row]:
        self._note_erased()  # somebody may have been erased since the rows were added up
        wanted = set(self._wanted([of], bucket))
        kept = {row for row in self._kept(of) if bucket_of(row.subject) == bucket}
        yield from kept ^ wanted

    def _note_erased(self) -> None:
        """Of those who were erased since, and whoever was named with them, all is made anew."""
        size = self._log.entries.size()
        erased = erased_between(self._log, self._size, size)
        self._pending = frozenset(beside(self._log, erased, size))

    def _wanted(self, of: Sequence[Generation], bucket: int | None = None) -> Iterator[Row]:
        """What the log says, of the subjects of a bucket or of all."""
        tables = tuple((one.number, one.projection) for one in of)
        done = 0
        while some := self._log.entries.subjects(self._kind, done, SUBJECTS_MAX):
            done = some[-1][0]
            ids = [name.partition(":")[2] for _, name in some]
            meant = [one for one in ids if bucket is None or bucket_of(one) == bucket]
            task = Task(tables, self._kind, meant, 0, self._size)
            for part in self._folder.split(task):
                yield from self._folder.shown(part, self._is_pending)

    def _kept(self, of: Generation) -> Iterator[Row]:
        """What a table has. Asked after what is wanted: by then it is known who is pending."""
        for row in self._periods.rows(self._connection, of):
            if row.subject not in self._passed_over:
                yield row

    def _is_pending(self, record: SubjectEntries) -> bool:
        """Whether the tables are still to be made anew as to somebody."""
        if not self._pending or self._pending.isdisjoint(record.names):
            return False
        self._passed_over.add(record.subject_id)
        return True
