"""Commands that hand events out."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.options import (
    DATABASE,
    LISTEN,
    DatabaseOption,
    Output,
    OutputOption,
    ServerOption,
    connected,
)
from ledger.cli.render import plain, show_json

export = typer.Typer(help="What is handed out.", no_args_is_help=True)

TypesOption = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only events of this kind; may be repeated."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(export, name="export")


@export.command("public")
def public(types: TypesOption = None, server: ServerOption = LISTEN) -> None:
    """Events fit for everybody, one JSON object a line; what was left out on standard error.

    Every id is a pseudonym of this export. Records that are sealed or confidential are left out.

    Example: ledger export public --type Separated > separated.jsonl
    """
    _export("EXPORT_KIND_PUBLIC", types, server)


@export.command("research")
def research(types: TypesOption = None, server: ServerOption = LISTEN) -> None:
    """The same for research: with years of birth, and pseudonyms where there are names.

    Example: ledger export research --type Separated > separated.jsonl
    """
    _export("EXPORT_KIND_RESEARCH", types, server)


@export.command("parquet")
def parquet(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made if it is not there.")],
    with_open: Annotated[
        bool,
        typer.Option(
            "--open", help="Also the range at the end that is not complete, for the time being."
        ),
    ] = False,
    database: DatabaseOption = DATABASE,
    output: OutputOption = Output.TABLE,
) -> None:
    """The whole log as Parquet files of typed columns, without personal fields, for an audit.

    Reads the database itself, whether or not it is being served. By closed ranges of 1,048,576
    positions; those that the folder has are not written again. A manifest names for each file its
    range, SHA-256 and Merkle roots. Of everybody, under their ids: it is for auditors alone.

    Example: ledger export parquet audit-2019 --open --database sqlite:///backup.db
    """
    # Imported here because other commands need neither a database nor DuckDB.
    from rich.console import Console
    from rich.progress import Progress

    from ledger.recompute.write import export as write
    from ledger.store.source import source

    console = Console(stderr=True)
    with source(database) as log, Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("entries", total=None)
        found = write(
            *log,
            folder,
            with_open=with_open,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        size = log[0].size()
    names = [file.name for part in found.parts for file in part.files]
    if output == Output.JSON:
        show_json({"size": found.size, "root": found.root, "log_size": size, "files": names})
        return
    typer.echo(f"{found.size} of {size} entries in {len(names)} files in {folder}")
    if found.parts:
        typer.echo(f"root {found.root}")
    else:
        typer.echo("no range is complete yet: --open")


def _export(kind: str, types: list[str] | None, server: str) -> None:
    from ledger.v1.audit_service_pb2 import ExportEventsRequest, ExportKind
    from ledger.v1.ledger_service_pb2 import EventFilter

    wanted = [EventFilter.Item(types=types)] if types else []
    request = ExportEventsRequest(filter=EventFilter(items=wanted), kind=ExportKind.Value(kind))
    redacted: set[str] = set()
    count = 0
    with connected(server) as client:
        for part in client.audit.ExportEvents(request):
            redacted.update(part.redacted_fields)
            for event in part.events:
                typer.echo(json.dumps(plain(event), ensure_ascii=False))
                count += 1
    left_out = ", ".join(sorted(redacted)) or "nothing"
    typer.echo(f"{count} events; left out: {left_out}", err=True)
