"""Who was found with whom: the people of one minute and place, among whom families are looked for.

136 children with a potential relationship in the weeks of zero tolerance, and 1,233 more around
them, were found by hand, a year later (OIG-20-06; R-08).
"""

from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.v1.custody_pb2 import Apprehended
from ledger.v1.family_pb2 import MatchProposed, MatchRejected
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import LikelyMember
from projections.custody_view import folded
from projections.evolve import replace
from projections.family import RETRACTED, Family, family
from projections.history import Fact
from projections.identity import Identity, identity
from projections.projection import Projection

MINUTE_US = 60 * 1_000_000
TOGETHER = "encounter:"


@dataclass(frozen=True, slots=True)
class Encounter:
    """The last apprehension of one person that is known to the minute, and whom she belongs to."""

    person_id: str
    agency: str = ""
    place: str = ""
    at_us: int = 0
    nationality_text: str = ""
    rejected_ids: tuple[str, ...] = ()
    person: Identity = Identity("")  # noqa: RUF009  # frozen
    relatives: Family = Family("")  # noqa: RUF009  # frozen


def populations(view: Encounter) -> dict[str, Message]:
    """The people of one minute and place."""
    if not view.agency:
        return {}
    place = folded(view.place)
    return {f"{TOGETHER}{view.agency}:{view.at_us // MINUTE_US}:{place}": present(view)}


def present(view: Encounter) -> LikelyMember:
    """The view in the words."""
    linked = (
        one.relative_id for one in view.relatives.links if view.relatives.status(one) != RETRACTED
    )
    settled = {*linked, *view.rejected_ids, *view.person.distinct_ids}
    message = LikelyMember(
        person_id=view.person_id,
        nationality_text=view.nationality_text,
        settled_ids=sorted(settled),
        place=view.place,
    )
    if born := view.person.born:
        message.years_min, message.years_max = born.years(view.at_us)
    message.apprehended_time.FromMicroseconds(view.at_us)
    return message


encounter = Projection(
    "encounter",
    Encounter,
    subject="person",
    version=2,
    populations=populations,
    parts={"person": identity, "relatives": family},
)


@encounter.on(Apprehended)
def _(view: Encounter, body: Apprehended, fact: Fact) -> Encounter:
    if fact.event.valid_time.precision > Precision.PRECISION_MINUTE:
        return view  # of a day and a sector there are hundreds
    place = body.place.name or body.place.code
    return replace(view, agency=body.agency, place=place, at_us=fact.start_us)


@encounter.on(PersonRegistered)
def _(view: Encounter, body: PersonRegistered, _fact: Fact) -> Encounter:
    if not body.nationality_text:
        return view
    return replace(view, nationality_text=body.nationality_text)


@encounter.on(MatchRejected)
def _(view: Encounter, body: MatchRejected, _fact: Fact) -> Encounter:
    others = (one for one in body.person_ids if one != view.person_id)
    return replace(view, rejected_ids=tuple(dict.fromkeys((*view.rejected_ids, *others))))


@encounter.on(MatchProposed)
def _(view: Encounter, _body: MatchProposed, _fact: Fact) -> Encounter:
    return view  # a proposal settles nothing
