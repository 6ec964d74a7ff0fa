"""Records that say the same of somebody in every respect: twins, or one person entered twice.

Without identifiers nobody can tell, so both stay, and the later one is pointed at.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from google.protobuf.message import Message

from ledger.v1.custody_pb2 import Apprehended, Placed, ReferredToOrr, Released
from ledger.v1.identity_pb2 import (
    IdentifierAsserted,
    PersonRegistered,
    PersonsDeclaredDistinct,
)
from ledger.v1.separation_pb2 import Reunified, Separated
from ledger.v1.view_pb2 import Finding, Severity
from projections.evolve import replace
from projections.history import Fact
from projections.projection import Projection
from projections.subjects import named, rename

ALIKE = "alike:"
RULE = "POSSIBLE_DUPLICATE"
# Fewer facts are alike by chance.
FACTS_MIN = 3


@dataclass(frozen=True, slots=True)
class Likewise:
    """What is said of one person, without saying of whom."""

    person_id: str
    said: frozenset[bytes] = frozenset()
    position: int = 0
    """Of the first entry about her."""
    is_told_apart: bool = False
    """A number tells her from everybody else, or somebody compared her and said so."""


def populations(view: Likewise) -> dict[str, Message]:
    """Those of whom the same is said."""
    if view.is_told_apart or len(view.said) < FACTS_MIN:
        return {}
    digest = sha256(b"".join(sorted(view.said))).hexdigest()
    finding = Finding(
        rule_code=RULE,
        severity=Severity.SEVERITY_NOTICE,
        person_id=view.person_id,
        known=[f"position {view.position}"],
    )
    return {f"{ALIKE}{digest}": finding}


likewise = Projection("likewise", Likewise, subject="person", version=2, populations=populations)


@likewise.on(PersonRegistered, Apprehended, Separated, ReferredToOrr, Placed, Released, Reunified)
def _(view: Likewise, body: Any, fact: Fact) -> Likewise:
    people = {name for _, name in named(body)}
    if len(people) > 1:
        return view  # of several persons at once: alike by its nature
    anybody = type(body)()
    anybody.CopyFrom(body)
    rename(anybody, {view.person_id: ""})
    stated = fact.event.valid_time.SerializeToString(deterministic=True)
    said = f"{fact.kind}\n".encode() + stated + anybody.SerializeToString(deterministic=True)
    return replace(
        view,
        said=view.said | {sha256(said).digest()},
        position=min(view.position or fact.position, fact.position),
    )


@likewise.on(IdentifierAsserted, PersonsDeclaredDistinct)
def _(view: Likewise, _body: Message, _fact: Fact) -> Likewise:
    return replace(view, is_told_apart=True)
