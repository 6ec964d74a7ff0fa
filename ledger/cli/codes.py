"""The command that shows the code lists."""

from typing import Annotated

import typer

from ledger.cli.options import LISTEN, Output, OutputOption, ServerOption, connected
from ledger.cli.phrases import date_phrase
from ledger.cli.render import plain, show_json, show_table
from ledger.v1.ledger_service_pb2 import Code, CodeList, ListCodesRequest

code = typer.Typer(help="The codes that events and questions take.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.add_typer(code, name="code")


@code.command("list")
def list_codes(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One list; none: which there are.")
    ] = "",
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """The code lists, or the codes of one with the dates on which they were in force.

    Example: ledger code list separation_reason
    """
    found = lists_of(server, name.lower())
    if output == Output.JSON:
        show_json({"lists": [plain(one) for one in found]})
    elif name:
        (one,) = found
        _show_list(one)
    else:
        show_table(
            "Code lists",
            ["name", "edition", "codes", "what it lists"],
            [(one.name, one.version, len(one.codes), one.title) for one in found],
        )


def lists_of(server: str, name: str) -> list[CodeList]:
    """One list by its name, or every list."""
    with connected(server) as client:
        return list(client.ledger.ListCodes(ListCodesRequest(name=name)).lists)


def in_force(code: Code) -> str:
    """From when to when a code is in force, where that is limited."""
    bounds = []
    if code.HasField("in_force_from_date"):
        bounds.append(f"from {date_phrase(code.in_force_from_date)}")
    if code.HasField("in_force_to_date"):
        bounds.append(f"to {date_phrase(code.in_force_to_date)}")
    return " ".join(bounds)


def _show_list(found: CodeList) -> None:
    more = sorted({name for one in found.codes for name in one.attributes})
    show_table(
        f"{found.title} (edition of {found.version})",
        ["code", "meaning", "in force", *(name.replace("_", " ") for name in more)],
        [
            (
                one.code,
                one.meaning,
                in_force(one),
                *(one.attributes.get(name, "") for name in more),
            )
            for one in found.codes
        ],
    )
    typer.echo(f"Source: {found.source}")
