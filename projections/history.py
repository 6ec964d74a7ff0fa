"""The two clocks: which entries stand, and in what order they took effect.

What was known at K is the entries up to a size, chosen by the caller. What was true as of T is said
here: entries that a known retraction voids do not stand, and the others take effect in the order of
their valid time, then (the day being all that most records know) of their kinds, then of the log.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import Descriptor

from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.options_pb2 import order, since
from ledger.v1.time_pb2 import Precision
from projections.evolve import replace
from projections.sameness import LINKED, about, linked_ids, same_as
from projections.subjects import rename
from projections.valid_time import civil_unit, from_us, start_us, unit_end_us

RETRACTED = "Retracted"

_DAY_US = 24 * 3_600 * 1_000_000

ZONES_US = 27 * 3_600 * 1_000_000
"""No further apart are the beginnings of one day in any two zones."""

# What happens to records and not in the world: no other fact comes after it on its day.
_OF_RECORDS = frozenset({RETRACTED, "PersonsLinkedAsSame", "PersonsUnlinked"})


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
    kind: str
    """The name of the body's message, such as "Separated"."""
    start_us: int
    """The first moment of the unit in which it was, as the source states it."""
    precision: Precision.ValueType
    retracted_by: str = ""
    """The event that retracts it; empty: it stands."""

    @property
    def end_us(self) -> int:
        """The first moment after that unit; of an instant, the next one."""
        return unit_end_us(self.start_us, self.precision, self.event.valid_time.zone)

    @property
    def moves_later(self) -> bool:
        """Whether what is known only coarsely comes after it."""
        return not self.retracted_by and self.kind not in _OF_RECORDS

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Where it stands among the facts of its subject.

        Facts that settle at one instant keep the order of their stated times before that of the
        log, so that it does not matter which of them was learned first.
        """
        return self.effective_us, self.order, self.start_us, self.position

    @property
    def edition(self) -> str:
        """The edition of the words that the source wrote in, as a date."""
        return self.event.vocabulary or _day_of(self.record_us // _DAY_US)

    def collects(self, field: str) -> bool:
        """Whether the words that the source wrote in had this field of the body (R-17)."""
        return self.edition >= _added(self.body.DESCRIPTOR, field)


@lru_cache(maxsize=4096)
def _day_of(days: int) -> str:
    """The date so many days after 1970-01-01."""
    return from_us(days * _DAY_US).date().isoformat()


@cache
def _added(kind: Descriptor, field: str) -> str:
    """The edition of the words that first had a field."""
    return str(kind.fields_by_name[field].GetOptions().Extensions[since])


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
    told: list[Fact] = []
    retracted_by: dict[str, str] = {}
    for position, entry in entries:
        fact = fact_of(position, entry)
        if fact is None:
            continue
        if fact.kind == RETRACTED:
            # The first retraction is the one that voided it; later ones say the same again.
            retracted_by.setdefault(fact.body.retracted_event_id, fact.event.event_id)
        told.append(fact)
    return in_order([marked(fact, retracted_by) for fact in told])


def fact_of(position: int, entry: Entry) -> Fact | None:
    """An entry as a fact that stands, by itself.

    None: of a kind that this edition of the words does not have, kept without meaning.
    """
    event = entry.event
    name = event.WhichOneof("fact")
    if name is None:
        return None
    body = getattr(event, name)
    kind, recorded = body.DESCRIPTOR, entry.record_time
    stated = event.valid_time
    start = start_us(stated)
    return Fact(
        position,
        event,
        body,
        order_of(kind),
        start,
        recorded.seconds * 1_000_000 + recorded.nanos // 1_000,
        kind.name,
        start,
        stated.precision,
    )


def marked(fact: Fact, retracted_by: Mapping[str, str]) -> Fact:
    """The fact, with what retracts it."""
    by = retracted_by.get(fact.event.event_id)
    return replace(fact, retracted_by=by) if by else fact


def in_order(told: Sequence[Fact]) -> list[Fact]:
    """Facts, marked, in the order in which they took effect."""
    return sorted(_settle(told), key=_place)


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


def is_one_unit(told: Iterable[Fact]) -> bool:
    """Whether all are stated in one precision and zone: then nothing is coarser than another."""
    return len({(fact.precision, fact.event.valid_time.zone) for fact in told}) <= 1


def _settle(told: Sequence[Fact]) -> list[Fact]:
    """Move what is known only coarsely behind the facts of its unit that come first by kind.

    A child apprehended at 14:00 and placed "that day" was placed after 14:00, not at midnight. And
    one day is one day, though agencies date it by the midnights of different zones.
    """
    if is_one_unit(told):
        return list(told)
    settled: list[Fact] = []
    for fact in sorted(told, key=_coarseness):
        at_us = settled_us(fact, settled)
        insort(
            settled,
            replace(fact, effective_us=at_us) if at_us != fact.start_us else fact,
            key=_effective,
        )
    return settled


def settled_us(fact: Fact, others: Sequence[Fact]) -> int:
    """When a fact took effect, given the others of its subject in the order in which they did."""
    first = bisect_left(others, fact.start_us - ZONES_US, key=_effective)
    last = bisect_right(others, fact.end_us + ZONES_US, key=_effective)
    earlier = (other.effective_us for other in others[first:last] if comes_first(other, fact))
    return max((fact.start_us, *earlier))


def comes_first(one: Fact, other: Fact) -> bool:
    """Whether another fact, known no less coarsely, took effect after this one or with it."""
    return one.order < other.order and one.moves_later and _is_within(one, other)


def _is_within(one: Fact, other: Fact) -> bool:
    """Whether a fact is of another's unit: finer and inside it, or of the same day or month."""
    if one.precision == other.precision:
        return civil_unit(one.event.valid_time) == civil_unit(other.event.valid_time)
    return one.precision < other.precision and (other.start_us < one.effective_us < other.end_us)


_effective = attrgetter("effective_us")
_place = attrgetter("place")
_coarseness = attrgetter("precision", "order")
