"""Whose record is a caller's to look up: whom her agency holds, or held, and their relatives.

Judged as of now, by all that is known now. Of one person by folding what the log says of her; of
everybody, for lists, by the tables.
"""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property

from ledger.access.caller import Caller
from ledger.access.policy import Rule, Sees
from ledger.store.log import Log
from ledger.store.populations import Populations
from ledger.store.records import PERSON, of_all, read_linked
from ledger.v1.event_pb2 import Entry
from projections import custody, family
from projections.custody_view import HELD, IN_TRANSFER, by_agency
from projections.history import Fact, facts
from projections.subjects import people_of

REMOVES_MAX = 3
"""So many links lie at most between somebody whom an agency holds and a relative it may look up."""
WAIT_S = 5.0
UNDONE = (family.RETRACTED, family.DISPROVED)
"""Links that reach nobody: they were taken back, or found to be wrong."""


class Reach:
    """Whom one caller's agency looks after, and answers for."""

    def __init__(
        self,
        caller: Caller,
        rule: Rule,
        log: Log,
        populations: Populations,
        clock: Callable[[], int],
    ) -> None:
        self._caller = caller
        self._rule = rule
        self._log = log
        self._populations = populations
        self._now_us = clock
        # As the call began: what is read and folded of somebody is the same for all of it.
        self._among: frozenset[str] | None = None
        self._near: dict[str, bool] = {}
        self._facts: dict[str, list[Fact]] = {}
        self._now_held: dict[str, bool] = {}

    def looks_after(self, person_id: str) -> bool:
        """Whether the caller's agency holds a person now, or a relative of hers.

        Whatever is confidential of a mother, who holds her child must be able to find her.
        """
        if person_id not in self._near:
            self._near[person_id] = self._is_related({person_id}, is_own=self._is_held)
        return self._near[person_id]

    def listed(self) -> frozenset[str] | None:
        """Whom lists may show: those of the caller's agency and cases. None: everybody."""
        sees = self._rule.sees
        if sees == Sees.EVERYONE:
            return None
        if self._among is None:
            found: set[str] = set()
            if sees == Sees.OWN_RECORDS:
                found |= self._held(ever=True)
            elif sees != Sees.NO_ONE:
                found |= self._held(ever=False)
            if sees == Sees.ASSIGNED_CASES:
                assigned = self._assigned
                found |= assigned & self._held(ever=True) if assigned else set()
            self._among = frozenset(found)
        return self._among

    def _held(self, *, ever: bool) -> set[str]:
        """Whom the caller's agency holds, or ever held, by the tables."""
        belonging, size = self._populations.belonging, self._size
        wanted, now = [by_agency(self._caller.agency)], self._now_us()
        if ever:
            return self._populations.ask(
                custody.custody.name, size, WAIT_S, lambda live: belonging.ever(live, wanted, size)
            )
        return self._populations.ask(
            custody.custody.name, size, WAIT_S, lambda live: belonging.ids(live, wanted, now, size)
        )

    @cached_property
    def _size(self) -> int:
        """How many entries the log has."""
        return self._log.entries.size()

    @cached_property
    def _assigned(self) -> set[str]:
        """Whom the cases that are assigned to the caller, and led by her agency, name."""
        cases = [f"case:{one}" for one in self._caller.case_ids]
        about = self._log.entries.about(cases, self._size)
        opened = [
            entry.event
            for stored in about.values()
            for entry in (Entry.FromString(one.data) for one in stored)
            if entry.event.reunification_case_opened.agency == self._caller.agency
        ]
        return {one for event in opened for one in people_of(event)}

    def reaches(self, person_ids: Collection[str]) -> bool:
        """Whether a person is the caller's to look up, by what the log says now; not by tables."""
        sees = self._rule.sees
        if sees in (Sees.EVERYONE, Sees.NO_ONE):
            return sees == Sees.EVERYONE
        assigned = self._assigned if sees == Sees.ASSIGNED_CASES else set()

        def is_own(one: str) -> bool:
            answers_for = sees == Sees.OWN_RECORDS or one in assigned
            return self._was_held(one) if answers_for else self._is_held(one)

        return self._is_related(set(person_ids), is_own=is_own)

    def _is_related(self, person_ids: set[str], *, is_own: Callable[[str], bool]) -> bool:
        """Whether a person, or a relative of hers, is one of the caller's own."""
        met, nearest = set(person_ids), sorted(person_ids)
        for _ in range(REMOVES_MAX + 1):
            people = self._read(nearest)
            if any(is_own(one) for one in people):
                return True
            linked = {other for one in people for other in self._linked(one)}
            nearest = sorted(linked - met)
            met |= linked
            if not nearest:
                return False
        return False

    def _read(self, person_ids: Sequence[str]) -> list[str]:
        """These persons and whoever was linked with them as of one person, their facts at hand."""
        read = read_linked(self._log, PERSON, person_ids, self._size)
        for one in read.keys() - self._facts.keys():
            self._facts[one] = facts(of_all(one, read), one)
        return list(read)

    def _linked(self, person_id: str) -> set[str]:
        """The relatives of a person, by links that stand.

        Nobody comes within an agency's reach by its own word alone: a link that no other agency
        asserts counts where the agency has held whom it links.
        """
        known = self._facts[person_id]
        view = family.family.fold(person_id, known)
        standing = [one for one in view.links if view.status(one) not in UNDONE]
        told_by_others = {
            one.event.event_id
            for one in known
            if not one.retracted_by and one.event.actor.agency != self._caller.agency
        }
        others = {one.relative_id for one in standing if told_by_others & {*one.event_ids}}
        own = {one.relative_id for one in standing} - others
        # Seen from the one of the two whom the agency never had, the other is no way in.
        return others | (own if own and self._was_held(person_id) else set())

    def _was_held(self, person_id: str) -> bool:
        """Whether the caller's agency holds a person, is to receive her, or ever held her."""
        agency = self._caller.agency
        return self._is_held(person_id) or any(
            agency in {one.view.agency, *(other for other, _ in one.view.claims)}
            for one in custody.custody.periods(person_id, self._facts[person_id])
            if one.view.status in (HELD, IN_TRANSFER)
        )

    def _is_held(self, person_id: str) -> bool:
        """Whether the caller's agency holds a person, or is to receive her."""
        if person_id not in self._now_held:
            self._now_held[person_id] = self._holds(person_id)
        return self._now_held[person_id]

    def _holds(self, person_id: str) -> bool:
        agency = self._caller.agency
        now = custody.custody.fold(person_id, self._facts[person_id], self._now_us())
        if now.status not in (HELD, IN_TRANSFER):
            return now.referred_to == agency
        claiming = {one for one, _ in now.claims}
        return agency in {now.agency, now.bound_for, now.referred_to, *claiming}
