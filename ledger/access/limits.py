"""Limits for each caller: calls at once, calls a second, persons an hour.

Token buckets: what is not used up is there for a burst, up to some seconds' or an hour's worth.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ledger.access.caller import Caller
from ledger.access.policy import rules
from ledger.errors import LedgerError
from ledger.v1.error_pb2 import ErrorReason

BURST_S = 10
HOUR_S = 3_600
CALLERS_MAX = 10_000
# So many people one program speaks for, as far as what they learn goes.
PEOPLE_OF_ONE_MAX = 10


@dataclass
class _Use:
    """What one caller has used."""

    under_way: int = 0
    calls: float = 0.0
    since_s: float = 0.0
    learned: dict[str, float] = field(default_factory=dict)
    """The persons whom the caller learned of, and when last; seconds of the clock."""
    order: deque[tuple[float, str]] = field(default_factory=deque)


class Limits:
    """What every caller has used, in this process. `clock` gives seconds that only rise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[str, _Use] = {}
        self._room = CALLERS_MAX

    @contextmanager
    def call(self, caller: Caller) -> Iterator[None]:
        """A call under way. Raises QUOTA_EXHAUSTED for one too many, or too soon."""
        if not caller.is_identified:
            yield
            return
        rule = rules()[caller.role]
        with self._lock:
            use, most = self._calls(caller), rule.calls_per_second * BURST_S
            if use.under_way >= rule.calls_at_once or use.calls + 1 > most:
                raise _exhausted()
            use.calls += 1
            use.under_way += 1
        try:
            yield
        finally:
            with self._lock:
                use.under_way -= 1

    def pace(self, caller: Caller) -> float:
        """Count a batch of a stream as a call; return for how many seconds it has to wait.

        A stream is slowed down, not refused, and leaves half of a burst to other calls.
        """
        if not caller.is_identified:
            return 0.0
        each_s = rules()[caller.role].calls_per_second
        with self._lock:
            use = self._calls(caller)
            use.calls += 1
            return max(0.0, use.calls / each_s - BURST_S / 2)

    def learn(self, caller: Caller, person_ids: Iterable[str]) -> None:
        """Count persons whom an answer tells of. Raises QUOTA_EXHAUSTED before one too many.

        Of the person who asks, and of the program: an agency names its people as it likes.
        """
        if not caller.is_identified:
            return
        most, learned = rules()[caller.role].persons_per_hour, list(person_ids)
        with self._lock:
            self._learn(caller.name, most, learned)
            if caller.actor_id:
                self._learn(caller.spiffe_id, PEOPLE_OF_ONE_MAX * most, learned)

    def _calls(self, caller: Caller) -> _Use:
        """What a caller has used, without the calls that are worn off by now."""
        # A program's connections are one caller's, however many people it speaks for.
        use, now = self._use(caller.spiffe_id), self._clock()
        worn_off = (now - use.since_s) * rules()[caller.role].calls_per_second
        use.calls, use.since_s = max(0.0, use.calls - worn_off), now
        return use

    def _learn(self, name: str, most: int, person_ids: Iterable[str]) -> None:
        use, now = self._use(name), self._clock()
        while use.order and use.order[0][0] <= now - HOUR_S:
            when, one = use.order.popleft()
            if use.learned.get(one) == when:
                del use.learned[one]
        for one in person_ids:
            if one not in use.learned and len(use.learned) >= most:
                raise _exhausted()
            if one not in use.learned:
                use.learned[one] = now
                use.order.append((now, one))

    def _use(self, name: str) -> _Use:
        if len(self._used) > self._room:
            # What counts still is kept: nobody gets a new quota by bringing many others.
            oldest = self._clock() - HOUR_S
            self._used = {
                key: one
                for key, one in self._used.items()
                if one.under_way or one.since_s > oldest or one.order
            }
            self._room = max(CALLERS_MAX, 2 * len(self._used))
        return self._used.setdefault(name, _Use())


def _exhausted() -> LedgerError:
    return LedgerError(
        ErrorReason.ERROR_REASON_QUOTA_EXHAUSTED,
        "the caller asks faster, or of more persons, than it may: try again later",
    )
