"""The family unit of the law: parents or legal guardians and their children under 18.

One definition among others: spouses, adult siblings and grandparents are no part of it, and are
relatives all the same (GAO-20-274; R-20). So it is computed from relationships, and never stored.
"""

from collections.abc import Iterable, Mapping

from ledger.v1.family_pb2 import RelationshipKind
from projections.age import ADULT_YEARS
from projections.family import DISPROVED, RETRACTED, Link
from projections.record import Record

PARENTS = (
    RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT,
    RelationshipKind.RELATIONSHIP_KIND_ADOPTIVE_PARENT,
    RelationshipKind.RELATIONSHIP_KIND_STEP_PARENT,
    RelationshipKind.RELATIONSHIP_KIND_LEGAL_GUARDIAN,
    RelationshipKind.RELATIONSHIP_KIND_PUTATIVE_PARENT,
)
CHILD = RelationshipKind.RELATIONSHIP_KIND_CHILD


def standing(record: Record) -> list[Link]:
    """The links that were not taken back or disproved."""
    return [
        one
        for one in record.family.links
        if record.family.status(one) not in (RETRACTED, DISPROVED)
    ]


def parents_of(
    record: Record, kinds: Iterable[RelationshipKind.ValueType] = PARENTS
) -> dict[str, Link]:
    """Her parents and guardians of these kinds, from whichever side it was asserted."""
    return {
        one.relative_id: one
        for one in standing(record)
        if (one.kind in kinds and not one.inverse) or (one.kind == CHILD and one.inverse)
    }


def children_of(record: Record) -> dict[str, Link]:
    """Those whose parent or guardian she is, from whichever side it was asserted."""
    return {
        one.relative_id: one
        for one in standing(record)
        if (one.kind in PARENTS and one.inverse) or (one.kind == CHILD and not one.inverse)
    }


def unit_of(nearest: Iterable[str], records: Mapping[str, Record], at_us: int) -> set[str]:
    """The persons of one family unit with these, as of an instant.

    A child is of the unit of her parents while she can be under 18; her siblings under 18 are, and
    so is the other parent of each: the unit is the same whoever of it is asked about.
    """
    unit = set(nearest)
    parents = {
        parent
        for one in unit & records.keys()
        if _is_child(records[one], at_us)
        for parent in parents_of(records[one])
    }
    adults = parents | unit
    minors = {
        child
        for one in adults & records.keys()
        for child in children_of(records[one])
        if child in records and _is_child(records[child], at_us)
    }
    others = {parent for one in minors for parent in parents_of(records[one])}
    return unit | parents | minors | others


def _is_child(record: Record, at_us: int) -> bool:
    born = record.identity.born
    return born is None or born.years(at_us)[0] < ADULT_YEARS
