"""Commands that ask about one person."""

from typing import Annotated

import typer

from ledger.cli import known
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
from ledger.cli.phrases import contact_phrase, custody_cell, custody_phrase, link_rows
from ledger.cli.render import (
    enum_word,
    plain,
    show_json,
    show_some,
    show_stamp,
    show_table,
    time_of,
)
from ledger.v1.custody_query_service_pb2 import (
    GetPersonRequest,
    GetPersonTimelineRequest,
    LocateRelativesRequest,
)

person = typer.Typer(help="One person.", no_args_is_help=True)

PersonArgument = Annotated[str, typer.Argument(metavar="ID", help="The person's id.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(person, name="person")


@person.command("show")
def show_person(
    person_id: PersonArgument,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """What is known of a person: custody, age, needs, separations, relatives, clocks, findings.

    Example: ledger person show 3f0c6a2e-… --as-of 2018-06-20
    """
    request = GetPersonRequest(person_id=person_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.GetPerson(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    known.show(found)
    show_stamp(found.stamp)


@person.command("locate")
def locate(
    person_id: PersonArgument,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Where each relative of a person is, who holds them, since when, and when the two last spoke.

    Example: ledger person locate 3f0c6a2e-…
    """
    request = LocateRelativesRequest(person_id=person_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.LocateRelatives(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    typer.echo(f"Person {person_id}: {custody_phrase(found.custody)}")
    show_some(
        "Relatives",
        ["relative", "what", "where", "last spoke"],
        [
            (
                "\nalso ".join([one.person_id, *one.same_person_ids]),
                "\n".join(f"{what} ({why})" for _, what, why in link_rows(one.links)),
                custody_cell(one.custody),
                contact_phrase(one.last_contact) if one.HasField("last_contact") else "no record",
            )
            for one in found.relatives
        ],
    )
    if not found.relatives:
        typer.echo("No link to a relative is recorded.")
    show_stamp(found.stamp)


@person.command("timeline")
def show_timeline(
    person_id: PersonArgument,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Every event about a person, in the order in which it took effect, and the custody it gives.

    Example: ledger person timeline 3f0c6a2e-… --known-at 2018-07-01
    """
    request = GetPersonTimelineRequest(person_id=person_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.GetPersonTimeline(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    rows = []
    for one in found.events:
        event = one.event.entry.event
        fact = event.WhichOneof("fact") or ""
        rows.append(
            (
                time_of(one, "effective_time"),
                enum_word(event.valid_time, "precision"),
                fact.replace("_", " "),
                event.actor.agency,
                time_of(one.event.entry, "record_time"),
                one.event.position,
                event.event_id,
                f"retracted by {one.retracted_by_event_id}" if one.retracted_by_event_id else "",
            )
        )
    show_table(
        "Events",
        ["valid", "to the", "event", "said by", "recorded", "position", "event id", ""],
        rows,
    )
    show_table(
        "Custody",
        ["from", "to", ""],
        [
            (
                time_of(one, "from_time"),
                time_of(one, "to_time") or "open",
                custody_phrase(one.custody),
            )
            for one in found.periods
        ],
    )
    show_stamp(found.stamp)
