"""The two clocks: which entries stand, and in what order they took effect.

What was known at K is the entries up to a size, chosen by the caller. What was true as of T is said
here: entries that a known retraction voids do not stand, and the others take effect in the order of
their valid time, then (the day being all that most records know) of their kinds, then of the log.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.options_pb2 import order
from projections.valid_time import start_us, unit_end_us


@dataclass(frozen=True, slots=True)
class Fact:
    """An entry as a projection meets it."""

    position: int
    event: Event
    body: Any
    """The message in the event's `fact`."""
    order: int
    effective_us: int
    """When it took effect: its valid time, or later on a day whose finer facts come first."""
    retracted_by: str = ""
    """The event that retracts it; empty: it stands."""

    @property
    def kind(self) -> str:
        """The name of the body's message, such as "Separated"."""
        return str(self.body.DESCRIPTOR.name)


@cache
def order_of(kind: Descriptor) -> int:
    """Where an event of this kind stands among others of the same valid time."""
    return int(kind.GetOptions().Extensions[order])


def facts(entries: Iterable[tuple[int, Entry]]) -> list[Fact]:
    """Every entry as a fact, retracted ones marked, in the order in which they took effect.

    `entries` are (position, entry) in the order of the log, all that is known of one subject.
    """
    known: list[Fact] = []
    retracted_by: dict[str, str] = {}
    for position, entry in entries:
        event = entry.event
        name = event.WhichOneof("fact")
        if name == "retracted":
            # The first retraction is the one that voided it; later ones say the same again.
            retracted_by.setdefault(event.retracted.retracted_event_id, event.event_id)
        if name is None:
            continue  # a kind that this edition of the words does not have: kept, without meaning
        body = getattr(event, name)
        known.append(
            Fact(position, event, body, order_of(body.DESCRIPTOR), start_us(event.valid_time))
        )
    marked = [
        replace(fact, retracted_by=retracted_by[fact.event.event_id])
        if fact.event.event_id in retracted_by
        else fact
        for fact in known
    ]
    return sorted(_settle(marked), key=lambda fact: (fact.effective_us, fact.order, fact.position))


def _settle(known: Sequence[Fact]) -> list[Fact]:
    """Move what is known only coarsely behind the finer facts of its unit that come first by kind.

    A child apprehended at 14:00 and placed "that day" was placed after 14:00, not at midnight.
    """
    if len({fact.event.valid_time.precision for fact in known}) < 2:  # noqa: PLR2004
        return list(known)
    settled: list[Fact] = []
    for fact in sorted(known, key=lambda fact: fact.event.valid_time.precision):
        valid_time = fact.event.valid_time
        start = start_us(valid_time)
        end = unit_end_us(start, valid_time.precision, valid_time.zone)
        first = max(
            (
                finer.effective_us
                for finer in settled
                if not finer.retracted_by
                and finer.order < fact.order
                and finer.event.valid_time.precision < valid_time.precision
                and start < finer.effective_us < end
            ),
            default=start,
        )
        settled.append(replace(fact, effective_us=first))
    return settled


def standing(known: Iterable[Fact], as_of_us: int | None = None) -> list[Fact]:
    """The facts that no retraction voids and that took effect by `as_of_us`."""
    return [
        fact
        for fact in known
        if not fact.retracted_by and (as_of_us is None or fact.effective_us <= as_of_us)
    ]
