"""By which numbers and marks a person can be found.

Sees what was taken back too: that a number was once asserted of somebody is part of the answer to
whose it is (domain of R-29).
"""

from dataclasses import dataclass

from ledger.v1.identity_pb2 import IdentifierAsserted
from ledger.v1.view_pb2 import IdentifierStatus, ResolvedPerson
from projections.evolve import replace
from projections.history import Fact
from projections.identifiers import is_shared, mark_of
from projections.projection import Projection

NUMBERED = "identifier:"
SHARED = "shared-identifier:"
TAKEN_BACK = "identifier-taken-back:"


@dataclass(frozen=True, slots=True)
class Held:
    """One number of a person."""

    mark: str
    is_shared: bool
    event_ids: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    agencies: tuple[str, ...] = ()
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """The numbers of a person, in the order in which each was first asserted."""

    person_id: str
    held: tuple[Held, ...] = ()


def populations(view: Holder) -> dict[str, ResolvedPerson]:
    """Those of whom one number is, or was, asserted."""
    return {_population(one): _present(view.person_id, one) for one in view.held}


def _population(one: Held) -> str:
    if not one.stands:
        return f"{TAKEN_BACK}{one.mark}"
    return f"{SHARED if one.is_shared else NUMBERED}{one.mark}"


def _present(person_id: str, one: Held) -> ResolvedPerson:
    status = IdentifierStatus.IDENTIFIER_STATUS_ACTIVE
    if not one.stands:
        status = IdentifierStatus.IDENTIFIER_STATUS_RETRACTED
    elif one.is_shared:
        status = IdentifierStatus.IDENTIFIER_STATUS_SHARED
    return ResolvedPerson(
        person_id=person_id,
        status=status,
        event_ids=one.event_ids,
        values=one.values,
        asserted_by=one.agencies,
    )


holders = Projection(
    "holders", Holder, subject="person", version=1, populations=populations, sees_retracted=True
)


@holders.on(IdentifierAsserted)
def _(view: Holder, body: IdentifierAsserted, fact: Fact) -> Holder:
    mark = mark_of(body)
    before = next((one for one in view.held if one.mark == mark), None)
    old = before or Held(mark, is_shared(body.scheme))
    new = replace(
        old,
        event_ids=(*old.event_ids, fact.event.event_id),
        values=tuple(dict.fromkeys((*old.values, body.value))),
        agencies=tuple(dict.fromkeys((*old.agencies, fact.event.actor.agency))),
        stands=old.stands or not fact.retracted_by,
    )
    if before is None:
        return replace(view, held=(*view.held, new))
    return replace(view, held=tuple(new if one is before else one for one in view.held))
