"""The members of populations at a moment, as the tables of a projection have them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ledger.ledger import CATCH_UP_WAIT_S, Ledger, Moment
from ledger.store.belonging import States
from ledger.store.generations import Generation
from ledger.store.records import PERSON
from projections.projection import Projection

# So many are looked at together where the caller may see some of them only.
READ_MAX = 1_000

Answer = TypeVar("Answer")


class Members:
    """The populations of one projection at a moment, without those whom the caller may not see.

    Every question may raise PROJECTION_BEHIND.
    """

    def __init__(self, ledger: Ledger, projection: Projection[Any], moment: Moment) -> None:
        self._populations = ledger.populations
        self._belonging = ledger.populations.belonging
        self._name = projection.name
        self._size = moment.size
        self._at = (moment.as_of_us, moment.size)
        self._kept_as = ledger.log.vault.blinded
        self._admits = ledger.sight.admits() if projection.subject == PERSON else None

    def all(self, wanted: Sequence[str]) -> States:
        """Everybody in any of these populations."""
        names = self._names(wanted)
        return self._seen(self._ask(lambda live: self._belonging.all(live, names, *self._at)))

    def page(self, wanted: Sequence[str], after: str, limit: int) -> States:
        """The first in any of these populations after a subject id."""
        if self._admits:
            return self._first_seen(wanted, after, limit)
        return self._ask(partial(self._page_of, self._names(wanted), after, limit))

    def count(self, wanted: Sequence[str]) -> int:
        """How many are in any of these populations."""
        if self._admits:
            return sum(map(self._admits, self._ids(wanted)))
        names = self._names(wanted)
        return self._ask(lambda live: self._belonging.count(live, names, *self._at))

    def counts(self, wanted: Sequence[str]) -> dict[str, int]:
        """How many are in each of these populations that has any.

        For answers that count everybody: those whom the caller may not see are counted too.
        """
        names = dict(zip(self._names(wanted), wanted, strict=True))
        counts = self._ask(lambda live: self._belonging.counts(live, list(names), *self._at))
        return {names[kept_as]: count for kept_as, count in counts.items()}

    def each(self, wanted: Sequence[str]) -> dict[str, States]:
        """The members of each of these populations that has any."""
        names = dict(zip(self._names(wanted), wanted, strict=True))
        held = self._ask(lambda live: self._belonging.members(live, list(names), *self._at))
        seen = {names[kept_as]: self._seen(states) for kept_as, states in held.items()}
        return {name: states for name, states in seen.items() if states}

    def shared(self, prefix: str) -> dict[str, States]:
        """The members of each population whose name begins so and that has several."""
        held = self._ask(lambda live: self._belonging.shared(live, prefix, *self._at))
        seen = {name: self._seen(states) for name, states in held.items()}
        return {name: states for name, states in seen.items() if len(states) > 1}

    def were_known(self, wanted: Sequence[str]) -> bool:
        """Whether anybody was ever believed to be in any of these populations."""
        names, admits = self._names(wanted), self._admits
        if admits:
            known = self._ask(lambda live: self._belonging.ever(live, names, self._size))
            return any(admits(one) for one in known)
        return self._ask(lambda live: self._belonging.is_known(live, names, self._size))

    def _first_seen(self, wanted: Sequence[str], after: str, limit: int) -> States:
        """The first whom the caller may see, looked for some at a time."""
        names = self._names(wanted)
        seen: States = []
        while len(seen) < limit:
            some = self._ask(partial(self._page_of, names, after, READ_MAX))
            seen += self._seen(some)
            if len(some) < READ_MAX:
                break
            after = some[-1][0]
        return seen[:limit]

    def _page_of(self, names: Sequence[str], after: str, limit: int, live: Generation) -> States:
        return self._belonging.page(live, names, *self._at, after, limit)

    def _ids(self, wanted: Sequence[str]) -> set[str]:
        names = self._names(wanted)
        return self._ask(lambda live: self._belonging.ids(live, names, *self._at))

    def _seen(self, states: States) -> States:
        admits = self._admits
        return [one for one in states if admits(one[0])] if admits else states

    def _names(self, wanted: Sequence[str]) -> list[str]:
        """The names that the tables keep populations under."""
        return [self._kept_as(one) for one in wanted]

    def _ask(self, question: Callable[[Generation], Answer]) -> Answer:
        return self._populations.ask(self._name, self._size, CATCH_UP_WAIT_S, question)
