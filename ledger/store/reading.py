"""Events of a log in pages, as the eventsourcing library asks for them."""

from collections.abc import Callable

from eventsourcing.dcb.api import (
    DCBReadResponse,
    DCBSequencedEvent,
    DCBSubscription,
    TDCBRecorder_co,
)

PAGE_MAX = 1_000
POLL_S = 0.2


class Reading(DCBReadResponse):
    """The events that match a query, up to a size of the log."""

    def __init__(
        self,
        page: Callable[[int, int], list[DCBSequencedEvent]],
        size: int,
        after: int,
        limit: int | None,
    ) -> None:
        """`page` gives the first events after a position up to another."""
        self._next_page = page
        self._size = size
        self._after = after
        self._left = limit
        self._head = None if limit is not None or not size else size
        self._page: list[DCBSequencedEvent] = []

    @property
    def head(self) -> int | None:
        """The size of the log; where there is a limit, the position of the last event given."""
        return self._head

    def __next__(self) -> DCBSequencedEvent:
        if self._left == 0:
            raise StopIteration
        if not self._page:
            self._page = self._next_page(self._after, self._size)[::-1]
        if not self._page:
            raise StopIteration
        event = self._page.pop()
        self._after = event.position
        if self._left is not None:
            self._left -= 1
            self._head = event.position
        return event


class Subscription(DCBSubscription[TDCBRecorder_co]):
    """The events that match a query, those that are there and then each new one."""

    def __init__(
        self,
        recorder: TDCBRecorder_co,
        page: Callable[[int, int], list[DCBSequencedEvent]],
        wait: Callable[[int, float], int],
        after: int | None,
    ) -> None:
        """`page` is as in Reading; `wait` gives the size once it is beyond one, or in time."""
        super().__init__(recorder, after=after)
        self._next_page = page
        self._wait = wait
        self._seen = self._last_position
        self._page: list[DCBSequencedEvent] = []

    def __next__(self) -> DCBSequencedEvent:
        while not self._page:
            if self._has_been_stopped:
                raise StopIteration
            size = self._wait(self._seen, POLL_S)
            page = self._next_page(self._seen, size)
            self._seen = page[-1].position if len(page) == PAGE_MAX else max(size, self._seen)
            self._page = page[::-1]
        event = self._page.pop()
        self._last_position = event.position
        return event
