"""What an audit comes to."""

from dataclasses import dataclass, field

from ledger import merkle

PROBLEMS_MAX = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    position: int
    """Of the entry concerned, from 1."""
    what: str


@dataclass
class Verdict:
    """The outcome of an audit."""

    size: int = 0
    """How many entries are there, from the first on, without one missing."""
    root: bytes = merkle.EMPTY_ROOT
    """Computed from these as they are now."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written."""
        return not self.problems

    @property
    def first_bad_position(self) -> int | None:
        """The first position at which something is not as it was written."""
        return min((one.position for one in self.problems), default=None)
