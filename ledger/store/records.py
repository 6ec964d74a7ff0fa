"""The entries about subjects, read for folding.

For a person whose record was ever linked with another as of one person, they are those of all of
them: which of them are hers depends on what was known, and the fold says it.
"""

from collections.abc import Iterable, Sequence

from ledger.personal import has_personal_fields
from ledger.store.log import Log
from ledger.v1.event_pb2 import Entry
from projections.belief import SubjectEntries
from projections.sameness import linked_ids
from projections.subjects import people_of

PERSON = "person"

Read = dict[str, list[tuple[int, Entry]]]


def records(log: Log, kind: str, ids: Iterable[str], up_to: int) -> dict[str, SubjectEntries]:
    """The records of these subjects and of everybody ever linked with them, as known at a size.

    Those asked for come first, in their order.
    """
    read = read_linked(log, kind, list(dict.fromkeys(ids)), up_to)
    return {one: SubjectEntries(one, of_all(one, read)) for one in read}


def told_of(record: SubjectEntries) -> frozenset[str]:
    """The persons under whose keys the personal fields in a record are sealed."""
    events = {entry.event.event_id: entry.event for _, entry in record.entries}
    return frozenset(
        person_id
        for _, entry in record.entries
        if entry.commitments and has_personal_fields(entry.event)
        # A retraction is sealed under the keys of those whom the retracted event names.
        for person_id in people_of(
            events.get(entry.event.retracted.retracted_event_id, entry.event)
        )
    )


def read_linked(log: Log, kind: str, ids: Sequence[str], up_to: int) -> Read:
    """The entries about each of these subjects, and of everybody ever linked with them."""
    read = _read(log, kind, ids, up_to)
    if kind == PERSON:
        fresh = _linked(read) - read.keys()
        while fresh:
            read |= _read(log, kind, sorted(fresh), up_to)
            fresh = _linked(read) - read.keys()
    return read


def _read(log: Log, kind: str, ids: Sequence[str], up_to: int) -> Read:
    names = {f"{kind}:{one}": one for one in ids}
    found = log.entries.about(names, up_to)
    log.vault.look_up(one for stored in found.values() for one in stored)
    # An entry about several of them is opened once.
    opened: dict[int, tuple[int, Entry]] = {}
    for stored in found.values():
        for one in stored:
            if one.position not in opened:
                opened[one.position] = one.position, log.vault.opened(one)
    return {names[name]: [opened[one.position] for one in stored] for name, stored in found.items()}


def _linked(read: Read) -> set[str]:
    return {other for found in read.values() for other in linked_ids(found)}


def of_all(person_id: str, read: Read) -> Sequence[tuple[int, Entry]]:
    """The entries of a person and of everybody linked with her, each once, in order."""
    same, reached = {person_id}, linked_ids(read[person_id])
    if not reached:
        return read[person_id]
    while reached := reached - same:
        same |= reached
        reached = {other for one in reached for other in linked_ids(read[one])}
    merged = {position: entry for one in same for position, entry in read[one]}
    return sorted(merged.items())
