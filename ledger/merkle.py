"""The Merkle tree of RFC 6962, as arithmetic over C2SP tlog-tiles.

A tree is known by the hashes of its complete subtrees, kept in tiles of 256; what is ragged at the
right edge is computed when asked for. Nothing here does I/O. Every question works out which tiles
it needs, then asks its one port, `ReadTiles`, for all of them at once (or not at all, if it needs
none), because each call is a query to a database.

Hashes are 32 bytes, indexes count from 0, sizes count leaves. Sources: RFC 6962 section 2.1, which
RFC 9162 section 2.1 restates with iterative verifiers; https://c2sp.org/tlog-tiles.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256

HASH_SIZE = 32
TILE_HEIGHT = 8
TILE_WIDTH = 256
EMPTY_ROOT = sha256(b"").digest()

Tile = tuple[int, int]
"""(level, index): the hashes of nodes 256 * index and on, at tree level 8 * level above leaves."""

ReadTiles = Callable[[Collection[Tile]], Mapping[Tile, bytes]]
"""The tiles asked for, each its 32-byte hashes end to end; maybe more than asked about, as the log
may have grown since, but never fewer (LookupError where a question finds fewer)."""

_Span = tuple[int, int]  # The leaves from the first number up to, and without, the second.
_PAIR = 2 * HASH_SIZE
TILE_BYTES = TILE_WIDTH * HASH_SIZE


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of an entry as a leaf (RFC 6962 section 2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node above two 32-byte hashes (RFC 6962 section 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def grow(size: int, leaves: Sequence[bytes], read: ReadTiles) -> dict[Tile, bytes]:
    """Return each tile that is new or changed once `leaves` are appended to a tree of `size`.

    `leaves` are leaf hashes. Tiles come whole, 32 to 8,192 bytes, those on the right edge partial;
    a tile that fills up adds its hash to the level above (tlog-tiles, "Merkle Tree"). Reads only
    the partial tiles it adds to. ValueError: a negative size, or a leaf that is not 32 bytes.
    """
    if size < 0:
        raise ValueError(f"size {size} is negative")
    if not {HASH_SIZE}.issuperset(map(len, leaves)):
        raise ValueError(f"every leaf must be a hash of {HASH_SIZE} bytes")
    counts: dict[Tile, int] = {}
    level, before, after = 0, size, size + len(leaves)
    while before < after:
        if before % TILE_WIDTH:
            counts[level, before // TILE_WIDTH] = before % TILE_WIDTH
        level, before, after = level + 1, before >> TILE_HEIGHT, after >> TILE_HEIGHT
    edge = _read(counts, read)

    changed: dict[Tile, bytes] = {}
    level, before, added = 0, size, b"".join(leaves)
    while added:
        index, kept = divmod(before, TILE_WIDTH)
        # Cut, because a tile read may hold more than this size had.
        row = edge[level, index][: kept * HASH_SIZE] + added if kept else added
        full: list[bytes] = []
        for start in range(0, len(row), TILE_BYTES):
            tile = row[start : start + TILE_BYTES]
            changed[level, index] = tile
            if len(tile) == TILE_BYTES:
                full.append(fold(tile))
            index += 1
        level, before, added = level + 1, before >> TILE_HEIGHT, b"".join(full)
    return changed


def root(size: int, read: ReadTiles) -> bytes:
    """Return the 32-byte root of the first `size` leaves (MTH, RFC 6962 section 2.1).

    ValueError: a negative size.
    """
    if size < 0:
        raise ValueError(f"size {size} is negative")
    return _roots([(0, size)], read)[0] if size else EMPTY_ROOT


def range_root(begin: int, end: int, read: ReadTiles) -> bytes:
    """Return the 32-byte root over the leaves from `begin` up to, and without, `end`.

    MTH(D[begin:end]) of RFC 6962 section 2.1. Where `begin` is a multiple of a power of two that is
    not less than `end - begin`, it is a node of the tree; it is computed for no other begin.
    ValueError.
    """
    width = 1 << max(end - begin - 1, 0).bit_length()
    if begin < 0 or end <= begin or begin % width:
        raise ValueError(f"{begin} to {end} is not below one node of the tree")
    return _roots([(begin, end)], read)[0]


def inclusion_path(index: int, size: int, read: ReadTiles) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size`, from the leaf up.

    PATH of RFC 6962 section 2.1.1 and RFC 9162 section 2.1.3.1; at most one hash for each bit of
    `size`. ValueError: the leaf is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return _roots(_siblings(index, size, 1), read)


def consistency_path(first_size: int, second_size: int, read: ReadTiles) -> list[bytes]:
    """Return the proof that the tree of `first_size` is a prefix of that of `second_size`.

    PROOF of RFC 6962 section 2.1.2 and RFC 9162 section 2.1.4.1, deepest node first; empty if the
    sizes are equal or the first is 0. ValueError: not 0 <= first_size <= second_size.
    """
    if not 0 <= first_size <= second_size:
        raise ValueError(f"no tree of {first_size} leaves begins a tree of {second_size}")
    if first_size in (0, second_size):
        return []
    # The RFC's recursion ends at the last complete subtree of the first tree: its lowest bit.
    least = first_size & -first_size
    spans = _siblings(first_size - 1, second_size, least)
    if least != first_size:  # Otherwise that subtree is the first tree: the verifier has its root.
        spans.insert(0, (first_size - least, first_size))
    return _roots(spans, read)


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether `path` proves leaf hash `leaf` at `index` under `root`.

    RFC 9162 section 2.1.3.2. Malformed arguments are refused, not raised. Take `size` and `root`
    from one checkpoint: a path alone does not tell apart sizes that give the leaf the same path.
    """
    if not 0 <= index < size or not {HASH_SIZE}.issuperset(map(len, (leaf, *path))):
        return False
    sides = _sides(index, size - 1, len(path))
    if sides is None:
        return False
    found = leaf
    for sibling, on_left in zip(path, sides, strict=True):
        found = node_hash(sibling, found) if on_left else node_hash(found, sibling)
    return found == root


def verify_consistency(
    first_size: int, second_size: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Tell whether `path` proves that the second tree extends the first.

    RFC 9162 section 2.1.4.2. Malformed arguments are refused, not raised. So is a first size of 0:
    every tree extends the empty one, so nothing would be proven about `second_root`.
    """
    if first_size == second_size:
        return first_size > 0 and first_root == second_root and not path
    if not 0 < first_size < second_size:
        return False
    least = first_size & -first_size
    # The path omits the root of a first tree that is one complete subtree.
    nodes = [first_root, *path] if least == first_size else list(path)
    # The first root's length too: where the climb starts from it, it is never recomputed.
    if not {HASH_SIZE}.issuperset(map(len, nodes)):
        return False
    sides = _sides((first_size - 1) // least, (second_size - 1) // least, len(nodes) - 1)
    if sides is None:
        return False
    first = second = nodes[0]
    for sibling, on_left in zip(nodes[1:], sides, strict=True):
        first = node_hash(sibling, first) if on_left else first
        second = node_hash(sibling, second) if on_left else node_hash(second, sibling)
    return first == first_root and second == second_root


def _sides(node: int, last: int, count: int) -> list[bool] | None:
    """Whether each of `count` siblings is on the left; None if it takes more or fewer to the root.

    The shifts of RFC 9162 sections 2.1.3.2 and 2.1.4.2, from `node` of a level that ends at `last`.
    """
    sides = []
    for _ in range(count):
        if last == 0:
            return None
        sides.append(node & 1 == 1 or node == last)
        while node == last and not node & 1:  # A last node with no sibling is carried up as it is.
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    return sides if last == 0 else None


def _siblings(index: int, size: int, least: int) -> list[_Span]:
    """What lies beside the way up from the subtree of `least` leaves that holds leaf `index`."""
    spans: list[_Span] = []
    begin, end = 0, size
    while end - begin > least:
        split = begin + (1 << (end - begin - 1).bit_length() - 1)
        if index < split:
            spans.append((split, end))
            end = split
        else:
            spans.append((begin, split))
            begin = split
    return spans[::-1]


def _roots(spans: Sequence[_Span], read: ReadTiles) -> list[bytes]:
    """The root over each span, none empty and each beginning where the RFC's recursion splits."""
    places: list[list[tuple[Tile, int, int]]] = []
    counts: dict[Tile, int] = {}
    for begin, end in spans:
        parts, at = [], begin
        while at < end:  # Complete subtrees, largest first: all that tiles hold.
            height = (end - at).bit_length() - 1
            level, rest = divmod(height, TILE_HEIGHT)
            index, start = divmod(at >> level * TILE_HEIGHT, TILE_WIDTH)
            stop = start + (1 << rest)
            counts[level, index] = max(stop, counts.get((level, index), 0))
            parts.append(((level, index), start * HASH_SIZE, stop * HASH_SIZE))
            at += 1 << height
        places.append(parts)
    tiles = _read(counts, read)
    roots = []
    for parts in places:
        hashes = [fold(tiles[tile][start:stop]) for tile, start, stop in parts]
        found = hashes.pop()
        while hashes:
            found = node_hash(hashes.pop(), found)
        roots.append(found)
    return roots


def fold(row: bytes) -> bytes:
    """The root over a power of two of adjacent hashes."""
    while len(row) > HASH_SIZE:
        # A pair is already left then right, so it is hashed without being taken apart.
        row = b"".join(
            [sha256(b"\x01" + row[at : at + _PAIR]).digest() for at in range(0, len(row), _PAIR)]
        )
    return row


def _read(counts: Mapping[Tile, int], read: ReadTiles) -> Mapping[Tile, bytes]:
    """The tiles, by one call or none. LookupError: one is missing or holds fewer than its count."""
    tiles = read(counts.keys()) if counts else {}
    for tile, count in counts.items():
        # A short slice would hash to a plausible wrong root, and hide that the store is broken.
        if len(tiles[tile]) < count * HASH_SIZE:
            raise LookupError(f"tile {tile} holds {len(tiles[tile])} bytes, not {count} hashes")
    return tiles
