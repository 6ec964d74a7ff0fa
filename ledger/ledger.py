"""A ledger that is open: its log, the thread that appends to it, the tables that follow it.

What can be done with it stands in `append`, `read`, `ask` and `prove`: functions of a ledger and of
a request in the words of ledger.v1. What goes wrong is raised as LedgerError.
"""

import copy
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import projections
from ledger.access.caller import LOOPBACK, Caller
from ledger.access.sight import Sight
from ledger.errors import TamperedError, out_of_range, refuse
from ledger.keys.keyring import Keyring
from ledger.store import migrations
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import Database
from ledger.store.erasure import obey
from ledger.store.folders import Folders
from ledger.store.follower import Follower
from ledger.store.guards import Guards
from ledger.store.log import Log
from ledger.store.logs import CUSTODY, access_name
from ledger.store.person_keys import required
from ledger.store.populations import Populations, Progress
from ledger.store.records import Read, of_all
from ledger.store.suspect import access_leaf
from ledger.store.verdict import Verdict
from ledger.store.writer import Writer
from ledger.v1.basis_pb2 import Basis, Stamp
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry

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
        keys: Path | None = None,
        access_url: str = "",
        workers: int = 0,
    ) -> None:
        """Open the log of this name, made if it is not there yet, and verify what it holds.

        `keys`: where the keys are that are kept outside the database, see `Database.keys_file`.
        `access_url`: another database for the access log. `workers`: so many processes fold what
        the tables show; 0: a thread of this one does. Raises StartupError if a database cannot be
        used or is not as it was written. `on_failure` is called once if one fails later in a way
        that lasts: the process has to end.
        """
        self.clock = clock
        self._database = Database(url)
        self._databases = [self._database]
        try:
            kept = self._open(self._database)
            keyring = Keyring(required(kept, kept.keys_file(keys)))
            self.log = Log(kept, clock, keyring, name)
            _require_whole(verify(kept, self.log.id, Means(vault=self.log.vault), progress))
            self.log.vault.settle()
            obeyed = obey(self.log)
            if access_url:
                self._databases.append(Database(access_url))
                kept = self._open(self._databases[-1])
            # Of its own log: whoever looked at whom is not told by the one that is looked at.
            self.accesses = Log(kept, clock, keyring, access_name(name))
            _require_whole(verify(kept, self.accesses.id, Means(access_leaf)))
            folders = Folders(self._database, name, keyring, workers) if workers else None
            self.populations = Populations(
                self._database, self.log, projections.load(), folders.fold if folders else None
            )
            self.populations.prepare()
        except BaseException:
            for one in self._databases:
                one.close()
            raise
        self.guards = Guards(self.log)
        self.writer = Writer(self._database, self.log, on_failure)
        self.access_writer = Writer(self._databases[-1], self.accesses, on_failure)
        self._follower = Follower(self.log, self.populations, obeyed, folders)
        self.stopping = threading.Event()
        self.sight = self._sight(LOOPBACK)

    @staticmethod
    def _open(database: Database) -> Database:
        database.lock_for_writing()
        migrations.upgrade(database.engine)
        return database

    def seen_by(self, caller: Caller, *, counts: bool = False) -> "Ledger":
        """The same ledger as a caller may see it, for one call; `counts` as in Sight."""
        seen = copy.copy(self)
        seen.sight = self._sight(caller, counts=counts)
        return seen

    def _sight(self, caller: Caller, *, counts: bool = False) -> Sight:
        known = (self.log, self.populations, self.guards)
        return Sight(caller, *known, self.clock, counts=counts)

    def read(self, kind: str, ids: Iterable[str], size: int) -> Read:
        """The entries about subjects, and whoever was linked with them, as the caller sees them."""
        return self.sight.read(kind, list(dict.fromkeys(ids)), size)

    def about(
        self, kind: str, ids: Iterable[str], size: int
    ) -> dict[str, Sequence[tuple[int, Entry]]]:
        """For each of these subjects the entries about it and about whoever is linked with it."""
        wanted = list(ids)
        read = self.read(kind, wanted, size)
        return {one: of_all(one, read) for one in wanted}

    @property
    def place(self) -> str:
        """The database, without a password that its URL may hold."""
        return self._database.url.render_as_string()

    def close(self) -> None:
        """End watches, write what waits, bring the tables up to it, let go of the database."""
        self.stopping.set()
        self.writer.close()
        self._follower.close()
        self.access_writer.close()
        for one in self._databases:
            one.close()

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
