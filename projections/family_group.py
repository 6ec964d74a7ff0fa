"""Those who were ever recorded as members of one family.

To process them as something else, or to retract the record, takes nobody out (R-01, R-02).
"""

from dataclasses import dataclass

from ledger.v1.family_pb2 import FamilyGroupFormed, FamilyGroupReclassified
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class FamilyGroup:
    """One recorded family."""

    family_id: str
    member_ids: tuple[str, ...] = ()


family_group = Projection(
    "family_group", FamilyGroup, subject="family", version=2, sees_retracted=True
)


@family_group.on(FamilyGroupFormed, FamilyGroupReclassified)
def _(
    view: FamilyGroup, body: FamilyGroupFormed | FamilyGroupReclassified, _fact: Fact
) -> FamilyGroup:
    return replace(view, member_ids=tuple(dict.fromkeys((*view.member_ids, *body.member_ids))))
