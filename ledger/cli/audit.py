"""Commands that prove the log."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.options import (
    DATABASE,
    LISTEN,
    DatabaseOption,
    KeysOption,
    Output,
    OutputOption,
    ServerOption,
    connected,
)
from ledger.cli.phrases import citation_phrase
from ledger.cli.recompute import recompute
from ledger.cli.render import plain, show_json, show_some, show_stamp, show_table, time_of

if TYPE_CHECKING:
    from ledger.store.examination import Examined
    from ledger.store.verdict import Verdict

audit = typer.Typer(help="Proof that nothing was altered or removed.", no_args_is_help=True)

NOT_VERIFIED = 5
_CHECKPOINT = re.compile(r"^\d{1,15}:[0-9a-f]{64}$")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    audit.command("recompute")(recompute)
    app.add_typer(audit, name="audit")


@audit.command("checkpoint")
def checkpoint(
    size: Annotated[int | None, typer.Option("--size", min=0, help="Of so many entries.")] = None,
    of_accesses: Annotated[
        bool, typer.Option("--accesses", help="Of the log of who looked at what.")
    ] = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """The size and root of the log. Keep it where the ledger's administrator cannot change it.

    Example: ledger audit checkpoint >> kept.txt
    """
    from ledger.v1.audit_service_pb2 import GetCheckpointRequest, LogName

    log = LogName.LOG_NAME_ACCESS if of_accesses else LogName.LOG_NAME_CUSTODY
    with connected(server) as client:
        found = client.audit.GetCheckpoint(GetCheckpointRequest(size=size, log=log)).checkpoint
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
    writers: Annotated[
        Path | None,
        typer.Option(
            "--writers",
            help="A folder with writers.toml: the keys of agencies that sign their events, as they "
            "gave them to you. Every event of theirs must then be signed.",
        ),
    ] = None,
    keys: KeysOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="In so many processes; otherwise one for each processor, if it is worth it.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Hash every entry again, and compare the whole database with it: exit code 5 if it differs.

    Reads the database itself, whether or not it is being served. Without the keys, what is sealed
    stays closed, and the tables, which are made of it, are not compared.

    Example: ledger audit verify --checkpoint 18453:9f86d081…
    """
    found = _examined(database, [_kept(one) for one in kept or []], writers, keys, workers)
    verdicts = {"custody": found.custody, "access": found.accesses}
    ok = all(one.ok for one in verdicts.values() if one)
    if output == Output.JSON:
        verdict = found.custody
        show_json(
            {
                "ok": ok,
                "size": verdict.size,
                "root": verdict.root.hex(),
                "first_bad_position": verdict.first_bad_position,
                "accesses": None
                if found.accesses is None
                else {"ok": found.accesses.ok, "size": found.accesses.size},
                "sealed_fields_checked": found.has_keys,
            }
        )
    for name, one in verdicts.items():
        if one is not None and output != Output.JSON:
            _show_verdict(name, one)
        for problem in one.problems if one and output == Output.JSON else ():
            typer.echo(f"ledger: {name} log, position {problem.position}: {problem.what}", err=True)
    if not found.has_keys and output != Output.JSON:
        typer.echo("not looked at, without the keys: sealed fields, and the tables made of them")
    if not ok:
        sys.exit(NOT_VERIFIED)


def _show_verdict(name: str, verdict: "Verdict") -> None:
    if verdict.ok:
        what = "entries" if name == "custody" else "accesses"
        typer.echo(f"verified: {verdict.size} {what}, root {verdict.root.hex()}")
        return
    show_table(
        f"Not as it was written: the {name} log",
        ["position", "what"],
        [(one.position, one.what) for one in verdict.problems],
    )


@audit.command("citation")
def citation(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="What certified, reconciled or published it.")
    ],
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compute again what a list or number was computed from: exit code 5 if it comes out another.

    And what the same question comes to with all that is known now: who entered, and who left.

    Example: ledger audit citation 2c5f0b7e-…
    """
    from ledger.v1.audit_service_pb2 import VerifyCitationRequest

    with connected(server) as client:
        found = client.audit.VerifyCitation(VerifyCitationRequest(event_id=event_id))
    if output == Output.JSON:
        show_json(plain(found))
    else:
        typer.echo(f"{'reproduced' if found.reproduced else 'not reproduced'}: ", nl=False)
        typer.echo(citation_phrase(found.recorded))
        if not found.reproduced:
            typer.echo(f"it comes out as: {citation_phrase(found.recomputed)}")
        typer.echo(f"known now, at size {found.now.size}: {found.now.count}")
        show_some("Entered since", ["person"], [(one,) for one in found.entered_person_ids])
        show_some("Left since", ["person"], [(one,) for one in found.left_person_ids])
        show_stamp(found.stamp)
    if not found.reproduced:
        sys.exit(NOT_VERIFIED)


def _examined(
    database: str,
    checkpoints: list[tuple[int, bytes]],
    writers: Path | None,
    keys: Path | None,
    workers: int | None,
) -> "Examined":
    # Imported here because other commands do not need the database.
    from rich.console import Console
    from rich.progress import Progress

    import projections
    from ledger.keys.folder import read_writers
    from ledger.keys.writers import Writers
    from ledger.store.examination import examine

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("entries", total=None)
        return examine(
            database,
            projections.load(),
            checkpoints,
            keys=keys,
            writers=Writers(read_writers(writers)) if writers else None,
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _kept(text: str) -> tuple[int, bytes]:
    """A checkpoint as `audit checkpoint` prints it."""
    if not _CHECKPOINT.match(text):
        raise typer.BadParameter("--checkpoint: not like SIZE:ROOT, the root as 64 hex digits")
    size, _, root = text.partition(":")
    return int(size), bytes.fromhex(root)
