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
from ledger.v1.options_pb2 import confidential
from projections import custody, family
from projections.custody_view import HELD, IN_TRANSFER, by_agency
from projections.guard import Guard
from projections.history import facts
from projections.sameness import linked_ids
from projections.subjects import body_of, people_of

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
    ) -> None:
        self.caller = caller
        self.emergency_event_ids: set[str] = set()
        """The events of emergencies that opened something in this call."""
        self._log = log
        self._populations = populations
        self._guards = guards
        self._now_us = clock
        self._rule: Rule | None = rules()[caller.role] if caller.is_identified else None
        self._among: frozenset[str] | None = None
        self._seen: dict[str, bool] = {}

    def read(self, kind: str, ids: Sequence[str], up_to: int) -> Read:
        """The entries about subjects and whoever was linked with them; none of whom is hidden."""
        read = read_linked(self._log, kind, ids, up_to)
        if self._rule is None:
            return read
        hidden = set()
        if kind == PERSON:
            hidden = {one for one in read if not self._sees_any({one, *linked_ids(read[one])})}
        guarded = self._closed_to(self._guards.all(self._now_us()))
        return {
            one: [] if one in hidden else [self._shown(at, entry, guarded) for at, entry in some]
            for one, some in read.items()
        }

    def entry(self, stored: Stored) -> Entry | None:
        """One entry as the caller may see it; None: she may not.

        She sees one that names nobody, or somebody whom she sees, and what her own agency asserted.
        """
        if self._rule is None:
            return self._log.vault.opened(stored)
        bare = Entry.FromString(stored.data)
        if _is_confidential(bare) and not self._rule.confidential:
            return None
        people = people_of(bare.event)
        is_own = bare.event.actor.agency == self.caller.agency
        if people and not is_own and not any(self.sees(one) for one in people):
            return None
        guarded = self._closed_to(self._guards.all(self._now_us()))
        if not self._rule.personal or not guarded.isdisjoint(people):
            return bare
        return self._log.vault.opened(stored)

    def admits(self) -> Callable[[str], bool] | None:
        """Whether a person may be among those of a list; None: everybody may."""
        if self._rule is None:
            return None
        guarded = self._closed_to(self._guards.all(self._now_us()))
        among = self._listed()
        if among is None and not guarded:
            return None
        return lambda one: one not in guarded and (among is None or one in among)

    def sees(self, person_id: str) -> bool:
        """Whether the caller may look at a person's record."""
        return self._rule is None or self._sees_any({person_id})

    def _sees_any(self, person_ids: Collection[str]) -> bool:
        """Whether the caller may look at the record of a person who has these ids."""
        key = min(person_ids) if len(person_ids) == 1 else " ".join(sorted(person_ids))
        if key not in self._seen:
            guards = self._guards.of(person_ids, self._now_us())
            self._seen[key] = self._is_opened(guards.values()) or (
                self._closed_to(guards).isdisjoint(person_ids) and self._reaches(person_ids)
            )
        return self._seen[key]

    def _closed_to(self, guards: Mapping[str, Guard]) -> set[str]:
        """Those of guarded persons whose records the caller may not see for it."""
        assert self._rule is not None  # noqa: S101
        closed = {
            one
            for one, guard in guards.items()
            if (guard.is_sealed and not self._rule.sealed)
            or (
                guard.is_confidential
                and not self._rule.confidential
                and one not in (self._listed() or ())
            )
        }
        return {one for one in closed if not self._is_opened([guards[one]])}

    def _is_opened(self, guards: Iterable[Guard]) -> bool:
        """Whether an emergency opens one of these to the caller, which is then noted."""
        now, who = self._now_us(), self.caller
        found = {one.opened_to(who.agency, who.actor_id, now) for one in guards} - {""}
        self.emergency_event_ids |= found
        return bool(found)

    def _listed(self) -> frozenset[str] | None:
        """Whom lists may show: those of the caller's agency and cases. None: everybody."""
        assert self._rule is not None  # noqa: S101
        sees = self._rule.sees
        if sees == Sees.EVERYONE:
            return None
        if self._among is None:
            found: set[str] = set()
            if sees != Sees.NO_ONE:
                found |= self._held(ever=sees == Sees.OWN_RECORDS)
            if sees == Sees.ASSIGNED_CASES:
                found |= self._assigned()
            self._among = frozenset(found)
        return self._among

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
                linked |= {link.relative_id for link in view.links}
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

    def _shown(self, at: int, entry: Entry, guarded: set[str]) -> tuple[int, Entry]:
        """An entry about somebody whom the caller sees, without what is not hers to read."""
        assert self._rule is not None  # noqa: S101
        if _is_confidential(entry) and not self._rule.confidential:
            return at, Entry(record_time=entry.record_time)
        if self._rule.personal and guarded.isdisjoint(people_of(entry.event)):
            return at, entry
        bare = Entry.FromString(self._log.entries.at(at).data)
        return at, bare


def _is_confidential(entry: Entry) -> bool:
    if entry.event.WhichOneof("fact") is None:
        return False
    return bool(body_of(entry.event).DESCRIPTOR.GetOptions().Extensions[confidential])
