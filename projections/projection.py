"""A projection: a frozen dataclass, one step for each kind of event, and the fold."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from projections.evolve import replace
from projections.history import Fact

MEANING = 2
"""A change of what every projection goes by (history, sameness, subjects) is a new number here."""

View = TypeVar("View")
Step = Callable[[View, Any, Fact], View]


@dataclass(frozen=True, slots=True)
class Period(Generic[View]):
    """A view and the stretch of valid time over which it held."""

    from_us: int
    to_us: int | None
    """The first moment after it; None: open."""
    view: View


@dataclass(frozen=True, slots=True)
class Time(Generic[View]):
    """What passing time does to a view without any event: clocks run out, children grow up."""

    turns: Callable[[View], Iterable[int]]
    """The instants from which on something may be otherwise."""
    at: Callable[[View, int], View]
    """The view at an instant."""


class Projection(Generic[View]):
    """What the facts about one subject come to.

    `view` is made with the subject's id alone and says "not recorded" then. `populations` gives the
    populations that a view belongs to, each with what is to be shown of it there; a projection that
    has them gets tables of periods. `time`: views change by time alone. `sees_retracted`: steps
    meet retracted facts too. `parts`: fields of the view that are views of other projections, which
    meet every fact first. A change of meaning is a new `version`, which rebuilds the tables.
    """

    def __init__(
        self,
        name: str,
        view: Callable[[str], View],
        *,
        subject: str,
        version: int,
        populations: Callable[[View], Mapping[str, Message]] | None = None,
        time: Time[View] | None = None,
        sees_retracted: bool = False,
        parts: Mapping[str, "Projection[Any]"] | None = None,
    ) -> None:
        self.name = name
        self.subject = subject
        # What a part means otherwise, the whole does.
        self.version: int = MEANING + version + sum(part.version for part in (parts or {}).values())
        self.populations = populations
        self._view = view
        self._time = time
        self._sees_retracted = sees_retracted
        self.parts = parts or {}
        self._steps: dict[str, Step[View]] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """The names of the messages that move it."""
        return frozenset(self._steps)

    @cached_property
    def all_kinds(self) -> frozenset[str]:
        """The names of the messages that move it or one of its parts."""
        return self.kinds.union(*(part.all_kinds for part in self.parts.values()))

    def on(self, *bodies: type[Message]) -> Callable[[Step[View]], Step[View]]:
        """Register the step for events whose fact is one of these messages."""

        def register(step: Step[View]) -> Step[View]:
            for body in bodies:
                name = body.DESCRIPTOR.name
                assert name not in self._steps, f"{self.name} has two steps for {name}"  # noqa: S101
                self._steps[name] = step
            return step

        return register

    def fold(self, subject_id: str, known: Iterable[Fact], as_of_us: int | None = None) -> View:
        """The view as of an instant; None: after every fact. `known` as `history.facts` gives."""
        view = self.begin(subject_id)
        for fact in known:
            if as_of_us is not None and fact.effective_us > as_of_us:
                break
            view = self.step(view, fact)
        return self._time.at(view, as_of_us) if self._time and as_of_us is not None else view

    def periods(self, subject_id: str, known: Sequence[Fact]) -> list[Period[View]]:
        """The views in turn, each with the stretch of valid time over which it held."""
        begun, *views = accumulate(known, self.step, initial=self.begin(subject_id))
        made = changes(begun, known, views)
        ends = [*(since for since, _ in made[1:]), None]
        return [
            period
            for (since, view), end in zip(made, ends, strict=False)
            for period in self._within(view, since, end)
        ]

    def _within(self, view: View, from_us: int, to_us: int | None) -> list[Period[View]]:
        """What passing time makes of a view over a stretch."""
        parts = [one for one in self.passing(view, from_us) if to_us is None or one[0] < to_us]
        ends = [*(start for start, _ in parts[1:]), to_us]
        return [Period(start, end, part) for (start, part), end in zip(parts, ends, strict=True)]

    def begin(self, subject_id: str) -> View:
        """The view before any fact."""
        view: Any = self._view(subject_id)
        parts = {name: part.begin(subject_id) for name, part in self.parts.items()}
        return replace(view, **parts) if parts else view  # type: ignore[no-any-return]

    def step(self, view: View, fact: Fact) -> View:
        """The view after one more fact."""
        moved = {}
        for name, part in self.parts.items():
            before = getattr(view, name)
            after = part.step(before, fact)
            if after is not before:
                moved[name] = after
        return self.take(view, fact, moved)

    def take(self, view: View, fact: Fact, moved: Mapping[str, Any]) -> View:
        """The view after one more fact, given the parts of it that the fact has moved."""
        if moved:
            view = replace(view, **moved)
        if fact.retracted_by and not self._sees_retracted:
            return view
        step = self._steps.get(fact.kind)
        return step(view, fact.body, fact) if step else view

    def passing(self, view: View, from_us: int) -> Iterator[tuple[int, View]]:
        """(since when, view) from an instant on: the view as passing time changes it."""
        if self._time is None:
            yield from_us, view
            return
        last = self._time.at(view, from_us)
        yield from_us, last
        for turn in sorted({turn for turn in self._time.turns(view) if turn > from_us}):
            now = self._time.at(view, turn)
            if now != last:
                yield turn, now
                last = now


def changes(view: View, known: Iterable[Fact], views: Iterable[View]) -> list[tuple[int, View]]:
    """(since when, view) of the views that differ from the one before, given one after each fact.

    `view`: the one before all of them. Of what takes effect at one instant the last one counts.
    """
    made: list[tuple[int, View]] = []
    for fact, after in zip(known, views, strict=True):
        if after is view or after == view:
            continue
        view = after
        if made and made[-1][0] == fact.effective_us:
            made.pop()
        made.append((fact.effective_us, view))
    return made
