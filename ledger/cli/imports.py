"""Commands that import lists of other systems."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli.options import LISTEN, Output, OutputOption, ServerOption, connected
from ledger.cli.render import show_json, show_stamp, show_table

imports = typer.Typer(help="Lists of other systems.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The list.")]
ProfileOption = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME_OR_FILE",
        help="How the list is read: orr-separations, or the path of a TOML file.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(imports, name="import")


@imports.command("check")
def check(
    file: FileArgument,
    profile: ProfileOption,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say row by row what an import would do, and why; append nothing.

    Example: ledger import check list.csv --profile orr-separations
    """
    imported = _import(file, profile, server, validate_only=True)
    rows = []
    for row in imported.rows:
        if row.reason:
            verdict = "rejected"
        elif row.number in imported.already_recorded:
            verdict = "already recorded"
        else:
            verdict = "would append"
        rows.append((row, verdict))
    if output == Output.JSON:
        show_json(
            {
                **_counts(imported),
                "rows_checked": [
                    {
                        "row": row.number,
                        "line": row.line,
                        "verdict": verdict,
                        "column": row.column,
                        "reason": row.reason,
                        "events": [event.WhichOneof("fact") for event in row.events],
                        "notes": _notes(row),
                    }
                    for row, verdict in rows
                ],
            }
        )
        return
    show_table(
        f"{file.name}, row by row",
        ["line", "row", "", "events", "why, and notes"],
        [
            (
                row.line,
                row.number,
                verdict,
                len(row.events) or "",
                "; ".join(
                    [f"{row.column} {row.reason}".strip()] * bool(row.reason)
                    + [f"{column} {text}".strip() for column, text in row.notes]
                ),
            )
            for row, verdict in rows
        ],
    )
    _summary(imported, "would be appended")


@imports.command("run")
def run(
    file: FileArgument,
    profile: ProfileOption,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Append the events of a list. Run again after whatever broke it off, it goes on.

    Example: ledger import run list.csv --profile orr-separations
    """
    imported = _import(file, profile, server, validate_only=False)
    if output == Output.JSON:
        show_json(_counts(imported))
        for row in imported.rows:
            said = [(row.column, row.reason)] * bool(row.reason) + row.notes
            for column, text in said:
                verb = "rejected" if row.reason else "note"
                typer.echo(f"line {row.line}: {verb}: {f'{column} {text}'.strip()}", err=True)
        return
    if imported.rejected:
        show_table(
            "Rejected",
            ["line", "row", "column", "reason"],
            [(row.line, row.number, row.column, row.reason) for row in imported.rejected],
        )
    _summary(imported, "appended")


def _import(file: Path, profile_name: str, server: str, *, validate_only: bool) -> Any:
    # Imported here because they bring grpc along, which takes a good part of a second.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from ledger.imports import profile, rows
    from ledger.imports.run import run as run_import

    found = rows.read(file, profile.load(profile_name))
    bar = Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not Console(stderr=True).is_terminal,
    )
    with connected(server) as client, bar:
        task = bar.add_task("rows", total=sum(not row.reason for row in found.rows))
        return run_import(
            client,
            found.rows,
            validate_only=validate_only,
            progress=lambda count: bar.advance(task, count),
        )


def _counts(imported: Any) -> dict[str, Any]:
    return {
        "rows": len(imported.rows),
        "accepted_rows": len(imported.rows) - len(imported.rejected),
        "rejected_rows": len(imported.rejected),
        "events_appended": imported.events_appended,
        "size": imported.stamp.size,
        "root": imported.stamp.root.hex(),
    }


def _notes(row: Any) -> list[dict[str, str]]:
    return [{"column": column, "note": text} for column, text in row.notes]


def _summary(imported: Any, done: str) -> None:
    counts = _counts(imported)
    noted = sum(bool(row.notes) for row in imported.rows)
    typer.echo(
        f"{counts['rows']} rows: {counts['accepted_rows']} accepted ({noted} with notes), "
        f"{counts['rejected_rows']} rejected; {counts['events_appended']} events {done}"
    )
    show_stamp(imported.stamp)
