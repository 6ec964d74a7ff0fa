"""Measuring: each figure in rounds, the ledger and its peers in turn, every other round reversed.

A round measures each side once; one more before them warms up and does not count. What is given is
made before the clock starts. `ratio` is the median of the ratios of the rounds. What takes long has
fewer rounds, and what takes very long one, that nothing warms up.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from operator import ge, le, truediv
from statistics import median

WHOLE = 1_000
"""From here on figures are told without a fraction."""
ENOUGH_S = 6.0
"""No other round is begun of a figure that took so long."""

Measured = Callable[[], float]
"""Does it once; what came of it, in the unit of the figure."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to come to (DESIGN 7)."""

    words: str
    bound: float
    at_most: bool = False
    of_ratio: bool = False

    def is_met(self, value: float, ratio: float | None) -> bool:
        """Whether it is met."""
        found = ratio if self.of_ratio else value
        return found is not None and (le if self.at_most else ge)(found, self.bound)


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, medians; `least` and `most` are of the ledger's value."""

    figure: str
    value: float
    unit: str
    store: str = ""
    size: int | None = None
    """Of the log, or of the table, where the figure is of a size."""
    least: float | None = None
    most: float | None = None
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    rounds: int = 1
    target: str | None = None
    met: bool | None = None

    def as_row(self) -> dict[str, object]:
        """For people and for JSON: figures to four places."""
        rows = asdict(self).items()
        return {name: _short(one) if isinstance(one, float) else one for name, one in rows}


def _short(number: float) -> float:
    return float(f"{number:.4g}") if abs(number) < WHOLE else round(number)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, of the ledger and of peers that do the same work in the same round."""

    name: str
    unit: str
    ours: Measured
    peers: Mapping[str, Measured] = field(default_factory=dict)
    target: Target | None = None
    """Where it is of a ratio: of the first peers, see `judged`."""
    size: int | None = None
    judged: int = 1
    """Beside so many of the first peers the target is told: the fastest of them counts."""

    def lines(self, rounds: int, store: str = "") -> Iterator[Line]:
        """A line for each peer, or one."""
        sides = {"": self.ours, **self.peers}
        turns: list[dict[str, float]] = []
        began = time.monotonic()
        for turn in range(rounds + 1):
            if turn and time.monotonic() - began > ENOUGH_S:
                break
            found = {}
            for name in reversed(sides) if turn % 2 else sides:
                gc.collect()
                found[name] = sides[name]()
            turns.append(found)
        counted = turns[1:] or turns
        ours = [turn[""] for turn in counted]
        value = median(ours)
        for index, peer in enumerate(self.peers or [None]):
            theirs = [turn[peer] for turn in counted] if peer else None
            ratio = median(map(truediv, ours, theirs)) if theirs else None
            target = self.target if index < self.judged else None
            yield Line(
                self.name,
                value,
                self.unit,
                store,
                self.size,
                min(ours),
                max(ours),
                peer=peer,
                peer_value=median(theirs) if theirs else None,
                ratio=ratio,
                rounds=len(counted),
                target=target.words if target else None,
                met=target.is_met(value, ratio) if target else None,
            )


def rate_of(number: int, work: Callable[[], object]) -> float:
    """So many a second, by the clock on the wall."""
    began = time.perf_counter()
    work()
    return number / (time.perf_counter() - began)
