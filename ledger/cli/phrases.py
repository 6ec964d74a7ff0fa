"""What several tables say in the same words."""

from collections.abc import Iterable
from typing import Any

from ledger.cli.render import enum_word, show_some, time_of
from ledger.v1.oversight_pb2 import Citation
from ledger.v1.view_pb2 import Age, Clock, Contact, Custody, FamilyLink, Finding, Separation

# How much of a time is written that is known to a day, an hour, a minute.
_UNITS = {86_400_000_000: 10, 3_600_000_000: 13, 60_000_000: 16}
_LAST = "T23:59:59.999999Z"


def show_separations(separations: Iterable[Separation], *, whose: bool = True) -> None:
    """Separations as a table, with whose they are if they are of several children."""
    show_some(
        "Separations",
        [*["child"] * whose, "since", "from", "reasons", "status", "reunified"],
        [
            (
                *[one.child_id] * whose,
                time_of(one, "since_time"),
                " ".join(one.adult_ids) or f"not recorded: {one.adult_unknown_reason}",
                " ".join(one.reason_codes),
                enum_word(one, "status"),
                time_of(one, "reunified_time") or "no record",
            )
            for one in separations
        ],
    )


def show_findings(findings: Iterable[Finding], whose: str = "person_id") -> None:
    """Findings as a table, with the person or the field that each is about."""
    show_some(
        "Findings",
        ["severity", "rule", whose.removesuffix("_id"), "what it says", "what is known"],
        [
            (
                enum_word(one, "severity"),
                one.rule_code,
                getattr(one, whose),
                one.message,
                " ".join(one.known),
            )
            for one in sorted(findings, key=lambda one: -one.severity)
        ],
    )


def show_clocks(clocks: Iterable[Clock], *, whose: bool = False) -> None:
    """Clocks as a table, with whose they are if they are of several persons."""
    show_some(
        "Clocks",
        [*["person"] * whose, "clock", "state", "started", "due", "stopped", "owner"],
        [
            (
                *[one.person_id] * whose,
                one.clock_code,
                enum_word(one, "state"),
                span(one, "start_time", "latest_start_time"),
                span(one, "due_time", "latest_due_time"),
                time_of(one, "stop_time") or "no record",
                one.owner_agency,
            )
            for one in clocks
        ],
    )


def custody_phrase(state: Custody) -> str:
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
    if state.claimed_by:
        said += f", claimed by {' '.join(state.claimed_by)}"
    if state.contradicting_event_ids:
        said += f", contradicted by {' '.join(state.contradicting_event_ids)}"
    return said


def custody_details(state: Custody) -> list[str]:
    """What else is recorded of a state, each in a few words."""
    said = []
    if end := enum_word(state, "end"):
        said.append(f"{end} {state.end_reason_code}".strip())
    if away := enum_word(state, "away_for"):
        said.append(f"away for {away} at {state.away_at or 'a place not recorded'}")
    if state.designated_facility:
        said.append(f"to go to {state.designated_facility}")
    if state.referred_for_prosecution:
        said.append("referred for prosecution and not back")
    if state.sponsor_id:
        said.append(f"taken in by {state.sponsor_id}")
    if state.destination.state:
        said.append(f"address {enum_word(state.destination, 'state')}")
    if state.destination.country_text:
        said.append(f"to {state.destination.country_text}")
    if state.seen_at:
        said.append(f"last seen at {state.seen_at} {time_of(state, 'seen_time')}".rstrip())
    return said


def custody_cell(state: Custody) -> str:
    """A state with all its details."""
    return "; ".join([custody_phrase(state), *custody_details(state)])


def link_rows(links: Iterable[FamilyLink]) -> list[tuple[str, str, str]]:
    """(relative, what they are, which events say so) of links, each relative and kind once."""
    found: dict[tuple[str, str], list[str]] = {}
    for link in links:
        kind = enum_word(link, "kind") or "together with"
        what = f"is {kind} of" if link.inverse else kind
        status = enum_word(link, "status")
        said = link.asserted_by if status == "asserted" else f"{link.asserted_by} ({status})"
        found.setdefault((link.relative_id, what), []).append(said)
    return [(who, what, ", ".join(said)) for (who, what), said in found.items()]


def contact_phrase(contact: Contact) -> str:
    """A call or visit in a few words."""
    tried = "" if contact.succeeded else ", did not succeed"
    return f"{time_of(contact, 'contact_time')} {contact.means_code}{tried}"


def age_phrase(age: Age) -> str:
    """An age in one phrase."""
    if not age.HasField("years_min"):
        said = "not recorded"
    else:
        said = f"{years(age)} years"
        if age.HasField("born"):
            said += f", born {_born(age)}"
    if minor := {1: "a minor", 2: "not a minor"}.get(age.minor):
        said += f", {minor}"
    return f"{said}, disputed" if age.disputed else said


def years(age: Any) -> str:
    """Whole years, as finely as they are known."""
    if not age.HasField("years_min"):
        return ""
    return str(age.years_min) + (f" to {age.years_max}" if age.years_max != age.years_min else "")


def _born(age: Age) -> str:
    first, last = map(date_phrase, (age.born.earliest_date, age.born.latest_date))
    return first if first == last else f"{first} to {last}"


def span(message: Any, first: str, last: str) -> str:
    """Between which two moments something was: a day or a minute, where they are its ends."""
    begin, end = getattr(message, first), getattr(message, last)
    text = str(begin.ToJsonString())
    if begin == end:
        return text.replace(_LAST, "T24:00Z")
    length_us = end.ToMicroseconds() - begin.ToMicroseconds() + 1
    for unit_us, kept in _UNITS.items():
        if length_us == unit_us and not begin.ToMicroseconds() % unit_us:
            return text[:kept] + ("Z" if kept > len("2018-06-20") else "")
    return f"{text} to {end.ToJsonString()}"


def date_phrase(date: Any) -> str:
    """A date, with what is not known of it left out."""
    return "-".join(f"{part:02}" for part in (date.year, date.month, date.day) if part)


def citation_phrase(citation: Citation) -> str:
    """What was computed from what, in one phrase."""
    return (
        f"{citation.query} as of {time_of(citation, 'as_of_time')} "
        f"at size {citation.size}: {citation.count}"
    )
