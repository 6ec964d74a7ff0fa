"""What agencies do about a person: reunification cases, calls and visits, requests."""

from dataclasses import dataclass

from ledger.v1.oversight_pb2 import InformationRequested, InformationSupplied
from ledger.v1.separation_pb2 import (
    CommunicationOccurred,
    ReunificationCaseOpened,
    ReunificationStepCompleted,
)
from ledger.v1.view_pb2 import Contact, InformationRequest, ReunificationCase, ReunificationStep
from projections.clocks import Clocks
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Case:
    """A reunification case."""

    body: ReunificationCaseOpened
    opened_us: int


@dataclass(frozen=True, slots=True)
class Casework:
    """What is done about one person."""

    person_id: str
    cases: tuple[Case, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    """(event id, agency) of the steps that were done."""
    contacts: tuple[tuple[str, str, int, CommunicationOccurred], ...] = ()
    """(event id, the other, instant, event)"""
    requests: tuple[tuple[str, int, InformationRequested], ...] = ()
    answered: tuple[str, ...] = ()


def present_cases(view: Casework, clocks: Clocks) -> list[ReunificationCase]:
    """The cases in the words, each step as its clock stands."""
    agencies = dict(view.steps)
    found = []
    for one in view.cases:
        message = ReunificationCase(
            case_id=one.body.case_id,
            child_id=one.body.child_id,
            adult_ids=one.body.adult_ids,
            agency=one.body.agency,
        )
        message.opened_time.FromMicroseconds(one.opened_us)
        for clock in clocks.clocks:
            if clock.limit.applies_to != "child" or clock.key != one.body.case_id:
                continue
            step = ReunificationStep(
                step_code=clock.code,
                owner_agency=clock.owner_agency,
                state=clock.state,
                event_id=clock.stop.event_id if clock.stop else "",
                agency=agencies.get(clock.stop.event_id, "") if clock.stop else "",
            )
            step.due_time.FromMicroseconds(clock.due_us)
            message.steps.append(step)
        found.append(message)
    return found


def present_contacts(view: Casework) -> list[Contact]:
    """Calls and visits in the words."""
    found = []
    for event_id, other, at_us, body in view.contacts:
        message = Contact(
            relative_id=other,
            means_code=body.means_code,
            succeeded=body.succeeded,
            event_id=event_id,
        )
        message.contact_time.FromMicroseconds(at_us)
        found.append(message)
    return found


def present_requests(view: Casework) -> list[InformationRequest]:
    """Requests in the words."""
    found = []
    for event_id, at_us, body in view.requests:
        message = InformationRequest(
            request_id=body.request_id,
            agency=body.agency,
            of_agency=body.of_agency,
            request_text=body.request_text,
            answered=body.request_id in view.answered,
            event_id=event_id,
        )
        message.asked_time.FromMicroseconds(at_us)
        found.append(message)
    return found


casework = Projection("casework", Casework, subject="person", version=1)


@casework.on(ReunificationCaseOpened)
def _(view: Casework, body: ReunificationCaseOpened, fact: Fact) -> Casework:
    if view.person_id != body.child_id:
        return view
    return replace(view, cases=(*view.cases, Case(body, fact.effective_us)))


@casework.on(ReunificationStepCompleted)
def _(view: Casework, body: ReunificationStepCompleted, fact: Fact) -> Casework:
    return replace(view, steps=(*view.steps, (fact.event.event_id, body.agency)))


@casework.on(CommunicationOccurred)
def _(view: Casework, body: CommunicationOccurred, fact: Fact) -> Casework:
    other = body.relative_id if view.person_id == body.child_id else body.child_id
    one = (fact.event.event_id, other, fact.effective_us, body)
    return replace(view, contacts=(*view.contacts, one))


@casework.on(InformationRequested)
def _(view: Casework, body: InformationRequested, fact: Fact) -> Casework:
    one = (fact.event.event_id, fact.effective_us, body)
    return replace(view, requests=(*view.requests, one))


@casework.on(InformationSupplied)
def _(view: Casework, body: InformationSupplied, _fact: Fact) -> Casework:
    return replace(view, answered=(*view.answered, body.request_id))
