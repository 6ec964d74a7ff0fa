"""Writing the log to Parquet files, by closed ranges of positions.

A range that is there is not written again: a folder is brought up to the log by the same command,
and goes on where it was broken off. Nothing of it is in memory but a few entries and the hashes of
one range.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.message import DecodeError

from ledger import merkle
from ledger.errors import StartupError, TamperedError
from ledger.recompute.columns import EVENT, SUBJECT, event_row, subject_rows
from ledger.recompute.engine import Engine, opened
from ledger.recompute.manifest import NAME, File, Manifest, Part, digest, read, write
from ledger.store.entries import Entries, Stored, query_of
from ledger.store.tree import Tree
from ledger.v1.event_pb2 import Entry
from ledger.v1.ledger_service_pb2 import EventFilter
from projections.codes import edition

WIDTH = 1 << 20
"""How many positions a range has: a complete subtree of the tree, and some hundred MB at most."""
PAGE = 2_000

Progress = Callable[[int, int], None]


def export(
    entries: Entries,
    tree: Tree,
    folder: Path,
    *,
    with_open: bool = False,
    width: int = WIDTH,
    progress: Progress = lambda _done, _total: None,
) -> Manifest:
    """Write what the folder lacks of the log; return what it has then.

    `with_open`: also the range at the end that is not complete, to be written again when it is.
    Raises TamperedError where the entries are not those that the tree was made of, or the folder is
    of another log; StartupError where the folder cannot be written.
    """
    size = entries.size()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = read(folder) if (folder / NAME).exists() else Manifest(width, edition())
        _require_ours(manifest, tree, size)
        with (
            TemporaryDirectory(prefix=".part-", dir=folder) as aside,
            opened(Path(aside)) as engine,
        ):
            for span in _spans(manifest, size, with_open=with_open):
                part = _Part(entries, tree, folder, Path(aside), span).write(engine, progress, size)
                _add(folder, manifest, part)
    except OSError as error:
        raise StartupError(f"{folder} cannot be written: {error.strerror}") from None
    return manifest


def _require_ours(manifest: Manifest, tree: Tree, size: int) -> None:
    """Raise unless the log begins with what the folder has."""
    if manifest.size > size or (manifest.parts and tree.root(manifest.size).hex() != manifest.root):
        raise TamperedError("the folder has files of another log, or the log is not as it was")


def _spans(manifest: Manifest, size: int, *, with_open: bool) -> Iterator[tuple[int, int]]:
    """The ranges that a folder lacks, or has less of than there is by now."""
    width, had = manifest.width, manifest.size
    for first in range(had - had % width + 1, size + 1, width):
        last = min(first + width - 1, size)
        if last > had and (with_open or last == first + width - 1):
            yield first, last


def _add(folder: Path, manifest: Manifest, part: Part) -> None:
    """Name a part in the manifest, in the place of the open one that it goes on from."""
    older = [one for one in manifest.parts if one.first == part.first]
    manifest.parts = [one for one in manifest.parts if one not in older] + [part]
    write(folder, manifest)
    for file in (file for one in older for file in one.files):
        (folder / file.name).unlink(missing_ok=True)


class _Part:
    """A range that is being written."""

    def __init__(
        self, entries: Entries, tree: Tree, folder: Path, aside: Path, span: tuple[int, int]
    ) -> None:
        self._entries = entries
        self._tree = tree
        self._folder = folder
        self._aside = aside
        self._first, self._last = span
        self._tiles: dict[merkle.Tile, bytes] = {}
        self._rows = {"events": 0, "subjects": 0}

    def write(self, engine: Engine, progress: Progress, size: int) -> Part:
        events, subjects = (self._aside / f"{name}.csv" for name in self._rows)
        with (
            events.open("w", encoding="utf-8", newline="") as one,
            subjects.open("w", encoding="utf-8", newline="") as other,
        ):
            to_events, to_subjects = csv.writer(one), csv.writer(other)
            for page in self._pages():
                made = [(stored.position, self._read(stored)) for stored in page]
                hashes = [merkle.leaf_hash(stored.data) for stored in page]
                self._grow(page[0].position - self._first, hashes)
                to_events.writerows(
                    event_row(*one, leaf) for one, leaf in zip(made, hashes, strict=True)
                )
                named = [row for one in made for row in subject_rows(*one)]
                to_subjects.writerows(named)
                self._rows["events"] += len(page)
                self._rows["subjects"] += len(named)
                progress(page[-1].position, size)
        root = merkle.root(self._last - self._first + 1, lambda _: self._tiles)
        if root != merkle.range_root(self._first - 1, self._last, self._tree.read):
            raise TamperedError(
                f"entries {self._first} to {self._last} are not those that the tree was made of: "
                "see `ledger audit verify`"
            )
        return Part(
            self._first,
            self._last,
            root.hex(),
            self._tree.root(self._last).hex(),
            self._kept(engine, "events", events, EVENT),
            self._kept(engine, "subjects", subjects, SUBJECT),
        )

    def _pages(self) -> Iterator[Sequence[Stored]]:
        after, everything = self._first - 1, query_of(EventFilter())
        while after < self._last:
            page = self._entries.page(everything, after, self._last, PAGE)
            if [one.position for one in page] != list(range(after + 1, after + 1 + len(page))) or (
                not page
            ):
                raise TamperedError(f"an entry is missing behind position {after}")
            after = page[-1].position
            yield page

    @staticmethod
    def _read(stored: Stored) -> Entry:
        try:
            return Entry.FromString(stored.data)
        except DecodeError:
            raise TamperedError(f"the entry at position {stored.position} cannot be read") from None

    def _grow(self, size: int, hashes: Sequence[bytes]) -> None:
        self._tiles |= merkle.grow(size, hashes, lambda _: self._tiles)

    def _kept(self, engine: Engine, name: str, rows: Path, columns: dict[str, str]) -> File:
        """The rows as a Parquet file under its name, whole or not at all."""
        made = self._aside / f"{name}.parquet"
        engine.csv_to_parquet(rows, columns, made)
        kept = self._folder / f"{name}-{self._first:012}-{self._last:012}.parquet"
        made.replace(kept)
        return File(kept.name, self._rows[name], digest(kept))
