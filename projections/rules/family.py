"""Rules about who belongs together."""

from collections.abc import Iterator, Mapping

from ledger.v1.family_pb2 import RelationshipBasis, RelationshipKind
from ledger.v1.identity_pb2 import Truth
from projections.codes import codes_of
from projections.custody_view import HELD, IN_TRANSFER, folded
from projections.family import DISPROVED, DISPUTED, RETRACTED
from projections.family_unit import children_of, parents_of, standing
from projections.record import Noted, Record
from projections.rules import among, rule
from projections.separation import REUNIFIED

BIOLOGICAL_PARENT = RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT
SIBLINGS = (
    RelationshipKind.RELATIONSHIP_KIND_SIBLING,
    RelationshipKind.RELATIONSHIP_KIND_HALF_SIBLING,
)
PHYSICAL_BASES = (
    RelationshipBasis.RELATIONSHIP_BASIS_DOCUMENT,
    RelationshipBasis.RELATIONSHIP_BASIS_BIOMETRIC,
    RelationshipBasis.RELATIONSHIP_BASIS_DNA,
)
PARENT_YEARS_MIN = 12
PARENTS_MAX = 2


def is_held(record: Record) -> bool:
    """Whether she is in custody."""
    return record.custody.status in (HELD, IN_TRANSFER)


@rule
def minor_unlinked(record: Record) -> Iterator[Noted]:
    said = record.family.no_relative_event_id
    if record.is_minor and is_held(record) and not standing(record) and not said:
        yield Noted("MINOR_UNLINKED", "")


@rule
def weak_link(record: Record) -> Iterator[Noted]:
    if record.identity.speaks_for_herself(record.at_us) != Truth.TRUTH_NO:
        return
    for one in record.separation.separations:
        if one.status != REUNIFIED and not any(map(record_shows(record), one.adult_ids)):
            yield Noted("WEAK_LINK", one.event_id, "separated.adult_ids")


class record_shows:  # noqa: N801  # reads as what it asks
    """Whether something physical or biometric shows that a relative is hers."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def __call__(self, relative_id: str) -> bool:
        """Look at one relative."""
        evidence = self._record.family.standing(relative_id).evidence_codes
        codes = codes_of("link_evidence")
        bases = {
            basis
            for one in standing(self._record)
            if one.relative_id == relative_id
            for basis in one.bases
        }
        return any("physical" in codes[one].attributes for one in evidence if one in codes) or bool(
            bases.intersection(PHYSICAL_BASES)
        )


@rule
def link_disputed(record: Record) -> Iterator[Noted]:
    disputed = {
        one.relative_id: one for one in record.family.links if record.family.status(one) == DISPUTED
    }
    for relative_id in disputed:
        yield Noted("LINK_DISPUTED", "", "", (relative_id,))


@rule
def link_taken_back(record: Record) -> Iterator[Noted]:
    for one in record.family.links:
        status = record.family.status(one)
        event_ids = one.taken_back_by if status == RETRACTED else ()
        if status == DISPROVED:
            event_ids = (record.family.standing(one.relative_id).event_id,)
        for event_id in event_ids:
            yield Noted("LINK_TAKEN_BACK", event_id, "", (one.relative_id,))


@rule
def too_many_parents(record: Record) -> Iterator[Noted]:
    parents = parents_of(record, (BIOLOGICAL_PARENT,))
    if len(parents) > PARENTS_MAX:
        last = list(parents.values())[-1]
        yield Noted(
            "TOO_MANY_PARENTS", last.event_ids[0], "relationship_asserted.kind", tuple(parents)
        )


@rule
def kinship_contradictory(record: Record) -> Iterator[Noted]:
    parents = parents_of(record, (BIOLOGICAL_PARENT,))
    for relative_id, link in children_of(record).items():
        if relative_id in parents:
            event_id = max(link.event_ids[0], parents[relative_id].event_ids[0])
            yield Noted(
                "KINSHIP_CONTRADICTORY", event_id, "relationship_asserted.kind", (relative_id,)
            )


@among("PARENT_NOT_OLDER", lambda record: bool(children_of(record)))
def parent_not_older(record: Record, relatives: Mapping[str, Record]) -> Iterator[Noted]:
    born = record.identity.born
    for relative_id, link in children_of(record).items():
        child = relatives.get(relative_id)
        theirs = child.identity.born if child else None
        if born is None or theirs is None:
            continue
        # The most years that can lie between the two.
        if theirs.latest - born.earliest < PARENT_YEARS_MIN * 365:
            yield Noted(
                "PARENT_NOT_OLDER",
                link.event_ids[0],
                "relationship_asserted.kind",
                (relative_id,),
            )


@among(
    "SIBLINGS_APART",
    lambda record: is_held(record) and any(one.kind in SIBLINGS for one in standing(record)),
)
def siblings_apart(record: Record, relatives: Mapping[str, Record]) -> Iterator[Noted]:
    here = (record.custody.agency, folded(record.custody.facility))
    apart = []
    for one in standing(record):
        sibling = relatives.get(one.relative_id)
        if one.kind in SIBLINGS and sibling and is_held(sibling):
            there = (sibling.custody.agency, folded(sibling.custody.facility))
            if there != here:
                apart.append(one.relative_id)
    if apart:
        yield Noted("SIBLINGS_APART", "", "", tuple(dict.fromkeys(apart)))
