"""Commands that ask about custody: person, family, roster, separation."""

from typing import Annotated, Any

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
from ledger.cli.render import enum_word, plain, show_json, show_stamp, show_table, time_of
from ledger.errors import LedgerError
from ledger.v1.custody_query_service_pb2 import (
    Custody,
    FamilyLink,
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    ListRosterRequest,
    ListSeparationsRequest,
    Separation,
)
from ledger.v1.error_pb2 import ErrorReason

PAGE = 1_000

person = typer.Typer(help="One person.", no_args_is_help=True)
family = typer.Typer(help="One family.", no_args_is_help=True)
separation = typer.Typer(help="Separations.", no_args_is_help=True)

PersonArgument = Annotated[str, typer.Argument(metavar="ID", help="The person's id.")]
CountOption = Annotated[bool, typer.Option("--count", help="Only count them.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(person, name="person")
    app.add_typer(family, name="family")
    app.command("roster")(roster)
    app.add_typer(separation, name="separation")


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
    typer.echo(f"Person {found.person_id}: {_custody(found.custody)}")
    if found.claims:
        show_table(
            "Claims",
            ["born", "age", "sex", "nationality"],
            [
                (
                    _date(claim.birth_date) if claim.HasField("birth_date") else "",
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
        _show_separations(found.separations)
    if found.links:
        show_table("Relatives", ["who", "what", "from"], [_link(one) for one in found.links])
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
            (time_of(one, "from_time"), time_of(one, "to_time") or "open", _custody(one.custody))
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
                _custody(member.custody),
                "\n".join(f"{what} {who} ({why})" for who, what, why in map(_link, member.links)),
            )
            for member in found.members
        ],
    )
    if found.truncated:
        typer.echo(f"There are more than these {len(found.members)}.")
    show_stamp(found.stamp)


def roster(
    agency: Annotated[
        str, typer.Option("--agency", metavar="CODE", help="Held by this agency: CBP, ICE, ORR …")
    ] = "",
    facility: Annotated[
        str, typer.Option("--facility", metavar="NAME", help="Held in this facility.")
    ] = "",
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Who is held by an agency or in a facility.

    Example: ledger roster --agency ORR --as-of 2018-06-20 --count
    """
    request = ListRosterRequest(
        agency=agency.upper(),
        facility=facility,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
        page_size=PAGE,
    )
    people: list[Any] = []
    with connected(server) as client:
        found = first = client.custody.ListRoster(request)
        people += found.people
        while found.next_page_token:
            request.page_token = found.next_page_token
            found = client.custody.ListRoster(request)
            people += found.people
    if output == Output.JSON:
        show_json(
            {
                "count": first.total_size,
                "people": [plain(one) for one in people],
                "stamp": plain(first.stamp),
            }
        )
        return
    if not count:
        show_table(
            "Roster",
            ["person", "custody"],
            [(one.person_id, _custody(one.custody)) for one in people],
        )
    typer.echo(f"Count: {first.total_size}")
    show_stamp(first.stamp)


@separation.command("list")
def list_separations(
    include_reunified: Annotated[
        bool, typer.Option("--all", help="Those that a reunification ended, too.")
    ] = False,
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    count: CountOption = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Children separated from an adult, of whom no reunification is recorded.

    Example: ledger separation list --as-of 2018-07-26 --count
    """
    request = ListSeparationsRequest(
        include_reunified=include_reunified,
        basis=basis(as_of, known_at, at_size),
        count_only=count,
        page_size=PAGE,
    )
    separations: list[Separation] = []
    with connected(server) as client:
        found = first = client.custody.ListSeparations(request)
        separations += found.separations
        while found.next_page_token:
            request.page_token = found.next_page_token
            found = client.custody.ListSeparations(request)
            separations += found.separations
    if output == Output.JSON:
        show_json(
            {
                "count": first.total_size,
                "separations": [plain(one) for one in separations],
                "stamp": plain(first.stamp),
            }
        )
        return
    if not count:
        _show_separations(separations)
    typer.echo(f"Children: {first.total_size}")
    show_stamp(first.stamp)


def _show_separations(separations: Any) -> None:
    show_table(
        "Separations",
        ["child", "since", "from", "reasons", "status", "reunified"],
        [
            (
                one.child_id,
                time_of(one, "since_time"),
                " ".join(one.adult_ids) or f"not recorded: {one.adult_unknown_reason}",
                " ".join(one.reason_codes),
                enum_word(one, "status"),
                time_of(one, "reunified_time") or "no record",
            )
            for one in separations
        ],
    )


def _custody(state: Custody) -> str:
    """A state in a few words."""
    status = enum_word(state, "status")
    if not status:
        said = "custody not recorded"
    elif status == "ended":
        said = f"custody ended by {state.agency}"
    else:
        where = f" at {state.facility}" if state.facility else ", place not recorded"
        said = f"{status} by {state.agency}{'' if status == 'in transfer' else where}"
    if state.HasField("since_time"):
        said += f" since {time_of(state, 'since_time')}"
    if state.awaited_by:
        said += f", awaited by {state.awaited_by}"
    if state.undated_outcome_text:
        said += f', said without a date: "{state.undated_outcome_text}"'
    if state.contradicting_event_ids:
        said += f", contradicted by {' '.join(state.contradicting_event_ids)}"
    return said


def _link(link: FamilyLink) -> tuple[str, str, str]:
    """(relative, what they are, where from)."""
    kind = enum_word(link, "kind") or "together with"
    what = f"is {kind} of" if link.inverse else kind
    status = " (retracted)" if enum_word(link, "status") == "retracted" else ""
    return link.relative_id, what, f"{link.asserted_by}{status}"


def _date(date: Any) -> str:
    """A date, with what is not known of it left out."""
    return "-".join(f"{part:02}" for part in (date.year, date.month, date.day) if part)
