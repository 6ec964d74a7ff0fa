"""Which records are of one person.

Two records that are linked as the same are, for every question, one person with the events of both;
once they are unlinked each has its own again (I-11). That they are the same does not begin on the
day somebody found it out: it depends on what is known, not on the moment asked about.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from ledger.v1.event_pb2 import Entry, Event
from projections.subjects import subjects_of
from projections.valid_time import start_us, unit_end_us

_PERSON = "person:"
LINKED, UNLINKED = "persons_linked_as_same", "persons_unlinked"


def linked_ids(entries: Iterable[tuple[int, Entry]]) -> set[str]:
    """Everybody whom these entries ever link as the same as somebody, whether or not they stand."""
    return {
        one
        for _, entry in entries
        if entry.event.WhichOneof("fact") == LINKED
        for one in entry.event.persons_linked_as_same.person_ids
    }


def same_as(person_id: str, entries: Sequence[tuple[int, Entry]]) -> set[str]:
    """The records that are of this person, hers included.

    `entries` are (position, entry) in the order of the log, those of everybody linked to her.
    """
    together = _together(entries)
    same, reached = {person_id}, {person_id}
    while reached:
        reached = {
            other
            for pair, stands in together.items()
            if stands and pair & reached
            for other in pair - same
        }
        same |= reached
    return same


def is_listed(person_id: str, entries: Sequence[tuple[int, Entry]]) -> bool:
    """Whether this is the record that stands for the person where she is listed or counted.

    Of those that are the same it is the one that the log named first.
    """
    if not linked_ids(entries):
        return True
    same = same_as(person_id, entries)
    named = (
        name.removeprefix(_PERSON)
        for _, entry in entries
        if entry.event.WhichOneof("fact")
        for name in subjects_of(entry.event)
        if name.startswith(_PERSON)
    )
    return next((one for one in named if one in same), person_id) == person_id


def about(same: set[str], entries: Iterable[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    """Those of the entries that name one of the same, and what retracts them."""
    wanted = {f"{_PERSON}{one}" for one in same}
    kept: set[str] = set()
    found = []
    for position, entry in entries:
        event = entry.event
        if event.WhichOneof("fact") is None:
            continue
        if event.retracted.retracted_event_id in kept or not wanted.isdisjoint(subjects_of(event)):
            kept.add(event.event_id)
            found.append((position, entry))
    return found


def _together(entries: Iterable[tuple[int, Entry]]) -> dict[frozenset[str], bool]:
    """For each pair that was ever linked or unlinked what was said of it last."""
    said: list[tuple[int, bool, int, Event]] = []
    void: set[str] = set()
    for position, entry in entries:
        event = entry.event
        fact = event.WhichOneof("fact")
        if fact in (LINKED, UNLINKED):
            stated = event.valid_time
            # By the end of the unit that it was found out in: "unlinked on day 3" comes after
            # "linked on day 3 at 14:00", whichever was learned first.
            until = unit_end_us(start_us(stated), stated.precision, stated.zone)
            said.append((until, fact == UNLINKED, position, event))
        elif fact == "retracted":
            void.add(event.retracted.retracted_event_id)
    together: dict[frozenset[str], bool] = {}
    for _, unlinked, _, event in sorted(said, key=lambda one: one[:3]):
        if event.event_id in void:
            continue
        body = event.persons_unlinked if unlinked else event.persons_linked_as_same
        for pair in combinations(body.person_ids, 2):
            together[frozenset(pair)] = not unlinked
    return together
