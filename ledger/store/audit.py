"""Reading the whole log again and hashing it, trusting nothing but the bytes of the entries.

What can be told from the inside: that every entry is the one that was hashed, that every column and
index by which entries are found says what the entries say, that the order is whole. An
administrator who rewrites the entries and the tree alike is found by a checkpoint that somebody
else kept (RFC 9162, 2.1.4): give it to `verify`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from ledger import merkle
from ledger.keys.writers import Writers
from ledger.store.asserted import Asserted
from ledger.store.database import Database
from ledger.store.entries import Entries
from ledger.store.suspect import (
    Leaf,
    SuspectRow,
    custody_leaf,
    first_other,
    numbers_of,
    suspect_row,
)
from ledger.store.tables import entry, entry_subject, head, term, tile
from ledger.store.vault import Vault

CHUNK = 2_000
PROBLEMS_MAX = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    position: int
    """Of the entry concerned, from 1."""
    what: str


@dataclass
class Verdict:
    """The outcome of an audit."""

    size: int
    root: bytes
    """Computed from the entries as they are now."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written."""
        return not self.problems

    @property
    def first_bad_position(self) -> int | None:
        """The first position at which something is not as it was written."""
        return min((one.position for one in self.problems), default=None)


@dataclass(frozen=True, slots=True)
class Means:
    """What an audit knows of a log besides the database."""

    leaf: Callable[[bytes], Leaf | None] = custody_leaf
    """Reads an entry of the log."""
    checkpoints: Sequence[tuple[int, bytes]] = ()
    """(size, root) that somebody kept from earlier."""
    vault: Vault | None = None
    """Opens sealed fields; without it they are not looked at."""
    writers: Writers | None = None
    """The keys of agencies that sign; without them signatures are not looked at."""


def verify(
    database: Database,
    log: int,
    means: Means,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verdict:
    """Hash every entry again and compare everything with it. Names the first twenty problems.

    Sees the log as it is at the beginning, whatever is appended meanwhile.
    """
    with database.snapshot() as connection:
        verdict = Verdict(0, merkle.EMPTY_ROOT)
        try:
            audit = _Audit(connection, Entries(database, log), log, means, verdict)
            audit.run(progress)
        except sa.exc.DatabaseError:
            where = verdict.size + 1
            verdict.problems.append(Problem(where, "the database cannot be read from here"))
        return verdict


class _Audit:
    """One pass over a log."""

    def __init__(
        self,
        connection: sa.Connection,
        entries: Entries,
        log: int,
        means: Means,
        verdict: Verdict,
    ) -> None:
        self._connection = connection
        self._entries = entries
        self._log = log
        self._means = means
        self._asserted = Asserted(means.vault, means.writers)
        self._tiles: dict[merkle.Tile, bytes] = {}
        row = connection.execute(sa.select(head).where(head.c.log == log)).one_or_none()
        self._size = row.size if row else 0
        self._record_us = row.record_us if row else 0
        self._term_count = row.term_count if row else 0
        self._verdict = verdict
        if row is None:
            self._verdict.problems.append(Problem(1, "the log has no head"))

    def run(self, progress: Callable[[int, int], None]) -> None:
        verdict = self._verdict
        size, last_us = 0, 0
        while size < self._size:
            rows = self._rows(size)
            if not rows:
                break
            last_us = self._check(rows, size, last_us)
            self._tiles |= merkle.grow(
                size, [merkle.leaf_hash(row.data) for row in rows], lambda _: self._tiles
            )
            size += len(rows)
            verdict.size = size
            verdict.root = merkle.root(size, lambda _: self._tiles)
            progress(size, self._size)
        verdict.problems += self._ends(size)
        verdict.problems += self._tree()
        verdict.problems += self._strays()
        # What follows from a fault that was found already would name another place for it.
        if verdict.ok:
            verdict.problems += self._counts(size, last_us)
            verdict.problems += self._kept(size, self._means.checkpoints)
            verdict.problems += [Problem(*one) for one in self._asserted.at_end()]
        verdict.problems = sorted(verdict.problems, key=lambda one: one.position)[:PROBLEMS_MAX]

    def _rows(self, size: int) -> list[SuspectRow]:
        """The next entries. What is of another kind than its column counts as not there."""
        rows = self._connection.execute(
            sa.select(entry)
            .where(entry.c.log == self._log, entry.c.position > size)
            .order_by(entry.c.position)
            .limit(CHUNK)
        )
        return [suspect_row(row) for row in rows]

    def _check(self, rows: Sequence[SuspectRow], size: int, last_us: int) -> int:
        """Compare the columns and indexes of some entries with their bytes."""
        leaves = {row.position: self._means.leaf(row.data) for row in rows}
        voided = self._voided(leaves.values())
        self._asserted.look_up(rows)
        numbers = {n for row in rows for n in (row.type, *row.subjects)}
        names = self._entries.names(self._connection, numbers)
        indexed = self._indexed(rows[0].position, rows[-1].position, numbers)
        for expected, row in enumerate(rows, size + 1):
            if row.position != expected:
                self._note(expected, "the entry is missing")
                break
            leaf = leaves[row.position]
            if leaf is None:
                self._note(row.position, "the entry cannot be read")
                continue
            about = leaf.subjects or voided.get(leaf.retracts, [])
            for wrong, what in (
                (row.event_id != UUID(leaf.event_id).bytes, "the column of event ids"),
                (row.record_us != leaf.record_us, "the column of record times"),
                (row.record_us < last_us, "the order of record times"),
                (names.get(row.type) != leaf.kind, "the column of types"),
                ([names.get(n) for n in row.subjects] != about, "the column of subjects"),
                (
                    any((n, row.position) not in indexed for n in row.subjects),
                    "the index of subjects",
                ),
            ):
                if wrong:
                    self._note(row.position, f"{what} does not say what the entry says")
            if leaf.entry is not None:
                for what in self._asserted.faults(row, leaf.entry):
                    self._note(row.position, what)
            last_us = row.record_us
        return last_us

    def _note(self, position: int, what: str) -> None:
        """A problem of an entry. They come in order, so beyond twenty none is the first."""
        if len(self._verdict.problems) < PROBLEMS_MAX:
            self._verdict.problems.append(Problem(position, what))

    def _voided(self, leaves: Iterable[Leaf | None]) -> dict[str, list[str]]:
        """For each event that these retract, whom it is about."""
        ids = {leaf.retracts for leaf in leaves if leaf and leaf.retracts}
        stored = self._entries.find_on(self._connection, [UUID(one).bytes for one in ids])
        found = {}
        for event_id, one in stored.items():
            leaf = self._means.leaf(one.data)
            if leaf is not None:
                found[str(UUID(bytes=event_id))] = leaf.subjects
        return found

    def _indexed(self, first: int, last: int, numbers: set[int]) -> set[tuple[int, int]]:
        """The rows of the index of subjects for these subjects and positions."""
        found: set[tuple[int, int]] = set()
        wanted = sorted(numbers)
        for start in range(0, len(wanted), CHUNK):
            rows = self._connection.execute(
                sa.select(entry_subject.c.subject, entry_subject.c.position).where(
                    entry_subject.c.log == self._log,
                    entry_subject.c.subject.in_(wanted[start : start + CHUNK]),
                    entry_subject.c.position.between(first, last),
                )
            )
            found |= {(number, position) for number, position in rows}
        return found

    def _ends(self, size: int) -> Iterator[Problem]:
        """The log ends where it says."""
        if size != self._size:
            yield Problem(size + 1, f"the log says that it has {self._size} entries")
        outside = sa.select(sa.func.min(entry.c.position), sa.func.max(entry.c.position)).where(
            entry.c.log == self._log
        )
        first, last = self._connection.execute(outside).one()
        if first is not None and first < 1:
            yield Problem(1, "there are entries before the first")
        if last is not None and last > self._size:
            yield Problem(self._size + 1, "there are entries beyond the size of the log")

    def _counts(self, size: int, last_us: int) -> Iterator[Problem]:
        """What the log says of itself, and nothing that no entry names."""
        if self._record_us < last_us:
            yield Problem(size, "the log says that it was last written before this entry")
        terms = sa.select(sa.func.count(), sa.func.max(term.c.id)).where(term.c.log == self._log)
        count, last = self._connection.execute(terms).one()
        if (count, last or 0) != (self._term_count, self._term_count):
            yield Problem(1, f"the log says that it names {self._term_count} terms")

    def _strays(self) -> Iterator[Problem]:
        """The first row of the index of subjects that its entry does not name."""
        rows = self._connection.execute(
            sa.select(entry_subject.c.subject, entry_subject.c.position, entry.c.subjects)
            .select_from(
                sa.outerjoin(
                    entry_subject,
                    entry,
                    sa.and_(
                        entry.c.log == entry_subject.c.log,
                        entry.c.position == entry_subject.c.position,
                    ),
                )
            )
            .where(entry_subject.c.log == self._log)
        )
        strays = [
            position
            for number, position, packed in rows
            if packed is None or number not in numbers_of(packed)
        ]
        if strays:
            what = "the index of subjects names one that the entry does not"
            yield Problem(max(min(strays), 1), what)

    def _tree(self) -> list[Problem]:
        """The stored tiles are those of the entries: the lowest level at fault says where."""
        rows = self._connection.execute(sa.select(tile).where(tile.c.log == self._log))
        stored = {(row.level, row.tile): row.hashes for row in rows}
        found: dict[int, list[Problem]] = {}
        for at in sorted({*stored, *self._tiles}):
            level, index = at
            kept, made = stored.get(at, b""), self._tiles.get(at, b"")
            if kept == made:
                continue
            leaf = (
                index * merkle.TILE_WIDTH + first_other(kept, made)
            ) << merkle.TILE_HEIGHT * level
            what = "the entry is not the one that was hashed" if kept else "a tile is missing"
            found.setdefault(level, []).append(Problem(leaf + 1, what))
        return found[min(found)] if found else []

    def _kept(self, size: int, checkpoints: Sequence[tuple[int, bytes]]) -> Iterator[Problem]:
        """The log still begins with what somebody saw of it."""
        agreed = 0
        for kept_size, kept_root in sorted(checkpoints):
            if kept_size > size:
                yield Problem(size + 1, f"a checkpoint was kept of {kept_size} entries")
            elif merkle.root(kept_size, lambda _: self._tiles) == kept_root:
                agreed = kept_size
            else:
                what = f"the first {kept_size} entries do not have the root that was kept of them"
                yield Problem(agreed + 1, what)
