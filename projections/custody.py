"""Who holds each person, where, and since when.

Agencies contradict each other, so no step refuses: what does not fit becomes visible state.
"""

from ledger.v1.custody_pb2 import (
    Absconded,
    AddressChanged,
    Apprehended,
    BookedIn,
    BookedOut,
    Died,
    Hospitalized,
    LocationConfirmed,
    Placed,
    PlacementDesignated,
    ReferredForProsecution,
    ReferredToOrr,
    Released,
    Removed,
    ReturnedFromProsecution,
    ReturnedToFacility,
    TakenToCourt,
    TransferArrived,
    TransferDeparted,
    TransferProposed,
    TransferRefused,
)
from ledger.v1.place_pb2 import Address
from ledger.v1.separation_pb2 import Reunified
from ledger.v1.view_pb2 import AwayFor, CustodyEnd
from projections.custody_state import (
    begin,
    claim,
    contradicted,
    ended,
    is_elsewhere,
    let_go,
    receive,
    where,
)
from projections.custody_view import (
    ENDED,
    HELD,
    IN_TRANSFER,
    ORR,
    Custody,
    folded,
    populations,
)
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection

_ENDS = {
    "Absconded": CustodyEnd.CUSTODY_END_ABSCONDED,
    "Died": CustodyEnd.CUSTODY_END_DIED,
    "Removed": CustodyEnd.CUSTODY_END_REMOVED,
}


custody = Projection("custody", Custody, subject="person", version=5, populations=populations)


@custody.on(Apprehended)
def _(view: Custody, body: Apprehended, fact: Fact) -> Custody:
    # Nobody is apprehended out of another agency's custody: one of the two records is wrong, and
    # the ledger cannot tell which. She stays where she was last received, and both list her.
    if is_elsewhere(view, body.agency):
        return claim(view, fact, body.agency, where(body.place))
    return begin(view, fact, HELD, body.agency, where(body.place))


@custody.on(BookedIn)
def _(view: Custody, body: BookedIn, fact: Fact) -> Custody:
    # A booking without an apprehension still says that somebody is held.
    return receive(view, fact, body.agency, where(body.facility))


@custody.on(BookedOut)
def _(view: Custody, body: BookedOut, fact: Fact) -> Custody:
    # Who was booked in elsewhere on the same day is not put out of there by the older stay's end.
    left = (body.agency, folded(where(body.facility)))
    if view.status != HELD or (view.agency, folded(view.facility)) != left:
        return view
    return begin(view, fact, HELD, body.agency)


@custody.on(TransferDeparted)
def _(view: Custody, body: TransferDeparted, fact: Fact) -> Custody:
    # Clocks differ: who is recorded to have arrived before she left has arrived.
    if body.transfer_id in view.arrived:
        return view
    if view.person_id not in body.person_ids:
        return view  # a relative whom the hand-over names
    if is_elsewhere(view, body.from_agency):
        return contradicted(view, fact)  # nobody sends away whom another agency holds
    # The sender answers for them until they arrive: nobody is in between.
    state = begin(view, fact, IN_TRANSFER, body.from_agency)
    before = None if view.status == IN_TRANSFER else view
    return replace(state, bound_for=body.to_agency, departed_from=before)


@custody.on(TransferArrived)
def _(view: Custody, body: TransferArrived, fact: Fact) -> Custody:
    if view.person_id not in body.person_ids:
        return view
    state = begin(view, fact, HELD, body.agency, where(body.facility))
    return replace(state, arrived=(*view.arrived, body.transfer_id))


@custody.on(TransferRefused)
def _(view: Custody, body: TransferRefused, fact: Fact) -> Custody:
    # They are where they were: whoever sent them has them still.
    if view.status != IN_TRANSFER or view.bound_for != body.agency:
        return view
    before = view.departed_from
    facility = before.facility if before and before.agency == view.agency else ""
    return replace(begin(view, fact, HELD, view.agency, facility), bound_for="")


@custody.on(TransferProposed)
def _(view: Custody, _body: TransferProposed, _fact: Fact) -> Custody:
    return view  # a proposal moves nobody; it is seen in the transfer


@custody.on(ReferredToOrr)
def _(view: Custody, body: ReferredToOrr, _fact: Fact) -> Custody:
    # A referral moves nobody: the child stays where she is, and ORR is to take her.
    if view.person_id != body.child_id or (view.agency == ORR and view.status == HELD):
        return view
    return replace(view, referred_to=ORR)


@custody.on(PlacementDesignated)
def _(view: Custody, body: PlacementDesignated, _fact: Fact) -> Custody:
    return replace(view, designated_facility=where(body.facility))


@custody.on(Placed)
def _(view: Custody, body: Placed, fact: Fact) -> Custody:
    state = receive(view, fact, body.agency, where(body.facility))
    return replace(state, undated_outcome_text=body.undated_outcome_text, designated_facility="")


@custody.on(Released)
def _(view: Custody, body: Released, fact: Fact) -> Custody:
    # A release concerns the person released; her sponsor's own custody does not change by it.
    if view.person_id != body.person_id:
        return view
    state = let_go(view, fact, body.agency, CustodyEnd.CUSTODY_END_RELEASED)
    if state.status != ENDED:
        return state
    return replace(
        state,
        end_reason_code=body.reason_code,
        sponsor_id=body.sponsor_id,
        destination=body.destination if body.HasField("destination") else None,
        is_address_collected=fact.collects("destination"),
    )


@custody.on(Absconded, Died, Removed)
def _(view: Custody, body: Absconded | Died | Removed, fact: Fact) -> Custody:
    state = let_go(view, fact, body.agency, _ENDS[fact.kind])
    if state.status != ENDED or not isinstance(body, Removed) or not body.country_text:
        return state
    return replace(state, destination=Address(country_text=body.country_text))


@custody.on(AddressChanged)
def _(view: Custody, body: AddressChanged, _fact: Fact) -> Custody:
    return replace(view, destination=body.address)


@custody.on(Hospitalized, TakenToCourt)
def _(view: Custody, body: Hospitalized | TakenToCourt, fact: Fact) -> Custody:
    to_hospital = isinstance(body, Hospitalized)
    if is_elsewhere(view, body.agency):
        return contradicted(view, fact)
    if view.status not in (HELD, IN_TRANSFER):
        view = begin(view, fact, HELD, body.agency)
    return replace(
        view,
        away_at=where(body.hospital if isinstance(body, Hospitalized) else body.court),
        away_for=AwayFor.AWAY_FOR_HOSPITAL if to_hospital else AwayFor.AWAY_FOR_COURT,
    )


@custody.on(ReturnedToFacility)
def _(view: Custody, body: ReturnedToFacility, fact: Fact) -> Custody:
    facility = where(body.facility)
    back = replace(view, away_at="", away_for=AwayFor.AWAY_FOR_UNSPECIFIED)
    if (view.agency, folded(view.facility)) == (body.agency, folded(facility)):
        return back  # the stay goes on, and its clocks with it
    if is_elsewhere(view, body.agency):
        return contradicted(view, fact)
    return begin(back, fact, HELD, body.agency, facility)


@custody.on(ReferredForProsecution)
def _(view: Custody, _body: ReferredForProsecution, _fact: Fact) -> Custody:
    return replace(view, referred_for_prosecution=True)


@custody.on(ReturnedFromProsecution)
def _(view: Custody, body: ReturnedFromProsecution, fact: Fact) -> Custody:
    state = begin(view, fact, HELD, body.agency, where(body.facility))
    return replace(state, referred_for_prosecution=False, bound_for="")


@custody.on(LocationConfirmed)
def _(view: Custody, body: LocationConfirmed, fact: Fact) -> Custody:
    return replace(view, seen_at=where(body.place), seen_us=fact.effective_us)


@custody.on(Reunified)
def _(view: Custody, body: Reunified, fact: Fact) -> Custody:
    if body.HasField("held_together_at"):
        return begin(view, fact, HELD, body.agency, where(body.held_together_at))
    # Where a family is free, the child's custody ends. The adult's own end is the adult's own
    # release: it may have come long before, and under another agency.
    if view.person_id != body.child_id:
        return view
    return ended(view, fact, body.agency, CustodyEnd.CUSTODY_END_REUNIFIED)
