"""Commands that ask for the standing queues: of whom which finding stands."""

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
    connected,
)
from ledger.cli.phrases import show_findings
from ledger.cli.render import enum_word, plain, show_json, show_some, show_stamp
from ledger.v1.custody_query_service_pb2 import ListFindingsRequest, ListQueuesRequest

queue = typer.Typer(help="Standing queues: what records lack or contradict.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(queue, name="queue")


@queue.command("list")
def list_queues(
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Every standing queue and how many persons stand in it, the gravest first.

    Example: ledger queue list --as-of 2018-06-20
    """
    with connected(server) as client:
        found = client.custody.ListQueues(ListQueuesRequest(basis=basis(as_of, known_at, at_size)))
    if output == Output.JSON:
        show_json(plain(found))
        return
    show_some(
        "Queues",
        ["severity", "queue", "persons", "what it says"],
        [
            (enum_word(one, "severity"), one.rule_code, one.count, one.title)
            for one in sorted(found.queues, key=lambda one: (-one.severity, -one.count))
            if one.count
        ],
    )
    if empty := [one.rule_code for one in found.queues if not one.count]:
        typer.echo(f"Empty: {', '.join(empty)}")
    show_stamp(found.stamp)


@queue.command("show")
def show_queue(
    rule_code: Annotated[
        str, typer.Argument(metavar="RULE", help="As `ledger queue list` has it.")
    ],
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    cite: CiteOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """The persons of whom a finding stands, and what is known.

    Example: ledger queue show SEPARATION_WITHOUT_PARENT
    """
    request = ListFindingsRequest(
        rule_code=rule_code.upper(), basis=basis(as_of, known_at, at_size), count_only=count
    )
    if cite:
        show_citation(server, list_findings=request)
        return
    show_listing(
        server,
        lambda client: client.custody.ListFindings,
        request,
        "findings",
        show_findings,
        output,
        counted="Persons",
    )
