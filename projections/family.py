"""Who belongs together.

A link, once asserted, survives everything: separating, transferring, releasing, and the retraction
of other facts never make a relative unreachable, and the retraction of the link itself only marks
it (OIG-20-06, R-01). So the fold meets retracted facts too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledger.v1.custody_query_service_pb2 import FamilyLink, FamilyMember, LinkStatus
from ledger.v1.event_pb2 import (
    FamilyGroupFormed,
    RelationshipAsserted,
    RelationshipKind,
    Released,
    Reunified,
    Separated,
)
from projections.history import Fact
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Link:
    """A link to one relative; see ledger.v1.FamilyLink for each field."""

    relative_id: str
    asserted_by: str
    kind: RelationshipKind.ValueType = RelationshipKind.RELATIONSHIP_KIND_UNSPECIFIED
    inverse: bool = False
    event_ids: tuple[str, ...] = ()
    stands: bool = False

    @property
    def identity(self) -> tuple[str, str, int, bool]:
        """What makes two assertions assertions of one link."""
        return (self.relative_id, self.asserted_by, self.kind, self.inverse)


@dataclass(frozen=True, slots=True)
class Family:
    """The links of one person, in the order in which each was first asserted."""

    person_id: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class FamilyGroup:
    """Those ever recorded as members of one family."""

    family_id: str
    member_ids: tuple[str, ...] = ()


def present(view: Family) -> FamilyMember:
    """The view in the words."""
    return FamilyMember(
        person_id=view.person_id, links=[_present_link(link) for link in view.links]
    )


def _present_link(link: Link) -> FamilyLink:
    return FamilyLink(
        relative_id=link.relative_id,
        kind=link.kind,
        asserted_by=link.asserted_by,
        status=LinkStatus.LINK_STATUS_ASSERTED if link.stands else LinkStatus.LINK_STATUS_RETRACTED,
        event_ids=link.event_ids,
        inverse=link.inverse,
    )


def present_group(view: FamilyGroup) -> FamilyGroupFormed:
    """The view in the words."""
    return FamilyGroupFormed(family_id=view.family_id, member_ids=view.member_ids)


family = Projection(
    "family", Family, subject="person", version=1, present=present, sees_retracted=True
)
family_group = Projection(
    "family_group",
    FamilyGroup,
    subject="family",
    version=1,
    present=present_group,
    sees_retracted=True,
)


@family.on(RelationshipAsserted)
def _(view: Family, body: RelationshipAsserted, fact: Fact) -> Family:
    inverse = view.person_id == body.relative_id
    other = body.person_id if inverse else body.relative_id
    return _link(view, fact, Link(other, fact.kind, body.kind, inverse))


@family.on(FamilyGroupFormed)
def _(view: Family, body: FamilyGroupFormed, fact: Fact) -> Family:
    return _link_all(view, fact, body.member_ids)


@family.on(Separated, Reunified)
def _(view: Family, body: Separated | Reunified, fact: Fact) -> Family:
    # Whoever took them apart said by it that they had been together. Two adults named by one
    # separation are each the child's, not one another's.
    if view.person_id == body.child_id:
        return _link_all(view, fact, body.adult_ids)
    return _link_all(view, fact, [body.child_id])


@family.on(Released)
def _(view: Family, body: Released, fact: Fact) -> Family:
    # Whoever took her in may be no relative, but is whom to ask.
    if not body.sponsor_id:
        return view
    return _link_all(view, fact, [body.person_id, body.sponsor_id])


@family_group.on(FamilyGroupFormed)
def _(view: FamilyGroup, body: FamilyGroupFormed, _fact: Fact) -> FamilyGroup:
    return replace(view, member_ids=tuple(dict.fromkeys((*view.member_ids, *body.member_ids))))


def _link_all(view: Family, fact: Fact, relative_ids: Iterable[str]) -> Family:
    for relative_id in relative_ids:
        if relative_id != view.person_id:
            view = _link(view, fact, Link(relative_id, fact.kind))
    return view


def _link(view: Family, fact: Fact, asserted: Link) -> Family:
    """The view with one more assertion of a link."""
    before = next((one for one in view.links if one.identity == asserted.identity), None)
    link = replace(
        before or asserted,
        event_ids=(*(before.event_ids if before else ()), fact.event.event_id),
        stands=(before is not None and before.stands) or not fact.retracted_by,
    )
    if before is None:
        return replace(view, links=(*view.links, link))
    return replace(view, links=tuple(link if one is before else one for one in view.links))
