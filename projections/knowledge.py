"""What is known of one subject as its entries are learned, one after another.

As a rule one more entry adds a fact at the end and leaves the others as they are. So it is added
where it belongs; only where it moves others are all put in order again, as `history.facts` does.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

from ledger.v1.event_pb2 import Entry
from projections.evolve import replace
from projections.history import (
    RETRACTED,
    ZONES_US,
    Fact,
    comes_first,
    fact_of,
    facts,
    in_order,
    marked,
    settled_us,
)
from projections.membership import OPEN
from projections.sameness import about, is_listed, linked_ids

# No fact is moved by one further away: the longest unit is a month.
_REACH_US = 32 * 24 * 3_600 * 1_000_000 + ZONES_US

_effective = attrgetter("effective_us")
_place = attrgetter("place")


class Knowledge:
    """The facts that the first so many entries about a subject come to, in their order."""

    def __init__(self, subject_id: str, entries: Sequence[tuple[int, Entry]]) -> None:
        """`entries`: all that will be learned, (position, entry) in the order of the log."""
        self.facts: list[Fact] = []
        self._subject_id = subject_id
        self._entries = entries
        self._count = 0
        self._is_merged = bool(linked_ids(entries))
        self._told: dict[str, Fact] = {}
        self._units: set[tuple[int, str]] = set()
        self._retracted_by: dict[str, str] = {}

    def learn(self) -> tuple[int, int]:
        """Take the next entry into account.

        Returns how many facts at the beginning are as they were, and the first instant at which
        anything is otherwise; OPEN: nothing is.
        """
        position, entry = self._entries[self._count]
        self._count += 1
        if self._is_merged:
            return self._now(self._of_the_record())
        fact = fact_of(position, entry)
        if fact is None:
            return len(self.facts), OPEN
        if not self._leaves_others(fact):
            return self._now(
                in_order([marked(one, self._retracted_by) for one in self._told.values()])
            )
        return self._insert(fact)

    def _of_the_record(self) -> list[Fact]:
        """The facts where records of several were linked; none where another's stands for her."""
        entries = self._entries[: self._count]
        if not linked_ids(entries):
            # Nobody had linked her with anybody yet: the others' entries were not hers.
            entries = about({self._subject_id}, entries)
        is_counted = is_listed(self._subject_id, entries)
        return facts(entries, self._subject_id) if is_counted else []

    def _leaves_others(self, fact: Fact) -> bool:
        """Note a fact; whether the marks of the others stay as they are."""
        self._units.add((fact.precision, fact.event.valid_time.zone))
        self._told[fact.event.event_id] = fact
        if fact.kind == RETRACTED:
            voided = fact.body.retracted_event_id
            self._retracted_by.setdefault(voided, fact.event.event_id)
            return voided not in self._told
        return True

    def _insert(self, fact: Fact) -> tuple[int, int]:
        fact = marked(fact, self._retracted_by)
        if len(self._units) > 1:
            at_us = settled_us(fact, self.facts)
            fact = replace(fact, effective_us=at_us) if at_us != fact.start_us else fact
            if self._moves_others(fact):
                told = [marked(one, self._retracted_by) for one in self._told.values()]
                return self._now(in_order(told))
        index = bisect_right(self.facts, fact.place, key=_place)
        self.facts.insert(index, fact)
        return index, fact.effective_us

    def _moves_others(self, fact: Fact) -> bool:
        if not fact.moves_later:
            return False
        first = bisect_left(self.facts, fact.effective_us - _REACH_US, key=_effective)
        # Those that took effect no earlier are not moved.
        last = bisect_left(self.facts, fact.effective_us, key=_effective)
        return any(comes_first(fact, other) for other in self.facts[first:last])

    def _now(self, now: list[Fact]) -> tuple[int, int]:
        """Put other facts in the place of those that were."""
        before, self.facts = self.facts, now
        kept = 0
        for one, other in zip(before, now, strict=False):
            if not _is_same(one, other):
                break
            kept += 1
        changed = before[kept : kept + 1] + now[kept : kept + 1]
        return kept, min((fact.effective_us for fact in changed), default=OPEN)


def _is_same(one: Fact, other: Fact) -> bool:
    # The events are the same objects unless somebody in them has been renamed since.
    return (
        one.event is other.event
        and one.effective_us == other.effective_us
        and one.retracted_by == other.retracted_by
    )
