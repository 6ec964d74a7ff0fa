"""Who belongs together.

A link, once asserted, survives everything: separating, transferring, releasing, reclassifying,
disproving, and the retraction of other facts never make a relative unreachable, and the retraction
of the link itself only marks it (OIG-20-06, R-01). So the fold meets retracted facts too.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.v1.custody_pb2 import (
    CarriedLinks,
    ReferredToOrr,
    Released,
    TransferArrived,
    TransferDeparted,
)
from ledger.v1.family_pb2 import (
    Confidence,
    FamilyGroupFormed,
    FamilyGroupReclassified,
    LinkEvidenceAttached,
    MatchConfirmed,
    RelationshipAsserted,
    RelationshipBasis,
    RelationshipDisproved,
    RelationshipDisputed,
    RelationshipKind,
    RelationshipVerified,
    TracingRequestFiled,
    VerificationResult,
)
from ledger.v1.separation_pb2 import (
    CommunicationOccurred,
    ReunificationCaseOpened,
    ReunificationRuledOut,
    ReunificationWaived,
    Reunified,
    Separated,
    SeparationAuthorized,
    SeparationContested,
)
from ledger.v1.view_pb2 import FamilyLink, FamilyMember, LinkStatus
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection

NO_KIND = RelationshipKind.RELATIONSHIP_KIND_UNSPECIFIED
ASSERTED = LinkStatus.LINK_STATUS_ASSERTED
RETRACTED = LinkStatus.LINK_STATUS_RETRACTED
VERIFIED = LinkStatus.LINK_STATUS_VERIFIED
DISPUTED = LinkStatus.LINK_STATUS_DISPUTED
DISPROVED = LinkStatus.LINK_STATUS_DISPROVED


@dataclass(frozen=True, slots=True)
class Link:
    """A link to one relative; see ledger.v1.FamilyLink for each field."""

    relative_id: str
    asserted_by: str
    kind: RelationshipKind.ValueType = NO_KIND
    inverse: bool = False
    event_ids: tuple[str, ...] = ()
    stands: bool = False
    taken_back_by: tuple[str, ...] = ()
    """The retractions of the assertions of it."""
    bases: tuple[RelationshipBasis.ValueType, ...] = ()
    confidence: Confidence.ValueType = Confidence.CONFIDENCE_UNSPECIFIED

    @property
    def identity(self) -> tuple[str, str, int, bool]:
        """What makes two assertions assertions of one link."""
        return (self.relative_id, self.asserted_by, self.kind, self.inverse)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found out about any link with one relative."""

    status: LinkStatus.ValueType = ASSERTED
    event_id: str = ""
    """Of what was found out last."""
    evidence_codes: tuple[str, ...] = ()


_NOTHING_FOUND = Standing()


@dataclass(frozen=True, slots=True)
class Family:
    """The links of one person, in the order in which each was first asserted."""

    person_id: str
    links: tuple[Link, ...] = ()
    standings: tuple[tuple[str, Standing], ...] = ()
    no_relative_event_id: str = ""
    """The last hand-over that said of her that no relative is known."""

    def standing(self, relative_id: str) -> Standing:
        """What was found out about the links with a relative."""
        return next((one for of, one in self.standings if of == relative_id), _NOTHING_FOUND)

    def status(self, link: Link) -> LinkStatus.ValueType:
        """Whether a link stands, and what was found out about it."""
        if not link.stands:
            return RETRACTED
        return self.standing(link.relative_id).status if self.standings else ASSERTED


def present(view: Family) -> FamilyMember:
    """The view in the words."""
    return FamilyMember(
        person_id=view.person_id, links=[_present_link(view, link) for link in view.links]
    )


def _present_link(view: Family, link: Link) -> FamilyLink:
    return FamilyLink(
        relative_id=link.relative_id,
        kind=link.kind,
        asserted_by=link.asserted_by,
        status=view.status(link),
        event_ids=link.event_ids,
        inverse=link.inverse,
        bases=link.bases,
        confidence=link.confidence,
        evidence_codes=view.standing(link.relative_id).evidence_codes,
    )


family = Projection("family", Family, subject="person", version=2, sees_retracted=True)


@family.on(RelationshipAsserted)
def _(view: Family, body: RelationshipAsserted, fact: Fact) -> Family:
    inverse = view.person_id == body.relative_id
    other = body.person_id if inverse else body.relative_id
    bases = (body.basis,) if body.basis else ()
    asserted = Link(other, fact.kind, body.kind, inverse, bases=bases, confidence=body.confidence)
    return _link(view, fact, asserted)


@family.on(TracingRequestFiled)
def _(view: Family, body: TracingRequestFiled, fact: Fact) -> Family:
    if not body.sought_id:
        return view
    inverse = view.person_id == body.sought_id
    other = body.inquirer_id if inverse else body.sought_id
    return _link(view, fact, Link(other, fact.kind, body.kind, inverse))


@family.on(FamilyGroupFormed, FamilyGroupReclassified)
def _(view: Family, body: FamilyGroupFormed | FamilyGroupReclassified, fact: Fact) -> Family:
    # To process the members of a family as something else says once more that they are one.
    return _link_all(view, fact, body.member_ids)


@family.on(
    Separated, Reunified, SeparationAuthorized, ReunificationCaseOpened, ReunificationRuledOut
)
def _(view: Family, body: Separated, fact: Fact) -> Family:
    # Whoever took them apart said by it that they had been together. Two adults named by one
    # separation are each the child's, not one another's.
    return _link_to(view, fact, body.child_id, body.adult_ids)


@family.on(ReunificationWaived)
def _(view: Family, body: ReunificationWaived, fact: Fact) -> Family:
    return _link_to(view, fact, body.child_id, [body.adult_id])


@family.on(SeparationContested)
def _(view: Family, body: SeparationContested, fact: Fact) -> Family:
    others = [body.contested_by_id] if body.contested_by_id else []
    return _link_to(view, fact, body.child_id, others)


@family.on(CommunicationOccurred)
def _(view: Family, body: CommunicationOccurred, fact: Fact) -> Family:
    return _link_to(view, fact, body.child_id, [body.relative_id])


@family.on(ReferredToOrr)
def _(view: Family, body: ReferredToOrr, fact: Fact) -> Family:
    return _link_to(view, fact, body.child_id, body.parent_ids)


@family.on(Released)
def _(view: Family, body: Released, fact: Fact) -> Family:
    # Whoever took her in may be no relative, but is whom to ask.
    if not body.sponsor_id:
        return view
    return _link_all(view, fact, [body.person_id, body.sponsor_id])


@family.on(TransferDeparted, TransferArrived)
def _(view: Family, body: TransferDeparted | TransferArrived, fact: Fact) -> Family:
    for carried in body.links:
        view = _carry(view, fact, carried)
    return view


def _carry(view: Family, fact: Fact, carried: CarriedLinks) -> Family:
    if (
        view.person_id == carried.person_id
        and not carried.relative_ids
        and not fact.retracted_by
        and fact.body.DESCRIPTOR is TransferDeparted.DESCRIPTOR
    ):
        view = replace(view, no_relative_event_id=fact.event.event_id)
    if view.person_id in {carried.person_id, *carried.relative_ids}:
        return _link_to(view, fact, carried.person_id, carried.relative_ids)
    return view


@family.on(MatchConfirmed)
def _(view: Family, body: MatchConfirmed, fact: Fact) -> Family:
    return _link_all(view, fact, body.person_ids)


@family.on(LinkEvidenceAttached)
def _(view: Family, body: LinkEvidenceAttached, fact: Fact) -> Family:
    other = _other(view, body)
    view = _link_all(view, fact, [other])
    if fact.retracted_by:
        return view
    before = view.standing(other)
    codes = tuple(dict.fromkeys((*before.evidence_codes, body.evidence_code)))
    return _stand(view, other, replace(before, evidence_codes=codes))


@family.on(RelationshipVerified)
def _(view: Family, body: RelationshipVerified, fact: Fact) -> Family:
    confirmed = body.result == VerificationResult.VERIFICATION_RESULT_CONFIRMED
    return _find_out(view, _other(view, body), fact, VERIFIED if confirmed else None)


@family.on(RelationshipDisputed)
def _(view: Family, body: RelationshipDisputed, fact: Fact) -> Family:
    return _find_out(view, _other(view, body), fact, DISPUTED)


@family.on(RelationshipDisproved)
def _(view: Family, body: RelationshipDisproved, fact: Fact) -> Family:
    return _find_out(view, _other(view, body), fact, DISPROVED)


def _other(view: Family, body: Message) -> str:
    """The one of two whom an event names that is not the person."""
    first, second = str(getattr(body, "person_id", "")), str(getattr(body, "relative_id", ""))
    return first if view.person_id == second else second


def _link_to(view: Family, fact: Fact, child_id: str, relative_ids: Iterable[str]) -> Family:
    """The child linked with each relative and each with her, not these with one another."""
    return _link_all(view, fact, relative_ids if view.person_id == child_id else [child_id])


def _link_all(view: Family, fact: Fact, relative_ids: Iterable[str]) -> Family:
    for relative_id in relative_ids:
        view = _link(view, fact, Link(relative_id, fact.kind))
    return view


def _link(view: Family, fact: Fact, asserted: Link) -> Family:
    """The view with one more assertion of a link."""
    if asserted.relative_id == view.person_id:
        return view  # two records that turned out to be of one person
    before = next((one for one in view.links if one.identity == asserted.identity), None)
    old = before or replace(asserted, bases=())
    link = replace(
        old,
        event_ids=(*old.event_ids, fact.event.event_id),
        stands=old.stands or not fact.retracted_by,
        taken_back_by=(*old.taken_back_by, *filter(None, [fact.retracted_by])),
        bases=tuple(dict.fromkeys((*old.bases, *asserted.bases))),
        confidence=asserted.confidence or old.confidence,
    )
    if before is None:
        return replace(view, links=(*view.links, link))
    return replace(view, links=tuple(link if one is before else one for one in view.links))


def _find_out(
    view: Family, relative_id: str, fact: Fact, status: LinkStatus.ValueType | None
) -> Family:
    """The view with something found out about a relative; that too says that there is a link."""
    view = _link_all(view, fact, [relative_id])
    if status is None or fact.retracted_by:
        return view
    found = replace(view.standing(relative_id), status=status, event_id=fact.event.event_id)
    return _stand(view, relative_id, found)


def _stand(view: Family, relative_id: str, standing: Standing) -> Family:
    standings = {**dict(view.standings), relative_id: standing}
    return replace(view, standings=tuple(standings.items()))
