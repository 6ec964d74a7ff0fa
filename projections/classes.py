"""Who was determined to be in a class, under which criteria (R-13).

The last determination of a class counts; the earlier ones stay in the log, so that the class as it
was understood on a past day can be listed again.
"""

from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.v1.oversight_pb2 import ClassMembershipDetermined
from ledger.v1.view_pb2 import ClassMembership
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of one person, by code: (event id, determination)."""

    person_id: str
    determined: tuple[tuple[str, tuple[str, ClassMembershipDetermined]], ...] = ()


def populations(view: Classes) -> dict[str, Message]:
    """Those in each class, and those determined not to be."""
    return {members(one.class_code, included=one.included): one for one in present(view)}


def members(class_code: str, *, included: bool) -> str:
    """The population of those determined to be in a class, or not to be."""
    return f"class:{class_code}:{'in' if included else 'out'}"


def present(view: Classes) -> list[ClassMembership]:
    """The view in the words."""
    return [
        ClassMembership(
            class_code=body.class_code,
            criteria_version=body.criteria_version,
            included=body.included,
            event_id=event_id,
        )
        for _, (event_id, body) in view.determined
    ]


classes = Projection("classes", Classes, subject="person", version=1, populations=populations)


@classes.on(ClassMembershipDetermined)
def _(view: Classes, body: ClassMembershipDetermined, fact: Fact) -> Classes:
    last = {**dict(view.determined), body.class_code: (fact.event.event_id, body)}
    return replace(view, determined=tuple(last.items()))
