"""What is known of subjects at a moment, read from the log."""

from collections.abc import Iterable

from ledger.errors import LedgerError, refuse
from ledger.ledger import Ledger, Moment
from ledger.v1.error_pb2 import ErrorReason
from projections.findings import findings
from projections.history import Fact, facts
from projections.record import Record
from projections.sameness import linked_ids, same_as

PERSON = "person"


def known_of(ledger: Ledger, kind: str, ids: Iterable[str], size: int) -> dict[str, list[Fact]]:
    """For each subject what is known of it, in the order in which it took effect."""
    wanted = list(ids)
    found = ledger.records(kind, wanted, size)
    return {one: facts(found[one].entries, one) for one in wanted}


def same_people(ledger: Ledger, ids: Iterable[str], size: int) -> dict[str, list[str]]:
    """For each person the other records that are of her, by id."""
    wanted = list(ids)
    found = ledger.records(PERSON, wanted, size)
    return {
        one: sorted(same_as(one, found[one].entries) - {one})
        if linked_ids(found[one].entries)
        else []
        for one in wanted
    }


def people(ledger: Ledger, ids: Iterable[str], moment: Moment) -> dict[str, Record]:
    """The records of persons as of a moment."""
    return {
        person_id: findings.fold(person_id, known, moment.as_of_us)
        for person_id, known in known_of(ledger, PERSON, ids, moment.size).items()
    }


def not_found(field: str) -> LedgerError:
    """The refusal of a subject that no entry names."""
    return refuse(
        [(ErrorReason.ERROR_REASON_SUBJECT_NOT_FOUND, field, "in no entry that was known then")]
    )
