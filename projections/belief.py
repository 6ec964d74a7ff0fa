"""What was believed of a subject's memberships, from which size of the log to which.

Two axes: a membership holds over a stretch of valid time, and is believed over a stretch of
positions. Each entry is taken into account by itself, so that no moment of knowledge is skipped,
however many entries are looked at together.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ledger.v1.event_pb2 import Entry
from projections.course import courses_of
from projections.knowledge import Knowledge
from projections.membership import OPEN, Membership, Memberships
from projections.projection import Projection
from projections.subjects import subjects_of

_BEGINNING = -OPEN


class SubjectEntries(NamedTuple):
    """The entries about one subject, (position, entry) in the order of the log."""

    subject_id: str
    entries: Sequence[tuple[int, Entry]]

    @property
    def names(self) -> set[str]:
        """Everybody whom the entries name, as subjects; the one whom they are about among them."""
        named = (subjects_of(one.event) for _, one in self.entries if one.event.WhichOneof("fact"))
        return {name for some in named for name in some}


class Belief(NamedTuple):
    """A membership and the sizes of the log, from the first to before the last, that show it."""

    membership: Membership
    known_from: int
    known_to: int


class Revision:
    """What some entries change in what is believed of one subject by one projection."""

    def __init__(self) -> None:
        self.closed: list[tuple[Membership, int]] = []
        """Memberships that were believed before, each with the size that shows it no more."""
        self.ended: list[Belief] = []
        """Those that came with some of these entries and went with others."""
        self.standing: dict[Membership, int] = {}
        """Those that came and are still believed, with the size since when."""

    @property
    def added(self) -> list[Belief]:
        """All that came."""
        standing = self.standing.items()
        return self.ended + [Belief(one, since, OPEN) for one, since in standing]

    def note(self, position: int, gone: Iterable[Membership], come: Iterable[Membership]) -> None:
        """Take in what an entry changes."""
        for one in gone:
            since = self.standing.pop(one, None)
            if since is None:
                self.closed.append((one, position))
            else:
                self.ended.append(Belief(one, since, position))
        self.standing |= dict.fromkeys(come, position)


def revise(
    projections: Iterable[Projection[Any]],
    record: SubjectEntries,
    after: int,
    named: Callable[[str], str] = str,
) -> dict[str, Revision]:
    """By projection, what the entries after a position change.

    The record has all entries about the subject. After 0 nothing was believed: this is a rebuild;
    otherwise it is catching up. `named` gives the name that tables keep a population under.
    """
    wanted = list(projections)
    courses = courses_of(wanted, record.subject_id)
    followed = [
        (one.name, course := courses[one.name], Memberships(one, course, named)) for one in wanted
    ]
    revisions = {one.name: Revision() for one in wanted}
    knowledge = Knowledge(record.subject_id, record.entries)

    def follow(position: int, kept: int, from_us: int) -> None:
        for course in courses.values():
            course.follow(knowledge.facts, kept)
        for name, course, memberships in followed:
            if course.has_moved:
                gone, come = memberships.follow(knowledge.facts, from_us)
                if position > after:
                    revisions[name].note(position, gone, come)

    is_behind = False
    for position, _ in record.entries:
        if is_behind and position > after:
            # What follows from all that was known before is computed once.
            follow(after, 0, _BEGINNING)
            is_behind = False
        kept, from_us = knowledge.learn()
        if position <= after:
            is_behind = True
        elif from_us != OPEN:
            follow(position, kept, from_us)
    return revisions
