"""Commands that list and rebuild the tables made from the log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli.options import (
    DATABASE,
    DatabaseOption,
    KeysOption,
    Output,
    OutputOption,
    WorkersOption,
    processors,
)
from ledger.cli.render import show_json, show_table

projection = typer.Typer(help="The tables made from the log.", no_args_is_help=True)

DIFFERS = 5
SHARED_MIN = 20_000
"""So many entries are worth the while that other processes take to begin."""


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(projection, name="projection")


@projection.command("list")
def list_projections(
    database: DatabaseOption = DATABASE,
    keys: KeysOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Every projection: what it is about, how far its tables have come, how far they are behind.

    Tables of an earlier version stay in use until those of this one are made.

    Example: ledger projection list
    """
    import projections

    with _tables(database, keys) as (populations, log):
        size = log.entries.size()
        every = populations.generations.all()
        in_use = {one.projection: one for one in every if one.state == "live"}
        making = {one.projection: one for one in every if one.state == "making"}
        seconds = {one.position: populations.lag_s(one.position, size) for one in in_use.values()}
    rows = []
    for name, one in projections.load().items():
        tables = in_use.get(name)
        rows.append(
            {
                "name": name,
                "subject": one.subject,
                "version": one.version,
                "has_tables": one.populations is not None,
                "tables_version": tables.version if tables else None,
                "position": tables.position if tables else None,
                "behind": size - tables.position if tables else None,
                "behind_seconds": seconds[tables.position] if tables else None,
                "making": name in making,
            }
        )
    if output == Output.JSON:
        show_json({"projections": rows, "size": size})
        return
    show_table(
        "Projections",
        ["name", "about a", "version", "tables", "behind"],
        [(row["name"], row["subject"], row["version"], _how_far(row), _lag(row)) for row in rows],
    )


def _how_far(row: dict[str, Any]) -> str:
    if not row["has_tables"]:
        return "answered from the log"
    told = "none yet" if row["position"] is None else f"to {row['position']}"
    if row["position"] is not None and row["tables_version"] != row["version"]:
        told += ", of an earlier version"
    return f"{told}, being made" if row["making"] else told


def _lag(row: dict[str, Any]) -> str:
    if not row["behind"]:
        return "" if row["behind"] is None else "0"
    return f"{row['behind']}, {row['behind_seconds']:.0f} s"


@projection.command("rebuild")
def rebuild(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="custody, separation …; without: all of them."),
    ] = None,
    database: DatabaseOption = DATABASE,
    keys: KeysOption = None,
    workers: WorkersOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the tables of a projection, or of all, anew from the log, compare them, change over.

    Broken off, it goes on where it was. Exit code 5 if the old tables were not what the log says;
    the new ones are. On SQLite the server must be stopped; on PostgreSQL it serves meanwhile.

    Example: ledger projection rebuild custody
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with (
        _tables(database, keys, writing=True, workers=workers) as (populations, _log),
        Progress(console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task(name or "all projections", total=None)
        every = populations.rebuild_all(
            [name] if name else [],
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    shown = [
        {
            "projection": one.projection,
            "size": one.size,
            "digest": one.digest.hex(),
            "equal": not one.differing,
            "differing_buckets": one.differing,
        }
        for one in every
    ]
    if output == Output.JSON:
        show_json(shown[0] if name else {"projections": shown})
    else:
        for one in every:
            typer.echo(f"{one.projection} rebuilt to size {one.size}, digest {one.digest.hex()}")
            if one.differing:
                typer.echo(f"the old tables differed in {len(one.differing)} of 256 buckets")
    if any(one.differing for one in every):
        sys.exit(DIFFERS)


@contextmanager
def _tables(
    database: str, keys: Path | None, *, writing: bool = False, workers: int | None = 0
) -> Iterator[tuple["Populations", "Log"]]:  # type: ignore[name-defined]  # noqa: F821
    """The populations of a database, and its log. `workers`: None: as many as it is worth."""
    import projections
    from ledger.keys.keyring import Keyring
    from ledger.ledger import now_us
    from ledger.store import migrations
    from ledger.store.database import Database
    from ledger.store.folders import Folders
    from ledger.store.log import Log
    from ledger.store.logs import CUSTODY
    from ledger.store.populations import Populations

    found = Database(database, must_exist=True)
    if writing:
        found.lock_for_writing()
    migrations.require(found.engine)
    keyring = Keyring(found.keys_file(keys))
    log = Log(found, now_us, keyring, must_exist=True)
    if workers is None:
        workers = processors() if log.entries.size() >= SHARED_MIN else 0
    folders = Folders(found, CUSTODY, keyring, workers) if workers else None
    try:
        yield Populations(found, log, projections.load(), folders.fold if folders else None), log
    finally:
        if folders:
            folders.close()
        found.close()
