"""The two clocks: which entries stand, and in what order they took effect.

What was known at K is the entries up to a size, chosen by the caller. What was true as of T is said
here: entries that a known retraction voids do not stand, and the others take effect in the order of
their valid time, then (the day being all that most records know) of their kinds, then of the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.options_pb2 import order, since
from ledger.v1.time_pb2 import ValidTime
from projections.sameness import LINKED, about, linked_ids, same_as
from projections.subjects import rename
from projections.valid_time import civil_unit, from_us, start_us, unit_end_us

# What happens to records and not in the world: no other fact comes after it on its day.
_OF_RECORDS = frozenset({"Retracted", "PersonsLinkedAsSame", "PersonsUnlinked"})


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
    record_us: int
    retracted_by: str = ""
    """The event that retracts it; empty: it stands."""

    @property
    def kind(self) -> str:
        """The name of the body's message, such as "Separated"."""
        return str(self.body.DESCRIPTOR.name)

    @property
    def start_us(self) -> int:
        """The first moment of the unit in which it was, as the source states it."""
        return start_us(self.event.valid_time)

    @property
    def end_us(self) -> int:
        """The first moment after that unit; of an instant, the next one."""
        stated = self.event.valid_time
        return unit_end_us(start_us(stated), stated.precision, stated.zone)

    @property
    def edition(self) -> str:
        """The edition of the words that the source wrote in, as a date."""
        return self.event.vocabulary or f"{from_us(self.record_us):%Y-%m-%d}"

    def collects(self, field: str) -> bool:
        """Whether the words that the source wrote in had this field of the body (R-17)."""
        added = self.body.DESCRIPTOR.fields_by_name[field].GetOptions().Extensions[since]
        return bool(self.edition >= added)


@cache
def order_of(kind: Descriptor) -> int:
    """Where an event of this kind stands among others of the same valid time."""
    return int(kind.GetOptions().Extensions[order])


def facts(entries: Sequence[tuple[int, Entry]], subject_id: str = "") -> list[Fact]:
    """Every entry as a fact, retracted ones marked, in the order in which they took effect.

    `entries` are (position, entry) in the order of the log, all that is known of one subject. For a
    person whose record is linked with others as of one person, they are those of all of them; the
    facts of those that are the same then name `subject_id`.
    """
    if linked_ids(entries):
        entries = _of_one_person(entries, subject_id)
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
            Fact(
                position,
                event,
                body,
                order_of(body.DESCRIPTOR),
                start_us(event.valid_time),
                entry.record_time.seconds * 1_000_000 + entry.record_time.nanos // 1_000,
            )
        )
    marked = [
        replace(fact, retracted_by=retracted_by[fact.event.event_id])
        if fact.event.event_id in retracted_by
        else fact
        for fact in known
    ]
    # Facts that settle at one instant keep the order of their stated times before that of the log,
    # so that it does not matter which of them was learned first.
    return sorted(
        _settle(marked),
        key=lambda fact: (
            fact.effective_us,
            fact.order,
            start_us(fact.event.valid_time),
            fact.position,
        ),
    )


def _of_one_person(
    entries: Sequence[tuple[int, Entry]], subject_id: str
) -> list[tuple[int, Entry]]:
    """The entries about a person under whichever of her records, as if all were under one."""
    same = same_as(subject_id, entries)
    names = dict.fromkeys(same - {subject_id}, subject_id)
    found = []
    for position, entry in about(same, entries):
        if names and entry.event.WhichOneof("fact") != LINKED:
            renamed = Entry.FromString(entry.SerializeToString())
            rename(getattr(renamed.event, renamed.event.WhichOneof("fact") or ""), names)
            found.append((position, renamed))
        else:
            found.append((position, entry))
    return found


def _settle(known: Sequence[Fact]) -> list[Fact]:
    """Move what is known only coarsely behind the facts of its unit that come first by kind.

    A child apprehended at 14:00 and placed "that day" was placed after 14:00, not at midnight. And
    one day is one day, though agencies date it by the midnights of different zones.
    """
    stated = {(fact.event.valid_time.precision, fact.event.valid_time.zone) for fact in known}
    if len(stated) < 2:  # noqa: PLR2004
        return list(known)
    settled: list[Fact] = []
    for fact in sorted(known, key=lambda fact: (fact.event.valid_time.precision, fact.order)):
        start = fact.effective_us
        earlier = (
            other.effective_us
            for other in settled
            if not other.retracted_by
            and other.kind not in _OF_RECORDS
            and other.order < fact.order
            and _is_within(other, fact.event.valid_time)
        )
        settled.append(replace(fact, effective_us=max((start, *earlier))))
    return settled


def _is_within(other: Fact, unit: ValidTime) -> bool:
    """Whether a fact is one of the unit: finer and inside it, or of the same day or month."""
    theirs = other.event.valid_time
    if theirs.precision == unit.precision:
        return civil_unit(theirs) == civil_unit(unit)
    start = start_us(unit)
    return theirs.precision < unit.precision and start < other.effective_us < unit_end_us(
        start, unit.precision, unit.zone
    )
