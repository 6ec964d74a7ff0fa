"""A hand-over between two custodians: departed, arrived or refused, and what was said of relatives.

The sender states the relatives of each minor, the receiver repeats them: where the two differ, a
link was about to be lost between two systems (F2; R-03).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.v1.custody_pb2 import (
    CarriedLinks,
    TransferArrived,
    TransferDeparted,
    TransferProposed,
    TransferRefused,
)
from ledger.v1.view_pb2 import Transfer as TransferMessage
from ledger.v1.view_pb2 import TransferState
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Transfer:
    """One hand-over; see ledger.v1.Transfer for each field."""

    transfer_id: str
    from_agency: str = ""
    to_agency: str = ""
    person_ids: tuple[str, ...] = ()
    arrived_ids: tuple[str, ...] = ()
    refused_ids: tuple[str, ...] = ()
    departed_us: int | None = None
    departed_position: int = 0
    """Of the entry that records the departure; 0: none does."""
    arrived_us: int | None = None
    links: tuple[CarriedLinks, ...] = ()
    echoed: tuple[CarriedLinks, ...] = ()

    @property
    def state(self) -> TransferState.ValueType:
        """Where it stands."""
        if self.arrived_ids and self.departed_us is None:
            return TransferState.TRANSFER_STATE_ARRIVED_ONLY
        if self.arrived_ids and {*self.arrived_ids} >= {*self.person_ids}:
            return TransferState.TRANSFER_STATE_ARRIVED
        if self.arrived_ids:
            return TransferState.TRANSFER_STATE_PARTLY_ARRIVED
        if self.refused_ids:
            return TransferState.TRANSFER_STATE_REFUSED
        if self.departed_us is not None:
            return TransferState.TRANSFER_STATE_DEPARTED
        return TransferState.TRANSFER_STATE_PROPOSED


def stated(links: Iterable[CarriedLinks]) -> dict[str, frozenset[str]]:
    """For each minor the relatives that were stated of her; none: that none is known."""
    return {one.person_id: frozenset(one.relative_ids) for one in links}


def present(view: Transfer) -> TransferMessage:
    """The view in the words."""
    sent, echoed = stated(view.links), stated(view.echoed)
    differing = [
        one for one, links in sent.items() if one in view.arrived_ids and echoed.get(one) != links
    ]
    message = TransferMessage(
        transfer_id=view.transfer_id,
        state=view.state,
        from_agency=view.from_agency,
        to_agency=view.to_agency,
        person_ids=view.person_ids,
        arrived_person_ids=view.arrived_ids,
        refused_person_ids=view.refused_ids,
        links=view.links,
        echoed_links=view.echoed,
        differing_person_ids=differing,
    )
    if view.departed_us is not None:
        message.departed_time.FromMicroseconds(view.departed_us)
    if view.arrived_us is not None:
        message.arrived_time.FromMicroseconds(view.arrived_us)
    return message


transfer = Projection("transfer", Transfer, subject="transfer", version=1)


@transfer.on(TransferProposed)
def _(view: Transfer, body: TransferProposed, _fact: Fact) -> Transfer:
    if view.departed_us is not None:
        return view
    return replace(
        view,
        from_agency=body.from_agency,
        to_agency=body.to_agency,
        person_ids=tuple(body.person_ids),
    )


@transfer.on(TransferDeparted)
def _(view: Transfer, body: TransferDeparted, fact: Fact) -> Transfer:
    # Who was only proposed did not leave.
    left = view.person_ids if view.departed_us is not None else ()
    return replace(
        view,
        from_agency=body.from_agency,
        to_agency=body.to_agency,
        person_ids=tuple(dict.fromkeys((*left, *body.person_ids))),
        departed_us=fact.effective_us,
        departed_position=fact.position,
        links=(*view.links, *body.links),
    )


@transfer.on(TransferArrived)
def _(view: Transfer, body: TransferArrived, fact: Fact) -> Transfer:
    return replace(
        view,
        to_agency=view.to_agency or body.agency,
        arrived_ids=tuple(dict.fromkeys((*view.arrived_ids, *body.person_ids))),
        arrived_us=fact.effective_us,
        echoed=(*view.echoed, *body.links),
    )


@transfer.on(TransferRefused)
def _(view: Transfer, body: TransferRefused, _fact: Fact) -> Transfer:
    return replace(view, refused_ids=tuple(dict.fromkeys((*view.refused_ids, *body.person_ids))))
