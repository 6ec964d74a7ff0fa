"""Numbers that were published and lists that were certified, each time with what was said (R-07).

A number that a later release gives otherwise stands beside the earlier one: both can be shown, by
what was known when.
"""

from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.v1.oversight_pb2 import ListCertified, ListReconciled, NumberPublished
from ledger.v1.view_pb2 import AgencyList, Certification, Publication, PublishedNumber
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection

PUBLISHED, REVISED = "number:published", "number:revised"


@dataclass(frozen=True, slots=True)
class Number:
    """One number: (position, event id, what was said), in the order of the log."""

    number_id: str
    of_us: int = 0
    said: tuple[tuple[int, str, NumberPublished], ...] = ()

    @property
    def is_revised(self) -> bool:
        """Whether it was not given the same value each time."""
        return len({body.value for _, _, body in self.said}) > 1


def populations(view: Number) -> dict[str, Message]:
    """Numbers that were published, and those with more than one value."""
    if not view.said:
        return {}
    names = [PUBLISHED, REVISED] if view.is_revised else [PUBLISHED]
    return dict.fromkeys(names, present_number(view))


def present_number(view: Number) -> PublishedNumber:
    """The view in the words."""
    message = PublishedNumber(
        number_id=view.number_id,
        title=view.said[-1][2].title if view.said else "",
        revised=view.is_revised,
    )
    if view.said:
        message.of_time.FromMicroseconds(view.of_us)
    for _, event_id, body in view.said:
        publication = Publication(
            value=body.value, release_text=body.release_text, event_id=event_id, agency=body.agency
        )
        if body.HasField("citation"):
            publication.citation.CopyFrom(body.citation)
        message.publications.append(publication)
    return message


@dataclass(frozen=True, slots=True)
class CertifiedList:
    """One list."""

    list_id: str
    title: str = ""
    certified: tuple[tuple[str, ListCertified], ...] = ()
    reconciled: tuple[ListReconciled, ...] = ()


def present_list(view: CertifiedList) -> AgencyList:
    """The view in the words."""
    return AgencyList(
        list_id=view.list_id,
        title=view.title,
        certifications=[
            Certification(agency=body.agency, event_id=event_id, citation=body.citation)
            for event_id, body in view.certified
        ],
        reconciliations=view.reconciled,
    )


number = Projection("number", Number, subject="number", version=1, populations=populations)
certified_list = Projection("certified_list", CertifiedList, subject="list", version=1)


@number.on(NumberPublished)
def _(view: Number, body: NumberPublished, fact: Fact) -> Number:
    said = sorted((*view.said, (fact.position, fact.event.event_id, body)), key=lambda one: one[0])
    return replace(view, of_us=fact.start_us, said=tuple(said))


@certified_list.on(ListCertified)
def _(view: CertifiedList, body: ListCertified, fact: Fact) -> CertifiedList:
    certified = (*view.certified, (fact.event.event_id, body))
    return replace(view, title=body.title, certified=certified)


@certified_list.on(ListReconciled)
def _(view: CertifiedList, body: ListReconciled, _fact: Fact) -> CertifiedList:
    return replace(view, title=body.title, reconciled=(*view.reconciled, body))
