"""What the texts compute from the files against what the fold says of the log."""

import csv
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger import merkle
from ledger.errors import MistakeError, TamperedError
from ledger.recompute import fold, manifest
from ledger.recompute.columns import EVENT, SUBJECT, key_of
from ledger.recompute.engine import TEXTS, Engine, opened, text_of
from ledger.recompute.manifest import Manifest, Part
from ledger.recompute.rows import to_csv
from ledger.store.entries import Entries
from ledger.store.tree import Tree
from projections.codes import edition

SHOWN_MAX = 20
FILES = {"event": EVENT, "subject": SUBJECT}
BUCKETS = 256
NO_ORDER = "('linked', 'zones')"
"""Why the order of somebody's events is not known to the texts; other reasons are of custody."""

_LEFT_OUT = "SELECT DISTINCT person_key FROM not_compared"

Progress = Callable[[int, int], None]


@dataclass
class Table:
    """What one text comes to."""

    name: str
    rows: int
    buckets: int = 0
    """How many of the buckets of persons have any; of a census, of its agencies and facilities."""
    differing: list[int] = field(default_factory=list)
    """The buckets in which the fold says something else; of files, where their ranges begin."""
    differences: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    """The first rows that only one side has: ("files", "fold" or, of the files, "log"; row)."""


@dataclass
class Recomputed:
    """What the texts come to, as of an instant as known at a size."""

    as_of_us: int
    size: int
    root: str
    """Of the log at the size of the files."""
    persons: int = 0
    not_compared: dict[str, int] = field(default_factory=dict)
    """By reason, how many persons have a history that the texts do not cover."""
    tables: list[Table] = field(default_factory=list)
    is_compared: bool = False

    @property
    def ok(self) -> bool:
        """Whether the fold says the same, where it was asked."""
        return not any(one.differing for one in self.tables)


def check(folder: Path, progress: Progress = lambda _done, _total: None) -> Manifest:
    """The manifest of a folder, once every file is found to be what it says.

    The files are those that were written, their leaf hashes have the roots that are named, and the
    roots of the ranges that of the log. Raises TamperedError, which names the file, MistakeError.
    """
    found = manifest.read(folder)
    tops: dict[merkle.Tile, bytes] = {}
    expected = 1
    for part in found.parts:
        if part.first != expected or part.last - part.first >= found.width:
            raise TamperedError(f"{part.events.name}: the files before it end at {expected - 1}")
        for file in part.files:
            path = folder / file.name
            # A name that leads out of the folder is none of an export.
            if Path(file.name).name != file.name or not path.is_file():
                raise TamperedError(f"{file.name} is missing")
            if manifest.digest(path) != file.sha256:
                raise TamperedError(f"{file.name} is not the file that was written")
        expected = part.last + 1
        progress(part.last, found.size)
    with TemporaryDirectory() as aside, opened(Path(aside)) as engine:
        for part in found.parts:
            for file in part.files:
                if (rows := engine.count(folder / file.name)) != file.rows:
                    raise TamperedError(f"{file.name} has {rows} rows")
            tops |= _leaves(engine, folder, part, tops)
    return found


def _leaves(
    engine: Engine, folder: Path, part: Part, tops: dict[merkle.Tile, bytes]
) -> dict[merkle.Tile, bytes]:
    """The tiles of the log that the leaf hashes of a part add. Raises TamperedError."""
    hashes = list(engine.leaf_hashes(folder / part.events.name))
    if len(hashes) != part.last - part.first + 1:
        raise TamperedError(f"{part.events.name} has {len(hashes)} rows")
    own = merkle.grow(0, hashes, lambda _: {})
    if merkle.root(len(hashes), lambda _: own).hex() != part.subtree_root:
        raise TamperedError(f"{part.events.name} has leaf hashes of another root than it is named")
    grown = merkle.grow(part.first - 1, hashes, lambda _: tops)
    known = tops | grown
    if merkle.root(part.last, lambda _: known).hex() != part.log_root:
        raise TamperedError(f"{part.events.name} does not go on from the files before it")
    # What is full is not needed again below the level that says so.
    return {at: row for at, row in grown.items() if at[0] > 0 or len(row) < merkle.TILE_BYTES}


def recompute(
    folder: Path,
    found: Manifest,
    as_of_us: int,
    size: int,
    *,
    log: tuple[Entries, Tree] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Recomputed:
    """Run the texts over checked files and, where a log is given, compare its fold with them.

    Raises MistakeError for a size that the files do not have, TamperedError where they are not of
    the log that is given.
    """
    if not 0 < size <= found.size:
        raise MistakeError(f"the files have {found.size} entries, not {size}")
    if log and (log[0].size() < found.size or log[1].root(found.size).hex() != found.root):
        raise TamperedError("the files are not of this log: its root at their size is another")
    if log and found.words != edition():
        raise MistakeError("the files were made with other words than these: export them again")
    made = Recomputed(as_of_us, size, found.root)
    with TemporaryDirectory() as aside, opened(Path(aside)) as engine:
        _compute(engine, folder, found, made)
        if log:
            _load_fold(engine, Path(aside), log[0], made, progress)
            for table in made.tables:
                _compare(engine, table)
            made.tables += _compare_files(engine, Path(aside), folder, found, log[0])
            made.is_compared = True
    return made


def _compute(engine: Engine, folder: Path, found: Manifest, made: Recomputed) -> None:
    engine.name_files("event", (folder / one.events.name for one in found.parts))
    engine.name_files("subject", (folder / one.subjects.name for one in found.parts))
    engine.run("CREATE TABLE basis (as_of_us BIGINT, size BIGINT)")
    engine.run("INSERT INTO basis VALUES (?, ?)", (made.as_of_us, made.size))
    for name in TEXTS:
        engine.run(text_of(name))
    ((made.persons,),) = engine.run("SELECT count(DISTINCT person_key) FROM fact")
    made.not_compared = dict(
        engine.run("SELECT reason, count(*) FROM not_compared GROUP BY reason ORDER BY reason")
    )
    for name in fold.TABLES:
        ((rows,),) = engine.run(f"SELECT count(*) FROM {name}")
        made.tables.append(Table(name, rows))


def _load_fold(
    engine: Engine, aside: Path, entries: Entries, made: Recomputed, progress: Progress
) -> None:
    """Put what the fold says beside it, in the tables fold_custody_period and so on."""
    left_out = {
        "separation": {one for (one,) in engine.run(f"{_LEFT_OUT} WHERE reason IN {NO_ORDER}")},
        "custody": {one for (one,) in engine.run(_LEFT_OUT)},
    }
    census, done = fold.Census(), 0
    with ExitStack() as stack:
        write = {name: _writer(stack, aside / f"{name}.csv") for name in fold.TABLES}
        for some in fold.people(entries, made.size):
            for person, known in some.items():
                key = key_of(person)
                if key not in left_out["separation"]:
                    write["separation"](fold.separations(person, known, made.as_of_us))
                if key not in left_out["custody"]:
                    periods = list(fold.custody_periods(person, known))
                    census.add(periods)
                    write["custody_period"](periods)
                    write["in_care"](fold.in_care(person, known, made.as_of_us))
            done += len(some)
            progress(done, made.persons)
        write["census"](census.rows())
    for name, columns in fold.TABLES.items():
        engine.load_csv(f"fold_{name}", columns, aside / f"{name}.csv")


def _writer(stack: ExitStack, path: Path) -> Callable[[Iterable[Any]], None]:
    file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    return csv.writer(file, quoting=csv.QUOTE_ALL).writerows


def _compare_files(
    engine: Engine, aside: Path, folder: Path, found: Manifest, entries: Entries
) -> list[Table]:
    """Make the rows of the files again from the entries, and find the files that have others."""
    tables = {name: Table(name, 0, len(found.parts)) for name in FILES}
    for part in found.parts:
        made = {name: aside / f"{name}.csv" for name in FILES}
        for _ in to_csv(entries, part.first, part.last, made["event"], made["subject"]):
            pass
        for (name, columns), file in zip(FILES.items(), part.files, strict=True):
            engine.load_csv("made", columns, made[name])
            engine.name_files("kept", [folder / file.name])
            tables[name].rows += file.rows
            _compare_file(engine, tables[name], columns, part.first)
            engine.run("DROP VIEW kept")
            engine.run("DROP TABLE made")
    return list(tables.values())


def _compare_file(engine: Engine, table: Table, columns: Iterable[str], first: int) -> None:
    names = ", ".join(columns)
    for side, one, other in (("files", "kept", "made"), ("log", "made", "kept")):
        rows = engine.run(
            f"SELECT {names} FROM {one} EXCEPT ALL SELECT {names} FROM {other} "
            f"ORDER BY position LIMIT {SHOWN_MAX}"
        )
        if rows and first not in table.differing:
            table.differing.append(first)
        shown = sum(1 for known, _ in table.differences if known == side)
        table.differences += [(side, row) for row in rows[: SHOWN_MAX - shown]]


def _compare(engine: Engine, table: Table) -> None:
    """Find the buckets in which the two differ, and the first rows."""
    name = table.name
    # A census has no persons: its buckets are those of its days.
    bucket = (
        f"person_key % {BUCKETS}"
        if name != "census"
        else f"((day % {BUCKETS}) + {BUCKETS}) % {BUCKETS}"
    )
    only = {
        "files": f"(SELECT * FROM {name} EXCEPT ALL SELECT * FROM fold_{name})",
        "fold": f"(SELECT * FROM fold_{name} EXCEPT ALL SELECT * FROM {name})",
    }
    counted = f"SELECT count(DISTINCT {bucket}) FROM {name}"
    ((table.buckets,),) = engine.run(counted)
    differing: set[int] = set()
    for side, rows in only.items():
        differing.update(one for (one,) in engine.run(f"SELECT DISTINCT {bucket} FROM {rows}"))
        first = engine.run(f"SELECT * FROM {rows} ORDER BY ALL LIMIT {SHOWN_MAX}")
        table.differences += [(side, _named(engine, name, row)) for row in first]
    table.differing = sorted(differing)


def _named(engine: Engine, table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row with the id of the person in the place of her key."""
    if table == "census":
        return row
    found = engine.run("SELECT subject FROM subject WHERE subject_key = ? LIMIT 1", row[:1])
    return (found[0][0] if found else row[0], *row[1:])
