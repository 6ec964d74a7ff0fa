"""Populations: the tables of periods of every projection that has any, made from the log.

Everything here can be thrown away and made again. A rebuild makes the next generation of tables
beside the one in use, and changes over when it has come to the same size.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from ledger.errors import LedgerError, MistakeError
from ledger.store.belonging import Belonging
from ledger.store.comparing import Comparison
from ledger.store.database import Database
from ledger.store.erasure import obey
from ledger.store.folding import Folder
from ledger.store.generations import Generation, State
from ledger.store.log import Log
from ledger.store.making import Fold, Making
from ledger.v1.error_pb2 import ErrorReason
from projections.projection import Projection

Progress = Callable[[int, int], None]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild: the size it was compared at, and the buckets of subjects that differed."""

    projection: str
    size: int
    digest: bytes
    differing: list[int]


class Populations:
    """The tables of every projection that has populations, for one log."""

    def __init__(
        self,
        database: Database,
        log: Log,
        projections: Mapping[str, Projection[Any]],
        fold: Fold | None = None,
    ) -> None:
        """`fold` carries out large tasks of folding; None: they are carried out here, too."""
        self._database = database
        self._log = log
        self._projections = {
            name: projection for name, projection in projections.items() if projection.populations
        }
        self._making = Making(database, log, self._projections, fold)
        self._moved = threading.Condition()
        self._unwanted: list[Generation] = []
        self.generations = self._making.generations
        self.periods = self._making.periods
        self.belonging = Belonging(database, log.id, log.vault)

    def prepare(self) -> None:
        """See to it that every projection has tables of its version, in use or to be made.

        Those of an earlier version stay in use until then, as far as they have come: they say what
        the earlier version meant, and the later one cannot go on with them.
        """
        if not self._log.entries.size():
            self.generations.make_empty({name: self._version(name) for name in self._outdated()})
        if outdated := self._outdated():
            # What is made from the log as it was tells nothing of whom it erased.
            size = obey(self._log)
            for name in outdated:
                self.generations.make(name, self._version(name), size)
        self._unwanted = [
            one
            for one in self.generations.all()
            if one.state == State.RETIRED
            or (one.state == State.MAKING and not self._is_current(one))
        ]

    def catch_up(self) -> int:
        """Bring the tables in use to the size that the log has now; return it."""
        size = self._log.entries.size()
        while self.catch_up_some(size) < size:
            pass
        return size

    def catch_up_some(self, size: int) -> int:
        """Take the tables in use a step further on their way to a size; return how far all are."""
        numbers = [one.number for one in self._in_use() if self._is_current(one)]
        come_to = self._making.catch_up_some(numbers, size)
        with self._moved:
            self._moved.notify_all()
        return come_to

    def lag_s(self, come_to: int, size: int) -> float:
        """How much later the last entry was recorded than the last of those that tables have."""
        if come_to >= size:
            return 0.0
        record_us = self._log.entries.record_us
        return (record_us(size) - record_us(max(come_to, 1))) / 1e6

    def go_on(self) -> bool:
        """Make some more of what `prepare` found to be made; whether there is more to do.

        A step a call: tables that are in use move on in between.
        """
        if self._unwanted:
            if not self.generations.drop_some(self._unwanted[-1]):
                self._unwanted.pop()
            return True
        outdated = self._outdated()
        making = [
            one.number
            for one in self.generations.all()
            # What a rebuild makes beside current tables is its own.
            if one.state == State.MAKING and one.projection in outdated and self._is_current(one)
        ]
        if not making:
            return False
        if self._making.build_some(making):
            return True
        size = self._log.entries.size()
        if self._making.catch_up_some(making, size) == size:
            self._unwanted += [one for one in self._in_use() if one.projection in outdated]
            for number in making:
                self.generations.change_over(number)
            with self._moved:
                self._moved.notify_all()
        return True

    def ask(
        self, name: str, size: int, timeout_s: float, question: Callable[[Generation], Answer]
    ) -> Answer:
        """The answer of the tables in use once they have come to a size. PROJECTION_BEHIND."""
        while True:
            live = self._wait_for(name, size, timeout_s)
            answer = question(live)
            # A rebuild may have changed over, and begun to delete these tables, meanwhile.
            now = self.generations.find(name, State.LIVE)
            if now and now.number == live.number:
                return answer

    def rebuild(self, name: str, progress: Progress = lambda _done, _total: None) -> Rebuilt:
        """Make the tables of a projection anew; see `rebuild_all`."""
        (rebuilt,) = self.rebuild_all([name], progress)
        return rebuilt

    def rebuild_all(
        self, names: Sequence[str] = (), progress: Progress = lambda _done, _total: None
    ) -> list[Rebuilt]:
        """Make tables anew from the log, and change over to them. No name: those of all.

        Goes on where an earlier rebuild was broken off. The new tables are put in use even where
        they differ from the old: they are what the log says. Raises MistakeError for a projection
        that has none.
        """
        names = names or list(self._projections)
        for name in names:
            if name not in self._projections:
                known = ", ".join(self._projections)
                raise MistakeError(f"no projection with tables is named {name}: there are {known}")
        for one in self.generations.all():
            unwanted = one.state == State.MAKING and not self._is_current(one)
            if one.projection in names and (one.state == State.RETIRED or unwanted):
                self.generations.drop(one)
        size = obey(self._log)
        making = [self.generations.make(name, self._version(name), size) for name in names]
        numbers = [one.number for one in making]
        while self._making.build_some(numbers):
            progress(*self._making.done(numbers))
        self._making.catch_up(numbers, self._log.entries.size())
        return [self._put_in_use(one) for one in making]

    def differences(self) -> Iterator[tuple[int, str]]:
        """(position, projection) where the tables in use are not what the log says.

        The position is that of an entry from which on they show something else of somebody.
        """
        with self._database.snapshot() as connection:
            # Tables move on while they are looked at: how far they are is read with their rows.
            every = self._in_use(self.generations.all_on(connection))
            current = {one.number: one for one in every if self._is_current(one)}
            alike: dict[tuple[str, int], list[Generation]] = {}
            for one in current.values():
                kind = self._projections[one.projection].subject
                alike.setdefault((kind, one.position), []).append(one)
            for (kind, _), some in alike.items():
                folder = Folder(self._database, self._log, self._projections)
                compared = Comparison(connection, self._log, folder, self.periods, kind, some)
                for row in compared.differences():
                    yield row.known_from, current[row.generation].projection

    def _put_in_use(self, making: Generation) -> Rebuilt:
        """Compare tables that are complete with those in use, and change over to them."""
        name = making.projection
        building = self.generations.get(making.number) or making
        live = self.generations.find(name, State.LIVE)
        if live and live.number == building.number:
            live = None  # another process has changed over to them
        is_compared = live is not None and live.version == building.version
        size = min(building.position, live.position) if live and is_compared else building.position
        new = self.periods.digests(building, size)
        old = self.periods.digests(live, size) if live and is_compared else new
        differing = [bucket for bucket, digest in enumerate(new) if digest != old[bucket]]
        self.generations.change_over(building.number)
        if live:
            self.generations.drop(live)
        return Rebuilt(name, size, sha256(b"".join(new)).digest(), differing)

    def _in_use(self, among: Sequence[Generation] | None = None) -> list[Generation]:
        return [
            one
            for one in (self.generations.all() if among is None else among)
            if one.state == State.LIVE and one.projection in self._projections
        ]

    def _outdated(self) -> set[str]:
        """The projections that have no tables of their version in use."""
        return self._projections.keys() - {
            one.projection for one in self._in_use() if self._is_current(one)
        }

    def _is_current(self, of: Generation) -> bool:
        return of.projection in self._projections and of.version == self._version(of.projection)

    def _version(self, name: str) -> int:
        return self._projections[name].version

    def _wait_for(self, name: str, size: int, timeout_s: float) -> Generation:
        def come_to() -> Generation | None:
            live = self.generations.find(name, State.LIVE)
            return live if live and live.position >= size else None

        if (found := come_to()) is None:
            with self._moved:
                found = self._moved.wait_for(come_to, timeout_s)
        if found:
            return found
        live = self.generations.find(name, State.LIVE)
        position = live.position if live else 0
        raise LedgerError(
            ErrorReason.ERROR_REASON_PROJECTION_BEHIND,
            f"the tables of {name} have come to size {position}, not to {size}",
            size=position,
            wanted_size=size,
        )
