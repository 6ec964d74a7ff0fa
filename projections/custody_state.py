"""From one state of custody to the next: who begins to hold a person, who claims her, who lets go.

An agency speaks for itself alone. What it says of a person whom another one holds contradicts that
record, and moves nobody off it.
"""

from ledger.v1.place_pb2 import Place
from ledger.v1.view_pb2 import CustodyEnd, CustodyStatus
from projections.custody_view import ENDED, HELD, IN_TRANSFER, NOT_RECORDED, Custody
from projections.evolve import replace
from projections.history import Fact


def begin(
    view: Custody, fact: Fact, status: CustodyStatus.ValueType, agency: str, facility: str = ""
) -> Custody:
    """A new state from this fact on. Who awaits her does so until she comes or custody ends.

    What the one that holds her says of itself takes no claim from another.
    """
    claims = view.claims if status != ENDED and view.agency == agency else ()
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
        contradicting_event_ids=view.contradicting_event_ids if claims else (),
        claims=claims,
        arrived=view.arrived,
        taken=view.taken,
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


def ended(view: Custody, fact: Fact, agency: str, end: CustodyEnd.ValueType) -> Custody:
    """Custody by an agency ended: custody altogether, unless another one claims her."""
    if not view.claims:
        return replace(begin(view, fact, ENDED, agency), end=end)
    (claimant, facility), *others = view.claims
    return replace(
        begin(view, fact, HELD, claimant, facility),
        claims=tuple(others),
        contradicting_event_ids=view.contradicting_event_ids,
    )


def claim(view: Custody, fact: Fact, agency: str, facility: str) -> Custody:
    """The state, with another agency that says it holds her."""
    others = _claims_but_of(agency, view)
    return replace(contradicted(view, fact), claims=(*others, (agency, facility)))


def _claims_but_of(agency: str, view: Custody) -> tuple[tuple[str, str], ...]:
    return tuple(one for one in view.claims if one[0] != agency)


def receive(view: Custody, fact: Fact, agency: str, facility: str) -> Custody:
    """An agency holds her from this fact on; where it did not before, whoever claimed her does not.

    Where another one held her and no hand-over is recorded, that is kept for whoever looks.
    """
    state = begin(view, fact, HELD, agency, facility)
    if not is_elsewhere(view, agency):
        return state
    taken = (*view.taken, (fact.event.event_id, view.agency))
    return replace(state, taken=taken)


def let_go(view: Custody, fact: Fact, agency: str, end: CustodyEnd.ValueType) -> Custody:
    """An agency says that it does not hold her any more."""
    if agency in dict(view.claims):
        claims = _claims_but_of(agency, view)
        against = view.contradicting_event_ids if claims else ()
        return replace(view, claims=claims, contradicting_event_ids=against)
    # Nobody lets go whom another agency holds; taken at its word, it would strike a child off the
    # roster of those who have her.
    if is_elsewhere(view, agency):
        return contradicted(view, fact)
    return ended(view, fact, agency, end)


def is_elsewhere(view: Custody, agency: str) -> bool:
    """Whether another agency holds her, and this one is not to take her."""
    return view.status in (HELD, IN_TRANSFER) and agency not in (
        view.agency,
        view.bound_for,
        view.referred_to,
    )


def contradicted(view: Custody, fact: Fact) -> Custody:
    """The state, with a fact beside it that does not fit."""
    contradicting = (*view.contradicting_event_ids, fact.event.event_id)
    return replace(view, contradicting_event_ids=contradicting)


def where(place: Place) -> str:
    """What the source calls the place."""
    return place.name or place.code
