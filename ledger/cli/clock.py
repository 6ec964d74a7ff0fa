"""Commands that ask for legal time limits: who runs out, and which limits there are."""

from typing import Annotated

import typer

from ledger.cli.codes import in_force, lists_of
from ledger.cli.listing import show_citation, show_listing
from ledger.cli.options import (
    LISTEN,
    AsOfOption,
    AtSizeOption,
    CiteOption,
    CountOption,
    KnownAtOption,
    Output,
    OutputOption,
    ServerOption,
    basis,
    chosen,
)
from ledger.cli.phrases import show_clocks
from ledger.cli.render import plain, show_json, words_of
from ledger.v1.custody_query_service_pb2 import ListClocksRequest
from ledger.v1.ledger_service_pb2 import Code
from ledger.v1.view_pb2 import ClockState

clock = typer.Typer(help="Legal time limits.", no_args_is_help=True)

STATES = words_of(ClockState.DESCRIPTOR)
RULES = ("clock", "reunification_step")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(clock, name="clock")


@clock.command("list")
def list_clocks(
    clock_code: Annotated[
        str, typer.Argument(metavar="CODE", help="L_02 …: `ledger clock rules`.")
    ],
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="|".join(STATES), help="Only those; repeatable."),
    ] = None,
    within_hours: Annotated[
        int | None,
        typer.Option(
            "--within-hours", metavar="N", min=0, help="Only those that run out within N hours."
        ),
    ] = None,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    cite: CiteOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Whose clock runs, ran out or was met; what runs out in the next hours.

    Example: ledger clock list L_02 --state running --within-hours 24
    """
    request = ListClocksRequest(
        clock_code=clock_code.upper(),
        states=chosen("--state", STATES, state),
        within_hours=within_hours,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
    )
    if cite:
        show_citation(server, list_clocks=request)
        return
    show_listing(
        server,
        lambda client: client.custody.ListClocks,
        request,
        "clocks",
        lambda found: show_clocks(found, whose=True),
        output,
        counted="Persons",
    )


@clock.command("rules")
def show_rules(server: ServerOption = LISTEN, output: OutputOption = Output.TABLE) -> None:
    """Every limit: how long, from what to what, in force when, and what it follows from.

    Example: ledger clock rules
    """
    found = [one for name in RULES for one in lists_of(server, name)]
    if output == Output.JSON:
        show_json({"lists": [plain(one) for one in found]})
        return
    for one in found:
        typer.echo(f"{one.title} ({one.name}, edition of {one.version})\n")
        for code in one.codes:
            _show_rule(code)


def _show_rule(code: Code) -> None:
    more = code.attributes
    limit = f"{more['limit_hours']} hours"
    whom = f" ({more['applies_to'].replace('_', ' ')})" if more["applies_to"] else ""
    typer.echo(f"{code.code}: {limit}, owed by {more['owner']}{whom}")
    for word, said in (
        ("", code.meaning),
        ("starts: ", more["start"]),
        ("not before: ", more["not_before"]),
        ("stops: ", more["stop"]),
        ("in force: ", in_force(code)),
        ("from: ", code.source),
    ):
        if said:
            typer.echo(f"  {word}{said}")
    typer.echo()
