"""A ledger that is open: its log, the thread that appends to it, the tables that follow it.

What can be done with it stands in `append`, `read`, `ask` and `prove`: functions of a ledger and of
a request in the words of ledger.v1. What goes wrong is raised as LedgerError.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import projections
from ledger.errors import TamperedError, out_of_range, refuse
from ledger.store import migrations
from ledger.store.audit import Verdict, verify
from ledger.store.database import Database
from ledger.store.follower import Follower
from ledger.store.log import Log
from ledger.store.logs import CUSTODY
from ledger.store.populations import Populations, Progress
from ledger.store.writer import Writer
from ledger.v1.basis_pb2 import Basis, Stamp
from ledger.v1.error_pb2 import ErrorReason

# How long a question waits for the tables to come to what it asks for.
CATCH_UP_WAIT_S = 5.0


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC, by the system's clock."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A point on both clocks: what was true as of then, as the first `size` entries say."""

    as_of_us: int
    size: int


class Ledger:
    """An open ledger. Close it to write what waits and let go of the database."""

    def __init__(
        self,
        url: str,
        *,
        name: str = CUSTODY,
        clock: Callable[[], int] = now_us,
        on_failure: Callable[[], None] = lambda: None,
        progress: Progress = lambda _done, _total: None,
    ) -> None:
        """Open the log of this name, made if it is not there yet, and verify what it holds.

        Raises StartupError if the database cannot be used or is not as it was written. `on_failure`
        is called once if it fails later in a way that lasts: the process has to end.
        """
        self.clock = clock
        self._database = Database(url)
        try:
            self._database.lock_for_writing()
            migrations.upgrade(self._database.engine)
            self.log = Log(self._database, clock, name)
            _require_whole(verify(self._database, self.log.id, progress=progress))
            self.populations = Populations(self._database, self.log, projections.load())
            self.populations.prepare(progress)
        except BaseException:
            self._database.close()
            raise
        self.writer = Writer(self._database, self.log, on_failure)
        self._follower = Follower(self.log, self.populations)
        self.stopping = threading.Event()

    @property
    def place(self) -> str:
        """The database, without a password that its URL may hold."""
        return self._database.url.render_as_string()

    def close(self) -> None:
        """End watches, write what waits, bring the tables up to it, let go of the database."""
        self.stopping.set()
        self.writer.close()
        self._follower.close()
        self._database.close()

    def moment(self, basis: Basis) -> Moment:
        """What a question is asked on. Raises KNOWN_AT_IN_FUTURE, SIZE_OUT_OF_RANGE."""
        now = self.clock()
        as_of_us = basis.as_of_time.ToMicroseconds() if basis.HasField("as_of_time") else now
        known = basis.WhichOneof("known")
        if known == "known_at_time":
            known_at_us = basis.known_at_time.ToMicroseconds()
            if known_at_us > now:
                raise refuse(
                    [
                        (
                            ErrorReason.ERROR_REASON_KNOWN_AT_IN_FUTURE,
                            "basis.known_at_time",
                            "later than now",
                        )
                    ]
                )
            return Moment(as_of_us, self._size_known_at(known_at_us))
        size = self.log.entries.size()
        wanted = {"at_size": basis.at_size, "at_least_size": basis.at_least_size}.get(
            known or "", 0
        )
        if wanted > size:
            raise out_of_range(f"basis.{known}", f"the log has {size} entries", size)
        return Moment(as_of_us, wanted if known == "at_size" else size)

    def _size_known_at(self, known_at_us: int) -> int:
        """How many entries were recorded by an instant, for ever."""
        size = self.log.entries.size()
        if size == 0 or self.log.entries.record_us(size) < known_at_us:
            # Something could still be recorded before that instant: an append that is being
            # written has taken its time already.
            self.log.close_time(known_at_us)
        return self.log.entries.size_at(known_at_us)

    def stamp(self, size: int, as_of_us: int | None = None) -> Stamp:
        """What an answer was computed from."""
        stamp = Stamp(size=size, root=self.log.tree.root(size))
        if as_of_us is not None:
            stamp.as_of_time.FromMicroseconds(as_of_us)
        if size:
            stamp.known_at_time.FromMicroseconds(self.log.entries.record_us(size))
        return stamp


def _require_whole(verdict: Verdict) -> None:
    """Raise TamperedError unless the log is as it was written."""
    if not verdict.ok:
        raise TamperedError(
            f"the log is not as it was written, from position {verdict.first_bad_position} on: "
            "see `ledger audit verify`"
        )
