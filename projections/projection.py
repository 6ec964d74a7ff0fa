"""A projection: a frozen dataclass, one step for each kind of event, and the fold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

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
class Changes(Generic[View]):
    """What facts made of a view in turn: (since when, view), and the last of them."""

    known: Sequence[Fact]
    made: list[tuple[int, View]]
    view: View

    def stretches(self) -> list[Period[View]]:
        """Each view until the next one."""
        ends = [*(since for since, _ in self.made[1:]), None]
        return [Period(since, to, view) for (since, view), to in zip(self.made, ends, strict=False)]

    def are_followed_by(self, known: Sequence[Fact]) -> bool:
        """Whether these facts are those that it was made of, and some more at the end.

        The events are the same objects unless somebody in them has been renamed since.
        """
        return len(known) >= len(self.known) and all(
            one.event is other.event
            and (one.position, one.effective_us, one.retracted_by)
            == (other.position, other.effective_us, other.retracted_by)
            for one, other in zip(self.known, known, strict=False)
        )


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
        self._parts = parts or {}
        self._steps: dict[str, Step[View]] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """The names of the messages that move it."""
        return frozenset(self._steps)

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
        found = self.changes(subject_id, known).stretches()
        return [part for whole in found for part in self.passing(whole)]

    def changes(
        self, subject_id: str, known: Sequence[Fact], before: "Changes[View] | None" = None
    ) -> "Changes[View]":
        """The views in turn, without what passing time makes of them.

        `before`: those of all but the last of these facts, to go on from.
        """
        made = list(before.made) if before else []
        view = before.view if before else self.begin(subject_id)
        for fact in known[len(before.known) :] if before else known:
            after = self.step(view, fact)
            if after == view:
                continue
            view = after
            if made and made[-1][0] == fact.effective_us:
                made.pop()
            made.append((fact.effective_us, view))
        return Changes(known, made, view)

    def begin(self, subject_id: str) -> View:
        """The view before any fact."""
        view: Any = self._view(subject_id)
        parts = {name: part.begin(subject_id) for name, part in self._parts.items()}
        return replace(view, **parts) if parts else view  # type: ignore[no-any-return]

    def step(self, view: View, fact: Fact) -> View:
        """The view after one more fact."""
        for name, part in self._parts.items():
            before = getattr(view, name)
            after = part.step(before, fact)
            if after is not before:
                view = replace(view, **{name: after})  # type: ignore[type-var]
        if fact.retracted_by and not self._sees_retracted:
            return view
        step = self._steps.get(fact.kind)
        return step(view, fact.body, fact) if step else view

    def passing(self, whole: Period[View]) -> list[Period[View]]:
        """A period in the parts that passing time makes of it."""
        if self._time is None:
            return [whole]
        inside = {
            turn
            for turn in self._time.turns(whole.view)
            if whole.from_us < turn and (whole.to_us is None or turn < whole.to_us)
        }
        starts = [whole.from_us, *sorted(inside)]
        ends = [*starts[1:], whole.to_us]
        found: list[Period[View]] = []
        for start, end in zip(starts, ends, strict=True):
            view = self._time.at(whole.view, start)
            if found and found[-1].view == view:
                found[-1] = replace(found[-1], to_us=end)
            else:
                found.append(Period(start, end, view))
        return found
