"""Commands about lists of agencies: certified to a court, compared with the ledger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from ledger.cli.append import DryRunOption, send, show_caused, stated_now
from ledger.cli.events import read_json
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
from ledger.cli.phrases import citation_phrase, custody_cell
from ledger.cli.render import enum_word, plain, show_json, show_some, show_stamp
from ledger.cli.rows import read_rows
from ledger.errors import LedgerError, MistakeError
from ledger.v1.custody_query_service_pb2 import (
    Comparison,
    GetListRequest,
    ReconcileListResponse,
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Event
from ledger.v1.oversight_pb2 import Citation, ListCertified, ListReconciled

lists = typer.Typer(help="Lists of agencies.", no_args_is_help=True)

# Refusals that leave open whether an event is kept.
_OPEN = {ErrorReason.ERROR_REASON_OUTCOME_UNKNOWN, ErrorReason.ERROR_REASON_DEADLINE_PASSED}

ListOption = Annotated[
    str,
    typer.Option("--list", metavar="ID", help="A list certified or reconciled before; none: new."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(lists, name="list")


@lists.command("certify")
def certify(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is a list of.")],
    agency: Annotated[
        str, typer.Option("--agency", metavar="CODE", help="The agency that certifies it.")
    ],
    citation: Annotated[
        Path,
        typer.Option("--citation", metavar="FILE", help="As --cite prints it; -: standard input."),
    ] = Path("-"),
    list_id: ListOption = "",
    dry_run: DryRunOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Record that an agency certifies a list, with what it was computed from.

    Ask for the list, look at it, ask again with --cite, and certify that: `roster`, `separation
    list`, `queue show`, `clock list` and `class list` take --cite.

    Example: ledger roster --agency ORR --cite | ledger list certify "In care" --agency ORR
    """
    event = stated_now(agency.upper())
    certified = ListCertified(
        list_id=list_id or str(uuid4()),
        agency=agency.upper(),
        title=title,
        citation=_read_citation(citation),
    )
    event.list_certified.CopyFrom(certified)
    done = f"{'would be ' * dry_run}certified: {citation_phrase(certified.citation)}"
    _record(server, event, certified, done, dry_run=dry_run, output=output)


def _read_citation(file: Path) -> Citation:
    """A citation as --cite prints it. Raises MistakeError."""
    told = read_json(file)
    try:
        made = Citation(
            query=told["query"],
            size=told["size"],
            root=bytes.fromhex(told["root"]),
            count=told["count"],
            sha256=bytes.fromhex(told["sha256"]),
        )
        made.as_of_time.FromJsonString(told["as_of_time"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise MistakeError(f"{file}: not a citation as --cite prints it") from None
    return made


@lists.command("show")
def show_list(
    list_id: Annotated[str, typer.Argument(metavar="ID", help="The list's id.")],
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """A list, each time it was certified and reconciled.

    Example: ledger list show 0f6a11c2-…
    """
    request = GetListRequest(list_id=list_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.GetList(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    told = found.list
    typer.echo(f"List {told.list_id}: {told.title}")
    show_some(
        "Certified",
        ["by", "computed from", "event"],
        [(one.agency, citation_phrase(one.citation), one.event_id) for one in told.certifications],
    )
    show_some(
        "Reconciled",
        ["list of", "matched", "missing", "extra", "different", "compared with"],
        [
            (
                one.agency,
                one.matched,
                one.missing,
                one.extra,
                one.different,
                citation_phrase(one.citation),
            )
            for one in told.reconciliations
        ],
    )
    show_stamp(found.stamp)


@lists.command("reconcile")
def reconcile(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV with columns person_id, or scheme and value; facility."
        ),
    ],
    agency: Annotated[
        str, typer.Option("--agency", metavar="CODE", help="The agency that lists whom it holds.")
    ],
    record: Annotated[
        str, typer.Option("--record", metavar="TITLE", help="Record the outcome under this title.")
    ] = "",
    list_id: ListOption = "",
    by: Annotated[
        str, typer.Option("--by", metavar="CODE", help="Who compared them. Default: the agency.")
    ] = "",
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare an agency's list of those whom it holds with the ledger's roster, row by row.

    Example: ledger list reconcile orr.csv --agency ORR --as-of 2018-06-20
    """
    if (list_id or by) and not record:
        raise typer.BadParameter("--list and --by go with --record")
    listed = read_rows(file)
    found = listed.compare(server, agency.upper(), basis(as_of, known_at, at_size))
    if output == Output.TABLE:
        _show_compared(found, listed.lines)
    elif not record:
        show_json(plain(found))
    if record:
        outcome = ListReconciled(
            list_id=list_id or str(uuid4()),
            agency=agency.upper(),
            title=record,
            file_sha256=listed.sha256,
            citation=found.citation,
            matched=found.matched,
            missing=found.missing,
            extra=found.extra,
            different=found.different,
        )
        event = stated_now((by or agency).upper())
        event.list_reconciled.CopyFrom(outcome)
        compared = plain(found) if output == Output.JSON else None
        _record(server, event, outcome, "recorded", output=output, compared=compared)
    elif output == Output.TABLE:
        show_stamp(found.stamp)


def _show_compared(found: ReconcileListResponse, lines: Sequence[int]) -> None:
    """What is not alike row by row, and how many are."""
    show_some(
        "Not alike",
        ["", "line", "person", "why", "says the ledger"],
        [
            (
                enum_word(one, "comparison"),
                lines[one.row - 1] if one.row else "not listed",
                one.person_id or "nobody whom the ledger knows",
                one.reason_code,
                custody_cell(one.custody) if one.HasField("custody") else "",
            )
            for one in found.rows
            if one.comparison != Comparison.COMPARISON_MATCHED
        ],
    )
    typer.echo(
        f"Matched: {found.matched}, missing: {found.missing}, extra: {found.extra}, "
        f"different: {found.different}"
    )


def _record(
    server: str,
    event: Event,
    recorded: ListCertified | ListReconciled,
    done: str,
    *,
    dry_run: bool = False,
    output: Output,
    **more: Any,
) -> None:
    """Append an event about a list, and say which list and which event it is."""
    try:
        found = send(server, [event], dry_run=dry_run)
    except LedgerError as error:
        if error.reason in _OPEN:
            typer.echo(f"ledger: event {event.event_id} may still be kept", err=True)
        raise
    if output == Output.JSON:
        ids = {"list_id": recorded.list_id, "event_id": event.event_id}
        show_json({**ids, **more, "appended": plain(found)})
        return
    typer.echo(f"List {recorded.list_id}: {done}")
    typer.echo(f"Event: {event.event_id}")
    show_caused(found)
    show_stamp(found.stamp)
