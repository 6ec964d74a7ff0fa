"""What was believed of a subject's memberships, from which size of the log to which.

Two axes: a membership holds over a stretch of valid time, and is believed over a stretch of
positions. Each entry is taken into account by itself, so that no moment of knowledge is skipped,
however many entries are looked at together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.v1.event_pb2 import Entry
from projections.history import facts
from projections.projection import Projection

OPEN = 2**63 - 1
"""The end, in valid time or in positions, of what has not ended."""

HORIZON_US = 32 * 24 * 3_600 * 1_000_000
"""No closed membership is longer, so that a range over its beginning finds those that hold at an
instant; longer ones are cut at multiples of it."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A subject belongs to a population, in a state, over a stretch of valid time."""

    population: str
    valid_from: int
    valid_to: int
    state: bytes
    """The view in the words, serialized."""


@dataclass(frozen=True, slots=True)
class Belief:
    """A membership and the sizes of the log, from the first to before the last, that show it."""

    membership: Membership
    known_from: int
    known_to: int


def memberships(
    projection: Projection[Any], subject_id: str, entries: Sequence[tuple[int, Entry]]
) -> set[Membership]:
    """What follows from these entries, (position, entry) in the order of the log."""
    assert projection.populations is not None  # noqa: S101
    found = set()
    for one in projection.periods(subject_id, facts(entries)):
        populations = projection.populations(one.view)
        if not populations:
            continue
        state = projection.present(one.view).SerializeToString(deterministic=True)
        for start, end in _cut(one.from_us, one.to_us):
            found |= {Membership(name, start, end, state) for name in populations}
    return found


def _cut(from_us: int, to_us: int | None) -> Iterator[tuple[int, int]]:
    """A stretch in pieces between horizons; one that is open stays whole."""
    if to_us is None:
        yield from_us, OPEN
        return
    while from_us < to_us:
        end = min(to_us, (from_us // HORIZON_US + 1) * HORIZON_US)
        yield from_us, end
        from_us = end


def revise(
    projection: Projection[Any],
    subject_id: str,
    entries: Sequence[tuple[int, Entry]],
    after: int,
    believed: Mapping[Membership, int],
) -> tuple[list[Belief], list[Belief]]:
    """What the entries after a position change: (those to close, those to add).

    `entries` are all of the subject's, `believed` the memberships shown at size `after` with the
    size from which each is. From no belief at 0 this is a rebuild; otherwise it is catching up.
    """
    current = dict(believed)
    closed: list[Belief] = []
    added: list[Belief] = []
    for count, (position, _) in enumerate(entries, 1):
        if position <= after:
            continue
        now = memberships(projection, subject_id, entries[:count])
        for gone in current.keys() - now:
            since = current.pop(gone)
            # What came after `after` was never written: it is added with its end.
            (closed if since <= after else added).append(Belief(gone, since, position))
        current |= dict.fromkeys(now - current.keys(), position)
    added += [Belief(one, since, OPEN) for one, since in current.items() if since > after]
    return closed, added
