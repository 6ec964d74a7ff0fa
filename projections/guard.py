"""What guards a record: confidentiality, a court's seal, legal holds, erasure, emergencies.

Who may see her follows from it; see `ledger.access.sight`.
"""

from dataclasses import dataclass

from ledger.v1.protection_pb2 import (
    ConfidentialityDeclared,
    EmergencyAccessOpened,
    LegalHoldLifted,
    LegalHoldPlaced,
    PersonalFieldsErased,
    RecordSealed,
    RecordUnsealed,
)
from ledger.v1.view_pb2 import EmergencyAccess, Protection
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection

EMERGENCY_US = 24 * 3_600 * 1_000_000
"""No emergency access lasts longer, whatever it says."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """Somebody's emergency access; instants are microseconds since 1970 UTC."""

    event_id: str
    agency: str
    actor_id: str
    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands of one person."""

    person_id: str
    is_sealed: bool = False
    sealed_at: int = 0
    """The position of the last entry that sealed or unsealed it."""
    is_confidential: bool = False
    sealed_by: str = ""
    """The agency that sealed it."""
    holds: tuple[tuple[str, str], ...] = ()
    """(reference, the agency that placed it) of each legal hold."""
    is_erased: bool = False
    emergencies: tuple[Emergency, ...] = ()

    def opened_to(self, agency: str, actor_id: str, at_us: int) -> str:
        """The event that opens her record to somebody at an instant; empty: none does.

        To a person: a program that acts for itself is nobody in particular.
        """
        for one in self.emergencies:
            is_meant = actor_id and (one.agency, one.actor_id) == (agency, actor_id)
            if is_meant and one.since_us <= at_us < one.until_us:
                return one.event_id
        return ""


def present(view: Guard) -> Protection:
    """The view in the words."""
    message = Protection(
        sealed=view.is_sealed,
        confidential=view.is_confidential,
        hold_references=[reference for reference, _ in view.holds],
        erased=view.is_erased,
    )
    for one in view.emergencies:
        told = EmergencyAccess(event_id=one.event_id, agency=one.agency, actor_id=one.actor_id)
        told.since_time.FromMicroseconds(one.since_us)
        told.until_time.FromMicroseconds(one.until_us)
        message.emergency_accesses.append(told)
    return message


guard = Projection("guard", Guard, subject="person", version=1)


@guard.on(RecordSealed, RecordUnsealed)
def _(view: Guard, body: RecordSealed | RecordUnsealed, fact: Fact) -> Guard:
    # The last that was recorded counts: of a day, nobody knows which order came first, and what a
    # court has sealed again must not stand open for it.
    if fact.position < view.sealed_at:
        return view
    return replace(
        view,
        is_sealed=isinstance(body, RecordSealed),
        sealed_at=fact.position,
        sealed_by=fact.event.actor.agency,
    )


@guard.on(ConfidentialityDeclared)
def _(view: Guard, _body: ConfidentialityDeclared, _fact: Fact) -> Guard:
    return replace(view, is_confidential=True)


@guard.on(LegalHoldPlaced)
def _(view: Guard, body: LegalHoldPlaced, fact: Fact) -> Guard:
    placed = (body.hold_reference, fact.event.actor.agency)
    return replace(view, holds=tuple(dict.fromkeys((*view.holds, placed))))


@guard.on(LegalHoldLifted)
def _(view: Guard, body: LegalHoldLifted, _fact: Fact) -> Guard:
    return replace(view, holds=tuple(one for one in view.holds if one[0] != body.hold_reference))


@guard.on(PersonalFieldsErased)
def _(view: Guard, _body: PersonalFieldsErased, _fact: Fact) -> Guard:
    return replace(view, is_erased=True)


@guard.on(EmergencyAccessOpened)
def _(view: Guard, body: EmergencyAccessOpened, fact: Fact) -> Guard:
    # From when it is in the log: nobody looks before it is there to be seen.
    opened = Emergency(
        fact.event.event_id,
        fact.event.actor.agency,
        fact.event.actor.actor_id,
        fact.record_us,
        min(body.until_time.ToMicroseconds(), fact.record_us + EMERGENCY_US),
    )
    return replace(view, emergencies=(*view.emergencies, opened))
