"""Auditing what is asserted: what is sealed is what was committed to, signed and approved."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from google.protobuf.descriptor import Descriptor

from ledger.errors import LedgerError
from ledger.keys import sealing
from ledger.keys.writers import Writers
from ledger.store.batch import ERASED
from ledger.store.suspect import Columns, Leaf
from ledger.store.vault import Vault
from ledger.v1.event_pb2 import Entry, SealedFields
from ledger.v1.options_pb2 import approvals
from projections.subjects import body_of

_NOTHING = SealedFields()

Closed = tuple[int, set[str]]
"""(position, persons) of sealed fields that cannot be opened, for want of the keys of these."""


class Asserted:
    """What is learned of entries one after the other, and can be said of some only at the end."""

    def __init__(self, vault: Vault | None, writers: Writers | None) -> None:
        self._vault = vault
        self._writers = writers
        self._keys: Mapping[str, bytes] | None = None
        self.erased: set[str] = set()
        """The persons whose erasure was recorded."""
        self.closed: list[Closed] = []

    def faults(self, rows: Columns, leaves: Sequence[Leaf | None]) -> Iterator[tuple[int, str]]:
        """(position, what) is wrong with what these entries assert."""
        fields = self._look_up(rows.sealed)
        each = zip(rows.positions, rows.data, fields, leaves, strict=True)
        for position, data, sealed, leaf in each:
            if leaf is None or leaf.entry is None:
                continue
            entry = leaf.entry
            if leaf.kind == ERASED:
                self.erased.add(entry.event.personal_fields_erased.person_id)
            if self._vault is not None and (sealed is not None or entry.commitments):
                for what in self._sealing_faults(self._vault, position, entry, sealed or _NOTHING):
                    yield position, what
            if (entry.recorded_by or leaf.kind == ERASED) and _lacks_approvals(entry):
                yield position, "the entry is not approved by as many as its kind needs"
            if self._writers is not None and not self._writers.has_signed(data, entry):
                yield position, "the entry is not signed by the agency that it says asserts it"

    def _look_up(self, sealed: Sequence[bytes]) -> Sequence[SealedFields | None]:
        """The sealed fields of some rows; the keys that they need are read all at once."""
        if self._vault is None:
            return [None] * len(sealed)
        found = [_read(one) if one else None for one in sealed]
        people = {one for fields in found if fields for one in fields.person_ids}
        try:
            self._keys = self._vault.find(people)
        except LedgerError:
            self._keys = None  # the entry that needs the key will say so
        return found

    def _sealing_faults(
        self, vault: Vault, position: int, entry: Entry, sealed: SealedFields
    ) -> Iterator[str]:
        people = list(sealed.person_ids)
        if not people:
            yield "sealed fields are missing"
            return
        try:
            keys = vault.find(people) if self._keys is None else self._keys
            missing = {one for one in people if one not in keys}
            if missing:
                self.closed.append((position, missing))
                return
            # Raises unless there is one for each commitment, and what it commits to.
            held = [keys[one] for one in people]
            sealing.open_(held, sealed, entry.event.event_id, entry.commitments)
        except LedgerError:
            yield "the sealed fields are not what the entry commits to"


def closed_faults(closed: Iterable[Closed], erased: set[str]) -> Iterator[tuple[int, str]]:
    """(position, what) of sealed fields that cannot be opened although nobody erased them."""
    for position, missing in closed:
        if not missing <= erased:
            yield position, "a key is gone of a person whom no event erased"


@cache
def _needed(kind: Descriptor) -> tuple[int, int]:
    """How many people, and agencies, must have approved an event of a kind."""
    needed = kind.GetOptions().Extensions[approvals]
    return needed.people, needed.agencies


def _lacks_approvals(entry: Entry) -> bool:
    """Whether an entry names fewer people, or agencies, as approving it than it needs.

    Not asked of what came over loopback, which names none, unless it erases: nothing is erased so.
    """
    needed = _needed(body_of(entry.event).DESCRIPTOR)
    if needed == (0, 0):
        return False
    people = {(one.agency, one.actor_id) for one in entry.approvals if one.actor_id}
    agencies = {agency for agency, _ in people}
    return len(people) < needed[0] or len(agencies) < needed[1]


def _read(sealed: bytes) -> SealedFields:
    """Sealed fields as they are stored; without anybody where they cannot be read."""
    try:
        return sealing.read(sealed)
    except LedgerError:
        return _NOTHING
