"""The vault: what is personal in entries, sealed under a key of each person, and opened again.

Keys lie in the database, wrapped by the keyring, which does not. One that is destroyed stays as an
empty row: that a person was erased is known without her key, and no new one is made for her.
"""

import re
import secrets
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ledger.errors import LedgerError, StartupError
from ledger.keys import sealing
from ledger.keys.keyring import KEY_BYTES, Keyring
from ledger.personal import put_back, take_out
from ledger.store.batch import KeyOvertakenError
from ledger.store.database import Database
from ledger.store.entries import Stored, chunks
from ledger.store.tables import head, person_key
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Commitment, Entry, Event, Opening, SealedFields

CACHED_MAX = 200_000

_DIGEST = re.compile(r"[0-9a-f]{64}$")

Keys = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of the personal fields of an event."""

    commitments: Sequence[Commitment] = ()
    sealed: SealedFields | None = None
    new_keys: Mapping[str, bytes] = field(default_factory=dict)
    """The keys that are not kept yet: they are with the entry."""


KeyRow = sa.Row[Any]


class Vault:
    """The keys of the persons of one log. Safe to share between threads."""

    def __init__(self, database: Database, log: int, keyring: Keyring) -> None:
        """Raises StartupError where the keyring is not the one of this database."""
        self._database = database
        self._log = log
        self.keyring = keyring
        self._lock = threading.Lock()
        # By person: her key; None: it was destroyed. Who is not there was not asked for yet.
        self._known: dict[str, bytes | None] = {}
        self._unsaved: Keys = {}
        used = (
            sa.select(person_key.c.wrapping)
            .distinct()
            .where(person_key.c.log == log, person_key.c.wrapped.is_not(None))
        )
        with database.reading.connect() as connection:
            if not set(connection.execute(used).scalars()) <= keyring.wrapping.keys():
                raise StartupError(f"{keyring.path} does not have the keys of this database")

    # Sealing.

    def close(
        self, event: Event, person_ids: Sequence[str], salts: Mapping[str, bytes] | None = None
    ) -> Closed:
        """Take the personal fields out of an event, commit to them and seal them.

        `salts`: those that the agency chose for its fields. Raises PERSON_ERASED for fields of
        somebody who was erased.
        """
        fields = take_out(event)
        if not fields:
            return Closed()
        keys = self.make(person_ids)
        made = self._unsaved
        new = {one: made[one] for one in person_ids if one in made}
        openings = [
            Opening(
                field=path,
                salt=(salts or {}).get(path) or sealing.salt(keys, event.event_id, path),
                value=value,
            )
            for path, _, value in fields
        ]
        commitments = [sealing.commitment(one.field, one.salt, one.value) for one in openings]
        sealed = sealing.close(keys, person_ids, event.event_id, openings)
        return Closed(commitments, sealed, new)

    def look_up(self, stored: Iterable[Stored]) -> None:
        """Read the keys that these entries will be opened with, all at once."""
        wanted = {
            person_id
            for one in stored
            if one.sealed
            for person_id in SealedFields.FromString(one.sealed).person_ids
        }
        if wanted:
            self.find(wanted)

    def opened(self, stored: Stored) -> Entry:
        """An entry with its personal fields; without those of whoever was erased."""
        entry = Entry.FromString(stored.data)
        if stored.sealed:
            put_back(entry.event, ((one.field, one.value) for one in self.openings(stored, entry)))
        return entry

    def openings(self, stored: Stored, entry: Entry) -> Sequence[Opening]:
        """The personal fields of an entry; none where somebody whom it names was erased.

        Raises VERIFICATION_FAILED where they are not what the entry commits to.
        """
        try:
            sealed = SealedFields.FromString(stored.sealed or b"")
        except ValueError:
            raise LedgerError(
                ErrorReason.ERROR_REASON_VERIFICATION_FAILED, "sealed fields cannot be read"
            ) from None
        found = self.find(sealed.person_ids)
        if len(found) < len(sealed.person_ids):
            return []
        keys = [found[one] for one in sealed.person_ids]
        return sealing.open_(keys, sealed, entry.event.event_id, entry.commitments)

    def is_same(self, stored: Stored, event: Event) -> bool:
        """Whether an entry holds this event, given with its personal fields.

        Of one whose fields were erased it is known by the rest, and by which fields it had.
        """
        entry = self.opened(stored)
        if entry.event == event:
            return True
        bare = Event.FromString(event.SerializeToString())
        fields = [path for path, _, _ in take_out(bare)]
        was_erased = bool(stored.sealed) and not self.openings(stored, entry)
        return was_erased and entry.event == bare and fields == [c.field for c in entry.commitments]

    # The tables.

    def blinded(self, population: str) -> str:
        """The name that tables keep a population under.

        What is in it of a number, or of all that is said of somebody, is a hash that could be
        guessed; on disk it is one under a key.
        """
        digest = _DIGEST.search(population)
        if digest is None:
            return population
        return f"{population[: digest.start()]}{self.keyring.blind(digest[0])}"

    def close_states(self, rows: Iterable[tuple[str, bytes]]) -> list[bytes]:
        """What tables show of (person id, state), sealed where she has a key."""
        rows = list(rows)
        keys = self.find({person_id for person_id, _ in rows})
        return [
            b"\1" + sealing.close_state(keys[person_id], state, person_id.encode())
            if person_id in keys
            else b"\0" + state
            for person_id, state in rows
        ]

    def open_states(self, rows: Iterable[tuple[str, bytes]]) -> list[bytes]:
        """The states in plain; of a person who was erased meanwhile, empty."""
        rows = list(rows)
        keys = self.find({person_id for person_id, state in rows if state[:1] == b"\1"})
        return [
            state[1:]
            if state[:1] != b"\1"
            else sealing.open_state(keys[person_id], state[1:], person_id.encode())
            if person_id in keys
            else b""
            for person_id, state in rows
        ]

    # Keys.

    def find(self, person_ids: Collection[str]) -> Keys:
        """The keys of those who have one."""
        unknown = [one for one in set(person_ids) if one not in self._known]
        if unknown:
            self._read(unknown)
        known = self._known
        return {one: key for one in person_ids if (key := known.get(one)) is not None}

    def make(self, person_ids: Sequence[str]) -> list[bytes]:
        """The key of each person, made if she has none. Raises PERSON_ERASED."""
        found = self.find(person_ids)
        with self._lock:
            for one in person_ids:
                if one in found:
                    continue
                if one in self._known:
                    raise LedgerError(
                        ErrorReason.ERROR_REASON_PERSON_ERASED,
                        "the personal fields of a person whom the event names were erased",
                    )
                self._unsaved.setdefault(one, secrets.token_bytes(KEY_BYTES))
                found[one] = self._unsaved[one]
        return [found[one] for one in person_ids]

    def save(self, connection: sa.Connection, new: Mapping[str, bytes]) -> None:
        """Keep keys, in the transaction that keeps what is sealed under them.

        Raises KeyOvertakenError where another process has kept another one.
        """
        if not new:
            return
        # An erasure by another process may have begun, or ended, another wrapping key.
        self.keyring.refresh()
        number = self.keyring.newest
        connection.execute(
            sa.text(
                "INSERT INTO person_key (log, person, wrapping, wrapped) "
                "VALUES (:log, :person, :wrapping, :wrapped) ON CONFLICT DO NOTHING"
            ),
            [
                {
                    "log": self._log,
                    "person": person,
                    "wrapping": number,
                    "wrapped": self.keyring.wrap(key),
                }
                for person, key in new.items()
            ],
        )
        for row in self._rows(connection, list(new)):
            if (
                row.wrapped is None
                or self.keyring.unwrap(row.wrapping, row.wrapped) != new[row.person]
            ):
                raise KeyOvertakenError

    def note_saved(self, new: Mapping[str, bytes]) -> None:
        """Note that keys were kept."""
        with self._lock:
            self._known.update(new)
            for one in new:
                self._unsaved.pop(one, None)

    def forget(self, person_ids: Iterable[str]) -> None:
        """Look for the keys of these persons again: what is known of them may be old."""
        with self._lock:
            for one in person_ids:
                self._known.pop(one, None)
                self._unsaved.pop(one, None)

    def destroy(self, person_ids: Collection[str]) -> None:
        """Destroy keys, for good: the others are wrapped anew, the old wrapping is forgotten.

        Of those whose keys are gone already, there is nothing to do.
        """
        wanted = sorted(set(person_ids))
        if not wanted:
            return
        with self._database.reading.connect() as connection:
            there = {row.person: row.wrapped for row in self._rows(connection, wanted)}
        if all(one in there and there[one] is None for one in wanted):
            self._erase_known(wanted)
            return
        number = self.keyring.add()
        with self._database.writing() as connection:
            # Not while anybody appends: a key that is being kept would be left out of the renewal.
            connection.execute(sa.select(head.c.log).with_for_update())
            gone = [{"log": self._log, "person": one, "wrapping": number} for one in wanted]
            connection.execute(
                sa.text(
                    "INSERT INTO person_key (log, person, wrapping, wrapped) "
                    "VALUES (:log, :person, :wrapping, NULL) ON CONFLICT (log, person) "
                    "DO UPDATE SET wrapping = excluded.wrapping, wrapped = NULL"
                ),
                gone,
            )
            # Of every log of the database: the wrapping key is theirs, too.
            kept = sa.select(person_key).where(person_key.c.wrapped.is_not(None))
            renewed = [
                {
                    "its_log": row.log,
                    "its_person": row.person,
                    "wrapped": self.keyring.wrap(self.keyring.unwrap(row.wrapping, row.wrapped)),
                    "wrapping": number,
                }
                for row in connection.execute(kept)
            ]
            if renewed:
                connection.execute(
                    sa.update(person_key)
                    .where(
                        person_key.c.log == sa.bindparam("its_log"),
                        person_key.c.person == sa.bindparam("its_person"),
                    )
                    .values(wrapped=sa.bindparam("wrapped"), wrapping=sa.bindparam("wrapping")),
                    renewed,
                )
        self.keyring.forget_all_but(number)
        self._erase_known(wanted)

    def _erase_known(self, person_ids: Iterable[str]) -> None:
        with self._lock:
            for one in person_ids:
                self._known[one] = None
                self._unsaved.pop(one, None)

    def _read(self, person_ids: Sequence[str]) -> None:
        with self._database.reading.connect() as connection:
            rows = self._rows(connection, person_ids)
        found = {
            row.person: None
            if row.wrapped is None
            else self.keyring.unwrap(row.wrapping, row.wrapped)
            for row in rows
        }
        with self._lock:
            if len(self._known) > CACHED_MAX:
                self._known = {}
            self._known.update(found)

    def _rows(self, connection: sa.Connection, person_ids: Sequence[str]) -> list[KeyRow]:
        rows: list[KeyRow] = []
        for some in chunks(person_ids):
            rows += connection.execute(
                sa.select(person_key.c.person, person_key.c.wrapping, person_key.c.wrapped).where(
                    person_key.c.log == self._log, person_key.c.person.in_(some)
                )
            )
        return rows
