"""The log on disk: an eventsourcing DCBRecorder on SQLAlchemy Core, with an RFC 6962 tree.

Positions are dense and in commit order: an append takes the head row first, so the order in which
appends get their positions is the order in which they commit. Record time is taken under the same
row, strictly rising. Nothing here is ever deleted or changed.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import uuid4

import sqlalchemy as sa
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBRecorder,
    DCBSequencedEvent,
)
from eventsourcing.persistence import IntegrityError, ProgrammingError

from ledger import merkle
from ledger.entry import seal
from ledger.keys.keyring import Keyring
from ledger.store.appended import LastOfKind
from ledger.store.batch import (
    Append,
    Appended,
    ConditionFailedError,
    EventIdTakenError,
    KeyOvertakenError,
    LedgerEvent,
)
from ledger.store.bulk import insert
from ledger.store.database import Database
from ledger.store.entries import Entries, Stored, unpack
from ledger.store.group import Added, Group
from ledger.store.logs import CUSTODY, find_or_make
from ledger.store.reading import PAGE_MAX, POLL_S, Reading, Subscription
from ledger.store.statement import Statement
from ledger.store.tables import entry, entry_subject, head, term
from ledger.store.tree import Tree
from ledger.store.vault import Vault

EVENT_ID_SIZE = 16

_TAKE_HEAD = Statement(
    "UPDATE head SET record_us = CASE WHEN record_us < ? THEN ? ELSE record_us + 1 END "
    "WHERE log = ? RETURNING size, record_us, term_count"
)
_MOVE_HEAD = Statement("UPDATE head SET size = ?, record_us = ?, term_count = ? WHERE log = ?")


class Log(DCBRecorder):
    """One log of a database. Safe to share between threads; appends run one at a time."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        keyring: Keyring,
        name: str = CUSTODY,
        *,
        must_exist: bool = False,
    ) -> None:
        """`clock` gives microseconds since 1970 UTC. As to the rest, see `logs.find_or_make`."""
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._grown = threading.Condition()
        self._wakes = 0
        self._id = find_or_make(database, name, must_exist=must_exist)
        self.entries = Entries(database, self._id)
        self.tree = Tree(database, self._id)
        self.vault = Vault(database, self._id, keyring)
        self.last_of_kind = LastOfKind()

    @property
    def id(self) -> int:
        """The number of the log, the first column of every key."""
        return self._id

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append a batch; return the position of its last event. Raises IntegrityError."""
        if not events:
            raise ProgrammingError("there must be an event to append")
        outcome = self.append_group([Append(events, [condition] if condition else [])])[0]
        if isinstance(outcome, IntegrityError):
            raise outcome
        return outcome.entries[-1].position

    def append_group(self, appends: Sequence[Append]) -> list[Appended | IntegrityError]:
        """Append several batches in one transaction, each whole or not at all.

        Safe to run again where it is not known whether it was kept: events with ids are found.
        """
        with self._lock:
            try:
                with self._database.writing() as connection:
                    group, outcomes, terms = self._write(connection, appends)
            except KeyOvertakenError as overtaken:
                self.tree.forget()
                return [overtaken for _ in appends]
            except BaseException:
                self.tree.forget()
                raise
            if group.added:
                self._note_kept(group, terms)
        if group.added:
            self.wake()
        return outcomes

    def _note_kept(self, group: Group, terms: dict[str, int]) -> None:
        """Note what is asked next of a log that grew."""
        size = group.size + len(group.added)
        self.entries.remember(terms)
        self.vault.note_saved(group.new_keys)
        self.tree.note_kept()
        self.entries.note_time(size, group.added[-1][0].record_us)
        self.last_of_kind.note(group.size, size, group.last_of_kind)

    def close_time(self, instant_us: int) -> None:
        """See to it that nothing is recorded at or before an instant any more.

        What was known at it can then be repeated. Waits for an append that is being written.
        """
        with self._lock, self._database.writing() as connection:
            connection.execute(
                sa.update(head)
                .where(head.c.log == self._id, head.c.record_us < instant_us)
                .values(record_us=instant_us)
            )

    def wake(self) -> None:
        """Let those who wait for the log to grow look again."""
        with self._grown:
            self._wakes += 1
            self._grown.notify_all()

    def wait_beyond(self, size: int, timeout_s: float) -> int:
        """The size of the log once it is beyond `size`, or after `timeout_s`.

        The wake-up is a hint for appends of this process; those of others are seen by polling.
        """
        wakes = self._wakes
        if (found := self.entries.size()) > size:
            return found
        with self._grown:
            self._grown.wait_for(lambda: self._wakes != wakes, min(timeout_s, POLL_S))
        return self.entries.size()

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> Reading:
        """The events that match, by position; see DCBRecorder."""
        size = self.entries.size()
        return Reading(partial(self.sequenced, query or DCBQuery()), size, after or 0, limit)

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> "Subscription[Log]":
        """The events that match, and then each new one; see DCBRecorder."""
        page = partial(self.sequenced, query or DCBQuery())
        return Subscription(self, page, self.wait_beyond, after)

    def sequenced(self, query: DCBQuery, after: int, up_to: int) -> list[DCBSequencedEvent]:
        """A page of events with their types and tags."""
        with self._database.reading.connect() as connection:
            rows = self.entries.select(connection, query, after, up_to, PAGE_MAX)
            names = self.entries.names(
                connection, {n for row in rows for n in (row.type, *unpack(row.subjects))}
            )
        return [
            DCBSequencedEvent(
                DCBEvent(names[row.type], row.data, [names[n] for n in unpack(row.subjects)]),
                row.position,
            )
            for row in rows
        ]

    def _write(
        self, connection: sa.Connection, appends: Sequence[Append]
    ) -> tuple[Group, list[Appended | IntegrityError], dict[str, int]]:
        """Decide and insert; return what is added, the outcomes and the numbers of the terms."""
        size, record_us, term_count = self._take_head(connection)
        group = Group(size, record_us)
        ids = [e.event_id for a in appends for e in a.events if isinstance(e, LedgerEvent)]
        known = self.entries.find_on(connection, ids)
        outcomes: list[Appended | IntegrityError] = []
        for append in appends:
            try:
                outcomes.append(self._place(connection, append, group, known))
            except IntegrityError as refusal:
                outcomes.append(refusal)
        for outcome in outcomes:
            if isinstance(outcome, Appended):
                outcome.size = size + len(group.added)
        if not group.added:
            connection.rollback()  # the head's record time did not move
            return group, outcomes, {}
        terms = self._insert(connection, group, term_count)
        self.tree.grow(connection, size, [merkle.leaf_hash(one.data) for one, _ in group.added])
        return group, outcomes, terms

    def _take_head(self, connection: sa.Connection) -> tuple[int, int, int]:
        """Lock the log against other writers; return its size, next record time and term count."""
        now = self._clock()
        ((size, record_us, term_count),) = _TAKE_HEAD.on(connection, now, now, self._id)
        return size, record_us, term_count

    def _place(
        self,
        connection: sa.Connection,
        append: Append,
        group: Group,
        known: Mapping[bytes, Stored],
    ) -> Appended:
        """Decide one batch and, if it is to be kept, add its new events to the group."""
        placed = Appended([], [])
        fresh: dict[bytes, Added] = {}
        for index, event in enumerate(append.events):
            # A plain event of the library has no id, and its bytes are kept as they are.
            is_ours = isinstance(event, LedgerEvent)
            event_id = event.event_id if isinstance(event, LedgerEvent) else uuid4().bytes
            assert len(event_id) == EVENT_ID_SIZE  # noqa: S101
            earlier = group.by_id.get(event_id) or fresh.get(event_id)
            if stored := known.get(event_id) or (earlier and earlier[0]):
                if not self._is_same(stored, event):
                    raise EventIdTakenError(index)
                placed.new.append(False)
            else:
                data = seal(event.data, group.record_us) if is_ours else event.data
                position = group.size + len(group.added) + len(fresh) + 1
                sealed = event.sealed if isinstance(event, LedgerEvent) else None
                stored = Stored(position, event_id, group.record_us, data, sealed)
                fresh[event_id] = stored, event
                placed.new.append(True)
            placed.entries.append(stored)
        # A batch that is there already was decided when it was first sent.
        if fresh:
            failed = [
                index
                for index, condition in enumerate(append.conditions)
                if self._matches(connection, condition, group)
            ]
            if failed:
                raise ConditionFailedError(failed)
        if fresh and not append.validate_only:
            group.add(fresh)
        return placed

    def _is_same(self, stored: Stored, event: DCBEvent) -> bool:
        """Whether an entry holds this event: byte for byte as a rule, or in other bytes."""
        if stored.data == seal(event.data, stored.record_us):
            return True
        if not isinstance(event, LedgerEvent) or event.event is None:
            return False
        return self.vault.is_same(stored, event.event)

    def _matches(
        self, connection: sa.Connection, condition: DCBAppendCondition, group: Group
    ) -> bool:
        query, after = condition.fail_if_events_match, condition.after or 0
        if group.has(query, after):
            return True
        kinds = {kind for item in query.items for kind in item.types}
        is_of_kinds = bool(query.items) and all(item.types for item in query.items)
        if is_of_kinds and self.last_of_kind.has_none(kinds, after, group.size):
            return False
        return bool(self.entries.select(connection, query, after, group.size, 1))

    def _insert(self, connection: sa.Connection, group: Group, term_count: int) -> dict[str, int]:
        """Insert the entries of a group; return the numbers of their terms."""
        terms = self.entries.numbers(connection, group.last)
        new = sorted(group.last.keys() - terms.keys())
        numbers = range(term_count + 1, term_count + len(new) + 1)
        terms |= zip(new, numbers, strict=True)
        insert(connection, term, [(self._id, terms[name], name) for name in new])
        insert(connection, entry, group.rows(self._id, terms))
        self.vault.save(connection, group.new_keys)
        insert(connection, entry_subject, group.subject_rows(self._id, terms))
        _MOVE_HEAD.on(
            connection,
            group.size + len(group.added),
            group.added[-1][0].record_us,
            term_count + len(new),
            self._id,
        )
        return terms
