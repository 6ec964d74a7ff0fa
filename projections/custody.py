"""Who holds each person, where, and since when.

Agencies contradict each other, so no step refuses: what does not fit becomes visible state.
"""

from dataclasses import replace

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
from ledger.v1.place_pb2 import Address, Place
from ledger.v1.separation_pb2 import Reunified
from ledger.v1.view_pb2 import AwayFor, CustodyEnd, CustodyStatus
from projections.custody_view import (
    ENDED,
    HELD,
    IN_TRANSFER,
    NOT_RECORDED,
    ORR,
    Custody,
    folded,
    populations,
)
from projections.history import Fact
from projections.projection import Projection

_ENDS = {
    "Absconded": CustodyEnd.CUSTODY_END_ABSCONDED,
    "Died": CustodyEnd.CUSTODY_END_DIED,
    "Removed": CustodyEnd.CUSTODY_END_REMOVED,
}


custody = Projection("custody", Custody, subject="person", version=3, populations=populations)


def _begin(
    view: Custody, fact: Fact, status: CustodyStatus.ValueType, agency: str, facility: str = ""
) -> Custody:
    """A new state from this fact on. Who awaits her does so until she comes or custody ends."""
    no_longer = ("", agency) if status != ENDED else ("", view.bound_for, view.referred_to)
    return Custody(
        view.person_id,
        status=status,
        agency=agency,
        facility=facility,
        since_us=fact.effective_us,
        since_precision=fact.event.valid_time.precision,
        bound_for="" if view.bound_for in no_longer else view.bound_for,
        referred_to="" if view.referred_to in no_longer else view.referred_to,
        event_id=fact.event.event_id,
        arrived=view.arrived,
        seen_at=view.seen_at,
        seen_us=view.seen_us,
        referred_for_prosecution=view.referred_for_prosecution and status != ENDED,
        designated_facility="" if status == ENDED else view.designated_facility,
        was_held_before_end=view.was_held_before_end or view.status != NOT_RECORDED,
        in_custody=_in_custody(view, status, fact.effective_us),
    )


def _in_custody(
    view: Custody, status: CustodyStatus.ValueType, at_us: int
) -> tuple[tuple[int, int | None], ...]:
    """The stretches in custody after a state begins."""
    was_held, is_held = view.status in (HELD, IN_TRANSFER), status in (HELD, IN_TRANSFER)
    if was_held and not is_held:
        *before, (since, _) = view.in_custody
        return (*before, (since, at_us))
    return (*view.in_custody, (at_us, None)) if is_held and not was_held else view.in_custody


def _end(view: Custody, fact: Fact, agency: str, end: CustodyEnd.ValueType) -> Custody:
    """Custody ended."""
    return replace(_begin(view, fact, ENDED, agency), end=end)


def _is_elsewhere(view: Custody, agency: str) -> bool:
    """Whether another agency holds her, and this one is not to take her."""
    return view.status in (HELD, IN_TRANSFER) and agency not in (
        view.agency,
        view.bound_for,
        view.referred_to,
    )


def _contradicted(view: Custody, fact: Fact) -> Custody:
    """The state, with a fact beside it that does not fit."""
    contradicting = (*view.contradicting_event_ids, fact.event.event_id)
    return replace(view, contradicting_event_ids=contradicting)


def _where(place: Place) -> str:
    """What the source calls the place."""
    return place.name or place.code


@custody.on(Apprehended)
def _(view: Custody, body: Apprehended, fact: Fact) -> Custody:
    # Nobody is apprehended out of another agency's custody: one of the two records is wrong, and
    # the ledger cannot tell which. She stays where she was last received, and both list her.
    if _is_elsewhere(view, body.agency):
        claimed_by = dict.fromkeys((*view.claimed_by, body.agency))
        return replace(_contradicted(view, fact), claimed_by=tuple(claimed_by))
    return _begin(view, fact, HELD, body.agency, _where(body.place))


@custody.on(BookedIn)
def _(view: Custody, body: BookedIn, fact: Fact) -> Custody:
    # A booking without an apprehension still says that somebody is held.
    return _begin(view, fact, HELD, body.agency, _where(body.facility))


@custody.on(BookedOut)
def _(view: Custody, body: BookedOut, fact: Fact) -> Custody:
    # Who was booked in elsewhere on the same day is not put out of there by the older stay's end.
    left = (body.agency, folded(_where(body.facility)))
    if view.status != HELD or (view.agency, folded(view.facility)) != left:
        return view
    return _begin(view, fact, HELD, body.agency)


@custody.on(TransferDeparted)
def _(view: Custody, body: TransferDeparted, fact: Fact) -> Custody:
    # Clocks differ: who is recorded to have arrived before she left has arrived.
    if body.transfer_id in view.arrived:
        return view
    if view.person_id not in body.person_ids:
        return view  # a relative whom the hand-over names
    # The sender answers for them until they arrive: nobody is in between.
    state = _begin(view, fact, IN_TRANSFER, body.from_agency)
    before = None if view.status == IN_TRANSFER else view
    return replace(state, bound_for=body.to_agency, departed_from=before)


@custody.on(TransferArrived)
def _(view: Custody, body: TransferArrived, fact: Fact) -> Custody:
    if view.person_id not in body.person_ids:
        return view
    state = _begin(view, fact, HELD, body.agency, _where(body.facility))
    return replace(state, arrived=(*view.arrived, body.transfer_id))


@custody.on(TransferRefused)
def _(view: Custody, body: TransferRefused, fact: Fact) -> Custody:
    # They are where they were: whoever sent them has them still.
    if view.status != IN_TRANSFER or view.bound_for != body.agency:
        return view
    before = view.departed_from
    facility = before.facility if before and before.agency == view.agency else ""
    return replace(_begin(view, fact, HELD, view.agency, facility), bound_for="")


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
    return replace(view, designated_facility=_where(body.facility))


@custody.on(Placed)
def _(view: Custody, body: Placed, fact: Fact) -> Custody:
    state = _begin(view, fact, HELD, body.agency, _where(body.facility))
    return replace(state, undated_outcome_text=body.undated_outcome_text, designated_facility="")


@custody.on(Released)
def _(view: Custody, body: Released, fact: Fact) -> Custody:
    # A release concerns the person released; her sponsor's own custody does not change by it.
    if view.person_id != body.person_id:
        return view
    # Nobody releases whom another agency holds; taken at its word, it would strike a child off the
    # roster of those who have her.
    if _is_elsewhere(view, body.agency):
        return _contradicted(view, fact)
    return replace(
        _end(view, fact, body.agency, CustodyEnd.CUSTODY_END_RELEASED),
        end_reason_code=body.reason_code,
        sponsor_id=body.sponsor_id,
        destination=body.destination if body.HasField("destination") else None,
        is_address_collected=fact.collects("destination"),
    )


@custody.on(Absconded, Died, Removed)
def _(view: Custody, body: Absconded | Died | Removed, fact: Fact) -> Custody:
    # As with a release: one who does not hold her cannot strike her off the roster of those who do.
    if _is_elsewhere(view, body.agency):
        return _contradicted(view, fact)
    ended = _end(view, fact, body.agency, _ENDS[fact.kind])
    if not isinstance(body, Removed) or not body.country_text:
        return ended
    return replace(ended, destination=Address(country_text=body.country_text))


@custody.on(AddressChanged)
def _(view: Custody, body: AddressChanged, _fact: Fact) -> Custody:
    return replace(view, destination=body.address)


@custody.on(Hospitalized, TakenToCourt)
def _(view: Custody, body: Hospitalized | TakenToCourt, fact: Fact) -> Custody:
    to_hospital = isinstance(body, Hospitalized)
    if _is_elsewhere(view, body.agency):
        return _contradicted(view, fact)
    if view.status not in (HELD, IN_TRANSFER):
        view = _begin(view, fact, HELD, body.agency)
    return replace(
        view,
        away_at=_where(body.hospital if isinstance(body, Hospitalized) else body.court),
        away_for=AwayFor.AWAY_FOR_HOSPITAL if to_hospital else AwayFor.AWAY_FOR_COURT,
    )


@custody.on(ReturnedToFacility)
def _(view: Custody, body: ReturnedToFacility, fact: Fact) -> Custody:
    facility = _where(body.facility)
    back = replace(view, away_at="", away_for=AwayFor.AWAY_FOR_UNSPECIFIED)
    if (view.agency, folded(view.facility)) == (body.agency, folded(facility)):
        return back  # the stay goes on, and its clocks with it
    return _begin(back, fact, HELD, body.agency, facility)


@custody.on(ReferredForProsecution)
def _(view: Custody, _body: ReferredForProsecution, _fact: Fact) -> Custody:
    return replace(view, referred_for_prosecution=True)


@custody.on(ReturnedFromProsecution)
def _(view: Custody, body: ReturnedFromProsecution, fact: Fact) -> Custody:
    state = _begin(view, fact, HELD, body.agency, _where(body.facility))
    return replace(state, referred_for_prosecution=False, bound_for="")


@custody.on(LocationConfirmed)
def _(view: Custody, body: LocationConfirmed, fact: Fact) -> Custody:
    return replace(view, seen_at=_where(body.place), seen_us=fact.effective_us)


@custody.on(Reunified)
def _(view: Custody, body: Reunified, fact: Fact) -> Custody:
    if body.HasField("held_together_at"):
        return _begin(view, fact, HELD, body.agency, _where(body.held_together_at))
    # Where a family is free, the child's custody ends. The adult's own end is the adult's own
    # release: it may have come long before, and under another agency.
    if view.person_id != body.child_id:
        return view
    return _end(view, fact, body.agency, CustodyEnd.CUSTODY_END_REUNIFIED)
