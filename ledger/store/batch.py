"""What is to be appended together, and what becomes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError

from ledger.store.entries import Stored, query_of
from ledger.v1.event_pb2 import Event
from ledger.v1.identity_pb2 import IdentifierAsserted
from ledger.v1.ledger_service_pb2 import Precondition
from ledger.v1.protection_pb2 import LegalHoldPlaced, PersonalFieldsErased

IDENTIFIER = IdentifierAsserted.DESCRIPTOR.name
ERASED = PersonalFieldsErased.DESCRIPTOR.name
HELD = LegalHoldPlaced.DESCRIPTOR.name

Condition = DCBAppendCondition


@dataclass
class LedgerEvent(DCBEvent):
    """An event with an id. `data` is the entry but for its record time."""

    event_id: bytes = b""
    sealed: bytes | None = None
    """Its personal fields, as SealedFields."""
    event: Event | None = None
    """The event as it came, to be compared with one that has its id."""
    new_keys: Mapping[str, bytes] = field(default_factory=dict)
    """By person, the keys that these are sealed under and that are not kept yet."""


@dataclass
class Append:
    """A batch to be kept whole or not at all."""

    events: Sequence[DCBEvent]
    conditions: Sequence[DCBAppendCondition] = ()
    validate_only: bool = False


@dataclass
class Appended:
    """What became of a batch."""

    entries: list[Stored]
    """For each event the entry that keeps it; in a dry run, that would keep it."""
    new: list[bool]
    """Whether it is new."""
    size: int = 0
    """The log after the transaction."""


class EventIdTakenError(IntegrityError):
    """An event id is taken by an event with other content."""

    def __init__(self, index: int) -> None:
        super().__init__(f"event {index} of the batch has an id that is taken")
        self.index = index


class KeyOvertakenError(IntegrityError):
    """Another process made another key for the same person at the same moment: seal again."""


class ConditionFailedError(IntegrityError):
    """Events match conditions of an append."""

    def __init__(self, indexes: list[int]) -> None:
        super().__init__(f"events match the conditions {indexes}")
        self.indexes = indexes


def after(condition: Condition, position: int) -> Condition:
    """The same condition on what comes after a position."""
    return Condition(condition.fail_if_events_match, position)


def condition_of(precondition: Precondition) -> DCBAppendCondition:
    """A precondition in the terms of the event-sourcing library."""
    return DCBAppendCondition(query_of(precondition.no_events_match), precondition.after_position)


def unchanged_since(events: Sequence[DCBEvent], size: int) -> DCBAppendCondition:
    """That nothing about the subjects of these events was appended after a size.

    A number that is asserted must not be asserted of somebody else meanwhile either.
    """
    subjects = dict.fromkeys(tag for event in events for tag in event.tags)
    items = [DCBQueryItem([], [one]) for one in subjects]
    if any(event.type == IDENTIFIER for event in events):
        items.append(DCBQueryItem([IDENTIFIER], []))
    return DCBAppendCondition(DCBQuery(items), size)


def none_since(kind: str, size: int) -> DCBAppendCondition:
    """That no event of a kind was appended after a size, about whomever: of a kind that is rare."""
    return DCBAppendCondition(DCBQuery([DCBQueryItem([kind], [])]), size)
