"""Commands that import lists of other systems."""

from collections.abc import Callable
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
    words = {"appended": "would append"}
    rows: list[dict[str, Any]] = []
    imported = _import(
        file,
        profile,
        server,
        validate_only=True,
        told=lambda row, verdict: rows.append(
            {
                "row": row.number,
                "line": row.line,
                "verdict": words.get(verdict, verdict),
                "column": row.column,
                "reason": row.reason,
                "events": [event.WhichOneof("fact") for event in row.events],
                "notes": [{"column": column, "note": text} for column, text in row.notes],
            }
        ),
    )
    if output == Output.JSON:
        show_json({**_counts(imported), "rows_checked": rows})
        return
    show_table(
        f"{file.name}, row by row",
        ["line", "row", "", "events", "why, and notes"],
        [
            (
                row["line"],
                row["row"],
                row["verdict"],
                len(row["events"]) or "",
                "; ".join(
                    [f"{row['column']} {row['reason']}".strip()] * bool(row["reason"])
                    + [f"{one['column']} {one['note']}".strip() for one in row["notes"]]
                ),
            )
            for row in rows
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
    rejected: list[tuple[int, int, str, str]] = []

    def gather(row: Any, _verdict: str) -> None:
        if row.reason:
            rejected.append((row.line, row.number, row.column, row.reason))

    def tell(row: Any, _verdict: str) -> None:
        verb = "rejected" if row.reason else "note"
        for column, text in [(row.column, row.reason)] * bool(row.reason) + row.notes:
            typer.echo(f"line {row.line}: {verb}: {f'{column} {text}'.strip()}", err=True)

    is_json = output == Output.JSON
    told = tell if is_json else gather
    imported = _import(file, profile, server, validate_only=False, told=told)
    if is_json:
        show_json(_counts(imported))
        return
    if rejected:
        show_table("Rejected", ["line", "row", "column", "reason"], rejected)
    _summary(imported, "appended")


def _import(
    file: Path,
    profile_name: str,
    server: str,
    *,
    validate_only: bool,
    told: Callable[[Any, str], None],
) -> Any:
    # Imported here because they bring grpc along, which takes a good part of a second.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from ledger.imports import profile, rows
    from ledger.imports.run import Import

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
        imported = Import(client, found, validate_only=validate_only)
        for row, verdict in bar.track(imported.verdicts(), len(found), description="rows"):
            told(row, verdict)
    return imported


def _counts(imported: Any) -> dict[str, Any]:
    return {
        "rows": imported.rows,
        "accepted_rows": imported.rows - imported.rejected,
        "rejected_rows": imported.rejected,
        "events_appended": imported.events_appended,
        "size": imported.stamp.size,
        "root": imported.stamp.root.hex(),
    }


def _summary(imported: Any, done: str) -> None:
    counts = _counts(imported)
    typer.echo(
        f"{counts['rows']} rows: {counts['accepted_rows']} accepted ({imported.noted} with notes), "
        f"{counts['rejected_rows']} rejected; {counts['events_appended']} events {done}"
    )
    show_stamp(imported.stamp)
