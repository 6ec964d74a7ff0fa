"""The Merkle tree of a log, kept as tiles in the same transaction as its entries."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import sqlalchemy as sa

from ledger import merkle
from ledger.errors import LedgerError
from ledger.store.bulk import insert
from ledger.store.database import Database
from ledger.store.tables import tile
from ledger.v1.error_pb2 import ErrorReason

ROOTS_MAX = 1_000
EDGES_MAX = 32

_UPSERT = " ON CONFLICT (log, level, tile) DO UPDATE SET hashes = excluded.hashes"


class Tree:
    """The tree of one log."""

    def __init__(self, database: Database, log: int) -> None:
        self._database = database
        self._log = log
        self._edge: tuple[int, dict[merkle.Tile, bytes]] = (0, {})
        # By size, the edges of the last groups: their roots are asked for when others follow.
        self._kept: dict[int, dict[merkle.Tile, bytes]] = {}
        self._roots: dict[int, bytes] = {}

    def grow(self, connection: sa.Connection, size: int, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes to a tree of `size`, in the transaction that adds the entries."""
        known_size, known = self._edge
        if known_size != size:  # another process appended, or the last append was not kept
            known = {}

        def read(tiles: Collection[merkle.Tile]) -> Mapping[merkle.Tile, bytes]:
            return known if known.keys() >= set(tiles) else self._read(connection, tiles)

        changed = merkle.grow(size, leaves, read)
        rows = [(self._log, level, index, hashes) for (level, index), hashes in changed.items()]
        insert(connection, tile, rows, _UPSERT)
        last: dict[int, merkle.Tile] = {}
        for at in sorted({*known, *changed}):
            last[at[0]] = at
        self._edge = size + len(leaves), {at: changed.get(at) or known[at] for at in last.values()}

    def forget(self) -> None:
        """Forget the right edge: whether the last `grow` was kept is not known."""
        self._edge = (0, {})

    def note_kept(self) -> None:
        """Note that the last `grow` was kept: the root asked for next needs no reading."""
        size, edge = self._edge
        self._kept = dict(islice(self._kept.items(), max(0, len(self._kept) - EDGES_MAX + 1), None))
        self._kept[size] = edge

    def root(self, size: int) -> bytes:
        """The root of the first `size` entries, which the log must have."""
        found = self._roots.get(size)
        if found is None:
            edge = self._kept.get(size, {})

            def read(tiles: Collection[merkle.Tile]) -> Mapping[merkle.Tile, bytes]:
                # Of a log that was there already, `grow` has read no more than it adds to.
                return edge if edge.keys() >= set(tiles) else self.read(tiles)

            with _whole():
                found = merkle.root(size, read)
            if len(self._roots) >= ROOTS_MAX:
                self._roots = {}
            self._roots[size] = found
        return found

    def inclusion_path(self, index: int, size: int) -> list[bytes]:
        """See `merkle.inclusion_path`."""
        with _whole():
            return merkle.inclusion_path(index, size, self.read)

    def consistency_path(self, first_size: int, second_size: int) -> list[bytes]:
        """See `merkle.consistency_path`."""
        with _whole():
            return merkle.consistency_path(first_size, second_size, self.read)

    def read(self, tiles: Collection[merkle.Tile]) -> Mapping[merkle.Tile, bytes]:
        """The port of `ledger.merkle`."""
        with self._database.reading.connect() as connection:
            return self._read(connection, tiles)

    def _read(
        self, connection: sa.Connection, tiles: Collection[merkle.Tile]
    ) -> dict[merkle.Tile, bytes]:
        rows = connection.execute(
            sa.select(tile.c.level, tile.c.tile, tile.c.hashes).where(
                tile.c.log == self._log, sa.tuple_(tile.c.level, tile.c.tile).in_(list(tiles))
            )
        )
        return {(level, index): hashes for level, index, hashes in rows}


@contextmanager
def _whole() -> Iterator[None]:
    """Raises VERIFICATION_FAILED where tiles of the tree are missing."""
    try:
        yield
    except LookupError:
        raise LedgerError(
            ErrorReason.ERROR_REASON_VERIFICATION_FAILED, "tiles of the tree are missing"
        ) from None
