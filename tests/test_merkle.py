"""The tree against the RFC's own definitions, the standard vectors, and an independent library."""

import json
import random
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pymerkle  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle
from ledger.merkle import Tile

VECTORS = Path(__file__).parents[2] / "shared" / "data" / "merkle_vectors"
VECTORS_SIZE = 98

ENTRIES = [b"entry %d" % index for index in range(140_000)]
LEAVES = [sha256(b"\x00" + entry).digest() for entry in ENTRIES]

needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason=f"the standard vectors are not at {VECTORS}"
)


class Store:
    """Tiles in memory, and every question put to them."""

    def __init__(self, size: int = 0) -> None:
        self.tiles: dict[Tile, bytes] = {}
        self.questions: list[list[Tile]] = []
        self.size = 0
        self.append(size)

    def read(self, tiles: Collection[Tile]) -> Mapping[Tile, bytes]:
        self.questions.append(sorted(tiles))
        return {tile: self.tiles[tile] for tile in tiles}

    def append(self, count: int) -> dict[Tile, bytes]:
        changed = merkle.grow(self.size, LEAVES[self.size : self.size + count], self.read)
        self.tiles |= changed
        self.size += count
        return changed

    def asked(self, question: Callable[..., object], *arguments: object) -> list[list[Tile]]:
        """What one question of the tree asks of the store."""
        self.questions.clear()
        question(*arguments, self.read)
        return list(self.questions)


LARGE = Store(140_000)


# The definitions of RFC 6962 sections 2.1, 2.1.1 and 2.1.2, on D[begin:end] for D[n].


def halves(begin: int, end: int) -> int:
    """Where D[begin:end] is divided: after the largest power of two smaller than its size."""
    k = 1
    while 2 * k < end - begin:
        k *= 2
    return begin + k


@cache
def mth(begin: int, end: int) -> bytes:
    if begin == end:
        return sha256(b"").digest()
    if end - begin == 1:
        return LEAVES[begin]
    k = halves(begin, end)
    return sha256(b"\x01" + mth(begin, k) + mth(k, end)).digest()


def rfc_path(m: int, begin: int, end: int) -> list[bytes]:
    """PATH, `m` counted from the start of the whole list."""
    if end - begin == 1:
        return []
    k = halves(begin, end)
    if m < k:
        return [*rfc_path(m, begin, k), mth(k, end)]
    return [*rfc_path(m, k, end), mth(begin, k)]


def rfc_subproof(m: int, begin: int, end: int, known: bool) -> list[bytes]:
    """SUBPROOF, `m` counted from the start of the whole list."""
    if m == end:
        return [] if known else [mth(begin, end)]
    k = halves(begin, end)
    if m <= k:
        return [*rfc_subproof(m, begin, k, known), mth(k, end)]
    return [*rfc_subproof(m, k, end, False), mth(begin, k)]


def turns(m: int, begin: int, end: int) -> str:
    """On which side of leaf `m` each hash of its path stands, from the leaf up."""
    if end - begin == 1:
        return ""
    k = halves(begin, end)
    return turns(m, begin, k) + "r" if m < k else turns(m, k, end) + "l"


def rfc_tiles(size: int) -> dict[Tile, bytes]:
    """Every tile of a tree, from what tlog-tiles says a tile holds."""
    tiles = {}
    for level in range(3):
        width = 256**level
        for first in range(0, size // width, 256):
            nodes = range(first, min(first + 256, size // width))
            tiles[level, first // 256] = b"".join(mth(n * width, n * width + width) for n in nodes)
    return tiles


def some(size: int) -> list[int]:
    """Numbers below `size`: all of a small or a remarkable one, the edges of another."""
    if size <= 64 or 255 <= size <= 258 or size == 300:
        return list(range(size))
    return sorted({0, 1, 2, size // 3, size // 2, size - 3, size - 2, size - 1})


# 1. The standard vectors.


def vectors(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted((VECTORS / "testdata" / kind).rglob("*.json")):
        yield f"{file.parent.name}/{file.stem}", json.loads(file.read_text())


@needs_vectors
def test_the_standard_inclusion_vectors() -> None:
    """All 98 vectors of transparency-dev/merkle get the published verdict."""
    wrong, verdicts = [], []
    for name, case in vectors("inclusion"):
        leaf, root = b64decode(case["leafHash"]), b64decode(case["root"])
        path = [b64decode(node) for node in case["proof"] or []]
        verdict = merkle.verify_inclusion(case["leafIdx"], case["treeSize"], leaf, path, root)
        verdicts.append(verdict)
        if verdict is case["wantErr"]:
            wrong.append(name)

    assert wrong == []
    assert len(verdicts) == VECTORS_SIZE
    assert {True, False} == set(verdicts)


@needs_vectors
def test_the_standard_consistency_vectors() -> None:
    """All 98 vectors of transparency-dev/merkle get the published verdict."""
    wrong, verdicts = [], []
    for name, case in vectors("consistency"):
        first, second = b64decode(case["root1"]), b64decode(case["root2"])
        path = [b64decode(node) for node in case["proof"] or []]
        verdict = merkle.verify_consistency(case["size1"], case["size2"], first, second, path)
        verdicts.append(verdict)
        if verdict is case["wantErr"]:
            wrong.append(name)

    assert wrong == []
    assert len(verdicts) == VECTORS_SIZE
    assert {True, False} == set(verdicts)


# 2. The definitions of the RFC.


def test_hashes_are_domain_separated() -> None:
    """A leaf is hashed after a zero byte, a node after a one: neither can pass for the other."""
    assert merkle.leaf_hash(b"abc") == sha256(b"\x00abc").digest()
    assert merkle.node_hash(b"a", b"b") == sha256(b"\x01ab").digest()


def test_roots_are_as_defined() -> None:
    """At every size to 300 the root is MTH, from the tiles of that size or of a later one."""
    store = Store()
    for size in range(301):
        assert merkle.root(size, store.read) == mth(0, size)
        assert merkle.root(size, LARGE.read) == mth(0, size)
        store.append(1)


def test_inclusion_paths_are_as_defined() -> None:
    """Each path is PATH, from the tiles of that size or of a later one, and verifies."""
    store = Store()
    for size in range(1, 301):
        store.append(1)
        for index in some(size):
            path = merkle.inclusion_path(index, size, store.read)

            assert path == rfc_path(index, 0, size)
            assert merkle.verify_inclusion(index, size, LEAVES[index], path, mth(0, size))
        assert path == merkle.inclusion_path(index, size, LARGE.read)


def test_consistency_paths_are_as_defined() -> None:
    """Each path is PROOF, from the tiles of that size or of a later one, and verifies."""
    store = Store()
    for size in range(1, 301):
        store.append(1)
        for first in [*some(size), size][1:]:
            path = merkle.consistency_path(first, size, store.read)

            assert path == rfc_subproof(first, 0, size, True)
            assert merkle.verify_consistency(first, size, mth(0, first), mth(0, size), path)
        assert path == merkle.consistency_path(first, size, LARGE.read)
        assert merkle.consistency_path(0, size, store.read) == []


def test_proofs_in_a_tree_of_three_levels() -> None:
    """Beyond 65,536 leaves, where tiles have a third level, paths are still those of the RFC."""
    numbers = random.Random(6962)
    edges = [1, 255, 256, 257, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 139_999]
    for size in [65_535, 65_536, 65_537, 131_072, 131_073, 140_000]:
        assert merkle.root(size, LARGE.read) == mth(0, size)
        for number in [*edges, *(numbers.randrange(size) for _ in range(40))]:
            if number < size:
                path = merkle.inclusion_path(number, size, LARGE.read)
                proof = merkle.consistency_path(number, size, LARGE.read)

                assert path == rfc_path(number, 0, size)
                assert proof == rfc_subproof(number, 0, size, True)
                assert merkle.verify_inclusion(number, size, LEAVES[number], path, mth(0, size))
                roots = mth(0, number), mth(0, size)
                assert number == 0 or merkle.verify_consistency(number, size, *roots, proof)


def test_what_is_outside_the_tree_is_refused() -> None:
    """No question has an answer about leaves or sizes that the tree does not have."""
    read = LARGE.read
    questions: list[Callable[[], object]] = [
        lambda: merkle.root(-1, read),
        lambda: merkle.inclusion_path(0, 0, read),
        lambda: merkle.inclusion_path(5, 5, read),
        lambda: merkle.inclusion_path(-1, 5, read),
        lambda: merkle.consistency_path(6, 5, read),
        lambda: merkle.consistency_path(-1, 5, read),
        lambda: merkle.grow(-1, LEAVES[:1], read),
        lambda: merkle.grow(0, [LEAVES[0][:31], LEAVES[1] + b"x"], read),
    ]
    for question in questions:
        with pytest.raises(ValueError, match=r"negative|not in a tree|no tree|every leaf"):
            question()


# 3. Growing.


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 20), st.integers(0, 700)), max_size=8))
def test_growth_does_not_depend_on_batches(batches: list[int]) -> None:
    """Appended in any batches, the leaves make the same tiles as appended one by one.

    And what a batch returns is exactly what differs from before it.
    """
    batched, single = Store(), Store()
    for count in batches:
        before = dict(batched.tiles)
        changed = batched.append(count)

        assert changed == {t: h for t, h in batched.tiles.items() if before.get(t) != h}
    for _ in range(batched.size):
        single.append(1)

    assert batched.tiles == single.tiles
    assert batched.tiles == rfc_tiles(batched.size)
    assert merkle.root(batched.size, batched.read) == mth(0, batched.size)


def test_growth_into_a_third_level() -> None:
    """Tiles are as defined on either side of 65,536 and 131,072 leaves, however reached."""
    store = Store()
    for size in [65_000, 65_535, 65_536, 65_537, 66_000, 131_000, 131_072, 131_073, 140_000]:
        store.append(size - store.size)

        assert merkle.root(size, store.read) == mth(0, size)
    assert store.tiles == rfc_tiles(140_000)
    assert LARGE.tiles == rfc_tiles(140_000)


def test_growth_reads_past_what_a_later_size_added() -> None:
    """An edge tile that already holds more is cut to the size asked about."""
    for size, count in [(1, 1), (100, 1), (255, 1), (300, 400), (65_300, 300), (131_000, 100)]:
        changed = merkle.grow(size, LEAVES[size : size + count], LARGE.read)
        whole = rfc_tiles(size + count)

        assert changed == {tile: whole[tile] for tile in changed}
        assert (0, (size + count - 1) // 256) in changed


# 4. Forgery.


def bent(hashed: bytes, numbers: random.Random) -> Iterator[bytes]:
    """The hash with one bit changed, in each of its bytes in turn; then cut, grown and emptied."""
    for at in range(len(hashed)):
        bit = 1 << numbers.randrange(8)
        yield hashed[:at] + bytes([hashed[at] ^ bit]) + hashed[at + 1 :]
    yield from (hashed[:-1], hashed + b"\x00", b"")


def bent_paths(path: list[bytes], numbers: random.Random) -> Iterator[list[bytes]]:
    """The path with a hash altered, missing, put twice, or exchanged with the next."""
    for at, node in enumerate(path):
        for other in bent(node, numbers):
            yield [*path[:at], other, *path[at + 1 :]]
        yield path[:at] + path[at + 1 :]
        yield [*path[:at], node, *path[at:]]
    for at in range(len(path) - 1):
        yield [*path[:at], path[at + 1], path[at], *path[at + 2 :]]
    if path:
        yield []
    for extra in (bytes(32), b"", merkle.EMPTY_ROOT):
        yield [*path, extra]
        yield [extra, *path]


SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 21, 32, 100, 256, 257]


@pytest.mark.parametrize("size", SIZES)
def test_no_altered_inclusion_proof_is_accepted(size: int) -> None:
    """Whatever is altered in leaf, path, root or index, the proof is refused.

    A size is refused unless it gives the leaf the very same path, which no verifier of RFC 9162
    can tell: the size is only as good as the checkpoint that it and the root came from.
    """
    numbers, root, verify = random.Random(size), mth(0, size), merkle.verify_inclusion
    for index in sorted({0, size // 3, size // 2, size - 2, size - 1} & set(range(size))):
        leaf, path = LEAVES[index], rfc_path(index, 0, size)

        assert verify(index, size, leaf, path, root)
        assert not any(verify(index, size, other, path, root) for other in bent(leaf, numbers))
        assert not any(verify(index, size, leaf, path, other) for other in bent(root, numbers))
        for other_path in bent_paths(path, numbers):
            assert not verify(index, size, leaf, other_path, root)
        for other in {*range(-2, size + 70), index + 2**64, 2**64 - 1} - {index}:
            assert not verify(other, size, leaf, path, root)
        for other in {*range(-2, 300), size + 2**64, 2**64 - 1} - {size}:
            same = index < other < 300 and turns(index, 0, other) == turns(index, 0, size)

            assert verify(index, other, leaf, path, root) == same
            assert not verify(index, other, leaf, path, mth(0, other) if 0 <= other < 300 else root)


@pytest.mark.parametrize("second", SIZES[1:])
def test_no_altered_consistency_proof_is_accepted(second: int) -> None:
    """Whatever is altered in either root, the path or the first size, the proof is refused.

    The second size is refused with its own root, as for inclusion.
    """
    numbers, root, verify = random.Random(second), mth(0, second), merkle.verify_consistency
    for first in sorted({1, 2, second // 3, second // 2, second - 1} & set(range(1, second))):
        begin, path = mth(0, first), rfc_subproof(first, 0, second, True)

        assert verify(first, second, begin, root, path)
        assert not any(verify(first, second, other, root, path) for other in bent(begin, numbers))
        assert not any(verify(first, second, begin, other, path) for other in bent(root, numbers))
        for other_path in bent_paths(path, numbers):
            assert not verify(first, second, begin, root, other_path)
        for other in {*range(-2, second + 70), 2**64 - 1} - {first}:
            assert not verify(other, second, begin, root, path)
        for other in {*range(-2, 300)} - {second}:
            assert not verify(first, other, begin, mth(0, max(other, 0)), path)


def test_equal_sizes_are_proven_by_equal_roots_alone() -> None:
    """Two trees of one size are consistent if their roots are equal, and need no path."""
    one, other = mth(0, 5), mth(1, 6)

    assert merkle.verify_consistency(5, 5, one, one, [])
    assert not merkle.verify_consistency(5, 5, one, other, [])
    assert not merkle.verify_consistency(5, 5, one, one, [one])
    assert not merkle.verify_consistency(-1, -1, one, one, [])


def test_nothing_follows_from_the_empty_tree() -> None:
    """A first size of 0 is refused, whatever the roots: it would vouch for any second root."""
    empty, root = merkle.EMPTY_ROOT, mth(0, 5)

    assert empty == mth(0, 0)
    assert not merkle.verify_consistency(0, 0, empty, empty, [])
    assert not merkle.verify_consistency(0, 5, empty, root, [])
    assert not merkle.verify_consistency(0, 5, empty, root, [root])


def test_a_hash_cannot_lend_a_byte_to_its_neighbour() -> None:
    """Hashes cut elsewhere hash to the same node, so each one's length is checked."""
    left, right, pair = LEAVES[0], LEAVES[1], mth(0, 2)

    assert not merkle.verify_inclusion(0, 2, left[:31], [left[31:] + right], pair)
    assert not merkle.verify_inclusion(0, 2, left + right[:1], [right[1:]], pair)
    assert not merkle.verify_inclusion(1, 2, right[1:], [left + right[:1]], pair)
    assert not merkle.verify_consistency(1, 2, left[:31], pair, [left[31:] + right])
    assert not merkle.verify_consistency(2, 4, pair + b"x", mth(0, 4), [mth(2, 4)])


# 5. Another library.


def test_roots_are_those_of_pymerkle() -> None:
    """A library that shares no code with this one computes the same roots from the entries."""
    tree = pymerkle.InmemoryTree.init_from_entries(ENTRIES[:700], algorithm="sha256")
    store = Store()
    store.tiles = merkle.grow(0, [merkle.leaf_hash(e) for e in ENTRIES[:700]], store.read)
    for size in [*range(1, 40), *range(250, 262), 511, 512, 513, 699, 700]:
        assert merkle.root(size, store.read) == tree.get_root(size)


# 6. The port.


def test_each_question_reads_once() -> None:
    """One call for each question, naming each tile once; none where nothing is needed."""
    numbers = random.Random(1)
    for size in [2, 3, 255, 256, 257, 300, 512, 65_535, 65_536, 65_537, 70_000, 140_000]:
        asked = [LARGE.asked(merkle.root, size)]
        for number in [1, size - 1, *(numbers.randrange(1, size) for _ in range(10))]:
            asked.append(LARGE.asked(merkle.inclusion_path, number, size))
            asked.append(LARGE.asked(merkle.consistency_path, number, size))
        for calls in asked:
            assert len(calls) == 1
            assert len(set(calls[0])) == len(calls[0])
            # The tile on the leaf's way up and the right edge, at each of three levels.
            assert 1 <= len(calls[0]) <= 6
    assert LARGE.asked(merkle.root, 0) == []
    assert LARGE.asked(merkle.inclusion_path, 0, 1) == []
    assert LARGE.asked(merkle.consistency_path, 0, 9) == []
    assert LARGE.asked(merkle.consistency_path, 9, 9) == []


def test_growing_reads_only_the_edge() -> None:
    """Growth asks, in one call, for just the partial tiles that it adds to."""
    for size, count, tiles in [
        (0, 300, []),
        (300, 0, []),
        (256, 10, []),
        (300, 1, [(0, 1)]),
        (767, 1, [(0, 2), (1, 0)]),
        (768, 256, [(1, 0)]),
        (131_000, 100, [(0, 511), (1, 1), (2, 0)]),
    ]:
        expected = [tiles] if tiles else []

        assert LARGE.asked(merkle.grow, size, LEAVES[size : size + count]) == expected


def test_a_store_that_lost_hashes_is_not_believed() -> None:
    """A tile missing or too short is an error, never a wrong root; one just long enough will do."""
    whole = Store(300).tiles
    for cut in [{}, {(0, 1): whole[0, 1][:-1]}, {(0, 1): b""}]:
        broken = Store()
        broken.tiles = {(0, 0): whole[0, 0], (1, 0): whole[1, 0], **cut}
        with pytest.raises(LookupError):
            merkle.root(300, broken.read)
        with pytest.raises(LookupError):
            merkle.inclusion_path(3, 300, broken.read)
        with pytest.raises(LookupError):
            merkle.consistency_path(256, 300, broken.read)
        with pytest.raises(LookupError):
            merkle.grow(300, LEAVES[300:301], broken.read)

        assert merkle.root(256, broken.read) == mth(0, 256)
    broken = Store()
    broken.tiles = {(0, 0): whole[0, 0][:-32]}
    with pytest.raises(LookupError):
        merkle.inclusion_path(200, 256, broken.read)  # Its last hash needs only half of the tile.
