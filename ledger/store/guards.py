"""The guards of everybody whose record has any, kept up with the log.

Few records are sealed or confidential, and every question must know which: what the log says of it
is kept in memory, and each time only the entries are looked at that were added since. What guards
one record of a person guards all that were ever linked with it as hers.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from ledger.store.log import Log
from ledger.store.reading import PAGE_MAX
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.identity_pb2 import PersonsLinkedAsSame
from ledger.v1.options_pb2 import confidential
from ledger.v1.oversight_pb2 import Retracted
from projections.guard import Guard, guard
from projections.history import facts
from projections.membership import OPEN
from projections.subjects import body_of, people_of

GUARDING = guard.kinds | {Retracted.DESCRIPTOR.name, PersonsLinkedAsSame.DESCRIPTOR.name}
"""The kinds of event that guard a record, or say what is guarded."""

# Before every instant.
NEVER_US = -OPEN


class Guards:
    """The guards of one log. Safe to share between threads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._position = 0
        self._entries: dict[str, list[tuple[int, Entry]]] = {}
        self._guarded_by: dict[str, str] = {}
        self._confidential: set[str] = set()
        self._same: dict[str, frozenset[str]] = {}
        # As they were folded last, those who are to be folded anew, and when what is said of
        # anybody takes effect: between two of these instants nobody's guard changes.
        self._guards: Mapping[str, Guard] = {}
        self._touched: set[str] = set()
        self._turns: set[int] = set()
        self._same_us = (0, 0)
        self._query = DCBQuery([DCBQueryItem(sorted(GUARDING), [])])

    def all(self, now_us: int) -> Mapping[str, Guard]:
        """The guard of each person who has one, as the log is now."""
        with self._lock:
            self._follow()
            return self._folded(now_us)

    def of(
        self, person_ids: Iterable[str], now_us: int, size: int | None = None
    ) -> dict[str, Guard]:
        """The guards of those of these persons who have one.

        `size`: how long the log is, where it was just asked.
        """
        with self._lock:
            self._follow(size)
            guards = self._folded(now_us)
            return {one: guards[one] for one in person_ids if one in guards}

    def is_confidential(self, event: Event) -> bool:
        """Whether it is to be kept from others that there is this event.

        So is the one that takes it back.
        """
        if event.HasField("retracted"):
            with self._lock:
                self._follow()
                return event.retracted.retracted_event_id in self._confidential
        return _is_confidential(event)

    def _records(self, person_id: str) -> frozenset[str]:
        """The ids under which there ever was a record of a person."""
        return self._same.get(person_id, frozenset([person_id]))

    def _folded(self, now_us: int) -> Mapping[str, Guard]:
        since, until = self._same_us
        if not since <= now_us < until:
            self._touched = {one for key in self._entries for one in self._records(key)}
        if self._touched or not since <= now_us < until:
            fresh = {one: self._fold(one, now_us) for one in self._touched}
            # Another one, because others may be looking through this.
            self._guards = {**self._guards, **fresh}
            self._touched = set()
            since = max((one for one in self._turns if one <= now_us), default=NEVER_US)
            until = min((one for one in self._turns if one > now_us), default=OPEN)
            self._same_us = since, until
        return self._guards

    def _fold(self, person_id: str, now_us: int) -> Guard:
        records = self._records(person_id)
        entries = sorted(
            (entry for one in records for entry in self._entries.get(one, ())),
            key=lambda entry: entry[0],
        )
        view = self._as_of(person_id, entries, now_us)
        if len(records) == 1:
            return view
        # Each record has a key of its own: of several, one may be erased.
        hers = self._as_of(person_id, self._entries.get(person_id, []), now_us)
        return replace(view, is_erased=hers.is_erased)

    def _as_of(self, person_id: str, entries: Sequence[tuple[int, Entry]], now_us: int) -> Guard:
        known = facts(entries, person_id)
        self._turns.update(fact.effective_us for fact in known)
        return guard.fold(person_id, known, now_us)

    def _follow(self, size: int | None = None) -> None:
        """Take the entries into account that were added since."""
        if size is None:
            size = self._log.entries.size()
        if size <= self._position:
            return
        if self._log.last_of_kind.has_none(GUARDING, self._position, size):
            self._position = size
            return
        while page := self._log.entries.page(self._query, self._position, size, PAGE_MAX):
            for stored in page:
                self._take(stored.position, Entry.FromString(stored.data))
            self._position = page[-1].position
        self._position = max(size, self._position)

    def _take(self, position: int, entry: Entry) -> None:
        event = entry.event
        if event.HasField("persons_linked_as_same"):
            linked = event.persons_linked_as_same.person_ids
            same = frozenset(other for one in linked for other in self._records(one))
            self._same |= dict.fromkeys(same, same)
            if not same.isdisjoint(self._entries):
                self._touched |= same
            return
        if event.HasField("retracted"):
            concerned = self._guarded_by.get(event.retracted.retracted_event_id)
            people = [concerned] if concerned else []
        else:
            people = people_of(event)
            self._guarded_by[event.event_id] = people[0]
            if _is_confidential(event):
                self._confidential.add(event.event_id)
        for one in people:
            self._entries.setdefault(one, []).append((position, entry))
            self._touched |= self._records(one)


def _is_confidential(event: Event) -> bool:
    if event.WhichOneof("fact") is None:
        return False
    return bool(body_of(event).DESCRIPTOR.GetOptions().Extensions[confidential])
