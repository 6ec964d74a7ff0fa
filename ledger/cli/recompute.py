"""The command that computes from files what the fold says of the log."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.options import AsOfOption, AtSizeOption, Output, OutputOption, instant
from ledger.cli.render import show_json, show_table

if TYPE_CHECKING:
    from ledger.recompute.compare import Recomputed

DIFFERS = 5


def recompute(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `ledger export parquet` wrote.")
    ],
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            help="Compare with what the ledger says of this log: sqlite:///PATH or postgresql://…",
        ),
    ] = None,
    as_of: AsOfOption = "",
    at_size: AtSizeOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compute by SQL, from files alone, who held whom, who was where and who was separated.

    Checks the files first. With a database, compares every row with what the ledger computes from
    the log: exit code 5 if one differs. The SQL is in docs/recompute.md, to be run without this.

    Example: ledger audit recompute audit-2019 --database sqlite:///ledger.db --as-of 2019-09-30
    """
    # Imported here because other commands need neither a database nor DuckDB.
    from contextlib import ExitStack

    from rich.console import Console
    from rich.progress import Progress

    from ledger.recompute.compare import check
    from ledger.recompute.compare import recompute as compute
    from ledger.store.source import source
    from projections.valid_time import to_us

    moment = instant("--as-of", as_of) if as_of else datetime.now(UTC)
    console = Console(stderr=True)
    with ExitStack() as stack:
        log = stack.enter_context(source(database)) if database else None
        bar = stack.enter_context(Progress(console=console, disable=not console.is_terminal))
        task = bar.add_task("files", total=None)
        manifest = check(folder, lambda done, total: bar.update(task, completed=done, total=total))
        task = bar.add_task("persons", total=None)
        found = compute(
            folder,
            manifest,
            to_us(moment),
            manifest.size if at_size is None else at_size,
            log=log,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if output == Output.JSON:
        show_json(_plain(found))
    else:
        _show(found)
    if not found.ok:
        sys.exit(DIFFERS)


def _plain(found: "Recomputed") -> dict[str, object]:
    return {
        "ok": found.ok if found.is_compared else None,
        "is_compared": found.is_compared,
        "as_of_us": found.as_of_us,
        "size": found.size,
        "root": found.root,
        "persons": found.persons,
        "not_compared": found.not_compared,
        "tables": [
            {
                "name": one.name,
                "rows": one.rows,
                "buckets": one.buckets,
                "differing_buckets": one.differing,
                "differences": [{"only": side, "row": list(row)} for side, row in one.differences],
            }
            for one in found.tables
        ],
    }


def _show(found: "Recomputed") -> None:
    if found.is_compared:
        outcome = "the same" if found.ok else "NOT THE SAME"
        typer.echo(f"files and fold say {outcome}")
    else:
        typer.echo("not compared with a log: the files are what their manifest says, no more")
    show_table(
        f"{found.size} entries, {found.persons} persons",
        ["table", "rows", "buckets", "that differ"],
        [
            (one.name, one.rows, *((one.buckets, len(one.differing)) if found.is_compared else ()))
            for one in found.tables
        ],
    )
    for reason, persons in found.not_compared.items():
        typer.echo(f"not compared: {persons} persons, {reason}")
    for one in found.tables:
        for side, row in one.differences:
            typer.echo(f"{one.name}: only {side}: {' '.join(str(value) for value in row)}")
    typer.echo(f"root {found.root}")
