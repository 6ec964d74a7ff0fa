"""The course of a projection: its views along the facts of one subject.

Kept while entries are learned, so that only the views from the first fact on that is otherwise are
made anew; and shared, so that what is part of several projections is folded once.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Generic

from projections.history import Fact
from projections.projection import Projection, View


class Course(Generic[View]):
    """The view before any fact, and the one after each."""

    def __init__(
        self, projection: Projection[View], subject_id: str, parts: "dict[str, Course[Any]]"
    ) -> None:
        """`parts`: the courses of the parts, by the field of the view."""
        self.begun = projection.begin(subject_id)
        self.views: list[View] = []
        self.has_moved = False
        """Whether the last facts that it followed made another view."""
        self._projection = projection
        self._kinds = projection.all_kinds
        self._parts = list(parts.items())

    def follow(self, known: Sequence[Fact], kept: int) -> None:
        """Go along these facts; so many at the beginning are as they were.

        The courses of the parts have gone along them already.
        """
        views = self.views
        self.has_moved = len(views) > kept
        del views[kept:]
        view = views[-1] if views else self.begun
        for index in range(kept, len(known)):
            fact = known[index]
            if fact.kind in self._kinds:
                before = view
                moved = {}
                for name, part in self._parts:
                    if (now := part.views[index]) is not getattr(view, name):
                        moved[name] = now
                view = self._projection.take(view, fact, moved)
                self.has_moved = self.has_moved or view is not before
            views.append(view)


def courses_of(projections: Iterable[Projection[Any]], subject_id: str) -> "dict[str, Course[Any]]":
    """The courses of projections about one subject and of their parts, each after its parts."""
    found: dict[str, Course[Any]] = {}
    for one in projections:
        _add(found, one, subject_id)
    return found


def _add(found: "dict[str, Course[Any]]", of: Projection[Any], subject_id: str) -> "Course[Any]":
    if of.name not in found:
        parts = {name: _add(found, part, subject_id) for name, part in of.parts.items()}
        found[of.name] = Course(of, subject_id, parts)
    return found[of.name]
