"""Commands about who looked at what."""

from typing import Annotated

import typer

from ledger.cli.options import (
    LISTEN,
    Output,
    OutputOption,
    ServerOption,
    beginning,
    connected,
)
from ledger.cli.render import enum_word, plain, show_json, show_table, time_of
from ledger.v1.access_pb2 import RecordedAccess

access = typer.Typer(help="Who looked at what, and for which purpose.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(access, name="access")


@access.command("list")
def list_accesses(
    person_id: Annotated[
        str, typer.Argument(metavar="[PERSON_ID]", help="Whose record. Default: anybody's.")
    ] = "",
    agency: Annotated[str, typer.Option("--agency", help="Only by this agency.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Only by this person at it.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only at or after this time.")] = "",
    before: Annotated[str, typer.Option("--before", help="Only before this time.")] = "",
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """The accounting of disclosures: each answer that told of a person, before it left.

    Example: ledger access list e9110b8e-3ed2-5654-9d07-46329f6bd545
    """
    from ledger.v1.audit_service_pb2 import ListAccessesRequest

    request = ListAccessesRequest(
        person_id=person_id,
        agency=agency,
        actor_id=actor,
        since_time=beginning("--since", since),
        before_time=beginning("--before", before),
        page_size=1_000,
    )
    found: list[RecordedAccess] = []
    with connected(server) as client:
        while True:
            page = client.audit.ListAccesses(request)
            found += page.accesses
            if not page.has_more:
                break
            request.after_position = page.accesses[-1].position
    if output == Output.JSON:
        show_json({"accesses": [plain(one) for one in found]})
        return
    show_table(
        f"Accesses: {len(found)}",
        ["when", "who", "role", "what for", "what", "persons", "outcome"],
        [
            (
                time_of(one.entry, "record_time"),
                f"{one.entry.access.agency or 'this machine'} {one.entry.access.actor_id}".strip(),
                enum_word(one.entry.access, "role"),
                one.entry.access.purpose_code.lower(),
                one.entry.access.method.partition("/")[2],
                len(one.entry.access.person_ids),
                one.entry.access.reason,
            )
            for one in found
        ],
    )
