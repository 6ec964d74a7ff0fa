"""What was believed of a subject's memberships, from which size of the log to which.

Two axes: a membership holds over a stretch of valid time, and is believed over a stretch of
positions. Each entry is taken into account by itself, so that no moment of knowledge is skipped,
however many entries are looked at together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.v1.event_pb2 import Entry
from projections.history import Fact, facts
from projections.projection import Changes, Period, Projection
from projections.sameness import about, is_listed, linked_ids
from projections.subjects import subjects_of

Shown = tuple[str, bytes, int, int | None]
"""(population, state, from, to) over valid time."""

OPEN = 2**63 - 1
"""The end, in valid time or in positions, of what has not ended."""

HORIZON_US = 32 * 24 * 3_600 * 1_000_000
"""No closed membership is longer, so that a range over its beginning finds those that hold at an
instant; longer ones are cut at multiples of it."""

LONG_US = 12 * HORIZON_US
"""One that is longer than this stays whole, as one without end does, and is found as one: what
ends on an eighteenth birthday would be a hundred pieces."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A subject belongs to a population, in a state, over a stretch of valid time."""

    population: str
    valid_from: int
    valid_to: int
    state: bytes
    """What is shown of it there, in the words, serialized."""


@dataclass(frozen=True, slots=True)
class Belief:
    """A membership and the sizes of the log, from the first to before the last, that show it."""

    membership: Membership
    known_from: int
    known_to: int


class SubjectEntries:
    """The entries about one subject, (position, entry) in the order of the log.

    Keeps what was computed of each beginning of it: every projection of the subject needs the same
    facts, and as a rule one more entry changes only the end of what was there before.
    """

    def __init__(
        self,
        subject_id: str,
        entries: Sequence[tuple[int, Entry]],
        named: Callable[[str], str] = str,
    ) -> None:
        """`named` gives the name that tables keep a population under."""
        self.subject_id = subject_id
        self.entries = entries
        self._named = named
        self._is_merged = bool(linked_ids(entries))
        self._facts: dict[int, list[Fact]] = {}
        self._changes: dict[str, Changes[Any]] = {}
        self._shown: dict[tuple[str, int, int, int | None], list[Shown]] = {}
        self._views: list[Any] = []

    @property
    def names(self) -> set[str]:
        """Everybody whom the entries name, as subjects; the one whom they are about among them."""
        named = (subjects_of(one.event) for _, one in self.entries if one.event.WhichOneof("fact"))
        return {name for some in named for name in some}

    def memberships(self, projection: Projection[Any], count: int) -> set[Membership]:
        """What follows from the first so many entries."""
        known, before = self._first(count), self._changes.get(projection.name)
        if before is not None and not before.are_followed_by(known):
            before = None
        changes = projection.changes(self.subject_id, known, before)
        self._changes[projection.name] = changes
        stretches: dict[tuple[str, bytes], list[tuple[int, int | None]]] = {}
        for whole in changes.stretches():
            for name, state, from_us, to_us in self._show(projection, whole):
                held = stretches.setdefault((name, state), [])
                # What a population shows may stay the same while the rest of the view changes.
                if held and held[-1][1] == from_us:
                    held[-1] = (held[-1][0], to_us)
                else:
                    held.append((from_us, to_us))
        return {
            Membership(self._named(name), start, end, state)
            for (name, state), held in stretches.items()
            for from_us, to_us in held
            for start, end in _cut(from_us, to_us)
        }

    def _first(self, count: int) -> list[Fact]:
        """What the first entries say; nothing where another record stands for the person."""
        if count not in self._facts:
            entries = self.entries[:count]
            if self._is_merged and not linked_ids(entries):
                # Nobody had linked her with anybody yet: the others' entries were not hers.
                entries = about({self.subject_id}, entries)
            is_counted = is_listed(self.subject_id, entries)
            self._facts[count] = facts(entries, self.subject_id) if is_counted else []
        return self._facts[count]

    def _show(self, projection: Projection[Any], whole: Period[Any]) -> list[Shown]:
        """What the populations show over a stretch in which no fact changes the view."""
        key = (projection.name, id(whole.view), whole.from_us, whole.to_us)
        if key not in self._shown:
            assert projection.populations is not None  # noqa: S101
            self._views.append(whole.view)  # so that no other view gets its identity
            self._shown[key] = [
                (name, message.SerializeToString(deterministic=True), one.from_us, one.to_us)
                for one in projection.passing(whole)
                for name, message in projection.populations(one.view).items()
            ]
        return self._shown[key]


def _cut(from_us: int, to_us: int | None) -> Iterator[tuple[int, int]]:
    """A stretch in pieces between horizons; one that is open or long stays whole."""
    if to_us is None or to_us - from_us > LONG_US:
        yield from_us, OPEN if to_us is None else to_us
        return
    while from_us < to_us:
        end = min(to_us, (from_us // HORIZON_US + 1) * HORIZON_US)
        yield from_us, end
        from_us = end


def revise(
    projection: Projection[Any],
    record: SubjectEntries,
    after: int,
    believed: Mapping[Membership, int],
) -> tuple[list[Belief], list[Belief]]:
    """What the entries after a position change: (those to close, those to add).

    The record has all entries about the subject, `believed` the memberships shown at size `after`
    with the size from which each is. From no belief at 0 this is a rebuild; otherwise it is
    catching up.
    """
    current = dict(believed)
    closed: list[Belief] = []
    added: list[Belief] = []
    for count, (position, _) in enumerate(record.entries, 1):
        if position <= after:
            continue
        now = record.memberships(projection, count)
        for gone in current.keys() - now:
            since = current.pop(gone)
            # What came after `after` was never written: it is added with its end.
            (closed if since <= after else added).append(Belief(gone, since, position))
        current |= dict.fromkeys(now - current.keys(), position)
    added += [Belief(one, since, OPEN) for one, since in current.items() if since > after]
    return closed, added
