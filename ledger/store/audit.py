"""Reading the whole log again and hashing it, trusting nothing but the bytes of the entries.

What can be told from the inside: that every entry is the one that was hashed, that every column and
index by which entries are found says what the entries say, that the order is whole. An
administrator who rewrites the entries and the tree alike is found by a checkpoint that somebody
else kept (RFC 9162, 2.1.4): give it to `verify`.

The log is audited by ranges of positions, in several processes, and its tree put together from the
hashes of their tiles: 32 bytes for 256 entries is all that is kept of them.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from math import floor

import sqlalchemy as sa

from ledger import merkle
from ledger.store.asserted import Closed, closed_faults
from ledger.store.audit_range import Means, RangeVerdict, audit_range, tile_problem
from ledger.store.auditors import Run, auditors
from ledger.store.database import Database
from ledger.store.statement import Statement
from ledger.store.subject_index import PRIME, draw, faults, index_product, outside
from ledger.store.verdict import PROBLEMS_MAX, Problem, Verdict

RANGE = 256 * merkle.TILE_WIDTH
"""How many entries a process takes at a time: whole tiles."""
SUBJECTS = 50_000
"""How many subjects it takes at a time."""
ANY_MAX = 2**63 - 1
ALONE_MAX = 4 * RANGE
"""A log that is no longer is audited by this process alone, before others have begun."""

_HEAD = Statement("SELECT size, record_us, term_count FROM head WHERE log = ?")
_BEFORE = Statement("SELECT count(*) FROM entry WHERE log = ? AND position < 1")
_BEYOND = Statement("SELECT count(*) FROM entry WHERE log = ? AND position > ?")
# Neither what is no number nor what is beyond is the last.
_LAST = Statement("SELECT max(position) FROM entry WHERE log = ? AND position BETWEEN 1 AND ?")
_LAST_TERM = Statement("SELECT max(id) FROM term WHERE log = ? AND id BETWEEN 1 AND ?")
_TERMS = Statement("SELECT count(*), max(id) FROM term WHERE log = ?")
_TILE = Statement("SELECT hashes FROM tile WHERE log = ? AND level = ? AND tile = ?")
_UPPER_TILES = Statement(
    "SELECT level, tile, hashes FROM tile WHERE log = ? "
    "AND NOT (level = 0 AND tile >= 0 AND tile < ? AND tile = CAST(tile AS BIGINT))"
)


def verify(
    database: Database,
    log: int,
    means: Means,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    workers: int | None = None,
) -> Verdict:
    """Hash every entry again and compare everything with it. Names the first twenty problems.

    Sees the log as it is at the beginning, whatever is appended meanwhile. `workers`: in so many
    processes; None: as many as there are processors, where the log is long enough.
    """
    with database.snapshot() as connection:
        verdict = Verdict()
        try:
            audit = _Audit(connection, log, means, verdict)
            count = audit.workers(workers)
            with auditors(database, connection, log, means, count) as run:
                audit.run(run, progress)
        except sa.exc.DatabaseError:
            where = verdict.size + 1
            verdict.problems.append(Problem(where, "the database cannot be read from here"))
        return verdict


class _Audit:
    """One pass over a log."""

    def __init__(self, connection: sa.Connection, log: int, means: Means, verdict: Verdict) -> None:
        self._connection = connection
        self._log = log
        self._checkpoints = means.checkpoints
        self._point = draw()
        self._verdict = verdict
        rows = _HEAD.on(connection, log)
        if not rows:
            verdict.problems.append(Problem(1, "the log has no head"))
        said: tuple[object, object, object] = rows[0] if rows else (0, 0, 0)
        said_size, self._record_us, self._said_terms = said
        self._size = self._up_to(_LAST, said_size)
        self._term_count = self._up_to(_LAST_TERM, self._said_terms)
        if not isinstance(said_size, int) or said_size < 0:
            verdict.problems.append(Problem(1, "the log does not say how many entries it has"))
        elif self._size < said_size:
            verdict.problems.append(Problem(self._size + 1, "the entry is missing"))

    def _up_to(self, last: Statement, said: object) -> int:
        """How far an audit goes: no further than there is anything, whatever the head says."""
        limit = said if isinstance(said, int) else ANY_MAX
        ((found,),) = last.on(self._connection, self._log, limit)
        return floor(found or 0)

    def workers(self, wanted: int | None) -> int:
        """How many processes are to share the work."""
        if wanted is None:
            return 1 if self._size <= ALONE_MAX else len(os.sched_getaffinity(0))
        return wanted

    def run(self, run: Run, progress: Callable[[int, int], None]) -> None:
        verdict = self._verdict
        tiles, pairs, last = bytearray(), 1, RangeVerdict(0, 0, 0)
        is_hashed = True
        erased: set[str] = set()
        closed: list[Closed] = []
        for found in run(partial(_audit, self._point), _spans(self._size, RANGE)):
            verdict.problems += found.problems
            is_hashed = is_hashed and found.is_hashed
            pairs = pairs * found.pairs % PRIME
            erased |= found.erased
            closed += found.closed
            if found.first == verdict.size + 1:
                verdict.size, last = found.size, found
                tiles += found.tiles
            progress(found.size, self._size)
            # Behind a gap there may be any number of ranges that have nothing.
            if verdict.size < found.last and len(verdict.problems) >= PROBLEMS_MAX:
                break
        made = _tree(bytes(tiles), last.rest)
        verdict.root = merkle.root(verdict.size, lambda _: made)
        verdict.problems += self._ends()
        if verdict.size == self._size and is_hashed:
            verdict.problems += self._tree(made, len(tiles) // merkle.HASH_SIZE)
        verdict.problems += self._subjects(run, pairs)
        # What follows from a fault that was found already would name another place for it.
        if verdict.ok:
            verdict.problems += self._counts(last.record_us)
            verdict.problems += self._kept(self._checkpoints)
            verdict.problems += [Problem(*one) for one in closed_faults(closed, erased)]
        verdict.problems = sorted(verdict.problems, key=lambda one: one.position)[:PROBLEMS_MAX]

    def _ends(self) -> Iterator[Problem]:
        """The log begins and ends where it says."""
        if _BEFORE.on(self._connection, self._log)[0][0]:
            yield Problem(1, "there are entries before the first")
        if _BEYOND.on(self._connection, self._log, self._size)[0][0]:
            yield Problem(self._size + 1, "there are entries beyond the size of the log")

    def _tree(self, made: Mapping[merkle.Tile, bytes], full: int) -> list[Problem]:
        """The tiles that no range fills are as they should be; the lowest at fault says where."""
        rows = _UPPER_TILES.on(self._connection, self._log, full)
        if any(not isinstance(one, int) for row in rows for one in row[:2]):
            return [Problem(1, "a tile has no place in the tree")]
        stored = {(level, index): hashes for level, index, hashes in rows}
        found: dict[int, list[Problem]] = {}
        for at in sorted({*stored, *made}):
            kept, wanted = stored.get(at, b""), made.get(at, b"")
            if kept != wanted:
                found.setdefault(at[0], []).append(tile_problem(*at, kept, wanted))
        return found[min(found)] if found else []

    def _subjects(self, run: Run, pairs: int) -> list[Problem]:
        """The index of subjects says what the entries say, and nothing else."""
        strays = list(outside(self._connection, self._log, self._term_count, self._size))
        is_whole = self._verdict.size == self._size and not strays
        if is_whole:
            task = partial(_index, self._point, self._size)
            for found in run(task, _spans(self._term_count, SUBJECTS)):
                pairs = pairs * pow(found, -1, PRIME) % PRIME
        if is_whole and pairs == 1:
            return []
        found = strays + faults(self._connection, self._log, self._size)
        if is_whole and not found:
            return [Problem(1, "the index of subjects has other rows than the entries name")]
        return found

    def _counts(self, last_us: int) -> Iterator[Problem]:
        """What the log says of itself, and nothing that no entry names."""
        if not isinstance(self._record_us, int) or self._record_us < last_us:
            yield Problem(
                max(self._size, 1), "the log says that it was last written before this entry"
            )
        ((count, last),) = _TERMS.on(self._connection, self._log)
        if (count, last or 0) != (self._said_terms, self._said_terms):
            yield Problem(1, f"the log says that it names {self._said_terms} terms")

    def _kept(self, checkpoints: Sequence[tuple[int, bytes]]) -> Iterator[Problem]:
        """The log still begins with what somebody saw of it."""
        agreed = 0
        for kept_size, kept_root in sorted(checkpoints):
            if kept_size > self._size:
                yield Problem(self._size + 1, f"a checkpoint was kept of {kept_size} entries")
            elif merkle.root(kept_size, self._stored) == kept_root:
                agreed = kept_size
            else:
                what = f"the first {kept_size} entries do not have the root that was kept of them"
                yield Problem(agreed + 1, what)

    def _stored(self, tiles: Collection[merkle.Tile]) -> dict[merkle.Tile, bytes]:
        """Tiles that were found to be those of the entries."""
        found = ((at, _TILE.on(self._connection, self._log, *at)) for at in tiles)
        return {at: hashes for at, rows in found for (hashes,) in rows}


def _audit(
    point: int, connection: sa.Connection, log: int, means: Means, span: tuple[int, int]
) -> RangeVerdict:
    return audit_range(connection, log, means, point, span)


def _index(
    point: int,
    size: int,
    connection: sa.Connection,
    log: int,
    _means: Means,
    subjects: tuple[int, int],
) -> int:
    return index_product(connection, log, point, subjects, size)


def _spans(count: int, width: int) -> Iterator[tuple[int, int]]:
    """The numbers from 1 to a count in closed ranges of a width."""
    return ((first, min(first + width - 1, count)) for first in range(1, count + 1, width))


def _tree(tiles: bytes, rest: bytes) -> dict[merkle.Tile, bytes]:
    """The tiles above those with these hashes, and the one that holds the rest of the leaves."""
    width = merkle.HASH_SIZE
    hashes = [tiles[at : at + width] for at in range(0, len(tiles), width)]
    above = merkle.grow(0, hashes, lambda _: {})
    made = {(level + 1, index): row for (level, index), row in above.items()}
    return made | {(0, len(hashes)): rest} if rest else made
