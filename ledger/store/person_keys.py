"""The keys of persons: one each, under which what is personal of her is sealed.

They lie in the database, wrapped by the keyring, which does not. One that is destroyed stays as an
empty row: that a person was erased is known without her key, and no new one is made for her.
"""

import secrets
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from ledger.errors import LedgerError, StartupError, TamperedError
from ledger.keys.keyring import KEY_BYTES, Keyring
from ledger.store.batch import KeyOvertakenError
from ledger.store.bulk import insert
from ledger.store.database import Database
from ledger.store.entries import chunks
from ledger.store.statement import Statement
from ledger.store.tables import head, person_key
from ledger.v1.error_pb2 import ErrorReason

CACHED_MAX = 200_000

_TRIED = 20

_ROWS = Statement(
    "SELECT person, wrapping, wrapped FROM person_key WHERE log = ? AND person IN (...)"
)

Keys = dict[str, bytes]


class KeyRow(NamedTuple):
    """The key of a person as it is kept."""

    person: str
    wrapping: int
    wrapped: bytes | None
    """None: it was destroyed."""


class PersonKeys:
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
        self._erasures = 0
        with database.reading.connect() as connection:
            kept = sa.select(
                person_key.c.person, person_key.c.wrapping, person_key.c.wrapped
            ).where(person_key.c.log == log, person_key.c.wrapped.is_not(None))
            some = [KeyRow(*row) for row in connection.execute(kept.limit(_TRIED))]
        # One that was tampered with is for an audit to find; none that opens is another's keyring.
        if some and not any(self._opens(row) for row in some):
            raise StartupError(f"{keyring.path} does not have the keys of this database")

    def find(self, person_ids: Collection[str]) -> Keys:
        """The keys of those who have one."""
        known = self._known
        unknown = [one for one in set(person_ids) if one not in known]
        if unknown:
            # Not looked up again: what is remembered may have been let go of meanwhile.
            known = {one: known[one] for one in person_ids if one in known} | self._read(unknown)
        return {one: key for one in person_ids if (key := known.get(one)) is not None}

    def make(self, person_ids: Sequence[str], known: Keys) -> tuple[list[bytes], Keys]:
        """The key of each person, made if she has none; and those that are not kept yet.

        `known`: what `find` gave of them, and maybe of others. Raises PERSON_ERASED.
        """
        found = {one: known[one] for one in person_ids if one in known}
        new: Keys = {}
        with self._lock:
            for one in person_ids:
                if one in found:
                    continue
                if one in self._known:
                    found |= self._saved_meanwhile(one)
                    continue
                if len(self._unsaved) > CACHED_MAX:
                    self._unsaved = {}  # of appends that were never made
                found[one] = self._unsaved.setdefault(one, secrets.token_bytes(KEY_BYTES))
                new[one] = found[one]
        return [found[one] for one in person_ids], new

    def _saved_meanwhile(self, person_id: str) -> Keys:
        key = self._known[person_id]
        if key is None:
            raise person_erased()
        return {person_id: key}

    def save(self, connection: sa.Connection, new: Mapping[str, bytes]) -> None:
        """Keep keys, in the transaction that keeps what is sealed under them.

        Raises KeyOvertakenError where another process has kept another one.
        """
        if not new:
            return
        # An erasure by another process may have begun, or ended, another wrapping key.
        self.keyring.refresh()
        number = self.keyring.newest
        # Whoever keeps keys of this log holds its head, so that none comes in between.
        there = self._rows(connection, list(new))
        for row in there:
            if (
                row.wrapped is None
                or self.keyring.unwrap(row.wrapping, row.wrapped) != new[row.person]
            ):
                raise KeyOvertakenError
        rest = new.keys() - {row.person for row in there}
        insert(
            connection,
            person_key,
            [(self._log, one, number, self.keyring.wrap(number, new[one])) for one in sorted(rest)],
        )

    def note_saved(self, new: Mapping[str, bytes]) -> None:
        """Note that keys were kept."""
        with self._lock:
            for one, key in new.items():
                # Whoever was erased meanwhile stays so.
                self._known.setdefault(one, key)
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
        with self.keyring.alone():
            with self._database.reading.connect() as connection:
                there = {row.person: row.wrapped for row in self._rows(connection, wanted)}
            is_done = all(one in there and there[one] is None for one in wanted)
            # A key is gone when what wrapped it is forgotten, too.
            if not is_done or not self.keyring.is_settled:
                self._wrap_anew([] if is_done else wanted)
        self._erase_known(wanted)

    def settle(self) -> None:
        """Go on with what was broken off between the database and the keyring."""
        if not self.keyring.is_settled:
            self.wrap_anew()

    def wrap_anew(self) -> int:
        """Wrap every key anew and forget the old wrapping; return how many there are."""
        with self.keyring.alone():
            return self._wrap_anew([])

    def _wrap_anew(self, destroyed: Sequence[str]) -> int:
        """Wrap every key anew but those that are destroyed by it; return how many."""
        number = self.keyring.add()
        with self._database.writing() as connection:
            # Not while anybody appends: a key that is being kept would be left out.
            connection.execute(sa.select(head.c.log).with_for_update())
            self._empty(connection, destroyed, number)
            renewed = self._renewed(connection, number)
        self.keyring.forget_all_but(number)
        return renewed

    def _empty(self, connection: sa.Connection, person_ids: Sequence[str], number: int) -> None:
        """Leave an empty row of each of these persons, whether or not she had a key."""
        if person_ids:
            connection.execute(
                sa.text(
                    "INSERT INTO person_key (log, person, wrapping, wrapped) "
                    "VALUES (:log, :person, :wrapping, NULL) ON CONFLICT (log, person) "
                    "DO UPDATE SET wrapping = excluded.wrapping, wrapped = NULL"
                ),
                [{"log": self._log, "person": one, "wrapping": number} for one in person_ids],
            )

    def _renewed(self, connection: sa.Connection, number: int) -> int:
        """Wrap the keys of every log of the database by the newest key, which is theirs, too."""
        kept = sa.select(person_key).where(person_key.c.wrapped.is_not(None))
        rows = [
            {
                "its_log": row.log,
                "its_person": row.person,
                "wrapped": self.keyring.wrap(
                    number, self.keyring.unwrap(row.wrapping, row.wrapped)
                ),
                "wrapping": number,
            }
            for row in connection.execute(kept)
        ]
        if rows:
            connection.execute(
                sa.update(person_key)
                .where(
                    person_key.c.log == sa.bindparam("its_log"),
                    person_key.c.person == sa.bindparam("its_person"),
                )
                .values(wrapped=sa.bindparam("wrapped"), wrapping=sa.bindparam("wrapping")),
                rows,
            )
        return len(rows)

    def _erase_known(self, person_ids: Iterable[str]) -> None:
        with self._lock:
            self._erasures += 1
            for one in person_ids:
                self._known[one] = None
                self._unsaved.pop(one, None)

    def _read(self, person_ids: Sequence[str]) -> dict[str, bytes | None]:
        """The keys of persons as the database has them now; None: destroyed."""
        before: list[KeyRow] = []
        while True:
            erasures = self._erasures
            rows = [
                KeyRow(*row)
                for some in chunks(person_ids)
                for row in self._database.readers.ask(_ROWS, self._log, some)
            ]
            try:
                found = {row.person: self._key_of(row) for row in rows}
            except TamperedError as error:
                # Unless they were wrapped anew while they were read.
                if rows == before:
                    raise LedgerError(
                        ErrorReason.ERROR_REASON_VERIFICATION_FAILED, str(error)
                    ) from None
                before = rows
                continue
            with self._lock:
                # Nor is what was destroyed meanwhile remembered.
                if erasures == self._erasures:
                    if len(self._known) > CACHED_MAX:
                        self._known = {}
                    self._known.update(found)
                    return found

    def _key_of(self, row: KeyRow) -> bytes | None:
        """The key in a row; None: destroyed. Raises TamperedError."""
        return None if row.wrapped is None else self.keyring.unwrap(row.wrapping, row.wrapped)

    def _opens(self, row: KeyRow) -> bool:
        try:
            return self._key_of(row) is not None
        except TamperedError:
            return False

    def _rows(self, connection: sa.Connection, person_ids: Sequence[str]) -> list[KeyRow]:
        return [
            KeyRow(*row)
            for some in chunks(person_ids)
            for row in _ROWS.on(connection, self._log, some)
        ]


def required(database: Database, path: Path) -> Path:
    """The file of the keyring, which may be made where no key was wrapped yet.

    Raises StartupError where it is missing: another one would open nothing.
    """
    if not path.exists():
        kept = sa.select(person_key.c.person).where(person_key.c.wrapped.is_not(None)).limit(1)
        with database.reading.connect() as connection:
            if connection.execute(kept).first():
                raise StartupError(f"{path} is missing: the keys of this database were kept in it")
    return path


def person_erased() -> LedgerError:
    """The refusal of new personal fields of somebody who was erased."""
    return LedgerError(
        ErrorReason.ERROR_REASON_PERSON_ERASED,
        "the personal fields of a person whom the event names were erased",
    )
