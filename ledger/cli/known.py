"""What is known of one person, part by part; what is not recorded takes no room."""

import typer

from ledger.cli.phrases import (
    age_phrase,
    contact_phrase,
    custody_details,
    custody_phrase,
    date_phrase,
    link_rows,
    show_clocks,
    show_findings,
    show_separations,
)
from ledger.cli.render import enum_word, show_some, time_of
from ledger.v1.custody_query_service_pb2 import GetPersonResponse
from ledger.v1.identity_pb2 import Truth
from ledger.v1.view_pb2 import ReunificationCase


def show(found: GetPersonResponse) -> None:
    """All of it."""
    _show_who(found)
    show_separations(found.separations, whose=False)
    show_some("Relatives", ["who", "what", "from"], link_rows(found.links))
    show_some(
        "Calls and visits",
        ["with", "when and by what"],
        [(one.relative_id, contact_phrase(one)) for one in found.contacts],
    )
    for case in found.cases:
        _show_case(case)
    show_clocks(found.clocks)
    _show_oversight(found)
    show_findings(found.findings, whose="event_id")


def _show_who(found: GetPersonResponse) -> None:
    """Who holds her, and who she is."""
    typer.echo(f"Person {found.person_id}: {custody_phrase(found.custody)}")
    for said in custody_details(found.custody):
        typer.echo(f"Custody: {said}")
    typer.echo(f"Age: {age_phrase(found.age)}")
    if found.speaks_for_herself == Truth.TRUTH_NO:
        typer.echo("Cannot speak for herself")
    for said, others in (
        ("Also recorded as", found.same_person_ids),
        ("Not the same as", found.distinct_person_ids),
    ):
        if others:
            typer.echo(f"{said}: {' '.join(others)}")
    show_some(
        "Special needs",
        ["need", "in the source's words"],
        [(one.need_code, one.need_text) for one in found.special_needs],
    )
    show_some(
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
    show_some(
        "Identifiers",
        ["scheme", "value", "issuer"],
        [(one.scheme, one.value, one.issuer_text) for one in found.identifiers],
    )


def _show_case(case: ReunificationCase) -> None:
    show_some(
        f"Reunification case {case.case_id}, led by {case.agency} "
        f"since {time_of(case, 'opened_time')}, with {' '.join(case.adult_ids)}",
        ["step", "state", "due", "owner", "done by"],
        [
            (
                one.step_code,
                enum_word(one, "state"),
                time_of(one, "due_time"),
                one.owner_agency,
                one.agency,
            )
            for one in case.steps
        ],
    )


def _show_oversight(found: GetPersonResponse) -> None:
    """Classes, and what agencies asked one another."""
    show_some(
        "Classes",
        ["class", "criteria", ""],
        [
            (one.class_code, one.criteria_version, "in it" if one.included else "not in it")
            for one in found.classes
        ],
    )
    show_some(
        "Information requests",
        ["asked", "by", "of", "what", ""],
        [
            (
                time_of(one, "asked_time"),
                one.agency,
                one.of_agency,
                one.request_text,
                "answered" if one.answered else "not answered",
            )
            for one in found.information_requests
        ],
    )
