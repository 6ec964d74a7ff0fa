"""What is known of subjects at a moment, read from the log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.errors import LedgerError, refuse
from ledger.ledger import Ledger, Moment
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry
from projections.findings import findings
from projections.history import Fact, facts
from projections.record import Record
from projections.sameness import linked_ids, same_as

PERSON = "person"


@dataclass(frozen=True, slots=True)
class Known:
    """What the log says of a subject, up to a size."""

    subject_id: str
    entries: Sequence[tuple[int, Entry]]
    """(position, entry) in the order of the log, those about her other records among them."""
    facts: list[Fact]
    """The same in the order in which it took effect; none: no entry names the subject."""

    @property
    def same_ids(self) -> list[str]:
        """The other records that are of a person, by id."""
        if not linked_ids(self.entries):
            return []
        return sorted(same_as(self.subject_id, self.entries) - {self.subject_id})


def known_of(ledger: Ledger, kind: str, ids: Iterable[str], size: int) -> dict[str, Known]:
    """What is known of each of these subjects, read at once."""
    found = ledger.about(kind, ids, size)
    return {one: Known(one, entries, facts(entries, one)) for one, entries in found.items()}


def people(ledger: Ledger, ids: Iterable[str], moment: Moment) -> dict[str, Record]:
    """The records of persons as of a moment."""
    return {
        person_id: findings.fold(person_id, known.facts, moment.as_of_us)
        for person_id, known in known_of(ledger, PERSON, ids, moment.size).items()
    }


def not_found(field: str) -> LedgerError:
    """The refusal of a subject that no entry names."""
    return refuse(
        [(ErrorReason.ERROR_REASON_SUBJECT_NOT_FOUND, field, "in no entry that was known then")]
    )
