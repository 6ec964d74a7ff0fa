"""A projection: a frozen dataclass, one step for each kind of event, and the fold."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from projections.history import Fact

View = TypeVar("View")
Step = Callable[[View, Any, Fact], View]


@dataclass(frozen=True, slots=True)
class Period(Generic[View]):
    """A view and the stretch of valid time over which it held."""

    from_us: int
    to_us: int | None
    """The first moment after it; None: open."""
    view: View


class Projection(Generic[View]):
    """What the facts about one subject come to.

    `view` is made with the subject's id alone and says "not recorded" then. `present` puts a view
    into the words. `populations` names the populations that a view belongs to; a projection that
    has them gets tables of periods. `sees_retracted`: steps meet retracted facts too. A change of
    meaning is a new `version`, which rebuilds the tables.
    """

    def __init__(
        self,
        name: str,
        view: Callable[[str], View],
        *,
        subject: str,
        version: int,
        present: Callable[[View], Message],
        populations: Callable[[View], tuple[str, ...]] | None = None,
        sees_retracted: bool = False,
    ) -> None:
        self.name = name
        self.subject = subject
        self.version = version
        self.present = present
        self.populations = populations
        self._view = view
        self._sees_retracted = sees_retracted
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
        view = self._view(subject_id)
        for fact in known:
            if as_of_us is not None and fact.effective_us > as_of_us:
                break
            view = self._step(view, fact)
        return view

    def periods(self, subject_id: str, known: Iterable[Fact]) -> list[Period[View]]:
        """The views in turn, each with the stretch of valid time over which it held."""
        changes: list[tuple[int, View]] = []
        view = self._view(subject_id)
        for fact in known:
            after = self._step(view, fact)
            if after == view:
                continue
            view = after
            if changes and changes[-1][0] == fact.effective_us:
                changes.pop()
            changes.append((fact.effective_us, view))
        ends = [*(since for since, _ in changes[1:]), None]
        return [Period(since, to, view) for (since, view), to in zip(changes, ends, strict=False)]

    def _step(self, view: View, fact: Fact) -> View:
        if fact.retracted_by and not self._sees_retracted:
            return view
        step = self._steps.get(fact.kind)
        return step(view, fact.body, fact) if step else view
