"""What sources claim of a person, and the numbers that systems know her by.

Claims stand beside one another: a later one replaces none, and conflicts stay open.
"""

from dataclasses import dataclass, replace

from ledger.v1.custody_query_service_pb2 import Claim, GetPersonResponse, Identifier
from ledger.v1.event_pb2 import IdentifierAsserted, PersonRegistered
from projections.history import Fact
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Identity:
    """The assertions about one person that stand, each with the event that makes it."""

    person_id: str
    claims: tuple[tuple[str, PersonRegistered], ...] = ()
    identifiers: tuple[tuple[str, IdentifierAsserted], ...] = ()


def present(view: Identity) -> GetPersonResponse:
    """The view in the words: the part of a person that is identity."""
    response = GetPersonResponse(person_id=view.person_id)
    for event_id, body in view.claims:
        claim = Claim(sex=body.sex, nationality_text=body.nationality_text, event_id=event_id)
        if body.HasField("birth_date"):
            claim.birth_date.CopyFrom(body.birth_date)
        if body.HasField("stated_age_years"):
            claim.stated_age_years = body.stated_age_years
        response.claims.append(claim)
    for event_id, asserted in view.identifiers:
        response.identifiers.append(
            Identifier(scheme=asserted.scheme, value=asserted.value, event_id=event_id)
        )
    return response


identity = Projection("identity", Identity, subject="person", version=1, present=present)


@identity.on(PersonRegistered)
def _(view: Identity, body: PersonRegistered, fact: Fact) -> Identity:
    return replace(view, claims=(*view.claims, (fact.event.event_id, body)))


@identity.on(IdentifierAsserted)
def _(view: Identity, body: IdentifierAsserted, fact: Fact) -> Identity:
    return replace(view, identifiers=(*view.identifiers, (fact.event.event_id, body)))
