"""What several tables say in the same words."""

from collections.abc import Iterable
from typing import Any

from ledger.cli.render import enum_word, show_table, time_of
from ledger.v1.view_pb2 import Custody, FamilyLink, Separation


def show_separations(separations: Iterable[Separation]) -> None:
    """Separations as a table."""
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


def link_phrase(link: FamilyLink) -> tuple[str, str, str]:
    """(relative, what they are, where from)."""
    kind = enum_word(link, "kind") or "together with"
    what = f"is {kind} of" if link.inverse else kind
    status = " (retracted)" if enum_word(link, "status") == "retracted" else ""
    return link.relative_id, what, f"{link.asserted_by}{status}"


def date_phrase(date: Any) -> str:
    """A date, with what is not known of it left out."""
    return "-".join(f"{part:02}" for part in (date.year, date.month, date.day) if part)
