"""The command that hands events out."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from ledger.cli.options import LISTEN, ServerOption, connected
from ledger.cli.render import plain


class For(StrEnum):
    """For whom an export is made."""

    PUBLIC = "public"
    RESEARCH = "research"


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("export")(export)


def export(
    kind: Annotated[For, typer.Argument(metavar="public|research", help="For whom.")],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only events of this kind; may be repeated."),
    ] = None,
    server: ServerOption = LISTEN,
) -> None:
    """Events fit to be handed out, one JSON object a line; what was left out on standard error.

    Every id is a pseudonym of this export. Records that are sealed or confidential are left out.

    Example: ledger export research --type Separated > separated.jsonl
    """
    from ledger.v1.audit_service_pb2 import ExportEventsRequest, ExportKind
    from ledger.v1.ledger_service_pb2 import EventFilter

    wanted = [EventFilter.Item(types=types)] if types else []
    request = ExportEventsRequest(
        filter=EventFilter(items=wanted), kind=ExportKind.Value(f"EXPORT_KIND_{kind.upper()}")
    )
    redacted: set[str] = set()
    count = 0
    with connected(server) as client:
        for part in client.audit.ExportEvents(request):
            redacted.update(part.redacted_fields)
            for event in part.events:
                typer.echo(json.dumps(plain(event), ensure_ascii=False))
                count += 1
    left_out = ", ".join(sorted(redacted)) or "nothing"
    typer.echo(f"{count} events; left out: {left_out}", err=True)
