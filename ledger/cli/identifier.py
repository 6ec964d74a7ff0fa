"""The command that asks whose a number is."""

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
from ledger.cli.render import enum_word, plain, show_json, show_some, show_stamp
from ledger.v1.custody_query_service_pb2 import ResolveIdentifierRequest

identifier = typer.Typer(help="Numbers and marks of persons.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.add_typer(identifier, name="identifier")


@identifier.command("resolve")
def resolve(
    scheme: Annotated[
        str,
        typer.Argument(metavar="SCHEME", help="A_NUMBER …: `ledger code list identifier_scheme`."),
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The number, however spelt.")],
    issuer: Annotated[
        str,
        typer.Option("--issuer", metavar="TEXT", help="Whose number: a band's site, a country."),
    ] = "",
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Everybody whom a number is, or was, asserted of. Never picks one of them.

    Example: ledger identifier resolve A_NUMBER A-12345678
    """
    request = ResolveIdentifierRequest(
        scheme=scheme.upper(),
        value=value,
        issuer_text=issuer,
        basis=basis(as_of, known_at, at_size),
    )
    with connected(server) as client:
        found = client.custody.ResolveIdentifier(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    show_some(
        f"{request.scheme} {found.normalized or value}",
        ["person", "state", "as entered", "said by", "also recorded as"],
        [
            (
                one.person_id,
                enum_word(one, "status"),
                "\n".join(one.values),
                " ".join(one.asserted_by),
                "\n".join(one.same_person_ids),
            )
            for one in found.people
        ],
    )
    if not found.normalized:
        typer.echo("The value does not have the form of its scheme; it was compared as it is.")
    typer.echo(f"Persons: {len(found.people)}")
    show_stamp(found.stamp)
