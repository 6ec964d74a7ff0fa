"""Reading a log: entries by position, by id, by subject, by record time.

What is read here never changes, so no question needs a transaction: a size is a snapshot.
"""

import struct
from collections.abc import Collection, Iterable
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from ledger.store.database import Database
from ledger.store.statement import Statement
from ledger.store.tables import entry, entry_subject, term
from ledger.v1.ledger_service_pb2 import EventFilter

# How many values one IN lists: SQLite takes 32,766 parameters in a statement.
IN_MAX = 8_192
TERMS_MAX = 200_000
TIMES_MAX = 1_000

_NUMBER = struct.Struct(">q")
_STORED = "entry.position, entry.event_id, entry.record_us, entry.data, entry.sealed"  # as Stored

_HEAD = Statement(
    "SELECT head.size, last.record_us FROM head LEFT JOIN entry AS last "
    "ON last.log = head.log AND last.position = head.size WHERE head.log = ?"
)
_TERM_COUNT = Statement("SELECT term_count FROM head WHERE log = ?")
_RECORD_US = Statement("SELECT record_us FROM entry WHERE log = ? AND position = ?")
_ABOUT = Statement(
    f"SELECT term.name, {_STORED} FROM term "  # noqa: S608  # columns
    "JOIN entry_subject ON entry_subject.log = term.log AND entry_subject.subject = term.id "
    "JOIN entry ON entry.log = term.log AND entry.position = entry_subject.position "
    "WHERE term.log = ? AND term.name IN (...) AND entry_subject.position <= ?"
)
_FIND = Statement(f"SELECT {_STORED} FROM entry WHERE log = ? AND event_id IN (...)")  # noqa: S608
_NUMBERS = Statement("SELECT name, id FROM term WHERE log = ? AND name IN (...)")
_NAMES = Statement("SELECT id, name FROM term WHERE log = ? AND id IN (...)")
_BETWEEN = Statement(
    f"SELECT {_STORED} FROM entry "  # noqa: S608
    "WHERE log = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?"
)


class Stored(NamedTuple):
    """An entry as it is kept."""

    position: int
    event_id: bytes
    record_us: int
    data: bytes
    sealed: bytes | None = None
    """Its personal fields, as SealedFields; None: it has none."""


_POSITION = itemgetter(Stored._fields.index("position"))


def query_of(wanted: EventFilter) -> DCBQuery:
    """A filter in the terms of the event-sourcing library."""
    return DCBQuery([DCBQueryItem(list(one.types), list(one.subjects)) for one in wanted.items])


def pack(numbers: Iterable[int]) -> bytes:
    """The numbers of an entry's subjects as its row holds them."""
    return b"".join(map(_NUMBER.pack, numbers))


def unpack(packed: bytes) -> list[int]:
    """The numbers of an entry's subjects."""
    return list(struct.unpack(f">{len(packed) // _NUMBER.size}q", packed))


class Entries:
    """The entries of one log."""

    def __init__(self, database: Database, log: int) -> None:
        self._database = database
        self._log = log
        self._terms: dict[str, int] = {}
        self._times: dict[int, int] = {}

    def size(self) -> int:
        """How many there are."""
        ((size, record_us),) = self._database.readers.ask(_HEAD, self._log)
        if size:
            # Whoever asks how many there are is told next when the last was recorded.
            self.note_time(size, record_us)
        return int(size)

    def term_count(self) -> int:
        """How many subjects and event types they name."""
        return int(self._database.readers.ask(_TERM_COUNT, self._log)[0][0])

    def page(self, query: DCBQuery, after: int, up_to: int, limit: int) -> list[Stored]:
        """The first `limit` entries that match with after < position <= up_to."""
        if not query.items:
            rows = self._database.readers.ask(_BETWEEN, self._log, after, up_to, limit)
            return [Stored._make(row) for row in rows]
        with self._database.reading.connect() as connection:
            rows = self.select(connection, query, after, up_to, limit)
        return [
            Stored(row.position, row.event_id, row.record_us, row.data, row.sealed) for row in rows
        ]

    def find(self, event_ids: Collection[bytes]) -> dict[bytes, Stored]:
        """The entries with these event ids, as far as there are any."""
        found = [
            Stored._make(row)
            for some in chunks(event_ids)
            for row in self._database.readers.ask(_FIND, self._log, some)
        ]
        return {one.event_id: one for one in found}

    def at(self, position: int) -> Stored:
        """The entry at a position that the log has."""
        return self.page(DCBQuery(), position - 1, position, 1)[0]

    def about(self, subjects: Collection[str], up_to: int) -> dict[str, list[Stored]]:
        """For each subject its entries with position <= up_to, in the order of the log."""
        found: dict[str, list[Stored]] = {name: [] for name in subjects}
        for some in chunks(subjects):
            for name, *stored in self._database.readers.ask(_ABOUT, self._log, some, up_to):
                found[name].append(Stored._make(stored))
        for entries in found.values():
            entries.sort(key=_POSITION)
        return found

    def subjects(self, kind: str, after: int, limit: int) -> list[tuple[int, str]]:
        """(number, name) of the first subjects of a kind with a number after this one."""
        with self._database.reading.connect() as connection:
            rows = connection.execute(
                sa.select(term.c.id, term.c.name)
                .where(
                    term.c.log == self._log,
                    term.c.id > after,
                    term.c.name.startswith(f"{kind}:", autoescape=True),
                )
                .order_by(term.c.id)
                .limit(limit)
            )
            return [(number, name) for number, name in rows]

    def subjects_between(self, after: int, up_to: int) -> list[str]:
        """The subjects of the entries with after < position <= up_to, as they were first named."""
        with self._database.reading.connect() as connection:
            packed = connection.execute(
                sa.select(entry.c.subjects).where(
                    entry.c.log == self._log, entry.c.position > after, entry.c.position <= up_to
                )
            ).scalars()
            names = self.names(connection, {n for one in packed for n in unpack(one)})
        return [names[number] for number in sorted(names)]

    def size_at(self, known_at_us: int) -> int:
        """How many entries were recorded by an instant.

        Record time rises with position, so this is a search by halves and needs no index.
        """
        low, high = 0, self.size()
        while low < high:
            middle = (low + high + 1) // 2
            if self.record_us(middle) <= known_at_us:
                low = middle
            else:
                high = middle - 1
        return low

    def record_us(self, position: int) -> int:
        """When the entry at a position that the log has was recorded."""
        found = self._times.get(position)
        if found is None:
            ((found,),) = self._database.readers.ask(_RECORD_US, self._log, position)
            self.note_time(position, found)
        return found

    def note_time(self, position: int, record_us: int) -> None:
        """Keep at hand when an entry was recorded."""
        if len(self._times) >= TIMES_MAX:
            self._times = {}
        self._times[position] = record_us

    # For readers that bring their connection along, the one that writes among them.

    def select(
        self, connection: sa.Connection, query: DCBQuery, after: int, up_to: int, limit: int
    ) -> list[Any]:
        """The rows of the first `limit` entries that match with after < position <= up_to."""
        numbers = self.numbers(
            connection, {name for item in query.items for name in (*item.types, *item.tags)}
        )
        within = sa.and_(
            entry.c.log == self._log, entry.c.position > after, entry.c.position <= up_to
        )
        if query.items:
            within = sa.and_(within, sa.or_(*(self._meant(item, numbers) for item in query.items)))
        rows = connection.execute(
            sa.select(entry).where(within).order_by(entry.c.position).limit(limit)
        )
        return list(rows)

    def _meant(self, item: DCBQueryItem, numbers: dict[str, int]) -> sa.ColumnElement[bool]:
        wanted = []
        for name in item.tags:
            # A subject that no entry names has no number, and number 0 is never given.
            about = sa.select(entry_subject.c.position).where(
                entry_subject.c.log == self._log, entry_subject.c.subject == numbers.get(name, 0)
            )
            wanted.append(entry.c.position.in_(about))
        if item.types:
            wanted.append(entry.c.type.in_([numbers.get(name, 0) for name in item.types]))
        return sa.and_(sa.true(), *wanted)

    def find_on(
        self, connection: sa.Connection, event_ids: Collection[bytes]
    ) -> dict[bytes, Stored]:
        """The entries with these event ids, as far as there are any."""
        found = [
            Stored._make(row)
            for some in chunks(event_ids)
            for row in _FIND.on(connection, self._log, some)
        ]
        return {one.event_id: one for one in found}

    def numbers(self, connection: sa.Connection, names: Collection[str]) -> dict[str, int]:
        """The numbers of terms, as far as they have one."""
        known = self._terms
        found = {name: known[name] for name in names if name in known}
        for some in chunks(set(names) - found.keys()):
            found.update(_NUMBERS.on(connection, self._log, some))
        return found

    def names(self, connection: sa.Connection, numbers: Collection[int]) -> dict[int, str]:
        """The names of terms."""
        found: dict[int, str] = {}
        for some in chunks(numbers):
            found.update(_NAMES.on(connection, self._log, some))
        return found

    def remember(self, terms: dict[str, int]) -> None:
        """Keep the numbers of terms at hand, once their entries are kept."""
        if len(self._terms) > TERMS_MAX:
            self._terms = {}
        self._terms.update(terms)


def chunks(values: Iterable[Any], most: int = IN_MAX) -> Iterable[list[Any]]:
    """The values to be listed by IN, no more at a time than a statement takes.

    Filled up by the last to a power of two, so that there are few texts to prepare.
    """
    rest = iter(values)
    while some := list(islice(rest, most)):
        yield some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
