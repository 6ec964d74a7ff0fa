"""Which children were taken apart from which adults, and which of them are together again.

A child released to somebody else is no less separated: only a reunification ends a separation, and
"no record of one" is not "not reunified".
"""

from dataclasses import dataclass, replace

from ledger.v1.custody_query_service_pb2 import ChildSeparations, SeparationStatus
from ledger.v1.custody_query_service_pb2 import Separation as SeparationMessage
from ledger.v1.event_pb2 import Precision, Reunified, Separated
from projections.history import Fact
from projections.projection import Projection

OPEN = SeparationStatus.SEPARATION_STATUS_OPEN
PARTLY_REUNIFIED = SeparationStatus.SEPARATION_STATUS_PARTLY_REUNIFIED
REUNIFIED = SeparationStatus.SEPARATION_STATUS_REUNIFIED

NOT_REUNIFIED = "separated:not-reunified"
EVER = "separated:ever"


@dataclass(frozen=True, slots=True)
class Separation:
    """One separation of a child; see ledger.v1.Separation for each field."""

    event_id: str
    adult_ids: tuple[str, ...]
    adult_unknown_reason: str
    reason_codes: tuple[str, ...]
    reason_text: str
    agency: str
    since_us: int
    since_precision: Precision.ValueType
    reunified_adult_ids: tuple[str, ...] = ()
    status: SeparationStatus.ValueType = OPEN
    reunified_us: int | None = None


@dataclass(frozen=True, slots=True)
class Separations:
    """The separations of one child, in the order in which they took effect."""

    child_id: str
    separations: tuple[Separation, ...] = ()


def populations(view: Separations) -> tuple[str, ...]:
    """Children ever separated, and those of them with a separation that nothing ended."""
    if not view.separations:
        return ()
    if all(one.status == REUNIFIED for one in view.separations):
        return (EVER,)
    return (EVER, NOT_REUNIFIED)


def present(view: Separations) -> ChildSeparations:
    """The view in the words."""
    return ChildSeparations(
        separations=[_present_one(view.child_id, one) for one in view.separations]
    )


def _present_one(child_id: str, one: Separation) -> SeparationMessage:
    message = SeparationMessage(
        event_id=one.event_id,
        child_id=child_id,
        adult_ids=one.adult_ids,
        adult_unknown_reason=one.adult_unknown_reason,
        reunified_adult_ids=one.reunified_adult_ids,
        reason_codes=one.reason_codes,
        reason_text=one.reason_text,
        agency=one.agency,
        since_precision=one.since_precision,
        status=one.status,
    )
    message.since_time.FromMicroseconds(one.since_us)
    if one.reunified_us is not None:
        message.reunified_time.FromMicroseconds(one.reunified_us)
    return message


separation = Projection(
    "separation", Separations, subject="person", version=1, present=present, populations=populations
)


@separation.on(Separated)
def _(view: Separations, body: Separated, fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view  # the adult's side: found through the family
    one = Separation(
        event_id=fact.event.event_id,
        adult_ids=tuple(body.adult_ids),
        adult_unknown_reason=body.adult_unknown_reason,
        reason_codes=tuple(body.reason_codes),
        reason_text=body.reason_text,
        agency=body.agency,
        since_us=fact.effective_us,
        since_precision=fact.event.valid_time.precision,
    )
    return replace(view, separations=(*view.separations, one))


@separation.on(Reunified)
def _(view: Separations, body: Reunified, fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view
    adults = tuple(body.adult_ids)
    return replace(
        view,
        separations=tuple(_reunify(one, adults, fact.effective_us) for one in view.separations),
    )


def _reunify(one: Separation, adults: tuple[str, ...], at_us: int) -> Separation:
    """The separation after a reunification with these adults; none named: with whom it was from."""
    if one.status == REUNIFIED:
        return one
    if not adults or not one.adult_ids:
        # Either record names nobody, so neither says that the other means somebody else.
        together = one.adult_ids
    else:
        wanted = {*one.reunified_adult_ids, *adults}
        together = tuple(adult for adult in one.adult_ids if adult in wanted)
    if together == one.adult_ids:
        return replace(one, reunified_adult_ids=together, status=REUNIFIED, reunified_us=at_us)
    if together:
        return replace(one, reunified_adult_ids=together, status=PARTLY_REUNIFIED)
    return one
