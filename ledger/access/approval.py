"""Who speaks for whom, and who approved what.

An agency speaks for itself, and a person under her own id. What is hard to undo is approved by
several people: whoever sends the event counts as one, the others say so in statements that their
agencies sign (docs/access.md).
"""

from collections.abc import Iterator, Sequence

from ledger.access.caller import Caller
from ledger.entry import Fault
from ledger.errors import refuse
from ledger.keys.tokens import Approved, read_approval
from ledger.personal import approved_sha256
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Approval, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import Role, approvals
from projections.subjects import body_of

MAY_APPROVE = (Role.ROLE_AGENCY_SUPERVISOR, Role.ROLE_CASE_MANAGER)


def speaking_faults(caller: Caller, events: Sequence[Event]) -> Iterator[Fault]:
    """Events that say that somebody else asserts them."""
    if not caller.is_identified:
        return
    for index, event in enumerate(events):
        for field, said, own in (
            ("agency", event.actor.agency, caller.agency),
            ("actor_id", event.actor.actor_id, caller.actor_id),
        ):
            # A program that acts for itself may say which of its officers or programs it is.
            if said != own and (field == "agency" or own):
                yield (
                    ErrorReason.ERROR_REASON_ACTOR_NOT_CALLER,
                    f"events[{index}].actor.{field}",
                    "not that of whoever sends the event",
                )


def approvals_of(caller: Caller, request: AppendEventsRequest, now_us: int) -> list[list[Approval]]:
    """Who approved each event of a request. Raises APPROVAL_MISSING, UNIDENTIFIED.

    Over loopback nobody is identified: two who approve are taken at the event's word, as it records
    them, and nothing is erased.
    """
    stated = [
        read_approval(one, known=caller.known, now_us=now_us)
        for one in request.approvals
        if caller.known
    ]
    return [
        _approvals(caller, event, index, [one for one in stated if one.event_id == event.event_id])
        for index, event in enumerate(request.events)
    ]


def _approvals(
    caller: Caller, event: Event, index: int, stated: Sequence[Approved]
) -> list[Approval]:
    options = body_of(event).DESCRIPTOR.GetOptions()
    needed = options.Extensions[approvals]
    if not needed.people:
        return []
    digest = approved_sha256(event)
    found: dict[tuple[str, str], Approval] = {}
    if caller.role in MAY_APPROVE:
        found[caller.agency, caller.actor_id] = Approval(
            agency=caller.agency, actor_id=caller.actor_id, role=caller.role
        )
    for one in stated:
        if one.event_sha256 == digest and one.role in MAY_APPROVE:
            found.setdefault(
                (one.agency, one.actor_id),
                Approval(agency=one.agency, actor_id=one.actor_id, role=one.role, token=one.token),
            )
    people = {who for who in found if who[1]}
    agencies = {agency for agency, _ in people}
    if caller.is_identified or event.HasField("personal_fields_erased"):
        named = set(getattr(body_of(event), "approved_by", ()))
        is_enough = len(people) >= needed.people and len(agencies) >= needed.agencies
        if not is_enough or not named <= {actor_id for _, actor_id in people}:
            raise refuse(
                [
                    (
                        ErrorReason.ERROR_REASON_APPROVAL_MISSING,
                        f"events[{index}]",
                        (
                            f"needs {needed.people} people of {needed.agencies} agencies who may "
                            "approve it, whoever sends it among them, and all whom it names"
                        ),
                    )
                ]
            )
        return [found[who] for who in sorted(found) if who in people]
    return []
