"""The members of populations at a moment, as the tables of a projection have them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ledger.ledger import CATCH_UP_WAIT_S, Ledger, Moment
from ledger.store.generations import Generation
from ledger.store.records import PERSON
from projections.projection import Projection

Answer = TypeVar("Answer")
States = list[tuple[str, bytes]]
"""(subject id, what is shown of it, serialized), by subject id."""


class Members:
    """The populations of one projection at a moment, without those whom the caller may not see.

    Every question may raise PROJECTION_BEHIND.
    """

    def __init__(self, ledger: Ledger, projection: Projection[Any], moment: Moment) -> None:
        self._populations = ledger.populations
        self._periods = ledger.populations.periods
        self._name = projection.name
        self._size = moment.size
        self._at = (moment.as_of_us, moment.size)
        self._kept_as = ledger.log.vault.blinded
        self._admits = ledger.sight.admits() if projection.subject == PERSON else None

    def all(self, wanted: Sequence[str]) -> States:
        """Everybody in any of these populations."""
        names = self._names(wanted)
        return self._seen(self._ask(lambda live: self._periods.all(live, names, *self._at)))

    def page(self, wanted: Sequence[str], after: str, limit: int) -> States:
        """The first in any of these populations after a subject id."""
        if self._admits:
            return [one for one in self.all(wanted) if one[0] > after][:limit]
        names = self._names(wanted)
        return self._ask(lambda live: self._periods.page(live, names, *self._at, after, limit))

    def count(self, wanted: Sequence[str]) -> int:
        """How many are in any of these populations."""
        if self._admits:
            return len({one for one, _ in self.all(wanted)})
        names = self._names(wanted)
        return self._ask(lambda live: self._periods.count(live, names, *self._at))

    def counts(self, prefix: str) -> dict[str, int]:
        """How many are in each population whose name begins so; a prefix ends with ":".

        For answers that count everybody: those whom the caller may not see are counted too.
        """
        return self._ask(lambda live: self._periods.counts(live, prefix, *self._at))

    def each(self, wanted: Sequence[str]) -> dict[str, States]:
        """The members of each of these populations that has any."""
        names = dict(zip(self._names(wanted), wanted, strict=True))
        held = self._ask(lambda live: self._periods.members(live, list(names), *self._at))
        seen = {names[kept_as]: self._seen(states) for kept_as, states in held.items()}
        return {name: states for name, states in seen.items() if states}

    def shared(self, prefix: str) -> dict[str, States]:
        """The members of each population whose name begins so and that has several."""
        held = self._ask(lambda live: self._periods.shared(live, prefix, *self._at))
        seen = {name: self._seen(states) for name, states in held.items()}
        return {name: states for name, states in seen.items() if len(states) > 1}

    def were_known(self, wanted: Sequence[str]) -> bool:
        """Whether anybody was ever believed to be in any of these populations."""
        names, admits = self._names(wanted), self._admits
        if admits:
            known = self._ask(lambda live: self._periods.ever(live, names, self._size))
            return any(admits(one) for one in known)
        return self._ask(lambda live: self._periods.is_known(live, names, self._size))

    def _seen(self, states: States) -> States:
        admits = self._admits
        return [one for one in states if admits(one[0])] if admits else states

    def _names(self, wanted: Sequence[str]) -> list[str]:
        """The names that the tables keep populations under."""
        return [self._kept_as(one) for one in wanted]

    def _ask(self, question: Callable[[Generation], Answer]) -> Answer:
        return self._populations.ask(self._name, self._size, CATCH_UP_WAIT_S, question)
