"""Reading and watching the log."""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any
from uuid import UUID

from ledger.entry import filter_faults
from ledger.errors import LedgerError, out_of_range, refuse
from ledger.ledger import Ledger
from ledger.personal import has_personal_fields
from ledger.store.entries import Stored, query_of
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry, RecordedEvent
from ledger.v1.ledger_service_pb2 import (
    GetEventRequest,
    GetEventResponse,
    ListCodesRequest,
    ListCodesResponse,
    ReadEventsRequest,
    ReadEventsResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from projections.codes import code_lists

# Small enough that a slow reader holds little, large enough that a message costs little an event.
BATCH = 200
# How often a watcher hears that nothing happened.
HEARTBEAT_S = 5.0


def recorded(ledger: Ledger, some: Iterable[Stored]) -> list[RecordedEvent]:
    """Entries in the words, those that the caller may see, as she may see them."""
    some = list(some)
    ledger.sight.renew()
    ledger.log.vault.look_up(some)
    seen = ((one.position, ledger.sight.entry(one)) for one in some)
    return [RecordedEvent(position=position, entry=entry) for position, entry in seen if entry]


def get_event(ledger: Ledger, request: GetEventRequest) -> GetEventResponse:
    """One event by its id. Raises EVENT_NOT_FOUND."""
    stored, entry = find(ledger, request.event_id)
    response = GetEventResponse(
        event=RecordedEvent(position=stored.position, entry=entry),
        entry_bytes=bytes_of(stored, entry),
        stamp=ledger.stamp(ledger.log.entries.size()),
    )
    if stored.sealed and has_personal_fields(entry.event):
        response.openings.extend(ledger.log.vault.openings(stored, entry))
    return response


def find(ledger: Ledger, event_id: str) -> tuple[Stored, Entry]:
    """The entry of an event, and as the caller may see it. Raises EVENT_NOT_FOUND."""
    found = ledger.log.entries.find([UUID(event_id).bytes])
    for stored in found.values():
        if (entry := ledger.sight.entry(stored)) is not None:
            return stored, entry
    raise event_not_found()


def bytes_of(stored: Stored, entry: Entry) -> bytes:
    """The bytes of an entry that the caller sees as `entry`.

    Empty where they hold in plain, as before the format was fixed, what is not shown to her.
    """
    is_plain = has_personal_fields(Entry.FromString(stored.data).event)
    return b"" if is_plain and not has_personal_fields(entry.event) else stored.data


def event_not_found() -> LedgerError:
    """The refusal of an event that is not there, or not the caller's to see."""
    return refuse([(ErrorReason.ERROR_REASON_EVENT_NOT_FOUND, "event_id", "no event has this id")])


def read_events(ledger: Ledger, request: ReadEventsRequest) -> Iterator[ReadEventsResponse]:
    """The events up to the size of the log now, in batches."""
    size = require_reach(ledger, request)
    query, after = query_of(request.filter), request.after_position
    left = request.limit or size
    while left:
        page = ledger.log.entries.page(query, after, size, min(BATCH, left))
        if not page:
            return
        after = page[-1].position
        events = recorded(ledger, page)
        left -= len(events)
        if events:
            yield ReadEventsResponse(events=events, size=size)


def watch_events(
    ledger: Ledger, request: WatchEventsRequest, is_watched: Callable[[], bool]
) -> Iterator[WatchEventsResponse]:
    """The events that are there, then each new one, until nobody watches or the ledger stops.

    No connection to the database is held while a message is on its way: a slow reader slows nobody.
    """
    require_reach(ledger, request)
    query, after = query_of(request.filter), request.after_position
    heard, size = 0.0, 0
    while is_watched():
        stopping = ledger.stopping.is_set()
        size = ledger.log.entries.size()
        while page := ledger.log.entries.page(query, after, size, BATCH):
            after = page[-1].position
            batch = WatchEventsResponse.Batch(events=recorded(ledger, page))
            if batch.events:
                yield WatchEventsResponse(batch=batch)
                heard = 0.0
        after = size
        if stopping or monotonic() - heard > HEARTBEAT_S:
            yield WatchEventsResponse(caught_up=WatchEventsResponse.CaughtUp(size=size))
            heard = monotonic()
        if stopping:
            raise LedgerError(ErrorReason.ERROR_REASON_STOPPING, "the ledger is stopping")
        ledger.log.wait_beyond(size, HEARTBEAT_S)


def list_codes(request: ListCodesRequest) -> ListCodesResponse:
    """One code list or all. Raises UNKNOWN_CODE for a list that does not exist."""
    lists = code_lists()
    if request.name and request.name not in lists:
        raise refuse(
            [(ErrorReason.ERROR_REASON_UNKNOWN_CODE, "name", "no code list has this name")]
        )
    return ListCodesResponse(lists=[lists[request.name]] if request.name else lists.values())


def require_reach(ledger: Ledger, request: Any) -> int:
    """The size of the log, for a request with a filter and a position.

    Raises SIZE_OUT_OF_RANGE, UNKNOWN_EVENT_TYPE.
    """
    if found := filter_faults(request.filter, "filter"):
        raise refuse(found)
    size = ledger.log.entries.size()
    if request.after_position > size:
        raise out_of_range("after_position", f"the log has {size} entries", size)
    return size
