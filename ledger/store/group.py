"""A group: what one transaction adds to a log, several appends decided one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventsourcing.dcb.api import DCBEvent, DCBQuery

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

    def add(self, fresh: Mapping[bytes, Added]) -> None:
        """Add the new events of an append; the next append has another record time."""
        self.added += fresh.values()
        self.by_id |= fresh
        self.record_us += 1

    def has(self, query: DCBQuery, after: int) -> bool:
        """Whether an event that is added after a position matches."""
        return any(one.position > after and _is_meant(event, query) for one, event in self.added)

    @property
    def names(self) -> set[str]:
        """The types and subjects of what is added."""
        return {name for _, event in self.added for name in (event.type, *event.tags)}

    @property
    def new_keys(self) -> dict[str, bytes]:
        """The keys that are kept with what is added. Raises KeyOvertakenError where two differ."""
        found: dict[str, bytes] = {}
        for _, event in self.added:
            for person_id, key in event.new_keys.items() if isinstance(event, LedgerEvent) else ():
                if found.setdefault(person_id, key) != key:
                    raise KeyOvertakenError
        return found

    def rows(self, log: int, terms: Mapping[str, int]) -> list[dict[str, Any]]:
        """The rows of the entries, by the numbers of their terms."""
        return [
            {
                "log": log,
                "position": stored.position,
                "event_id": stored.event_id,
                "record_us": stored.record_us,
                "type": terms[event.type],
                "subjects": pack(terms[name] for name in event.tags),
                "data": stored.data,
                "sealed": stored.sealed,
            }
            for stored, event in self.added
        ]

    def subject_rows(self, log: int, terms: Mapping[str, int]) -> list[dict[str, int]]:
        """The rows of the index of subjects."""
        about = {(terms[name], one.position) for one, event in self.added for name in event.tags}
        return [{"log": log, "subject": number, "position": at} for number, at in sorted(about)]


def _is_meant(event: DCBEvent, query: DCBQuery) -> bool:
    """Whether an event matches a query; see DCBRecorder.read."""
    return not query.items or any(
        (not item.types or event.type in item.types) and set(item.tags) <= set(event.tags)
        for item in query.items
    )
