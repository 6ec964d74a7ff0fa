"""What happened to everybody computed by SQL from Parquet files, and compared with the fold.

What one log comes to in files is copied, with other ids and positions, until there are as many
events as are asked for: to append millions and to write them out would take its time.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.measuring import Figure, Line, Target
from benchmarks.proofs import opened
from benchmarks.questions import Loaded
from ledger import merkle
from ledger.recompute import engine, manifest
from ledger.recompute.compare import check, recompute
from ledger.recompute.manifest import Manifest, Part
from ledger.recompute.write import export

_AUDITED = Target("≥ 2,000,000 events/s", 2_000_000)
AS_OF_US = 1_530_000_000_000_000  # 26 June 2018: the injunction
IDS = ("event_id", "transfer_id", "retracted_event_id")


def audited(one: Loaded, most: int, events: int, here: Path, store: str) -> Iterator[Figure | Line]:
    """Of a log: its export, the SQL over so many events, and a comparison of up to `most`."""
    with opened(one) as ledger:
        entries, tree = ledger.log.entries, ledger.log.tree
        folder = here / "parquet"
        began = time.perf_counter()
        written = export(entries, tree, folder, with_open=True)
        rate = one.size / (time.perf_counter() - began)
        yield Line("export to Parquet", rate, "events/s", store, one.size)
        size = min(one.size, most)
        began = time.perf_counter()
        if not recompute(folder, written, AS_OF_US, size, log=(entries, tree)).ok:
            raise RuntimeError("the fold says something else than the SQL")
        rate = size / (time.perf_counter() - began)
        yield Line("set-based audit, compared with the fold", rate, "events/s", store, size)
    many = _copied(folder, written, max(events // one.size, 1))

    def computed() -> float:
        began = time.perf_counter()
        recompute(folder, many, AS_OF_US, many.size)
        return many.size / (time.perf_counter() - began)

    def checked_first() -> float:
        began = time.perf_counter()
        recompute(folder, check(folder), AS_OF_US, many.size)
        return many.size / (time.perf_counter() - began)

    yield Figure("set-based audit", "events/s", computed, {}, _AUDITED, many.size)
    name = "set-based audit, files checked first"
    yield Figure(name, "events/s", checked_first, {}, None, many.size)


def _copied(folder: Path, written: Manifest, times: int) -> Manifest:
    """The same files so many times, as if of others, and in one tree."""
    found = Manifest(written.width, written.words)
    tiles: dict[merkle.Tile, bytes] = {}
    with engine.opened(folder) as duck:
        for number in range(times):
            for part in written.parts:
                made = _copy(duck, folder, part, number, written.size)
                hashes = list(duck.leaf_hashes(folder / made.events.name))
                tiles.update(merkle.grow(made.first - 1, hashes, lambda _: tiles))
                root = merkle.root(made.last, lambda _: tiles).hex()
                found.parts.append(replace(made, log_root=root))
    manifest.write(folder, found)
    return found


def _copy(duck: engine.Engine, folder: Path, part: Part, number: int, size: int) -> Part:
    ids = {"events": IDS, "subjects": ("subject",)}
    made = {}
    for name, file in (("events", part.events), ("subjects", part.subjects)):
        other = replace(file, name=f"copy-{number}-{file.name}")
        columns = [f"position + {number * size} AS position"] + [
            f"CASE WHEN {one} = '' THEN '' ELSE '{number:08x}' || substr({one}, 9) END AS {one}"
            for one in ids[name]
        ]
        duck.run(
            f"COPY (SELECT * REPLACE ({', '.join(columns)}) FROM '{folder / file.name}') "  # noqa: S608
            f"TO '{folder / other.name}' (FORMAT parquet, COMPRESSION zstd)"
        )
        made[name] = replace(other, sha256=manifest.digest(folder / other.name))
    shift = number * size
    return replace(part, first=part.first + shift, last=part.last + shift, **made)
