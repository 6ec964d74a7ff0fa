"""What the fold says, as rows of the same shape as those that the texts give."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ledger.recompute.columns import key_of
from ledger.store.entries import Entries
from ledger.v1.event_pb2 import Entry
from ledger.v1.view_pb2 import CustodyStatus, SeparationStatus
from projections.custody import custody
from projections.custody_view import folded
from projections.history import Fact, facts
from projections.separation import separation

Row = tuple[Any, ...]

OPEN = 2**63 - 1
PEOPLE = 500

_PERSON = {"person_key": "BIGINT"}
_WHERE = {"agency": "VARCHAR", "facility_key": "VARCHAR"}
TABLES = {
    "custody_period": {
        **_PERSON,
        "from_us": "BIGINT",
        "to_us": "BIGINT",
        "status": "VARCHAR",
        **_WHERE,
    },
    "census": {**_WHERE, "day": "BIGINT", "persons": "BIGINT"},
    "separation": {
        **_PERSON,
        "event_id": "VARCHAR",
        "since_us": "BIGINT",
        "is_reunified": "BIGINT",
    },
    "in_care": {**_PERSON, **_WHERE},
}
"""The columns of each table that the texts make."""

_DAY_US = 24 * 3_600 * 1_000_000
_STATUS = {
    CustodyStatus.CUSTODY_STATUS_HELD: "held",
    CustodyStatus.CUSTODY_STATUS_IN_TRANSFER: "in_transfer",
    CustodyStatus.CUSTODY_STATUS_ENDED: "ended",
}
_REUNIFIED = SeparationStatus.SEPARATION_STATUS_REUNIFIED


def people(entries: Entries, size: int) -> Iterator[dict[str, list[Fact]]]:
    """What the first so many entries say of each person, of some at a time, in no order.

    Without what is sealed, which neither side reads. Records of one person under several ids are
    not joined: they are not compared.
    """
    number = 0
    while some := entries.subjects("person", number, PEOPLE):
        number = some[-1][0]
        about = entries.about([name for _, name in some], size)
        yield {
            person: facts(
                [(one.position, Entry.FromString(one.data)) for one in about[name]], person
            )
            for _, name in some
            if about[name] and (person := name.partition(":")[2])
        }


def custody_periods(person: str, known: Sequence[Fact]) -> Iterator[Row]:
    """Her rows of `custody_period`."""
    key, held = key_of(person), None
    for one in custody.periods(person, known):
        view = one.view
        to_us = OPEN if one.to_us is None else one.to_us
        if view.status not in _STATUS or to_us == one.from_us:
            continue
        state = (_STATUS[view.status], view.agency, folded(view.facility))
        if held and held[1:] == (one.from_us, state):
            held = (held[0], to_us, state)
            continue
        if held:
            yield key, held[0], held[1], *held[2]
        held = (one.from_us, to_us, state)
    if held:
        yield key, held[0], held[1], *held[2]


def in_care(person: str, known: Sequence[Fact], as_of_us: int) -> Iterator[Row]:
    """Her row of `in_care` as of an instant, if she is."""
    view = custody.fold(person, known, as_of_us)
    if _STATUS.get(view.status) in ("held", "in_transfer"):
        yield key_of(person), view.agency, folded(view.facility)


class Census:
    """The rows of `census`, counted from those of `custody_period`."""

    def __init__(self) -> None:
        self._changes: Counter[tuple[str, str, int]] = Counter()

    def add(self, periods: Iterable[Row]) -> None:
        """Count who was where at the beginnings of days."""
        for _, from_us, to_us, status, agency, facility in periods:
            first, end = -(-from_us // _DAY_US), -(-to_us // _DAY_US)
            if status != "ended" and first < end:
                self._changes[agency, facility, first] += 1
                if to_us != OPEN:
                    self._changes[agency, facility, end] -= 1

    def rows(self) -> Iterator[Row]:
        """A row for each day from which on the number is another."""
        place, persons = ("", ""), 0
        for (agency, facility, day), change in sorted(self._changes.items()):
            persons = change + (persons if place == (agency, facility) else 0)
            place = (agency, facility)
            if change:
                yield agency, facility, day, persons


def separations(person: str, known: Sequence[Fact], as_of_us: int) -> Iterator[Row]:
    """Her rows of `separation` as of an instant."""
    for one in separation.fold(person, known, as_of_us).separations:
        is_reunified = int(one.status == _REUNIFIED)
        yield key_of(person), one.event_id, one.since_us, is_reunified
