"""The ledger as a caller may see it: whom she may not see is not there.

Everything that answers a question reads through it, so that no answer has to think of it, and "not
there" and "not yours" cannot be told apart. What may be seen is judged as of now, by all that is
known now, whatever moment a question asks about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ledger.access.caller import Caller
from ledger.access.policy import Rule, Sees, rules
from ledger.store.entries import Stored
from ledger.store.guards import Guards
from ledger.store.log import Log
from ledger.store.populations import Populations
from ledger.store.records import PERSON, Read, of_all, read_linked
from ledger.v1.event_pb2 import Entry
from projections import custody, family
from projections.custody_view import HELD, IN_TRANSFER, by_agency
from projections.guard import Guard
from projections.history import facts
from projections.sameness import linked_ids
from projections.subjects import people_of

UNDONE = (family.RETRACTED, family.DISPROVED)
"""Links that reach nobody: they were taken back, or found to be wrong."""
REMOVES_MAX = 3
"""So many links lie at most between somebody whom an agency holds and a relative it may look up."""
WAIT_S = 5.0


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
        self._among: frozenset[str] | None = None
        self._guarded: tuple[set[str], dict[str, str]] | None = None
        self._holding: frozenset[str] | None = None
        self._seen: dict[str, bool] = {}

    def renew(self) -> None:
        """Judge anew from here on: a stream goes on while records are sealed and children move."""
        self._among = self._guarded = self._holding = None
        self._seen.clear()

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
            return bare
        return self._log.vault.opened(stored)

    def admits(self) -> Callable[[str], bool] | None:
        """Whether a person may be among those of a list; None: everybody may."""
        if self._rule is None or self._counts:
            return None
        among = self._listed()
        if among is None and not any(self._guards_met()):
            return None
        return lambda one: (among is None or one in among) and not self._is_closed([one])

    def sees(self, person_id: str) -> bool:
        """Whether the caller may look at a person's record."""
        return self._rule is None or self._sees_any({person_id})

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
                self._closed_to(guards).isdisjoint(person_ids) and self._reaches(person_ids)
            )
        return self._seen[key]

    def _is_closed(self, person_ids: Iterable[str]) -> bool:
        """Whether what guards a record keeps one of these from the caller.

        An emergency that opens one to her is noted.
        """
        closed, opened = self._guards_met()
        people = set(person_ids)
        self.emergency_event_ids |= {opened[one] for one in people & opened.keys()}
        return not closed.isdisjoint(people)

    def _guards_met(self) -> tuple[set[str], dict[str, str]]:
        """Whose records are closed to the caller as the call began, and whose an event opens."""
        if self._guarded is None:
            guards = self._guards.all(self._now_us())
            closed = self._closed_to(guards)
            opened = {one: event_id for one in closed if (event_id := self._opened(guards[one]))}
            self._guarded = closed - opened.keys(), opened
        return self._guarded

    def _closed_to(self, guards: Mapping[str, Guard]) -> set[str]:
        """Those of guarded persons whose records the caller may not see but in an emergency."""
        assert self._rule is not None  # noqa: S101
        return {
            one
            for one, guard in guards.items()
            if (guard.is_sealed and not self._rule.sealed)
            or (
                guard.is_confidential
                and not self._rule.confidential
                and one not in self._held_now()
            )
        }

    def _opened(self, guard: Guard) -> str:
        """The event of the emergency that opens a record to the caller; empty: none does."""
        return guard.opened_to(self.caller.agency, self.caller.actor_id, self._now_us())

    def _is_kept_from(self, entry: Entry) -> bool:
        """Whether an event is confidential, or takes back one that is, and not the caller's."""
        assert self._rule is not None  # noqa: S101
        return not self._rule.confidential and self._guards.is_confidential(entry.event)

    def _listed(self) -> frozenset[str] | None:
        """Whom lists may show: those of the caller's agency and cases. None: everybody."""
        assert self._rule is not None  # noqa: S101
        sees = self._rule.sees
        if sees == Sees.EVERYONE:
            return None
        if self._among is None:
            found: set[str] = set()
            if sees == Sees.OWN_RECORDS:
                found |= self._held(ever=True)
            elif sees != Sees.NO_ONE:
                found |= self._held_now()
            if sees == Sees.ASSIGNED_CASES:
                found |= self._assigned()
            self._among = frozenset(found)
        return self._among

    def _held_now(self) -> frozenset[str]:
        if self._holding is None:
            self._holding = frozenset(self._held(ever=False))
        return self._holding

    def _held(self, *, ever: bool) -> set[str]:
        """Whom the caller's agency holds, or ever held, by the tables."""
        periods, size = self._populations.periods, self._log.entries.size()
        wanted, now = [by_agency(self.caller.agency)], self._now_us()
        if ever:
            return set(
                self._populations.ask(
                    custody.custody.name,
                    size,
                    WAIT_S,
                    lambda live: periods.ever(live, wanted, size),
                )
            )
        rows = self._populations.ask(
            custody.custody.name, size, WAIT_S, lambda live: periods.all(live, wanted, now, size)
        )
        return {one for one, _ in rows}

    def _assigned(self) -> set[str]:
        """Whom the cases that are assigned to the caller name."""
        cases = [f"case:{one}" for one in self.caller.case_ids]
        about = self._log.entries.about(cases, self._log.entries.size())
        return {
            one
            for stored in about.values()
            for each in stored
            for one in people_of(Entry.FromString(each.data).event)
        }

    def _reaches(self, person_ids: Collection[str]) -> bool:
        """Whether a person is the caller's to look up, by what the log says now; not by tables."""
        assert self._rule is not None  # noqa: S101
        sees = self._rule.sees
        if sees in (Sees.EVERYONE, Sees.NO_ONE):
            return sees == Sees.EVERYONE
        if sees == Sees.ASSIGNED_CASES and not self._assigned().isdisjoint(person_ids):
            return True
        return self._is_related(set(person_ids), is_own=self._is_own)

    def _is_related(self, person_ids: set[str], *, is_own: Callable[[str, Read], bool]) -> bool:
        """Whether a person, or a relative of hers, is one of the caller's own."""
        size = self._log.entries.size()
        met, nearest = set(person_ids), sorted(person_ids)
        for _ in range(REMOVES_MAX + 1):
            read = read_linked(self._log, PERSON, nearest, size)
            if any(is_own(one, read) for one in read):
                return True
            linked: set[str] = set()
            for one in read:
                view = family.family.fold(one, facts(of_all(one, read), one))
                linked |= {one.relative_id for one in view.links if view.status(one) not in UNDONE}
            nearest = sorted(linked - met)
            met |= linked
            if not nearest:
                return False
        return False

    def _is_own(self, person_id: str, read: Read) -> bool:
        """Whether the caller's agency holds or is to receive her, or answers for her."""
        assert self._rule is not None  # noqa: S101
        agency = self.caller.agency
        if self._rule.sees == Sees.OWN_RECORDS and any(
            entry.event.actor.agency == agency for _, entry in read[person_id]
        ):
            return True
        known = facts(of_all(person_id, read), person_id)
        now = custody.custody.fold(person_id, known, self._now_us())
        if now.status not in (HELD, IN_TRANSFER):
            return now.referred_to == agency
        claiming = {one for one, _ in now.claims}
        return agency in {now.agency, now.bound_for, now.referred_to, *claiming}

    def _shown(self, at: int, entry: Entry) -> tuple[int, Entry]:
        """An entry about somebody whom the caller sees, without what is not hers to read."""
        assert self._rule is not None  # noqa: S101
        if self._is_kept_from(entry):
            return at, Entry(record_time=entry.record_time)
        if self._rule.personal and not self._is_closed(people_of(entry.event)):
            return at, entry
        bare = Entry.FromString(self._log.entries.at(at).data)
        return at, bare
