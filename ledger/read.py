"""Reading and watching the log."""

from collections.abc import Callable, Iterator
from time import monotonic
from uuid import UUID

from ledger.entry import filter_faults
from ledger.errors import LedgerError, out_of_range, refuse
from ledger.ledger import Ledger
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


def recorded(stored: Stored) -> RecordedEvent:
    """An entry in the words."""
    return RecordedEvent(position=stored.position, entry=Entry.FromString(stored.data))


def get_event(ledger: Ledger, request: GetEventRequest) -> GetEventResponse:
    """One event by its id. Raises EVENT_NOT_FOUND."""
    stored = find(ledger, request.event_id)
    return GetEventResponse(
        event=recorded(stored),
        entry_bytes=stored.data,
        stamp=ledger.stamp(ledger.log.entries.size()),
    )


def find(ledger: Ledger, event_id: str) -> Stored:
    """The entry of an event. Raises EVENT_NOT_FOUND."""
    found = ledger.log.entries.find([UUID(event_id).bytes])
    if not found:
        raise refuse(
            [(ErrorReason.ERROR_REASON_EVENT_NOT_FOUND, "event_id", "no event has this id")]
        )
    return next(iter(found.values()))


def read_events(ledger: Ledger, request: ReadEventsRequest) -> Iterator[ReadEventsResponse]:
    """The events up to the size of the log now, in batches."""
    size = _reach(ledger, request)
    query, after = query_of(request.filter), request.after_position
    left = request.limit or size
    while left:
        page = ledger.log.entries.page(query, after, size, min(BATCH, left))
        if not page:
            return
        after = page[-1].position
        left -= len(page)
        yield ReadEventsResponse(events=[recorded(one) for one in page], size=size)


def watch_events(
    ledger: Ledger, request: WatchEventsRequest, is_watched: Callable[[], bool]
) -> Iterator[WatchEventsResponse]:
    """The events that are there, then each new one, until nobody watches or the ledger stops.

    No connection to the database is held while a message is on its way: a slow reader slows nobody.
    """
    _reach(ledger, request)
    query, after = query_of(request.filter), request.after_position
    heard, size = 0.0, 0
    while is_watched():
        stopping = ledger.stopping.is_set()
        size = ledger.log.entries.size()
        while page := ledger.log.entries.page(query, after, size, BATCH):
            after = page[-1].position
            batch = WatchEventsResponse.Batch(events=[recorded(one) for one in page])
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


def _reach(ledger: Ledger, request: ReadEventsRequest | WatchEventsRequest) -> int:
    """The size of the log. Raises SIZE_OUT_OF_RANGE, UNKNOWN_EVENT_TYPE."""
    if found := filter_faults(request.filter, "filter"):
        raise refuse(found)
    size = ledger.log.entries.size()
    if request.after_position > size:
        raise out_of_range("after_position", f"the log has {size} entries", size)
    return size
