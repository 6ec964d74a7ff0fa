"""Rules about who holds somebody, and how she was handed over."""

from collections.abc import Iterator, Mapping

from ledger.v1.place_pb2 import AddressState
from ledger.v1.separation_pb2 import Separated
from ledger.v1.view_pb2 import CustodyEnd
from projections.custody_view import ENDED, folded
from projections.family import Link
from projections.family_unit import children_of, standing
from projections.record import Noted, Record
from projections.rules import among, rule
from projections.rules.family import is_held


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
def taken_without_handover(record: Record) -> Iterator[Noted]:
    for event_id, agency in record.custody.taken:
        yield Noted("TAKEN_WITHOUT_HANDOVER", event_id, "agency", (f"held by {agency}",))


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


def _may_have_children(record: Record) -> bool:
    return bool(children_of(record)) or any(_is_separation(one) for one in standing(record))


def _is_separation(link: Link) -> bool:
    return link.asserted_by == Separated.DESCRIPTOR.name


def _ids(record: Record) -> set[str]:
    """Her records: a child's separation may name her under any of them."""
    return {record.person_id, *record.identity.same_ids}


def _has_waived(record: Record, child: Record) -> bool:
    """Whether she waived reunification with a child, as to the last time they were separated."""
    ids = _ids(record)
    of_her = [
        one for one in child.separation.separations if not one.adult_ids or ids & {*one.adult_ids}
    ]
    return bool(of_her) and bool(ids & {*of_her[-1].waived_adult_ids})


def _children(record: Record, relatives: Mapping[str, Record]) -> list[str]:
    """Those whose parent she is, and those taken from her of whom nothing says what she is."""
    told = {one.relative_id for one in standing(record) if one.kind}
    taken = (
        one.relative_id
        for one in standing(record)
        if _is_separation(one)
        and one.relative_id not in told
        and (child := relatives.get(one.relative_id))
        and any(_ids(record) & {*some.adult_ids} for some in child.separation.separations)
    )
    return list(dict.fromkeys([*children_of(record), *taken]))


@among(
    "REMOVAL_WITH_CHILD_IN_CUSTODY",
    lambda record: bool(record.removal_event_id and _may_have_children(record)),
)
def removal_with_child_in_custody(
    record: Record, relatives: Mapping[str, Record]
) -> Iterator[Noted]:
    # What was so when she was removed stays so, wherever the child went afterwards.
    at_us = record.at_us if record.removed_us is None else record.removed_us
    left = [
        child_id
        for child_id in _children(record, relatives)
        if (child := relatives.get(child_id))
        and child.is_minor
        and child.custody.was_held_at(at_us)
        and not _has_waived(record, child)
    ]
    if left:
        yield Noted("REMOVAL_WITH_CHILD_IN_CUSTODY", record.removal_event_id, "", tuple(left))


@among(
    "CHILD_MOVED_MEANWHILE",
    lambda record: bool(
        record.returned_event_id and is_held(record) and _may_have_children(record)
    ),
)
def child_moved_meanwhile(record: Record, relatives: Mapping[str, Record]) -> Iterator[Noted]:
    here = (record.custody.agency, folded(record.custody.facility))
    for child_id in _children(record, relatives):
        child = relatives.get(child_id)
        if child is None or not is_held(child):
            continue
        state = child.custody
        if (state.agency, folded(state.facility)) != here:
            known = (child_id, f"held by {state.agency}", f"event {state.event_id}")
            yield Noted("CHILD_MOVED_MEANWHILE", record.returned_event_id, "", known)
