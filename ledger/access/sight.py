"""The ledger as a caller may see it: whom she may not see is not there.

Everything that answers a question reads through it, so that no answer has to think of it, and "not
there" and "not yours" cannot be told apart. What may be seen is judged as of now, by all that is
known now, whatever moment a question asks about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ledger.access.caller import Caller
from ledger.access.policy import Rule, Sees, rules
from ledger.access.reach import Reach
from ledger.personal import take_out
from ledger.store.entries import Stored
from ledger.store.guards import Guards
from ledger.store.log import Log
from ledger.store.populations import Populations
from ledger.store.records import PERSON, Read, read_linked
from ledger.v1.event_pb2 import Entry
from projections.guard import Guard
from projections.sameness import linked_ids
from projections.subjects import people_of


class Sight:
    """What one caller may see, in the course of one call."""

    def __init__(
        self,
        caller: Caller,
        log: Log,
        populations: Populations,
        guards: Guards,
        clock: Callable[[], int],
        *,
        counts: bool = False,
    ) -> None:
        """`counts`: of everybody, sealed or not, because the answer names nobody."""
        self.caller = caller
        self._counts = counts
        self.emergency_event_ids: set[str] = set()
        """The events of emergencies that opened something in this call."""
        self._log = log
        self._populations = populations
        self._guards = guards
        self._now_us = clock
        self._rule: Rule | None = rules()[caller.role] if caller.is_identified else None
        self.renew()

    def renew(self) -> None:
        """Judge anew from here on: a stream goes on while records are sealed and children move."""
        self._guarded: Mapping[str, Guard] | None = None
        self._seen: dict[str, bool] = {}
        self._reach: Reach | None = None
        if self._rule is not None:
            known = (self._log, self._populations, self._now_us)
            self._reach = Reach(self.caller, self._rule, *known)

    def read(self, kind: str, ids: Sequence[str], up_to: int) -> Read:
        """The entries about subjects and whoever was linked with them; none of whom is hidden."""
        read = read_linked(self._log, kind, ids, up_to)
        if self._rule is None or self._counts:
            return read
        if kind != PERSON:
            read = {
                one: [each for each in some if self._is_told(each[1])] for one, some in read.items()
            }
        hidden = set()
        if kind == PERSON:
            hidden = {one for one in read if not self._sees_any({one, *linked_ids(read[one])})}
        return {
            one: [] if one in hidden else [self._shown(at, entry) for at, entry in some]
            for one, some in read.items()
        }

    def entry(self, stored: Stored) -> Entry | None:
        """One entry as the caller may see it; None: she may not.

        She sees one that names nobody, or somebody whom she sees, and what her own agency asserted.
        """
        if self._rule is None:
            return self._log.vault.opened(stored)
        bare = Entry.FromString(stored.data)
        if not self._is_told(bare):
            return None
        if not self._rule.personal or self._is_closed(people_of(bare.event)):
            # Before the format was fixed they stood in the entry itself.
            take_out(bare.event)
            return bare
        return self._log.vault.opened(stored)

    def admits(self) -> Callable[[str], bool] | None:
        """Whether a person may be among those of a list; None: everybody may."""
        if self._rule is None or self._counts:
            return None
        among = self._own.listed()
        if among is None and not self._closes_any():
            return None
        return lambda one: (among is None or one in among) and not self._is_closed([one])

    def sees_everybody(self) -> bool:
        """Whether nobody is hidden from the caller."""
        if self._rule is None:
            return True
        return self._rule.sees == Sees.EVERYONE and not self._closes_any()

    def sees(self, person_id: str) -> bool:
        """Whether the caller may look at a person's record."""
        return self._rule is None or self._sees_any({person_id})

    @property
    def _own(self) -> Reach:
        """Whom the agency of an identified caller looks after."""
        assert self._reach is not None  # noqa: S101
        return self._reach

    def _is_told(self, entry: Entry) -> bool:
        """Whether the caller may know of an entry."""
        if self._is_kept_from(entry):
            return False
        people = people_of(entry.event)
        is_own = entry.event.actor.agency == self.caller.agency
        return not people or is_own or any(self.sees(one) for one in people)

    def _sees_any(self, person_ids: Collection[str]) -> bool:
        """Whether the caller may look at the record of a person who has these ids."""
        key = min(person_ids) if len(person_ids) == 1 else " ".join(sorted(person_ids))
        if key not in self._seen:
            guards = self._guards.of(person_ids, self._now_us())
            opened = {self._opened(one) for one in guards.values()} - {""}
            self.emergency_event_ids |= opened
            self._seen[key] = bool(opened) or (
                not any(self._closes(one, guard) for one, guard in guards.items())
                and self._own.reaches(person_ids)
            )
        return self._seen[key]

    def _is_closed(self, person_ids: Iterable[str]) -> bool:
        """Whether what guards a record keeps one of these from the caller.

        An emergency that opens one to her is noted.
        """
        # All are looked at, so that each emergency is noted.
        return bool({one for one in set(person_ids) if self._is_kept_closed(one)})

    def _is_kept_closed(self, person_id: str) -> bool:
        guard = self._guards_met().get(person_id)
        if guard is None or not self._closes(person_id, guard):
            return False
        event_id = self._opened(guard)
        if event_id:
            self.emergency_event_ids.add(event_id)
        return not event_id

    def _guards_met(self) -> Mapping[str, Guard]:
        """The guards of everybody who has one, as the call began."""
        if self._guarded is None:
            self._guarded = self._guards.all(self._now_us())
        return self._guarded

    def _closes_any(self) -> bool:
        """Whether the record of anybody is closed to the caller, but in an emergency."""
        return any(self._closes(one, guard) for one, guard in self._guards_met().items())

    def _closes(self, person_id: str, guard: Guard) -> bool:
        """Whether a guard closes a person's record to the caller, but in an emergency."""
        assert self._rule is not None  # noqa: S101
        return (guard.is_sealed and not self._rule.sealed) or (
            guard.is_confidential
            and not self._rule.confidential
            and not self._own.looks_after(person_id)
        )

    def _opened(self, guard: Guard) -> str:
        """The event of the emergency that opens a record to the caller; empty: none does."""
        return guard.opened_to(self.caller.agency, self.caller.actor_id, self._now_us())

    def _is_kept_from(self, entry: Entry) -> bool:
        """Whether an event is confidential, or takes back one that is, and not the caller's."""
        assert self._rule is not None  # noqa: S101
        return not self._rule.grounds and self._guards.is_confidential(entry.event)

    def _shown(self, at: int, entry: Entry) -> tuple[int, Entry]:
        """An entry about somebody whom the caller sees, without what is not hers to read."""
        assert self._rule is not None  # noqa: S101
        if self._is_kept_from(entry):
            return at, Entry(record_time=entry.record_time)
        if self._rule.personal and not self._is_closed(people_of(entry.event)):
            return at, entry
        bare = Entry.FromString(self._log.entries.at(at).data)
        take_out(bare.event)
        return at, bare
