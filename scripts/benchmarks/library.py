"""The eventsourcing library's own runner: a projection of one row an event, each in a transaction.

Its recorder on SQLite gives no subscriptions, so its events are in memory there, which is faster.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteTrackingRecorder

EVENTS = 1_000
WAIT_S = 120.0


class Stay(Aggregate):
    """A child in a facility."""

    def __init__(self, child_id: str, facility: str) -> None:
        self.child_id = child_id
        self.facility = facility


class Stays(Application[uuid.UUID]):
    """The events."""


class Rows(SQLiteTrackingRecorder):
    """The table, and how far it has come."""

    def construct_create_table_statements(self) -> list[str]:
        """See SQLiteTrackingRecorder."""
        table = "CREATE TABLE IF NOT EXISTS stay (child_id, facility)"
        return [*super().construct_create_table_statements(), table]

    def add(self, child_id: str, facility: str, tracking: Tracking) -> None:
        """A row, and how far it has come with it."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("INSERT INTO stay VALUES (?, ?)", (child_id, facility))
            self._insert_tracking(cursor, tracking)


class StayRows(Projection[Rows]):
    """A row for each stay."""

    name = "rows"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """See Projection."""
        self.view.add(domain_event.child_id, domain_event.facility, tracking)


@contextmanager
def running(here: Path) -> Iterator[tuple[int, Callable[[], object]]]:
    """(how many events, what runs them through the runner into a table on disk)."""

    def run() -> None:
        environment = {
            "PERSISTENCE_MODULE": "eventsourcing.popo",
            "ROWS_PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "ROWS_SQLITE_DBNAME": str(here / f"stays-{uuid.uuid4().hex}.db"),
        }
        with ProjectionRunner(
            application_class=Stays, projection_class=StayRows, view_class=Rows, env=environment
        ) as runner:
            for number in range(EVENTS):
                stay = Stay(child_id=str(uuid.uuid4()), facility=f"Shelter {number % 4}")
                last = runner.app.save(stay)[-1].notification.id
            runner.wait(last, WAIT_S)

    yield EVENTS, run
