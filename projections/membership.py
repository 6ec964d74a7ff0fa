"""To which populations a subject belongs, over which stretches of valid time, in which state."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from google.protobuf.message import Message

from projections.course import Course
from projections.history import Fact
from projections.projection import Projection, changes

OPEN = 2**63 - 1
"""The end, in valid time or in positions, of what has not ended."""

HORIZON_US = 32 * 24 * 3_600 * 1_000_000
"""No closed membership is longer, so that a range over its beginning finds those that hold at an
instant; longer ones are cut at multiples of it."""

LONG_US = 12 * HORIZON_US
"""One that is longer than this stays whole, as one without end does, and is found as one: what
ends on an eighteenth birthday would be a hundred pieces."""

_since = attrgetter("since_us")
_effective = attrgetter("effective_us")

Shown = dict[str, bytes]
"""By population what is shown of the subject there, in the words, serialized."""
Held = dict[str, tuple[bytes, int]]
"""By population what is shown there, and since when."""


class Membership(NamedTuple):
    """A subject belongs to a population, in a state, over a stretch of valid time."""

    population: str
    valid_from: int
    valid_to: int
    state: bytes
    """What is shown of it there, in the words, serialized."""


class Memberships:
    """The memberships of one subject by one projection, as its course goes."""

    def __init__(
        self, projection: Projection[Any], course: Course[Any], named: Callable[[str], str]
    ) -> None:
        """`named` gives the name that tables keep a population under."""
        self._projection = projection
        self._course = course
        self._named = named
        self._stretches: list[_Stretch] = []
        self._held: set[Membership] = set()

    def follow(
        self, known: Sequence[Fact], from_us: int
    ) -> tuple[set[Membership], set[Membership]]:
        """(those that are no more, those that are new) after its course went along these facts.

        Nothing before `from_us` is otherwise.
        """
        stretches = self._stretches
        same = bisect_left(stretches, from_us, key=_since)
        first = bisect_left(known, from_us, key=_effective)
        view = stretches[same - 1].view if same else self._course.begun
        tail = changes(view, known[first:], self._course.views[first:])
        # What is again as it was is kept, with what was made of it.
        again = 0
        for (since_us, view), one in zip(tail, stretches[same:], strict=False):
            if one.since_us != since_us or one.view != view:
                break
            again += 1
        if again == len(tail) == len(stretches) - same:
            return set(), set()
        # The end of the last that is as it was is another one.
        first = max(same + again - 1, 0)
        were = self._held.union(*(one.ended for one in stretches[first:]))
        stretches[same + again :] = [_Stretch(self._projection, *one) for one in tail[again:]]
        are = self._sweep(first)
        return were - are, are - were

    def _sweep(self, first: int) -> set[Membership]:
        """The memberships that end, or do not, from a stretch on."""
        some = self._stretches[first:]
        held = some[0].before if some else {}
        ends = [*(one.since_us for one in some[1:]), OPEN]
        for one, end_us in zip(some, ends, strict=False):
            one.before = held
            held = self._go_through(one, held, end_us)
        self._held = {
            Membership(self._named(name), since_us, OPEN, state)
            for name, (state, since_us) in held.items()
        }
        return self._held.union(*(one.ended for one in some))

    def _go_through(self, stretch: "_Stretch", held: Held, end_us: int) -> Held:
        """What is held at the end of a stretch; on the way, note what ends."""
        stretch.ended = []
        for at_us, shown in stretch.shown(end_us):
            # What a population shows may stay the same while the rest of the view changes.
            goes_on = {name: one for name, one in held.items() if shown.get(name) == one[0]}
            for name, (state, since_us) in held.items():
                if name not in goes_on:
                    kept_as = self._named(name)
                    stretch.ended += [
                        Membership(kept_as, start, end, state)
                        for start, end in _cut(since_us, at_us)
                    ]
            held = {name: (state, at_us) for name, state in shown.items()} | goes_on
        return held


class _Stretch:
    """A stretch in which no fact changes the view, and what the populations show in it."""

    __slots__ = ("_coming", "_populations", "_seen", "before", "ended", "since_us", "view")

    def __init__(self, projection: Projection[Any], since_us: int, view: Any) -> None:
        assert projection.populations is not None  # noqa: S101
        self.since_us = since_us
        self.view = view
        self.before: Held = {}
        """What is held when it begins."""
        self.ended: list[Membership] = []
        """Those that end within it, or when it begins."""
        self._populations = projection.populations
        # As passing time makes it: no further than anybody asked, since another fact may come.
        self._coming = projection.passing(view, since_us)
        self._seen: list[tuple[int, Shown]] = []

    def shown(self, end_us: int) -> Iterator[tuple[int, Shown]]:
        """(since when, what the populations show) until an instant."""
        for one in self._seen:
            if one[0] >= end_us:
                return
            yield one
        for at_us, view in self._coming:
            one = (at_us, _shown(self._populations(view)))
            self._seen.append(one)
            if at_us >= end_us:
                return
            yield one


def _shown(messages: Mapping[str, Message]) -> Shown:
    """What populations show, serialized; where several show the same message, once."""
    made: dict[int, bytes] = {}
    for one in messages.values():
        if id(one) not in made:
            made[id(one)] = one.SerializeToString(deterministic=True)
    return {name: made[id(one)] for name, one in messages.items()}


def _cut(from_us: int, to_us: int) -> Iterator[tuple[int, int]]:
    """A stretch that has ended in pieces between horizons; one that is long stays whole."""
    if to_us - from_us > LONG_US:
        yield from_us, to_us
        return
    while from_us < to_us:
        end = min(to_us, (from_us // HORIZON_US + 1) * HORIZON_US)
        yield from_us, end
        from_us = end
