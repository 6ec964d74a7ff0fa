"""Commands that ask for numbers that were published."""

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
    connected,
)
from ledger.cli.phrases import citation_phrase
from ledger.cli.render import plain, show_json, show_stamp, show_table, time_of
from ledger.v1.custody_query_service_pb2 import GetNumberRequest, ListNumbersRequest
from ledger.v1.view_pb2 import PublishedNumber

number = typer.Typer(help="Numbers that were published.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(number, name="number")


@number.command("list")
def list_numbers(
    revised: Annotated[
        bool, typer.Option("--revised", help="Only those published with more than one value.")
    ] = False,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Each number with every value that it was published as, in the order of publication.

    Example: ledger number list --revised
    """
    request = ListNumbersRequest(
        revised_only=revised, basis=basis(as_of, known_at, at_size), count_only=count
    )
    show_listing(
        server,
        lambda client: client.custody.ListNumbers,
        request,
        "numbers",
        _show_numbers,
        output,
    )


def _show_numbers(numbers: Sequence[PublishedNumber]) -> None:
    show_table(
        "Numbers",
        ["number", "of", "what", "values"],
        [
            (
                one.number_id,
                time_of(one, "of_time"),
                one.title,
                ", ".join(str(each.value) for each in one.publications),
            )
            for one in numbers
        ],
    )


@number.command("show")
def show_number(
    number_id: Annotated[str, typer.Argument(metavar="ID", help="The number's id.")],
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Each time a number was published: by whom, where, as what, and computed from what.

    Example: ledger number show 5b9c2d10-…
    """
    request = GetNumberRequest(number_id=number_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.GetNumber(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    told = found.number
    typer.echo(f"Number {told.number_id}: {told.title}, of {time_of(told, 'of_time')}")
    show_table(
        "Published, and revised" if told.revised else "Published",
        ["value", "by", "in", "computed from", "event"],
        [
            (
                one.value,
                one.agency,
                one.release_text,
                citation_phrase(one.citation) if one.HasField("citation") else "not this ledger",
                one.event_id,
            )
            for one in told.publications
        ],
    )
    show_stamp(found.stamp)
