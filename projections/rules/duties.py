"""Rules about what is owed by a certain time."""

from collections.abc import Iterator

from projections.clocks import MISSED, Clock
from projections.record import Noted, Record
from projections.rules import rule

# These have a rule of their own.
_OTHERWISE = ("TRANSFER_24", "INFORMATION_72")


@rule
def clock_run_out(record: Record) -> Iterator[Noted]:
    for one in _missed(record):
        if one.limit.applies_to != "child" and one.code not in _OTHERWISE:
            yield Noted("CLOCK_RUN_OUT", one.start_event_id, "", (one.code, one.owner_agency))


@rule
def step_overdue(record: Record) -> Iterator[Noted]:
    for one in _missed(record):
        if one.limit.applies_to == "child" and one.stop is None:
            yield Noted("STEP_OVERDUE", one.start_event_id, "", (one.code, one.owner_agency))


@rule
def transfer_dangling(record: Record) -> Iterator[Noted]:
    for one in _missed(record):
        if one.code == "TRANSFER_24" and one.stop is None:
            yield Noted("TRANSFER_DANGLING", one.start_event_id)


@rule
def request_unanswered(record: Record) -> Iterator[Noted]:
    for event_id, _, body in record.casework.requests:
        if body.request_id not in record.casework.answered:
            yield Noted("REQUEST_UNANSWERED", event_id, "", (body.of_agency,))


def _missed(record: Record) -> Iterator[Clock]:
    """The clocks that were missed, and that no exceptional circumstances explain."""
    return (
        one
        for one in record.clocks.applying()
        if one.state == MISSED and not one.exceptional_event_ids
    )
