"""Commands that list and rebuild the tables made from the log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.options import DATABASE, DatabaseOption, KeysOption, Output, OutputOption
from ledger.cli.render import show_json, show_table

projection = typer.Typer(help="The tables made from the log.", no_args_is_help=True)

DIFFERS = 5


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(projection, name="projection")


@projection.command("list")
def list_projections(
    database: DatabaseOption = DATABASE,
    keys: KeysOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Every projection: what it is about, and how far its tables have come.

    Example: ledger projection list
    """
    import projections

    with _tables(database, keys) as (populations, size):
        made = {one.projection: one for one in populations.generations.all() if one.state == "live"}
    rows = []
    for name, one in projections.load().items():
        tables = made.get(name)
        rows.append(
            {
                "name": name,
                "subject": one.subject,
                "version": one.version,
                "has_tables": one.populations is not None,
                "tables_version": tables.version if tables else None,
                "position": tables.position if tables else None,
                "behind": size - tables.position if tables else None,
            }
        )
    if output == Output.JSON:
        show_json({"projections": rows, "size": size})
        return
    show_table(
        "Projections",
        ["name", "about a", "version", "tables", "behind"],
        [
            (
                row["name"],
                row["subject"],
                row["version"],
                "answered from the log" if not row["has_tables"] else f"to {row['position']}",
                "" if row["behind"] is None else row["behind"],
            )
            for row in rows
        ],
    )


@projection.command("rebuild")
def rebuild(
    name: Annotated[str, typer.Argument(metavar="NAME", help="custody, separation …")],
    database: DatabaseOption = DATABASE,
    keys: KeysOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the tables of a projection anew from the log, compare them, and change over.

    Broken off, it goes on where it was. Exit code 5 if the old tables were not what the log says;
    the new ones are. On SQLite the server must be stopped; on PostgreSQL it serves meanwhile.

    Example: ledger projection rebuild custody
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with (
        _tables(database, keys, writing=True) as (populations, _size),
        Progress(console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task(name, total=None)
        rebuilt = populations.rebuild(
            name, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if output == Output.JSON:
        show_json(
            {
                "projection": name,
                "size": rebuilt.size,
                "digest": rebuilt.digest.hex(),
                "equal": not rebuilt.differing,
                "differing_buckets": rebuilt.differing,
            }
        )
    else:
        typer.echo(f"{name} rebuilt to size {rebuilt.size}, digest {rebuilt.digest.hex()}")
        if rebuilt.differing:
            typer.echo(f"the old tables differed in {len(rebuilt.differing)} of 256 buckets")
    if rebuilt.differing:
        sys.exit(DIFFERS)


@contextmanager
def _tables(
    database: str, keys: Path | None, *, writing: bool = False
) -> Iterator[tuple["Populations", int]]:  # type: ignore[name-defined]  # noqa: F821
    """The populations of a database, and the size of its log."""
    import projections
    from ledger.keys.keyring import Keyring
    from ledger.ledger import now_us
    from ledger.store import migrations
    from ledger.store.database import Database
    from ledger.store.log import Log
    from ledger.store.populations import Populations

    found = Database(database, must_exist=True)
    if writing:
        found.lock_for_writing()
    migrations.require(found.engine)
    log = Log(found, now_us, Keyring(found.keys_file(keys)), must_exist=True)
    try:
        yield Populations(found, log, projections.load()), log.entries.size()
    finally:
        found.close()
