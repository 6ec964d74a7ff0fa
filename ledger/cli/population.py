"""Commands that ask about populations: roster, separation."""

from typing import Annotated

import typer

from ledger.cli.options import (
    LISTEN,
    AsOfOption,
    AtSizeOption,
    KnownAtOption,
    Output,
    OutputOption,
    ServerOption,
    basis,
    connected,
)
from ledger.cli.phrases import custody_phrase, show_separations
from ledger.cli.render import plain, show_json, show_stamp, show_table
from ledger.v1.custody_query_service_pb2 import (
    ListRosterRequest,
    ListSeparationsRequest,
    RosterPerson,
)
from ledger.v1.view_pb2 import Separation

PAGE = 1_000

separation = typer.Typer(help="Separations.", no_args_is_help=True)

CountOption = Annotated[bool, typer.Option("--count", help="Only count them.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("roster")(roster)
    app.add_typer(separation, name="separation")


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
        page_size=PAGE,
    )
    people: list[RosterPerson] = []
    with connected(server) as client:
        found = first = client.custody.ListRoster(request)
        people += found.people
        while found.next_page_token:
            request.page_token = found.next_page_token
            found = client.custody.ListRoster(request)
            people += found.people
    if output == Output.JSON:
        show_json(
            {
                "count": first.total_size,
                "people": [plain(one) for one in people],
                "stamp": plain(first.stamp),
            }
        )
        return
    if not count:
        show_table(
            "Roster",
            ["person", "custody"],
            [(one.person_id, custody_phrase(one.custody)) for one in people],
        )
    typer.echo(f"Count: {first.total_size}")
    show_stamp(first.stamp)


@separation.command("list")
def list_separations(
    include_reunified: Annotated[
        bool, typer.Option("--all", help="Those that a reunification ended, too.")
    ] = False,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Children separated from an adult, of whom no reunification is recorded.

    Example: ledger separation list --as-of 2018-07-26 --count
    """
    request = ListSeparationsRequest(
        include_reunified=include_reunified,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
        page_size=PAGE,
    )
    separations: list[Separation] = []
    with connected(server) as client:
        found = first = client.custody.ListSeparations(request)
        separations += found.separations
        while found.next_page_token:
            request.page_token = found.next_page_token
            found = client.custody.ListSeparations(request)
            separations += found.separations
    if output == Output.JSON:
        show_json(
            {
                "count": first.total_size,
                "separations": [plain(one) for one in separations],
                "stamp": plain(first.stamp),
            }
        )
        return
    if not count:
        show_separations(separations)
    typer.echo(f"Children: {first.total_size}")
    show_stamp(first.stamp)
