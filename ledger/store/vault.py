"""The vault: what is personal in entries, and in the tables, sealed and opened again."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.keys import sealing
from ledger.personal import Field, put_back, take_out
from ledger.store.entries import Stored
from ledger.store.person_keys import Keys, PersonKeys
from ledger.v1.event_pb2 import Commitment, Entry, Event, Opening, SealedFields

_DIGEST = re.compile(r"[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of the personal fields of an event."""

    commitments: Sequence[Commitment] = ()
    sealed: SealedFields | None = None
    new_keys: Mapping[str, bytes] = field(default_factory=dict)
    """The keys that are not kept yet: they are with the entry."""


@dataclass(frozen=True, slots=True)
class State:
    """What a table shows of a subject."""

    subject_id: str
    people: frozenset[str]
    """The persons whose personal fields may be in it."""
    state: bytes


class Vault(PersonKeys):
    """The keys of persons, and what is sealed under them."""

    def close(
        self,
        event_id: str,
        fields: Sequence[Field],
        person_ids: Sequence[str],
        salts: Mapping[str, bytes],
        known: Keys,
    ) -> Closed:
        """Commit to personal fields that were taken out of an event, and seal them.

        `salts`: those that the agency chose for its fields; `known`: what `find` gave of these
        persons. Raises PERSON_ERASED for fields of somebody who was erased.
        """
        keys, new = self.make(person_ids, known)
        openings = [
            Opening(
                field=path,
                salt=salts.get(path) or sealing.salt(keys, event_id, path),
                value=value,
            )
            for path, _, value in fields
        ]
        commitments = [sealing.commitment(one.field, one.salt, one.value) for one in openings]
        sealed = sealing.close(keys, person_ids, event_id, openings)
        return Closed(commitments, sealed, new)

    def look_up(self, stored: Iterable[Stored]) -> None:
        """Read the keys that these entries will be opened with, all at once."""
        wanted = {
            person_id
            for one in stored
            if one.sealed
            for person_id in sealing.read(one.sealed).person_ids
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
        sealed = sealing.read(stored.sealed or b"")
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

    def blinded(self, population: str) -> str:
        """The name that tables keep a population under.

        What is in it of a number, or of all that is said of somebody, is a hash that could be
        guessed; on disk it is one under a key.
        """
        digest = _DIGEST.search(population)
        if digest is None:
            return population
        return f"{population[: digest.start()]}{self.keyring.blind(digest[0])}"

    def close_states(self, rows: Iterable[State]) -> list[bytes]:
        """What tables show, sealed under the keys of all whom it tells of, together.

        Of whom nothing personal was said, it is kept as it is.
        """
        rows = list(rows)
        keys = self.find({one for row in rows for one in row.people})
        return [self._close_state(row, keys) for row in rows]

    @staticmethod
    def _close_state(row: State, keys: Keys) -> bytes:
        if not row.people:
            return b"\0" + row.state
        people = sorted(row.people)
        if not keys.keys() >= row.people:
            # Erased since her record was read: what was read is not written down any more.
            return b"\1" + SealedFields(person_ids=people).SerializeToString()
        sealed = sealing.close_state(
            [keys[one] for one in people], people, row.subject_id, row.state
        )
        if people == [row.subject_id]:
            sealed.ClearField("person_ids")
        return b"\1" + sealed.SerializeToString()

    def open_states(self, rows: Iterable[tuple[str, bytes]]) -> list[bytes]:
        """The states of (subject id, sealed) in plain; of who was erased meanwhile, empty."""
        read = [
            (subject_id, kept[1:], sealing.read(kept[1:]) if kept[:1] == b"\1" else None)
            for subject_id, kept in rows
        ]
        for subject_id, _, sealed in read:
            if sealed and not sealed.person_ids:
                sealed.person_ids.append(subject_id)
        keys = self.find({one for _, _, sealed in read if sealed for one in sealed.person_ids})
        return [
            state
            if sealed is None
            else sealing.open_state([keys[one] for one in sealed.person_ids], sealed, subject_id)
            if all(one in keys for one in sealed.person_ids)
            else b""
            for subject_id, state, sealed in read
        ]

    def digest(self, person_ids: Iterable[str], name: str, told: bytes) -> bytes:
        """A hash of something that tells of persons; with one of their keys gone, of no use."""
        keys = self.find(sorted(set(person_ids)))
        return sealing.digest([self.keyring.index, *keys.values()], name, told)
