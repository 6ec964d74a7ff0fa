"""A group: what one transaction adds to a log, several appends decided one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventsourcing.dcb.api import DCBEvent, DCBQuery, DCBQueryItem

from ledger.store.batch import KeyOvertakenError, LedgerEvent
from ledger.store.entries import Stored, pack

Added = tuple[Stored, DCBEvent]


@dataclass
class Group:
    """What is added to a log of so many entries."""

    size: int
    record_us: int
    """The record time of the append that is decided."""
    added: list[Added] = field(default_factory=list)
    by_id: dict[bytes, Added] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    """By type and by subject, the position of the last event that is added."""

    def add(self, fresh: Mapping[bytes, Added]) -> None:
        """Add the new events of an append; the next append has another record time."""
        self.added += fresh.values()
        self.by_id |= fresh
        for one, event in fresh.values():
            self.last[event.type] = one.position
            self.last.update(dict.fromkeys(event.tags, one.position))
        self.record_us += 1

    def has(self, query: DCBQuery, after: int) -> bool:
        """Whether an event that is added after a position matches."""
        if query.items and not any(self._may_have(item, after) for item in query.items):
            return False
        return any(one.position > after and _is_meant(event, query) for one, event in self.added)

    def _may_have(self, item: DCBQueryItem, after: int) -> bool:
        last = self.last.get
        return all(last(one, 0) > after for one in item.tags) and (
            not item.types or any(last(one, 0) > after for one in item.types)
        )

    @property
    def last_of_kind(self) -> dict[str, int]:
        """By type, the position of the last event that is added."""
        return {kind: self.last[kind] for kind in {event.type for _, event in self.added}}

    @property
    def new_keys(self) -> dict[str, bytes]:
        """The keys that are kept with what is added. Raises KeyOvertakenError where two differ."""
        found: dict[str, bytes] = {}
        for _, event in self.added:
            for person_id, key in event.new_keys.items() if isinstance(event, LedgerEvent) else ():
                if found.setdefault(person_id, key) != key:
                    raise KeyOvertakenError
        return found

    def rows(self, log: int, terms: Mapping[str, int]) -> list[tuple[Any, ...]]:
        """The rows of the entries, by the numbers of their terms."""
        return [
            (
                log,
                one.position,
                one.event_id,
                one.record_us,
                terms[event.type],
                pack([terms[name] for name in event.tags]),
                one.data,
                one.sealed,
            )
            for one, event in self.added
        ]

    def subject_rows(self, log: int, terms: Mapping[str, int]) -> list[tuple[int, int, int]]:
        """The rows of the index of subjects, in its order."""
        about = {
            (log, terms[name], one.position) for one, event in self.added for name in event.tags
        }
        return sorted(about)


def _is_meant(event: DCBEvent, query: DCBQuery) -> bool:
    """Whether an event matches a query; see DCBRecorder.read."""
    return not query.items or any(
        (not item.types or event.type in item.types) and set(item.tags) <= set(event.tags)
        for item in query.items
    )
