"""Commands that prove the log."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

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
from ledger.cli.render import plain, show_json, show_table, time_of

if TYPE_CHECKING:
    from ledger.store.audit import Verdict

audit = typer.Typer(help="Proof that nothing was altered or removed.", no_args_is_help=True)

NOT_VERIFIED = 5


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(audit, name="audit")


@audit.command("checkpoint")
def checkpoint(
    size: Annotated[int | None, typer.Option("--size", min=0, help="Of so many entries.")] = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """The size and root of the log. Keep it where the ledger's administrator cannot change it.

    Example: ledger audit checkpoint >> kept.txt
    """
    from ledger.v1.audit_service_pb2 import GetCheckpointRequest

    with connected(server) as client:
        found = client.audit.GetCheckpoint(GetCheckpointRequest(size=size)).checkpoint
    if output == Output.JSON:
        show_json(plain(found))
        return
    recorded = time_of(found, "record_time")
    typer.echo(f"{found.size}:{found.root.hex()}" + (f"  recorded {recorded}" if recorded else ""))


@audit.command("verify")
def verify(
    database: DatabaseOption = DATABASE,
    kept: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint", metavar="SIZE:ROOT", help="One kept from earlier; may be repeated."
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Hash every entry again, and compare the whole database with it: exit code 5 if it differs.

    Reads the database itself, whether or not it is being served.

    Example: ledger audit verify --checkpoint 18453:9f86d081…
    """
    verdict = _verify(database, [_kept(one) for one in kept or []])
    if output == Output.JSON:
        show_json(
            {
                "ok": verdict.ok,
                "size": verdict.size,
                "root": verdict.root.hex(),
                "first_bad_position": verdict.first_bad_position,
                "problems": [
                    {"position": one.position, "what": one.what} for one in verdict.problems
                ],
            }
        )
    elif verdict.ok:
        typer.echo(f"verified: {verdict.size} entries, root {verdict.root.hex()}")
    else:
        show_table(
            "Not as it was written",
            ["position", "what"],
            [(one.position, one.what) for one in verdict.problems],
        )
    if not verdict.ok:
        sys.exit(NOT_VERIFIED)


def _verify(database: str, checkpoints: list[tuple[int, bytes]]) -> "Verdict":
    """The verdict on the log; where it is whole, on the tables made from it, too."""
    # Imported here because other commands do not need the database.
    from rich.console import Console
    from rich.progress import Progress

    import projections
    from ledger.ledger import now_us
    from ledger.store import migrations
    from ledger.store.audit import PROBLEMS_MAX, Problem
    from ledger.store.audit import verify as verify_log
    from ledger.store.database import Database
    from ledger.store.log import Log
    from ledger.store.populations import Populations

    found = Database(database, must_exist=True)
    migrations.require(found.engine)
    log = Log(found, now_us)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("entries", total=None)
        verdict = verify_log(
            found,
            log.id,
            checkpoints,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if verdict.ok:
        # Only then does the log say what the tables ought to be.
        populations = Populations(found, log, projections.load())
        verdict.problems += (
            Problem(position, f"the tables of {name} do not say what the log says")
            for position, name in islice(populations.differences(), PROBLEMS_MAX)
        )
    found.close()
    return verdict


def _kept(text: str) -> tuple[int, bytes]:
    """A checkpoint as `audit checkpoint` prints it."""
    size, _, root = text.partition(":")
    try:
        return int(size), bytes.fromhex(root)
    except ValueError:
        raise typer.BadParameter("--checkpoint: not like SIZE:ROOT, the root as hex") from None
