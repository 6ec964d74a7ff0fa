"""Which children were taken apart from which adults, and which of them are together again.

A child released to somebody else is no less separated: only a reunification ends a separation, and
"no record of one" is not "not reunified" (R-25).
"""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.v1.custody_pb2 import ReferredToOrr
from ledger.v1.family_pb2 import FamilyGroupReclassified
from ledger.v1.identity_pb2 import Truth
from ledger.v1.separation_pb2 import (
    NoticeState,
    ReunificationCaseOpened,
    ReunificationRuledOut,
    ReunificationWaived,
    Reunified,
    Separated,
    SeparationAuthorized,
    SeparationContested,
)
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import ChildSeparations, SeparationStatus
from ledger.v1.view_pb2 import Separation as SeparationMessage
from projections.age import present_born
from projections.evolve import replace
from projections.history import Fact
from projections.identity import Identity, identity
from projections.projection import Projection

OPEN = SeparationStatus.SEPARATION_STATUS_OPEN
PARTLY_REUNIFIED = SeparationStatus.SEPARATION_STATUS_PARTLY_REUNIFIED
REUNIFIED = SeparationStatus.SEPARATION_STATUS_REUNIFIED
STILL_APART = SeparationStatus.SEPARATION_STATUS_STILL_APART
WAIVED = SeparationStatus.SEPARATION_STATUS_WAIVED
RULED_OUT = SeparationStatus.SEPARATION_STATUS_RULED_OUT

NOT_REUNIFIED = "separated:not-reunified"
EVER = "separated:ever"


@dataclass(frozen=True, slots=True)
class Separation:
    """One separation of a child; see ledger.v1.Separation for each field."""

    event_id: str
    body: Separated
    adult_ids: tuple[str, ...]
    since_us: int
    since_precision: Precision.ValueType
    notice_given: Truth.ValueType
    authorized: Truth.ValueType
    referral_reason_codes: tuple[str, ...] = ()
    processing_class_code: str = ""
    reunified_adult_ids: tuple[str, ...] = ()
    reunified_us: int | None = None
    waived_adult_ids: tuple[str, ...] = ()
    ruled_out_adult_ids: tuple[str, ...] = ()
    all_waived: bool = False
    all_ruled_out: bool = False
    case_open: bool = False
    contested_event_ids: tuple[str, ...] = ()

    @property
    def status(self) -> SeparationStatus.ValueType:
        """Where it stands: what brings them together counts before what keeps them apart."""
        if self.reunified_us is not None:
            return REUNIFIED
        if self.reunified_adult_ids:
            return PARTLY_REUNIFIED
        if self.all_waived:
            return WAIVED
        if self.all_ruled_out:
            return RULED_OUT
        return STILL_APART if self.case_open else OPEN


@dataclass(frozen=True, slots=True)
class Separations:
    """The separations of one child, in the order in which they took effect."""

    child_id: str
    child: Identity = Identity("")  # noqa: RUF009  # frozen
    separations: tuple[Separation, ...] = ()
    authorizations: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(event id, adults) of those that no separation has followed yet."""
    referral_reason_codes: tuple[str, ...] = ()


def populations(view: Separations) -> dict[str, Message]:
    """Children ever separated, those whose separation nothing ended, and by how each stands."""
    if not view.separations:
        return {}
    standing = {one.status for one in view.separations}
    names = [EVER, *(by_status(status) for status in standing)]
    if standing != {REUNIFIED}:
        names.append(NOT_REUNIFIED)
    return dict.fromkeys(names, present(view))


def by_status(status: SeparationStatus.ValueType) -> str:
    """The population of children with a separation that stands so."""
    name = SeparationStatus.Name(status).removeprefix("SEPARATION_STATUS_")
    return f"separated:as-{name.lower().replace('_', '-')}"


def present(view: Separations) -> ChildSeparations:
    """The view in the words."""
    return ChildSeparations(separations=[_present_one(view, one) for one in view.separations])


def _present_one(view: Separations, one: Separation) -> SeparationMessage:
    body = one.body
    message = SeparationMessage(
        event_id=one.event_id,
        child_id=view.child_id,
        adult_ids=one.adult_ids,
        adult_unknown_reason=body.adult_unknown_reason,
        reunified_adult_ids=one.reunified_adult_ids,
        reason_codes=body.reason_codes,
        reason_text=body.reason_text,
        agency=body.agency,
        since_precision=one.since_precision,
        status=one.status,
        place=body.place.name or body.place.code,
        notice_given=one.notice_given,
        notice_language=body.notice.language,
        authorized=one.authorized,
        contested_event_ids=one.contested_event_ids,
        waived_adult_ids=one.waived_adult_ids,
        referral_reason_codes=one.referral_reason_codes,
        child_destination=body.child_destination.name or body.child_destination.code,
        adult_destination=body.adult_destination.name or body.adult_destination.code,
        child_born=present_born(view.child.born),
        processing_class_code=one.processing_class_code,
    )
    message.since_time.FromMicroseconds(one.since_us)
    if one.reunified_us is not None:
        message.reunified_time.FromMicroseconds(one.reunified_us)
    return message


separation = Projection(
    "separation",
    Separations,
    subject="person",
    version=3,
    populations=populations,
    parts={"child": identity},
)


@separation.on(SeparationAuthorized)
def _(view: Separations, body: SeparationAuthorized, fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view
    one = (fact.event.event_id, tuple(body.adult_ids))
    return replace(view, authorizations=(*view.authorizations, one))


@separation.on(Separated)
def _(view: Separations, body: Separated, fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view  # the adult's side: found through the family
    adults = tuple(dict.fromkeys(body.adult_ids))
    authorized = [
        event_id
        for event_id, of in view.authorizations
        if event_id == body.authorized_event_id or not of or not adults or {*of} >= {*adults}
    ]
    one = Separation(
        event_id=fact.event.event_id,
        body=body,
        adult_ids=adults,
        since_us=fact.effective_us,
        since_precision=fact.event.valid_time.precision,
        notice_given=_notice(body, fact),
        authorized=Truth.TRUTH_YES if authorized else _lack(fact, "authorized_event_id"),
        referral_reason_codes=view.referral_reason_codes,
    )
    waiting = tuple(one for one in view.authorizations if one[0] not in authorized)
    return replace(view, separations=(*view.separations, one), authorizations=waiting)


def _notice(body: Separated, fact: Fact) -> Truth.ValueType:
    if not body.HasField("notice"):
        return _lack(fact, "notice")
    given = body.notice.state == NoticeState.NOTICE_STATE_GIVEN
    return Truth.TRUTH_YES if given else Truth.TRUTH_NO


def _lack(fact: Fact, field: str) -> Truth.ValueType:
    """What it means that a field is not there."""
    return Truth.TRUTH_UNSPECIFIED if fact.collects(field) else Truth.TRUTH_NOT_COLLECTED


@separation.on(ReferredToOrr)
def _(view: Separations, body: ReferredToOrr, _fact: Fact) -> Separations:
    if view.child_id != body.child_id or not body.reason_codes:
        return view
    codes = tuple(body.reason_codes)
    view = replace(view, referral_reason_codes=codes)
    return _each(
        view,
        lambda one: one if one.referral_reason_codes else replace(one, referral_reason_codes=codes),
    )


@separation.on(FamilyGroupReclassified)
def _(view: Separations, body: FamilyGroupReclassified, _fact: Fact) -> Separations:
    return _each(view, lambda one: replace(one, processing_class_code=body.class_code))


@separation.on(SeparationContested)
def _(view: Separations, body: SeparationContested, fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view
    return _each(
        view,
        lambda one: (
            replace(one, contested_event_ids=(*one.contested_event_ids, fact.event.event_id))
            if body.separated_event_id in ("", one.event_id)
            else one
        ),
    )


@separation.on(ReunificationCaseOpened)
def _(view: Separations, body: ReunificationCaseOpened, _fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view
    adults = {*body.adult_ids}
    return _each(
        view,
        lambda one: (
            replace(one, case_open=True)
            if not adults or not one.adult_ids or adults & {*one.adult_ids}
            else one
        ),
    )


@separation.on(ReunificationWaived)
def _(view: Separations, body: ReunificationWaived, _fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view

    def waive(one: Separation) -> Separation:
        if one.adult_ids and body.adult_id not in one.adult_ids:
            return one
        waived = tuple(dict.fromkeys((*one.waived_adult_ids, body.adult_id)))
        return replace(one, waived_adult_ids=waived, all_waived={*waived} >= {*one.adult_ids})

    return _each(view, waive)


@separation.on(ReunificationRuledOut)
def _(view: Separations, body: ReunificationRuledOut, _fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view

    def rule_out(one: Separation) -> Separation:
        adults = {*body.adult_ids} or {*one.adult_ids}
        if one.adult_ids and not adults & {*one.adult_ids}:
            return one
        out = tuple(dict.fromkeys((*one.ruled_out_adult_ids, *sorted(adults))))
        decided = {*out, *one.waived_adult_ids}
        return replace(one, ruled_out_adult_ids=out, all_ruled_out=decided >= {*one.adult_ids})

    return _each(view, rule_out)


@separation.on(Reunified)
def _(view: Separations, body: Reunified, fact: Fact) -> Separations:
    if view.child_id != body.child_id:
        return view
    adults = tuple(body.adult_ids)
    return _each(view, lambda one: _reunify(one, adults, fact.effective_us))


def _each(view: Separations, change: Callable[[Separation], Separation]) -> Separations:
    """The view with a change to each separation that no reunification has ended."""
    changed = (one if one.status == REUNIFIED else change(one) for one in view.separations)
    return replace(view, separations=tuple(changed))


def _reunify(one: Separation, adults: tuple[str, ...], at_us: int) -> Separation:
    """The separation after a reunification with these adults; none named: with whom it was from."""
    if not adults or not one.adult_ids:
        # Either record names nobody, so neither says that the other means somebody else.
        together = one.adult_ids
    else:
        wanted = {*one.reunified_adult_ids, *adults}
        together = tuple(adult for adult in one.adult_ids if adult in wanted)
    if together == one.adult_ids:
        return replace(one, reunified_adult_ids=together, reunified_us=at_us)
    return replace(one, reunified_adult_ids=together) if together else one
