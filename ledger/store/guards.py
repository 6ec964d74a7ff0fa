"""The guards of everybody whose record has any, kept up with the log.

Few records are sealed or confidential, and every question must know which: what the log says of it
is kept in memory, and each time only the entries are looked at that were added since.
"""

import threading
from collections.abc import Iterable

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from ledger.store.log import Log
from ledger.store.reading import PAGE_MAX
from ledger.v1.event_pb2 import Entry
from ledger.v1.oversight_pb2 import Retracted
from projections.guard import Guard, guard
from projections.history import facts
from projections.subjects import people_of


class Guards:
    """The guards of one log. Safe to share between threads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._position = 0
        self._entries: dict[str, list[tuple[int, Entry]]] = {}
        self._guarded_by: dict[str, str] = {}
        self._query = DCBQuery(
            [DCBQueryItem(sorted(guard.kinds | {Retracted.DESCRIPTOR.name}), [])]
        )

    def all(self, now_us: int) -> dict[str, Guard]:
        """The guard of each person who has one, as the log is now."""
        with self._lock:
            self._follow()
            return {one: self._fold(one, now_us) for one in self._entries}

    def of(self, person_ids: Iterable[str], now_us: int) -> dict[str, Guard]:
        """The guards of those of these persons who have one."""
        with self._lock:
            self._follow()
            return {one: self._fold(one, now_us) for one in person_ids if one in self._entries}

    def _fold(self, person_id: str, now_us: int) -> Guard:
        return guard.fold(person_id, facts(self._entries[person_id], person_id), now_us)

    def _follow(self) -> None:
        """Take the entries into account that were added since."""
        size = self._log.entries.size()
        while page := self._log.entries.page(self._query, self._position, size, PAGE_MAX):
            for stored in page:
                self._take(stored.position, Entry.FromString(stored.data))
            self._position = page[-1].position
        self._position = max(size, self._position)

    def _take(self, position: int, entry: Entry) -> None:
        event = entry.event
        if event.HasField("retracted"):
            concerned = self._guarded_by.get(event.retracted.retracted_event_id)
            people = [concerned] if concerned else []
        else:
            people = people_of(event)
            self._guarded_by[event.event_id] = people[0]
        for one in people:
            self._entries.setdefault(one, []).append((position, entry))
