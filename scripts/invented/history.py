"""An invented history as events in the order of their recording.

    for batch in invent(10_000_000, seed=2018, processes=2, size=500): ...

The same events, seed and nothing else, give the same bytes: neither the number of processes nor the
size of a batch changes them. A history covers about three years, however many events it has; what
grows is how many families come on a day. It ends when it has its events, in the midst of things.
Memory: what is still to be recorded of those who came, about 3 % of the events.
"""

import multiprocessing
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import date
from heapq import merge
from itertools import islice
from multiprocessing.connection import Connection
from random import Random

from invented.days import DAY_S, arrivals
from invented.families import Family

SHARDS = 16
"""So many parts a history has, which know nothing of each other."""
EVENTS_A_FAMILY = 11  # a little fewer than there are, so that three years are enough
_EPOCH = date(1970, 1, 1)

Recorded = tuple[int, bytes]
"""(second of the recording, serialized Event); their order is that of the history."""


def invent(
    events: int, *, seed: int = 2018, processes: int = 1, size: int = 500
) -> Iterator[list[bytes]]:
    """So many events, serialized, in batches of `size`."""
    with ExitStack() as stack:
        if processes == 1:
            days = [_days(seed, events, range(SHARDS))]
        else:
            days = [
                stack.enter_context(
                    closing(_elsewhere(seed, events, range(one, SHARDS, processes)))
                )
                for one in range(min(processes, SHARDS))
            ]
        ordered = (data for day in zip(*days, strict=True) for _, data in merge(*day))
        left = islice(ordered, events)
        while batch := list(islice(left, size)):
            yield batch


def _days(seed: int, events: int, shards: range) -> Iterator[list[Recorded]]:
    """What some shards have recorded on each day, in order; without end."""
    randoms = [Random(f"{seed}/{shard}") for shard in shards]  # noqa: S311
    waiting: dict[int, list[Recorded]] = defaultdict(list)

    def tell(second: int, data: bytes) -> None:
        waiting[second // DAY_S].append((second, data))

    for day, share in arrivals(seed):
        number = (day - _EPOCH).days
        for random in randoms:
            come = events / EVENTS_A_FAMILY / SHARDS * share
            for _ in range(int(come + random.random())):
                Family(random, number * DAY_S + random.randrange(DAY_S), tell).live()
        yield sorted(waiting.pop(number, []))


def _elsewhere(seed: int, events: int, shards: range) -> Iterator[list[Recorded]]:
    """The same, made by a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    maker = context.Process(target=_send, args=(there, seed, events, shards), daemon=True)
    maker.start()
    there.close()
    try:
        while True:
            yield here.recv()
    finally:
        maker.terminate()
        maker.join()


def _send(to: Connection, seed: int, events: int, shards: range) -> None:
    for day in _days(seed, events, shards):
        to.send(day)
