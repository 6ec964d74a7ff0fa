"""Commands that ask who belongs together."""

from collections.abc import Sequence
from typing import Annotated

import typer

from ledger.cli.listing import show_listing
from ledger.cli.options import (
    LISTEN,
    AsOfOption,
    AtSizeOption,
    CountOption,
    KnownAtOption,
    Output,
    OutputOption,
    ServerOption,
    basis,
    chosen,
    connected,
)
from ledger.cli.phrases import custody_cell, link_rows, years
from ledger.cli.render import plain, show_json, show_some, show_stamp, show_table, time_of, words_of
from ledger.errors import LedgerError
from ledger.v1.custody_query_service_pb2 import (
    FamilyDefinition,
    GetFamilyRequest,
    ListLikelyFamiliesRequest,
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.view_pb2 import LikelyFamily, LikelyMember

family = typer.Typer(help="One family.", no_args_is_help=True)
likely = typer.Typer(help="Persons who look like a family.", no_args_is_help=True)

DEFINITIONS = words_of(FamilyDefinition.DESCRIPTOR)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(family, name="family")
    app.add_typer(likely, name="likely")


@family.command("show")
def show_family(
    subject_id: Annotated[
        str, typer.Argument(metavar="ID", help="A person of the family, or the family's own id.")
    ],
    definition: Annotated[
        str,
        typer.Option(
            "--definition",
            metavar="|".join(DEFINITIONS),
            help="Who counts as family. A family unit: a parent or guardian and children under 18.",
        ),
    ] = "all-relatives",
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Everyone whom a link reaches, at any remove, and where each of them is.

    Example: ledger family show 3f0c6a2e-… --definition family-unit
    """
    (who_counts,) = chosen("--definition", DEFINITIONS, [definition])
    request = GetFamilyRequest(
        person_id=subject_id, basis=basis(as_of, known_at, at_size), definition=who_counts
    )
    try:
        with connected(server) as client:
            found = client.custody.GetFamily(request)
    except LedgerError as error:
        if error.reason != ErrorReason.ERROR_REASON_SUBJECT_NOT_FOUND:
            raise
        request.family_id = subject_id
        with connected(server) as client:
            found = client.custody.GetFamily(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    show_some(
        "Family unit" if definition == "family-unit" else "Family",
        ["person", "removes", "custody", "links"],
        [
            (
                member.person_id,
                member.removes,
                custody_cell(member.custody),
                "\n".join(f"{what} {who} ({why})" for who, what, why in link_rows(member.links)),
            )
            for member in found.members
        ],
    )
    if found.truncated:
        typer.echo(f"There are more than these {len(found.members)}.")
    show_stamp(found.stamp)


@likely.command("list")
def list_likely_families(
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Persons who look like a family and have no link, and why.

    Example: ledger likely list --as-of 2018-06-20
    """
    request = ListLikelyFamiliesRequest(basis=basis(as_of, known_at, at_size), count_only=count)
    show_listing(
        server,
        lambda client: client.custody.ListLikelyFamilies,
        request,
        "families",
        _show_likely,
        output,
    )


def _show_likely(families: Sequence[LikelyFamily]) -> None:
    show_table(
        "Likely families",
        ["apprehended", "place", "adults", "minors", "why"],
        [
            (
                time_of(one, "apprehended_time"),
                one.place or "not recorded",
                "\n".join(map(_member_phrase, one.adults)),
                "\n".join(map(_member_phrase, one.minors)),
                "\n".join(one.reason_codes),
            )
            for one in families
        ],
    )


def _member_phrase(member: LikelyMember) -> str:
    """Somebody in a few words."""
    noted = [f"{years(member)} years" if years(member) else "", member.nationality_text]
    return " ".join([member.person_id, f"({', '.join(filter(None, noted))})" * any(noted)]).strip()
