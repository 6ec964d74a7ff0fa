"""Who holds each person, where, and since when.

Agencies contradict each other, so no step refuses: what does not fit becomes visible state.
"""

from dataclasses import dataclass, replace

from ledger.v1.custody_query_service_pb2 import Custody as CustodyMessage
from ledger.v1.custody_query_service_pb2 import CustodyStatus
from ledger.v1.event_pb2 import (
    Apprehended,
    BookedIn,
    BookedOut,
    Place,
    Placed,
    Precision,
    ReferredToOrr,
    Released,
    Reunified,
    TransferArrived,
    TransferDeparted,
)
from projections.history import Fact
from projections.projection import Projection

NOT_RECORDED = CustodyStatus.CUSTODY_STATUS_UNSPECIFIED
HELD = CustodyStatus.CUSTODY_STATUS_HELD
IN_TRANSFER = CustodyStatus.CUSTODY_STATUS_IN_TRANSFER
ENDED = CustodyStatus.CUSTODY_STATUS_ENDED
ORR = "ORR"


@dataclass(frozen=True, slots=True)
class Custody:
    """The custody of one person at one moment; see ledger.v1.Custody for each field."""

    person_id: str
    status: CustodyStatus.ValueType = NOT_RECORDED
    agency: str = ""
    facility: str = ""
    since_us: int = 0
    since_precision: Precision.ValueType = Precision.PRECISION_UNSPECIFIED
    bound_for: str = ""
    """The agency that she is on her way to."""
    referred_to: str = ""
    """The agency that she is referred to, until it holds her."""
    event_id: str = ""
    undated_outcome_text: str = ""
    contradicting_event_ids: tuple[str, ...] = ()
    claimed_by: tuple[str, ...] = ()
    arrived: tuple[str, ...] = ()
    """The transfers that have brought her somewhere."""


def by_agency(agency: str) -> str:
    """The population that an agency answers for."""
    return f"agency:{agency}"


def by_facility(agency: str, facility: str) -> str:
    """The population that an agency holds in one facility, however its name is spaced and cased."""
    return f"facility:{agency}:{_folded(facility)}"


def populations(view: Custody) -> tuple[str, ...]:
    """Those held, by agency and by facility. Who is on the way is still her agency's."""
    if view.status not in (HELD, IN_TRANSFER):
        return ()
    agencies = tuple(by_agency(agency) for agency in (view.agency, *view.claimed_by))
    if not view.facility:
        return agencies
    return (*agencies, by_facility(view.agency, view.facility))


def present(view: Custody) -> CustodyMessage:
    """The view in the words."""
    message = CustodyMessage(
        status=view.status,
        agency=view.agency,
        facility=view.facility,
        since_precision=view.since_precision,
        awaited_by=view.bound_for or view.referred_to,
        event_id=view.event_id,
        undated_outcome_text=view.undated_outcome_text,
        contradicting_event_ids=view.contradicting_event_ids,
        claimed_by=view.claimed_by,
    )
    if view.event_id:
        message.since_time.FromMicroseconds(view.since_us)
    return message


custody = Projection(
    "custody", Custody, subject="person", version=1, present=present, populations=populations
)


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
    )


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


def _folded(name: str) -> str:
    """The name of a place, however it is spaced and cased."""
    return " ".join(name.split()).casefold()


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
    left = (body.agency, _folded(_where(body.facility)))
    if view.status != HELD or (view.agency, _folded(view.facility)) != left:
        return view
    return _begin(view, fact, HELD, body.agency)


@custody.on(TransferDeparted)
def _(view: Custody, body: TransferDeparted, fact: Fact) -> Custody:
    # Clocks differ: who is recorded to have arrived before she left has arrived.
    if body.transfer_id in view.arrived:
        return view
    # The sender answers for them until they arrive: nobody is in between.
    return replace(_begin(view, fact, IN_TRANSFER, body.from_agency), bound_for=body.to_agency)


@custody.on(TransferArrived)
def _(view: Custody, body: TransferArrived, fact: Fact) -> Custody:
    state = _begin(view, fact, HELD, body.agency, _where(body.facility))
    return replace(state, arrived=(*view.arrived, body.transfer_id))


@custody.on(ReferredToOrr)
def _(view: Custody, _body: ReferredToOrr, _fact: Fact) -> Custody:
    # A referral moves nobody: the child stays where she is, and ORR is to take her.
    return view if view.agency == ORR and view.status == HELD else replace(view, referred_to=ORR)


@custody.on(Placed)
def _(view: Custody, body: Placed, fact: Fact) -> Custody:
    state = _begin(view, fact, HELD, body.agency, _where(body.facility))
    return replace(state, undated_outcome_text=body.undated_outcome_text)


@custody.on(Released)
def _(view: Custody, body: Released, fact: Fact) -> Custody:
    # A release concerns the person released; her sponsor's own custody does not change by it.
    if view.person_id != body.person_id:
        return view
    # Nobody releases whom another agency holds; taken at its word, it would strike a child off the
    # roster of those who have her.
    if _is_elsewhere(view, body.agency):
        return _contradicted(view, fact)
    return _begin(view, fact, ENDED, body.agency)


@custody.on(Reunified)
def _(view: Custody, body: Reunified, fact: Fact) -> Custody:
    if body.HasField("held_together_at"):
        return _begin(view, fact, HELD, body.agency, _where(body.held_together_at))
    # Where a family is free, the child's custody ends. The adult's own end is the adult's own
    # release: it may have come long before, and under another agency.
    if view.person_id != body.child_id:
        return view
    return _begin(view, fact, ENDED, body.agency)
