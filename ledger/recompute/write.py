"""Writing the log to Parquet files, by closed ranges of positions.

A range that is there is not written again: a folder is brought up to the log by the same command,
and goes on where it was broken off. Nothing of it is in memory but a few entries and the hashes of
one range.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger import merkle
from ledger.errors import StartupError, TamperedError
from ledger.recompute.columns import EVENT, SUBJECT
from ledger.recompute.engine import Engine, opened
from ledger.recompute.manifest import NAME, File, Manifest, Part, digest, read, write
from ledger.recompute.rows import to_csv
from ledger.store.entries import Entries
from ledger.store.tree import Tree
from projections.codes import edition

WIDTH = 1 << 20
"""How many positions a range has: a complete subtree of the tree, and some hundred MB at most."""
_NAME = re.compile(r"(events|subjects)-\d{12}-\d{12}\.parquet")

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

    What was made with other words is made again. `with_open`: also the range at the end that is
    not complete, to be written again when it is.
    Raises TamperedError where the entries are not those that the tree was made of, or the folder is
    of another log; StartupError where the folder cannot be written.
    """
    size = entries.size()
    try:
        # Everybody is in it, under their ids.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        manifest = read(folder) if (folder / NAME).exists() else Manifest(width, edition())
        _require_ours(manifest, tree, size)
        if manifest.words != edition():
            manifest = Manifest(manifest.width, edition())
        else:
            _remove_others(folder, manifest)
        with (
            TemporaryDirectory(prefix=".part-", dir=folder) as aside,
            opened(Path(aside)) as engine,
        ):
            for span in _spans(folder, manifest, size, with_open=with_open):
                part = _Part(entries, tree, folder, Path(aside), span).write(engine, progress, size)
                _add(folder, manifest, part)
    except OSError as error:
        raise StartupError(f"{folder} cannot be written: {error.strerror}") from None
    return manifest


def _require_ours(manifest: Manifest, tree: Tree, size: int) -> None:
    """Raise unless the log begins with what the folder has."""
    if manifest.size > size or (manifest.parts and tree.root(manifest.size).hex() != manifest.root):
        raise TamperedError("the folder has files of another log, or the log is not as it was")


def _spans(
    folder: Path, manifest: Manifest, size: int, *, with_open: bool
) -> Iterator[tuple[int, int]]:
    """The ranges that a folder lacks, or has less of than there is by now, or a file is gone of."""
    had = {one.first: one for one in manifest.parts}
    for first in range(1, size + 1, manifest.width):
        last = min(first + manifest.width - 1, size)
        part = had.get(first)
        is_gone = part and not all((folder / file.name).is_file() for file in part.files)
        is_wanted = with_open or last == first + manifest.width - 1
        if is_gone or (is_wanted and (part is None or part.last < last)):
            yield first, last


def _add(folder: Path, manifest: Manifest, part: Part) -> None:
    """Name a part in the manifest, in the place of the one before that began there."""
    others = [one for one in manifest.parts if one.first != part.first]
    manifest.parts = sorted([*others, part], key=lambda one: one.first)
    write(folder, manifest)
    _remove_others(folder, manifest)


def _remove_others(folder: Path, manifest: Manifest) -> None:
    """Remove the files of an export that the manifest does not name: who reads by `*` reads all."""
    named = {file.name for part in manifest.parts for file in part.files}
    for one in folder.iterdir():
        if _NAME.fullmatch(one.name) and one.name not in named:
            one.unlink()


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
        for hashes, named in to_csv(self._entries, self._first, self._last, events, subjects):
            self._grow(self._rows["events"], hashes)
            self._rows["events"] += len(hashes)
            self._rows["subjects"] += named
            progress(self._first - 1 + self._rows["events"], size)
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

    def _grow(self, size: int, hashes: Sequence[bytes]) -> None:
        self._tiles |= merkle.grow(size, hashes, lambda _: self._tiles)

    def _kept(self, engine: Engine, name: str, rows: Path, columns: dict[str, str]) -> File:
        """The rows as a Parquet file under its name, whole or not at all."""
        made = self._aside / f"{name}.parquet"
        engine.csv_to_parquet(rows, columns, made)
        kept = self._folder / f"{name}-{self._first:012}-{self._last:012}.parquet"
        made.chmod(0o600)
        made.replace(kept)
        return File(kept.name, self._rows[name], digest(kept))
