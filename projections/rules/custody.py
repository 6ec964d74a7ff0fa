"""Rules about who holds somebody, and how she was handed over."""

from collections.abc import Iterator, Mapping

from ledger.v1.place_pb2 import AddressState
from ledger.v1.view_pb2 import CustodyEnd
from projections.custody_view import ENDED, folded
from projections.family_unit import children_of
from projections.record import Noted, Record
from projections.rules import among, rule
from projections.rules.family import is_held
from projections.separation import WAIVED


@rule
def noted(record: Record) -> Iterator[Noted]:
    """What a step saw while it was folded."""
    yield from record.noted


@rule
def accompaniment_not_recorded(record: Record) -> Iterator[Noted]:
    if record.is_minor:
        for event_id in record.unaccompanied_event_ids:
            yield Noted("ACCOMPANIMENT_NOT_RECORDED", event_id, "apprehended.accompaniment")


@rule
def custody_conflict(record: Record) -> Iterator[Noted]:
    for event_id in record.custody.contradicting_event_ids:
        known = (f"held by {record.custody.agency}",)
        yield Noted("CUSTODY_CONFLICT", event_id, "agency", known)


@rule
def end_without_date(record: Record) -> Iterator[Noted]:
    if record.custody.undated_outcome_text:
        yield Noted("END_WITHOUT_DATE", record.custody.event_id, "placed.undated_outcome_text")


@rule
def release_without_address(record: Record) -> Iterator[Noted]:
    state = record.custody
    if state.end != CustodyEnd.CUSTODY_END_RELEASED or not state.is_address_collected:
        return
    complete = state.destination and (
        state.destination.state == AddressState.ADDRESS_STATE_COMPLETE
    )
    if not complete:
        yield Noted("RELEASE_WITHOUT_ADDRESS", state.event_id, "released.destination")


@rule
def absconded(record: Record) -> Iterator[Noted]:
    state = record.custody
    has_left = state.end == CustodyEnd.CUSTODY_END_ABSCONDED or (
        state.status == ENDED and state.end_reason_code in ("RAN_AWAY", "ESCAPED")
    )
    if has_left:
        yield Noted("ABSCONDED", state.event_id)


@rule
def not_reached(record: Record) -> Iterator[Noted]:
    if record.unreached_event_id and not is_held(record):
        yield Noted("NOT_REACHED", record.unreached_event_id, "wellbeing_call_made.reached")


@rule
def hearing_missed(record: Record) -> Iterator[Noted]:
    if event_id := record.missed_hearing_event_id:
        yield Noted("HEARING_MISSED", event_id, "court_appearance_recorded.appeared")


@rule
def transfer_without_links(record: Record) -> Iterator[Noted]:
    if not record.is_minor:
        return
    for _, (event_id, relatives) in record.departures:
        if relatives is None:
            yield Noted("TRANSFER_WITHOUT_LINKS", event_id, "transfer_departed.links")


@among(
    "REMOVAL_WITH_CHILD_IN_CUSTODY",
    lambda record: bool(record.removal_event_id and children_of(record)),
)
def removal_with_child_in_custody(
    record: Record, relatives: Mapping[str, Record]
) -> Iterator[Noted]:
    left = [
        child_id
        for child_id in children_of(record)
        if (child := relatives.get(child_id))
        and is_held(child)
        and not any(
            one.status == WAIVED or record.person_id in one.waived_adult_ids
            for one in child.separation.separations
        )
    ]
    if left:
        yield Noted("REMOVAL_WITH_CHILD_IN_CUSTODY", record.removal_event_id, "", tuple(left))


@among(
    "CHILD_MOVED_MEANWHILE",
    lambda record: bool(record.returned_event_id and is_held(record) and children_of(record)),
)
def child_moved_meanwhile(record: Record, relatives: Mapping[str, Record]) -> Iterator[Noted]:
    here = (record.custody.agency, folded(record.custody.facility))
    for child_id in children_of(record):
        child = relatives.get(child_id)
        if child is None or not is_held(child):
            continue
        state = child.custody
        if (state.agency, folded(state.facility)) != here:
            known = (child_id, f"held by {state.agency}", f"event {state.event_id}")
            yield Noted("CHILD_MOVED_MEANWHILE", record.returned_event_id, "", known)
