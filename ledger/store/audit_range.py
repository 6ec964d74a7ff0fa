"""Auditing a closed range of positions: what is said of each entry, against its bytes alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from operator import le

import sqlalchemy as sa

from ledger import merkle
from ledger.keys.writers import Writers
from ledger.store.asserted import Asserted, Closed
from ledger.store.entries import chunks
from ledger.store.statement import Statement
from ledger.store.subject_index import PRIME, product
from ledger.store.suspect import Columns, Leaf, columns, custody_leaf, first_other
from ledger.store.vault import Vault
from ledger.store.verdict import PROBLEMS_MAX, Problem

CHUNK = 2_000

_ROWS = Statement(
    "SELECT position, event_id, record_us, type, subjects, data, sealed FROM entry "
    "WHERE log = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?"
)
_RECORD_US = Statement("SELECT record_us FROM entry WHERE log = ? AND position = ?")
_BY_ID = Statement("SELECT event_id, data FROM entry WHERE log = ? AND event_id IN (...)")
_NAMES = Statement("SELECT id, name FROM term WHERE log = ? AND id IN (...)")
_TILES = Statement(
    "SELECT tile, hashes FROM tile WHERE log = ? AND level = 0 AND tile BETWEEN ? AND ?"
)


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


@dataclass
class RangeVerdict:
    """The outcome of an audit of a range."""

    first: int
    last: int
    """As far as the range goes."""
    size: int
    """The last position up to which no entry of the range is missing."""
    problems: list[Problem] = field(default_factory=list)
    record_us: int = 0
    """When the last of them was recorded."""
    is_hashed: bool = True
    """Whether the stored tiles are those of the entries."""
    tiles: bytes = b""
    """The hashes of the tiles that the range fills, end to end."""
    rest: bytes = b""
    """The hashes of the entries behind these."""
    pairs: int = 1
    """What the subjects of the entries come to; see `subject_index`."""
    erased: set[str] = field(default_factory=set)
    closed: list[Closed] = field(default_factory=list)
    """See `Asserted`."""


def audit_range(
    connection: sa.Connection, log: int, means: Means, point: int, span: tuple[int, int]
) -> RangeVerdict:
    """Audit the entries from one position to another; the first begins a tile.

    Names the first problems of the range. `point`: see `subject_index`.
    """
    audit = _RangeAudit(connection, log, means, point, span)
    try:
        audit.run()
    except sa.exc.DatabaseError:
        audit.note_unreadable()
    return audit.verdict


class _RangeAudit:
    """One pass over a range."""

    def __init__(
        self, connection: sa.Connection, log: int, means: Means, point: int, span: tuple[int, int]
    ) -> None:
        first, self._last = span
        self._connection = connection
        self._log = log
        self._means = means
        self._point = point
        self._asserted = Asserted(means.vault, means.writers)
        self._names: dict[int, str] = {}
        self._retracted: dict[bytes, list[str]] = {}
        self._hashes: list[bytes] = []
        self._tile = first // merkle.TILE_WIDTH
        self.verdict = RangeVerdict(first, self._last, first - 1)

    def run(self) -> None:
        verdict = self.verdict
        for (record_us,) in _RECORD_US.on(self._connection, self._log, verdict.size):
            verdict.record_us = record_us if isinstance(record_us, int) else 0
        while verdict.size < self._last:
            found = _ROWS.on(self._connection, self._log, verdict.size, self._last, CHUNK)
            expected = range(verdict.size + 1, verdict.size + 1 + len(found))
            # What is behind a gap may have the place of what is missing.
            matched = takewhile(lambda one: one[0][0] == one[1], zip(found, expected, strict=True))
            there = [row for row, _ in matched]
            if there:
                self._check(columns(there))
            if len(there) < len(expected) or not there:
                self._note(verdict.size + 1, "the entry is missing")
                break
        verdict.rest = b"".join(self._hashes)
        verdict.erased, verdict.closed = self._asserted.erased, self._asserted.closed

    def note_unreadable(self) -> None:
        """Note that the database gave an error instead of the next entries."""
        at = self.verdict.size + 1
        self.verdict.problems.append(Problem(at, "the database cannot be read from here"))

    def _check(self, rows: Columns) -> None:
        """Compare some entries with their columns, their tiles and what they assert."""
        read = self._means.leaf
        leaves = [read(one) for one in rows.data]
        numbers = list(chain.from_iterable(rows.subjects))
        self._look_up({*numbers, *rows.types})
        self._look_up_retracted({leaf.retracts for leaf in leaves if leaf and leaf.retracts})
        if not self._agree(rows, leaves):
            self._name(rows, leaves)
        for position, what in self._asserted.faults(rows, leaves):
            self._note(position, what)
        positions = [
            at for at, some in zip(rows.positions, rows.subjects, strict=True) for _ in some
        ]
        pairs = product(self._point, zip(numbers, positions, strict=True))
        self.verdict.pairs = self.verdict.pairs * pairs % PRIME
        self._hash(rows.data)
        self.verdict.size, self.verdict.record_us = rows.positions[-1], rows.times[-1]

    def _agree(self, rows: Columns, leaves: Sequence[Leaf | None]) -> bool:
        """Whether every column says what the entries say: all at once, which is the rule."""
        known = [leaf for leaf in leaves if leaf is not None]
        name = self._names.get
        return (
            len(known) == len(leaves)
            and [leaf.event_id for leaf in known] == rows.event_ids
            and [leaf.record_us for leaf in known] == rows.times
            and all(map(le, [self.verdict.record_us, *rows.times], rows.times))
            and [leaf.kind for leaf in known] == list(map(name, rows.types))
            and [leaf.subjects or self._about(leaf) for leaf in known]
            == [list(map(name, some)) for some in rows.subjects]
        )

    def _name(self, rows: Columns, leaves: Sequence[Leaf | None]) -> None:
        """Name the columns that do not say what their entry says."""
        name, before_us = self._names.get, self.verdict.record_us
        each = zip(
            leaves,
            rows.positions,
            rows.event_ids,
            rows.times,
            rows.types,
            rows.subjects,
            strict=True,
        )
        for leaf, position, event_id, record_us, kind, subjects in each:
            if leaf is None:
                self._note(position, "the entry cannot be read")
                continue
            about = leaf.subjects or self._about(leaf)
            for wrong, what in (
                (event_id != leaf.event_id, "the column of event ids"),
                (record_us != leaf.record_us, "the column of record times"),
                (record_us < before_us, "the order of record times"),
                (name(kind) != leaf.kind, "the column of types"),
                ([name(one) for one in subjects] != about, "the column of subjects"),
            ):
                if wrong:
                    self._note(position, f"{what} does not say what the entry says")
            before_us = record_us

    def _note(self, position: int, what: str) -> None:
        """A problem of an entry. They come in order, so beyond twenty none is the first."""
        if len(self.verdict.problems) < PROBLEMS_MAX:
            self.verdict.problems.append(Problem(position, what))

    def _about(self, leaf: Leaf) -> list[str]:
        """Whom an entry that names nobody is about: a retraction, about whom the retracted is."""
        return self._retracted.get(leaf.retracts, [])

    def _look_up(self, numbers: set[int]) -> None:
        """Read the names of terms that were not met yet."""
        for some in chunks(numbers - self._names.keys()):
            self._names.update(_NAMES.on(self._connection, self._log, some))

    def _look_up_retracted(self, event_ids: set[bytes]) -> None:
        """Read whom the events are about that some entries retract."""
        self._retracted.clear()
        for some in chunks(event_ids):
            for event_id, data in _BY_ID.on(self._connection, self._log, some):
                voided = self._means.leaf(data) if isinstance(data, bytes) else None
                self._retracted[event_id] = voided.subjects if voided else []

    def _hash(self, data: Sequence[bytes]) -> None:
        """Hash entries, and compare the tiles that they fill with those that are stored."""
        self._hashes += map(merkle.leaf_hash, data)
        width = merkle.TILE_WIDTH
        count = len(self._hashes) // width
        if not count:
            return
        first, self._tile = self._tile, self._tile + count
        stored: Mapping[int, bytes] = dict(
            _TILES.on(self._connection, self._log, first, self._tile - 1)
        )
        for index in range(first, self._tile):
            at = (index - first) * width
            made = b"".join(self._hashes[at : at + width])
            self.verdict.tiles += merkle.fold(made)
            if (kept := stored.get(index)) != made:
                self.verdict.is_hashed = False
                self.verdict.problems.append(tile_problem(0, index, kept, made))
        del self._hashes[: count * width]


def tile_problem(level: int, index: int, kept: object, made: bytes) -> Problem:
    """What a stored tile that is not the one made from the entries says, and of which entry."""
    there = kept if isinstance(kept, bytes) else b""
    leaf = (index * merkle.TILE_WIDTH + first_other(there, made)) << merkle.TILE_HEIGHT * level
    what = "the entry is not the one that was hashed" if there else "a tile is missing"
    return Problem(leaf + 1, what)
