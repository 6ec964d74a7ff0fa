"""What the records of persons lack or contradict, and the queues that stand for it.

A finding is computed like everything else: a rule looked at one person's record, as of one moment
and known at another. The same rules answer an append, fill the queues and stand beside a person.
"""

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message

from ledger.v1.custody_pb2 import (
    Accompaniment,
    Apprehended,
    CourtAppearanceRecorded,
    CustodialActionRecorded,
    ReferredToOrr,
    Released,
    RemovalPlanned,
    Removed,
    ReturnedFromProsecution,
    TransferArrived,
    TransferDeparted,
    WellbeingCallMade,
)
from ledger.v1.view_pb2 import Finding, PersonFindings
from projections import age, clocks, codes, rules
from projections.custody_view import ENDED, HELD, ORR
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection, Time
from projections.record import DUTY_PARTS, PARTS, Duties, Noted, Record, at
from projections.rules import custody as _custody  # noqa: F401  # registers its rules, as the others
from projections.rules import duties as _duties  # noqa: F401
from projections.rules import family as _family  # noqa: F401
from projections.rules import identity as _identity  # noqa: F401
from projections.rules import separation as _separation  # noqa: F401
from projections.transfer import stated

QUEUE = "finding:"
CANDIDATE = "candidate:"


def populations(view: Record) -> dict[str, Message]:
    """Those of whom a finding stands; and those whom a rule about relatives can concern."""
    found = _by_queue(rules.judge_alone(view))
    for rule_code, (is_candidate, _) in rules.AMONG.items():
        if is_candidate(view):
            found[f"{CANDIDATE}{rule_code}"] = PersonFindings()
    return dict(found)


def owed(view: Duties) -> dict[str, Message]:
    """Those of whom a clock stands in one way, and those to whom something is overdue."""
    return {**clocks.populations(view.clocks), **_by_queue(rules.judge_duties(view))}


def _by_queue(found: Iterable[Finding]) -> dict[str, PersonFindings]:
    queues: dict[str, PersonFindings] = {}
    for finding in found:
        name = f"{QUEUE}{finding.rule_code}"
        queues.setdefault(name, PersonFindings()).findings.append(finding)
    return queues


def _birthdays(view: Record) -> Iterator[int]:
    """When she must be five, and when she can be no minor any more: the rules look at these."""
    if born := view.identity.born:
        yield born.birthday(born.earliest, age.TENDER_YEARS)
        yield born.birthday(born.latest, age.ADULT_YEARS)


# What a rule says is data: another edition of it is another meaning. When it holds is code: that is
# another meaning, too, and a new number here.
VERSION = codes.edition() + 2

findings = Projection(
    "findings",
    Record,
    subject="person",
    version=VERSION,
    populations=populations,
    time=Time(_birthdays, at),
    parts=PARTS,
)
duties = Projection(
    "duties",
    Duties,
    subject="person",
    version=VERSION,
    populations=owed,
    time=Time(
        lambda view: view.clocks.turns(),
        lambda view, at_us: Duties(view.person_id, view.clocks.at(at_us), view.casework),
    ),
    parts=DUTY_PARTS,
)


def _note(view: Record, fact: Fact, rule_code: str, field: str = "", *known: str) -> Record:
    noted = Noted(rule_code, fact.event.event_id, field, known)
    return replace(view, noted=(*view.noted, noted))


@findings.on(Apprehended)
def _(view: Record, body: Apprehended, fact: Fact) -> Record:
    if not body.place.name and not body.place.code:
        view = _note(view, fact, "APPREHENSION_WITHOUT_PLACE", "apprehended.place")
    is_recorded = body.accompaniment != Accompaniment.ACCOMPANIMENT_UNSPECIFIED
    if is_recorded or not fact.collects("accompaniment"):
        return view
    return replace(
        view, unaccompanied_event_ids=(*view.unaccompanied_event_ids, fact.event.event_id)
    )


@findings.on(TransferDeparted)
def _(view: Record, body: TransferDeparted, fact: Fact) -> Record:
    if view.person_id not in body.person_ids:
        return view
    links = stated(body.links).get(view.person_id)
    if links is None and not fact.collects("links"):
        links = frozenset()
    departures = {**dict(view.departures), body.transfer_id: (fact.event.event_id, links)}
    # Clocks differ: who is recorded to have left after she arrived has a departure all the same.
    noted = tuple(
        one
        for one in view.noted
        if (one.rule_code, one.known) != ("ARRIVAL_WITHOUT_DEPARTURE", (body.transfer_id,))
    )
    return replace(view, departures=tuple(departures.items()), noted=noted)


@findings.on(TransferArrived)
def _(view: Record, body: TransferArrived, fact: Fact) -> Record:
    if view.person_id not in body.person_ids:
        return view
    departure = dict(view.departures).get(body.transfer_id)
    if departure is None:
        field, known = "transfer_arrived.transfer_id", body.transfer_id
        return _note(view, fact, "ARRIVAL_WITHOUT_DEPARTURE", field, known)
    sent, echoed = departure[1], stated(body.links).get(view.person_id)
    if fact.collects("links") and sent is not None and (echoed or frozenset()) != sent:
        return _note(view, fact, "TRANSFER_ECHO_DIFFERS", "transfer_arrived.links")
    return view


@findings.on(ReferredToOrr)
def _(view: Record, body: ReferredToOrr, fact: Fact) -> Record:
    if view.person_id != body.child_id:
        return view
    if not body.reason_codes and fact.collects("reason_codes"):
        view = _note(view, fact, "REFERRAL_WITHOUT_REASON", "referred_to_orr.reason_codes")
    if (view.custody.agency, view.custody.status) == (ORR, HELD):
        view = _note(view, fact, "REFERRED_AFTER_PLACED")
    return view


@findings.on(Released)
def _(view: Record, body: Released, fact: Fact) -> Record:
    has_ended = view.person_id == body.person_id and view.custody.status == ENDED
    if has_ended and not view.custody.was_held_before_end:
        return _note(view, fact, "RELEASE_WITHOUT_CUSTODY")
    return view


@findings.on(RemovalPlanned, Removed)
def _(view: Record, _body: RemovalPlanned | Removed, fact: Fact) -> Record:
    if fact.kind != Removed.DESCRIPTOR.name:
        # What was so when she was removed stays so, whatever is planned afterwards.
        planned = view if view.removed_us is not None else replace(view, removed_us=None)
        return replace(planned, removal_event_id=planned.removal_event_id or fact.event.event_id)
    return replace(view, removal_event_id=fact.event.event_id, removed_us=fact.effective_us)


@findings.on(ReturnedFromProsecution)
def _(view: Record, _body: ReturnedFromProsecution, fact: Fact) -> Record:
    return replace(view, returned_event_id=fact.event.event_id)


@findings.on(WellbeingCallMade)
def _(view: Record, body: WellbeingCallMade, fact: Fact) -> Record:
    return replace(view, unreached_event_id="" if body.reached else fact.event.event_id)


@findings.on(CourtAppearanceRecorded)
def _(view: Record, body: CourtAppearanceRecorded, fact: Fact) -> Record:
    return replace(view, missed_hearing_event_id="" if body.appeared else fact.event.event_id)


@findings.on(CustodialActionRecorded)
def _(view: Record, _body: CustodialActionRecorded, _fact: Fact) -> Record:
    return view  # it is on the timeline; that it was not done is nobody's record
