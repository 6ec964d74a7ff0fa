"""Rules about what is owed by a certain time."""

from collections.abc import Iterator

from projections.clocks import MISSED, Clock
from projections.record import Duties, Noted
from projections.rules import duty

# These have a rule of their own.
_OTHERWISE = ("TRANSFER_24", "INFORMATION_72")


@duty("CLOCK_RUN_OUT")
def clock_run_out(duties: Duties) -> Iterator[Noted]:
    for one in _missed(duties):
        if one.limit.applies_to != "child" and one.code not in _OTHERWISE:
            yield Noted("CLOCK_RUN_OUT", one.start_event_id, "", (one.code, one.owner_agency))


@duty("STEP_OVERDUE")
def step_overdue(duties: Duties) -> Iterator[Noted]:
    for one in _missed(duties):
        if one.limit.applies_to == "child" and one.stop is None:
            yield Noted("STEP_OVERDUE", one.start_event_id, "", (one.code, one.owner_agency))


@duty("TRANSFER_DANGLING")
def transfer_dangling(duties: Duties) -> Iterator[Noted]:
    for one in _missed(duties):
        if one.code == "TRANSFER_24" and one.stop is None:
            yield Noted("TRANSFER_DANGLING", one.start_event_id)


@duty("REQUEST_UNANSWERED")
def request_unanswered(duties: Duties) -> Iterator[Noted]:
    for event_id, _, body in duties.casework.requests:
        if body.request_id not in duties.casework.answered:
            yield Noted("REQUEST_UNANSWERED", event_id, "", (body.of_agency,))


def _missed(duties: Duties) -> Iterator[Clock]:
    """The clocks that were missed, and that no exceptional circumstances explain."""
    return (
        one for one in duties.clocks.clocks if one.state == MISSED and not one.exceptional_event_ids
    )
