"""The command line. Data goes to standard output; progress, logs and refusals to standard error.

Exit codes: 0 done; 1 refused; 2 the command is wrong; 3 the server or database cannot be reached;
4 conflict: something else came first; 5 verification failed.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli import (
    access,
    append,
    audit,
    authority,
    clock,
    codes,
    export,
    family,
    identifier,
    imports,
    keys,
    lists,
    number,
    person,
    population,
    projection,
    queues,
    separation,
    serve,
    transfer,
    watch,
)
from ledger.cli.options import SHOWN
from ledger.errors import LedgerError, MistakeError, StartupError, TamperedError
from ledger.v1.error_pb2 import ErrorReason

PANELS = {
    "To begin": ("demo", "serve"),
    "To record": ("append", "import"),
    "One person, one family": ("person", "identifier", "family", "likely", "transfer"),
    "Everybody": ("roster", "separation", "class", "queue", "clock"),
    "What is told to others": ("list", "number", "export"),
    "Who may do what": ("access", "dev-ca", "token"),
    "The log": ("watch", "audit", "projection", "keys", "code"),
}


class _InOrder(typer.core.TyperGroup):
    """Commands in the order of the panels."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        del ctx
        return [name for names in PANELS.values() for name in names]


app = typer.Typer(
    name="ledger",
    cls=_InOrder,
    help=(
        "A ledger of custody, separation and reunification.\n\n"
        "Start with `ledger demo`, or with `ledger serve` and then any other command."
    ),
    epilog=(
        "Exit codes: 0 done; 1 refused; 2 the command is wrong; 3 cannot be reached; 4 conflict; "
        "5 verification failed."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def show(
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity",
            envvar="LEDGER_IDENTITY",
            help="Whose program this is: a folder with client.pem, client.key, authorities.pem.",
        ),
    ] = None,
    token: Annotated[
        str, typer.Option("--token", envvar="LEDGER_TOKEN", help="Who at the agency asks.")
    ] = "",
    purpose: Annotated[
        str,
        typer.Option(
            "--purpose", envvar="LEDGER_PURPOSE", help="What for: a code of the list purpose."
        ),
    ] = "",
) -> None:
    """Keep what every command shows of whoever runs it."""
    SHOWN.identity, SHOWN.token, SHOWN.purpose = identity, token, purpose


for one in (
    *(serve, append, imports),
    *(person, identifier, family, transfer),
    *(population, separation, queues, clock),
    *(lists, number, export),
    access,
    authority,
    *(watch, audit, projection, keys, codes),
):
    one.add_to(app)
for title, names in PANELS.items():
    registered: list[Any] = [*app.registered_commands, *app.registered_groups]
    for command in registered:
        if command.name in names:
            command.rich_help_panel = title

# google.rpc.Code to exit code; anything else is 1.
_EXIT_CODES = {3: 2, 4: 3, 6: 4, 8: 3, 10: 4, 14: 3, 15: 5}
MISTAKEN, UNREACHABLE, NOT_VERIFIED = 2, 3, 5


def main() -> None:
    """Run a command and leave with the exit code that says what became of it."""
    # Its own complaints about connections are not ours to print.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        app()
    except LedgerError as error:
        typer.echo(f"ledger: {error.name}: {error}", err=True)
        # The message is the first violation; of findings it does not say everything.
        told = 0 if error.reason == ErrorReason.ERROR_REASON_FINDINGS else 1
        for one in error.violations[told:]:
            typer.echo(f"ledger: {one.rule}: {one.field}: {one.description}", err=True)
        sys.exit(_EXIT_CODES.get(error.status, 1))
    except StartupError as error:
        typer.echo(f"ledger: {error}", err=True)
        codes = {MistakeError: MISTAKEN, TamperedError: NOT_VERIFIED}
        sys.exit(codes.get(type(error), UNREACHABLE))
    except BrokenPipeError:
        # Whoever read has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
