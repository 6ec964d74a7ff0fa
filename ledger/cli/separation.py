"""Commands that list and count separations."""

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
    beginning,
    chosen,
    connected,
    instant,
)
from ledger.cli.phrases import show_separations
from ledger.cli.render import plain, show_json, show_some, show_stamp, words_of
from ledger.v1.custody_query_service_pb2 import (
    AgeAt,
    CountSeparationsRequest,
    ListSeparationsRequest,
    SeparationDimension,
)
from ledger.v1.view_pb2 import SeparationStatus

separation = typer.Typer(help="Separations.", no_args_is_help=True)

STATUSES = words_of(SeparationStatus.DESCRIPTOR)
DIMENSIONS = words_of(SeparationDimension.DESCRIPTOR)

SinceOption = Annotated[
    str,
    typer.Option("--since", metavar="TIME", help="Separated then or later; a day: from its start."),
]
BeforeOption = Annotated[
    str, typer.Option("--before", metavar="TIME", help="Separated earlier; a day: not on it.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(separation, name="separation")


@separation.command("list")
def list_separations(
    include_reunified: Annotated[
        bool, typer.Option("--all", help="Those that a reunification ended, too.")
    ] = False,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status", metavar="|".join(STATUSES), help="Only those that stand so; repeatable."
        ),
    ] = None,
    since: SinceOption = "",
    before: BeforeOption = "",
    held_by: Annotated[
        str, typer.Option("--held-by", metavar="CODE", help="Children whom this agency holds.")
    ] = "",
    reason: Annotated[
        list[str] | None,
        typer.Option("--reason", metavar="CODE", help="On one of these grounds; repeatable."),
    ] = None,
    age_from: Annotated[
        int, typer.Option("--age-from", min=0, max=130, help="Children of so many years or more.")
    ] = 0,
    age_below: Annotated[
        int, typer.Option("--age-below", min=0, max=130, help="Children of fewer years.")
    ] = 0,
    age_at: Annotated[
        str,
        typer.Option("--age-at", metavar="TIME", help="Of that age then. Default: as of when."),
    ] = "",
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    cite: CiteOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Children separated from an adult, of whom no reunification is recorded.

    A child whose age is known to a range is listed if she can have the age asked for.

    Example: ledger separation list --since 2018-05-05 --before 2018-06-21 --age-below 5
    """
    request = ListSeparationsRequest(
        include_reunified=include_reunified,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
        statuses=chosen("--status", STATUSES, status),
        held_by_agency=held_by.upper(),
        age=_age(age_from, age_below, age_at or as_of),
        reason_codes=[one.upper() for one in reason or []],
        since_time=beginning("--since", since),
        before_time=beginning("--before", before),
    )
    if age_at and request.age == AgeAt():
        raise typer.BadParameter("--age-at goes with --age-from or --age-below")
    if cite:
        show_citation(server, list_separations=request)
        return
    show_listing(
        server,
        lambda client: client.custody.ListSeparations,
        request,
        "separations",
        show_separations,
        output,
        counted="Children",
    )


def _age(years_min: int, below_years: int, when: str) -> AgeAt | None:
    """An age at a moment, now where none is named."""
    if not years_min and not below_years:
        return None
    made = AgeAt(years_min=years_min, below_years=below_years)
    if when:
        made.time.FromDatetime(instant("--age-at", when))
    else:
        made.time.GetCurrentTime()
    return made


@separation.command("count")
def count_separations(
    by: Annotated[
        list[str],
        typer.Option("--by", metavar="|".join(DIMENSIONS), help="By what; up to three times."),
    ],
    since: SinceOption = "",
    before: BeforeOption = "",
    suppress_below: Annotated[
        int,
        typer.Option(
            "--suppress-below", min=0, help="Suppress counts below this, and what would give one."
        ),
    ] = 0,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """How many separations there were, ended ones included, fit to be published.

    A separation with two causes counts under each, and once in the total.

    Example: ledger separation count --by month --by reason --suppress-below 11
    """
    request = CountSeparationsRequest(
        by=chosen("--by", DIMENSIONS, by),
        since_time=beginning("--since", since),
        before_time=beginning("--before", before),
        suppress_below=suppress_below,
        basis=basis(as_of, known_at, at_size),
    )
    with connected(server) as client:
        found = client.custody.CountSeparations(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    told = [(*one.of, one.count if one.HasField("count") else "suppressed") for one in found.cells]
    show_some("Separations", [*(one.replace("-", " ") for one in by), "count"], told)
    if any(not one.HasField("count") for one in found.cells):
        typer.echo(f"Suppressed: fewer than {suppress_below}, or what would give such a count away")
    typer.echo(f"Total: {found.total if found.HasField('total') else 'suppressed'}")
    show_stamp(found.stamp)
