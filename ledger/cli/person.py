"""Commands that ask about one person or one family."""

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
from ledger.cli.phrases import custody_phrase, date_phrase, link_phrase, show_separations
from ledger.cli.render import enum_word, plain, show_json, show_stamp, show_table, time_of
from ledger.errors import LedgerError
from ledger.v1.custody_query_service_pb2 import (
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
)
from ledger.v1.error_pb2 import ErrorReason

person = typer.Typer(help="One person.", no_args_is_help=True)
family = typer.Typer(help="One family.", no_args_is_help=True)

PersonArgument = Annotated[str, typer.Argument(metavar="ID", help="The person's id.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(person, name="person")
    app.add_typer(family, name="family")


@person.command("show")
def show_person(
    person_id: PersonArgument,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """What is known of a person: claims, identifiers, custody, separations, relatives.

    Example: ledger person show 3f0c6a2e-… --as-of 2018-06-20
    """
    request = GetPersonRequest(person_id=person_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.GetPerson(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    typer.echo(f"Person {found.person_id}: {custody_phrase(found.custody)}")
    if found.claims:
        show_table(
            "Claims",
            ["born", "age", "sex", "nationality"],
            [
                (
                    date_phrase(claim.birth_date) if claim.HasField("birth_date") else "",
                    claim.stated_age_years if claim.HasField("stated_age_years") else "",
                    enum_word(claim, "sex"),
                    claim.nationality_text,
                )
                for claim in found.claims
            ],
        )
    if found.identifiers:
        show_table(
            "Identifiers",
            ["scheme", "value"],
            [(one.scheme, one.value) for one in found.identifiers],
        )
    if found.separations:
        show_separations(found.separations)
    if found.links:
        show_table("Relatives", ["who", "what", "from"], [link_phrase(one) for one in found.links])
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


@family.command("show")
def show_family(
    subject_id: Annotated[
        str, typer.Argument(metavar="ID", help="A person of the family, or the family's own id.")
    ],
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Everyone whom a link reaches, at any remove, and where each of them is.

    Example: ledger family show 3f0c6a2e-…
    """
    request = GetFamilyRequest(person_id=subject_id, basis=basis(as_of, known_at, at_size))
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
    show_table(
        "Family",
        ["person", "removes", "custody", "links"],
        [
            (
                member.person_id,
                member.removes,
                custody_phrase(member.custody),
                "\n".join(
                    f"{what} {who} ({why})" for who, what, why in map(link_phrase, member.links)
                ),
            )
            for member in found.members
        ],
    )
    if found.truncated:
        typer.echo(f"There are more than these {len(found.members)}.")
    show_stamp(found.stamp)
