"""Auditing what is asserted: what is sealed is what was committed to, signed and approved."""

from collections.abc import Iterator, Sequence

from ledger.errors import LedgerError
from ledger.keys import sealing
from ledger.keys.writers import Writers
from ledger.store.entries import Stored
from ledger.store.suspect import SuspectRow
from ledger.store.vault import Vault
from ledger.v1.event_pb2 import Entry
from ledger.v1.options_pb2 import approvals
from projections.subjects import body_of


class Asserted:
    """What is learned of entries one after the other, and can be said of some only at the end."""

    def __init__(self, vault: Vault | None, writers: Writers | None) -> None:
        self._vault = vault
        self._writers = writers
        self._erased: set[str] = set()
        self._closed: list[tuple[int, set[str]]] = []

    def look_up(self, rows: Sequence[SuspectRow]) -> None:
        """Read the keys that these rows need, all at once."""
        if self._vault is None:
            return
        people: set[str] = set()
        for row in rows:
            people.update(_people(row.sealed))
        try:
            self._vault.find(people)
        except LedgerError:
            return  # the entry that needs the key will say so

    def faults(self, row: SuspectRow, entry: Entry) -> Iterator[str]:
        """What is wrong with what an entry asserts."""
        if entry.event.HasField("personal_fields_erased"):
            self._erased.add(entry.event.personal_fields_erased.person_id)
        if self._vault is not None and (row.sealed or entry.commitments):
            yield from self._sealing_faults(self._vault, row, entry)
        if _lacks_approvals(entry):
            yield "the entry is not approved by as many as its kind needs"
        if self._writers is not None and not self._writers.has_signed(row.data, entry):
            yield "the entry is not signed by the agency that it says asserts it"

    def at_end(self) -> Iterator[tuple[int, str]]:
        """(position, what) of sealed fields that cannot be opened although nobody erased them."""
        for position, missing in self._closed:
            if not missing <= self._erased:
                yield position, "a key is gone of a person whom no event erased"

    def _sealing_faults(self, vault: Vault, row: SuspectRow, entry: Entry) -> Iterator[str]:
        people = set(_people(row.sealed))
        if not people:
            yield "sealed fields are missing"
            return
        stored = Stored(row.position, row.event_id, row.record_us, row.data, row.sealed)
        try:
            missing = people - vault.find(people).keys()
            if missing:
                self._closed.append((row.position, missing))
            elif len(vault.openings(stored, entry)) != len(entry.commitments):
                yield "sealed fields are missing"
        except LedgerError:
            yield "the sealed fields are not what the entry commits to"


def _lacks_approvals(entry: Entry) -> bool:
    """Whether an entry names fewer people, or agencies, as approving it than it needs.

    What came over loopback names none, and nothing is erased so.
    """
    needed = body_of(entry.event).DESCRIPTOR.GetOptions().Extensions[approvals]
    if not entry.recorded_by and not entry.event.HasField("personal_fields_erased"):
        return False
    people = {(one.agency, one.actor_id) for one in entry.approvals if one.actor_id}
    agencies = {agency for agency, _ in people}
    return bool(len(people) < needed.people or len(agencies) < needed.agencies)


def _people(sealed: bytes | None) -> Sequence[str]:
    """Under whose keys fields are sealed; nobody where that cannot be read."""
    try:
        return sealing.read(sealed or b"").person_ids
    except LedgerError:
        return ()
