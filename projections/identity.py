"""What sources claim of a person: her age, her needs, the numbers that systems know her by.

Claims stand beside one another: a later one replaces none, and conflicts stay open.
"""

from dataclasses import dataclass

from ledger.v1.custody_pb2 import Apprehended, Placed, PlacementDesignated, ReferredToOrr
from ledger.v1.identity_pb2 import (
    AgeDetermined,
    AgeDisputed,
    AgeResult,
    AmendmentDecided,
    AmendmentRequested,
    IdentifierAsserted,
    PersonRegistered,
    PersonsDeclaredDistinct,
    PersonsLinkedAsSame,
    PersonsUnlinked,
    SpecialNeedRecorded,
    Truth,
)
from ledger.v1.separation_pb2 import (
    ReunificationCaseOpened,
    Reunified,
    Separated,
    SeparationAuthorized,
)
from ledger.v1.view_pb2 import Claim, Identifier, SpecialNeed
from ledger.v1.view_pb2 import Identity as IdentityMessage
from projections import age
from projections.age import Born
from projections.codes import codes_of
from projections.evolve import replace
from projections.history import Fact
from projections.identifiers import normalized
from projections.projection import Projection

_NOT_SAID = Truth.TRUTH_UNSPECIFIED
_OPPOSITE = {Truth.TRUTH_YES: Truth.TRUTH_NO, Truth.TRUTH_NO: Truth.TRUTH_YES}

Said = tuple[str, PersonRegistered]


@dataclass(frozen=True, slots=True)
class Identity:
    """The assertions about one person that stand, each with the event that makes it."""

    person_id: str
    claims: tuple[Said, ...] = ()
    identifiers: tuple[tuple[str, IdentifierAsserted], ...] = ()
    needs: tuple[tuple[str, SpecialNeedRecorded], ...] = ()
    births: tuple[Born, ...] = ()
    """When she can have been born by each claim that says it."""
    claimed: Born | None = None
    """When she can have been born by the claims: by all of them, or where they contradict one
    another, by any."""
    contradicting_event_id: str = ""
    """The first claim that no birth can fit together with those before it."""
    determined: Born | None = None
    disputed_event_id: str = ""
    """The dispute of her age that nothing has settled."""
    same_ids: tuple[str, ...] = ()
    """The ids that her record was linked under."""
    distinct_ids: tuple[str, ...] = ()
    same_and_distinct_event_id: str = ""
    """What declares two of her records to be of two persons while they are linked."""
    treated_as_child: bool = False
    """An event named her as the child: whatever her age, what is owed to a child is owed to her."""
    amendment_event_ids: tuple[str, ...] = ()
    """Her requests for amendment that nobody has decided."""

    @property
    def born(self) -> Born | None:
        """When she can have been born: a determination counts before claims."""
        if self.determined is None or self.claimed is None:
            return self.determined or self.claimed
        return self.determined.meet(self.claimed) or self.determined

    def is_below(self, years: int, at_us: int) -> Truth.ValueType:
        """Whether she is below an age at an instant."""
        return born.is_below(years, at_us) if (born := self.born) else _NOT_SAID

    def speaks_for_herself(self, at_us: int) -> Truth.ValueType:
        """Whether she can say who her family is: not under five, and no need prevents it."""
        if any(_silences(need) for _, need in self.needs):
            return Truth.TRUTH_NO
        below = self.is_below(age.TENDER_YEARS, at_us)
        return _OPPOSITE.get(below, below)


def _silences(need: SpecialNeedRecorded) -> bool:
    code = codes_of("special_need").get(need.need_code)
    return code is not None and "cannot_speak_for_self" in code.attributes


def present(view: Identity, at_us: int) -> IdentityMessage:
    """The view in the words, her age at an instant."""
    message = IdentityMessage(
        age=age.present_age(view.born, at_us, disputed=bool(view.disputed_event_id)),
        speaks_for_herself=view.speaks_for_herself(at_us),
        distinct_person_ids=view.distinct_ids,
        special_needs=[
            SpecialNeed(need_code=need.need_code, need_text=need.need_text, event_id=event_id)
            for event_id, need in view.needs
        ],
        identifiers=[
            Identifier(
                scheme=one.scheme,
                value=one.value,
                normalized=normalized(one.scheme, one.value),
                issuer_text=one.issuer_text,
                event_id=event_id,
            )
            for event_id, one in view.identifiers
        ],
    )
    for event_id, body in view.claims:
        claim = Claim(sex=body.sex, nationality_text=body.nationality_text, event_id=event_id)
        if body.HasField("birth_date"):
            claim.birth_date.CopyFrom(body.birth_date)
        if body.HasField("stated_age_years"):
            claim.stated_age_years = body.stated_age_years
        message.claims.append(claim)
    return message


identity = Projection("identity", Identity, subject="person", version=2)


def claimed_by(body: PersonRegistered, fact: Fact) -> Born | None:
    """When somebody can have been born by a registration; None: it says nothing of it."""
    born = age.born_on(body.birth_date) if body.HasField("birth_date") else None
    if born is None and body.HasField("stated_age_years"):
        return age.born_by_age(body.stated_age_years, fact.start_us, fact.end_us)
    return born


@identity.on(PersonRegistered)
def _(view: Identity, body: PersonRegistered, fact: Fact) -> Identity:
    event_id = fact.event.event_id
    view = replace(view, claims=(*view.claims, (event_id, body)))
    born = claimed_by(body, fact)
    if born is None:
        return view
    births = (*view.births, born)
    earliest, latest = zip(*((one.earliest, one.latest) for one in births), strict=True)
    if max(earliest) <= min(latest):
        return replace(view, births=births, claimed=Born(max(earliest), min(latest)))
    return replace(
        view,
        births=births,
        claimed=Born(min(earliest), max(latest)),
        contradicting_event_id=view.contradicting_event_id or event_id,
    )


@identity.on(IdentifierAsserted)
def _(view: Identity, body: IdentifierAsserted, fact: Fact) -> Identity:
    return replace(view, identifiers=(*view.identifiers, (fact.event.event_id, body)))


@identity.on(SpecialNeedRecorded)
def _(view: Identity, body: SpecialNeedRecorded, fact: Fact) -> Identity:
    return replace(view, needs=(*view.needs, (fact.event.event_id, body)))


@identity.on(AgeDisputed)
def _(view: Identity, _body: AgeDisputed, fact: Fact) -> Identity:
    return replace(view, disputed_event_id=fact.event.event_id)


@identity.on(AgeDetermined)
def _(view: Identity, body: AgeDetermined, fact: Fact) -> Identity:
    born = age.born_on(body.birth_date) if body.HasField("birth_date") else None
    if born is None and body.result == AgeResult.AGE_RESULT_MINOR:
        born = age.born_as_minor(fact.start_us)
    elif born is None and body.result == AgeResult.AGE_RESULT_ADULT:
        born = age.born_as_adult(fact.end_us)
    return replace(view, determined=born, disputed_event_id="") if born else view


@identity.on(PersonsLinkedAsSame)
def _(view: Identity, body: PersonsLinkedAsSame, _fact: Fact) -> Identity:
    # The rest acts through projections.sameness, on every projection at once. Her other ids are
    # kept for those who compare what somebody else's record calls her.
    others = (one for one in body.person_ids if one != view.person_id)
    return replace(view, same_ids=tuple(dict.fromkeys((*view.same_ids, *others))))


@identity.on(PersonsUnlinked)
def _(view: Identity, body: PersonsUnlinked, _fact: Fact) -> Identity:
    apart = {*body.person_ids}
    return replace(view, same_ids=tuple(one for one in view.same_ids if one not in apart))


@identity.on(PersonsDeclaredDistinct)
def _(view: Identity, body: PersonsDeclaredDistinct, fact: Fact) -> Identity:
    others = tuple(one for one in body.person_ids if one != view.person_id)
    if not others:  # both are hers: linked as the same all the same
        return replace(view, same_and_distinct_event_id=fact.event.event_id)
    return replace(view, distinct_ids=tuple(dict.fromkeys((*view.distinct_ids, *others))))


@identity.on(
    PlacementDesignated,
    Placed,
    ReferredToOrr,
    ReunificationCaseOpened,
    Reunified,
    Separated,
    SeparationAuthorized,
)
def _(view: Identity, body: Separated, _fact: Fact) -> Identity:
    if view.treated_as_child or view.person_id != body.child_id:
        return view
    return replace(view, treated_as_child=True)


@identity.on(Apprehended)
def _(view: Identity, body: Apprehended, _fact: Fact) -> Identity:
    # With whom somebody was found is asked of minors only; of several, it is not said which.
    is_minor = body.accompaniment and len(body.person_ids) == 1
    return replace(view, treated_as_child=True) if is_minor else view


@identity.on(AmendmentRequested)
def _(view: Identity, _body: AmendmentRequested, fact: Fact) -> Identity:
    waiting = (*view.amendment_event_ids, fact.event.event_id)
    return replace(view, amendment_event_ids=waiting)


@identity.on(AmendmentDecided)
def _(view: Identity, body: AmendmentDecided, _fact: Fact) -> Identity:
    waiting = (one for one in view.amendment_event_ids if one != body.requested_event_id)
    return replace(view, amendment_event_ids=tuple(waiting))
