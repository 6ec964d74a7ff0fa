"""Commands that ask who is held somewhere, and who is of a class."""

from typing import Annotated

import typer

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
)
from ledger.cli.phrases import custody_cell
from ledger.cli.render import show_table
from ledger.v1.custody_query_service_pb2 import ListClassRequest, ListRosterRequest

classes = typer.Typer(help="Classes and groups under a court's order.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("roster")(roster)
    app.add_typer(classes, name="class")


def roster(
    agency: Annotated[
        str, typer.Option("--agency", metavar="CODE", help="Held by this agency: CBP, ICE, ORR …")
    ] = "",
    facility: Annotated[
        str, typer.Option("--facility", metavar="NAME", help="Held in this facility.")
    ] = "",
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    cite: CiteOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Who is held by an agency or in a facility.

    Example: ledger roster --agency ORR --as-of 2018-06-20 --count
    """
    request = ListRosterRequest(
        agency=agency.upper(),
        facility=facility,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
    )
    if cite:
        show_citation(server, list_roster=request)
        return
    show_listing(
        server,
        lambda client: client.custody.ListRoster,
        request,
        "people",
        lambda found: show_table(
            "Roster",
            ["person", "custody"],
            [(one.person_id, custody_cell(one.custody)) for one in found],
        ),
        output,
    )


@classes.command("list")
def list_class(
    class_code: Annotated[
        str, typer.Argument(metavar="CODE", help="MS_L_2018 …: `ledger code list class`.")
    ],
    excluded: Annotated[
        bool, typer.Option("--excluded", help="Those determined not to be in it, instead.")
    ] = False,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    cite: CiteOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """The members of a class, as it was understood.

    Example: ledger class list MS_L_2018 --known-at 2018-07-26
    """
    request = ListClassRequest(
        class_code=class_code.upper(),
        excluded=excluded,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
    )
    if cite:
        show_citation(server, list_class=request)
        return
    show_listing(
        server,
        lambda client: client.custody.ListClass,
        request,
        "members",
        lambda found: show_table(
            "Not in the class" if excluded else "Class",
            ["person", "criteria", "determined by event"],
            [
                (one.person_id, one.membership.criteria_version, one.membership.event_id)
                for one in found
            ],
        ),
        output,
    )
