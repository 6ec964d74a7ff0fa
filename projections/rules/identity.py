"""Rules about who somebody is."""

from collections import defaultdict
from collections.abc import Iterator

from ledger.v1.identity_pb2 import Truth
from projections.age import ADULT_YEARS
from projections.identifiers import is_single, normalized
from projections.record import Noted, Record
from projections.rules import rule


@rule
def age_contradictory(record: Record) -> Iterator[Noted]:
    if event_id := record.identity.contradicting_event_id:
        body = dict(record.identity.claims)[event_id]
        by = "birth_date" if body.HasField("birth_date") else "stated_age_years"
        yield Noted("AGE_CONTRADICTORY", event_id, f"person_registered.{by}")


@rule
def age_disputed(record: Record) -> Iterator[Noted]:
    if event_id := record.identity.disputed_event_id:
        yield Noted("AGE_DISPUTED", event_id)


@rule
def child_aged_18_or_over(record: Record) -> Iterator[Noted]:
    for one in record.separation.separations:
        if record.identity.is_below(ADULT_YEARS, one.since_us) == Truth.TRUTH_NO:
            yield Noted("CHILD_AGED_18_OR_OVER", one.event_id, "separated.child_id")


@rule
def identifier_malformed(record: Record) -> Iterator[Noted]:
    for event_id, one in record.identity.identifiers:
        if not normalized(one.scheme, one.value):
            yield Noted(
                "IDENTIFIER_MALFORMED", event_id, "identifier_asserted.value", (one.scheme,)
            )


@rule
def several_numbers(record: Record) -> Iterator[Noted]:
    numbers: dict[str, dict[str, str]] = defaultdict(dict)
    for event_id, one in record.identity.identifiers:
        if is_single(one.scheme):
            number = normalized(one.scheme, one.value) or one.value
            numbers[one.scheme].setdefault(number, event_id)
    for scheme, found in numbers.items():
        _, *later = found.values()
        for event_id in later:
            yield Noted("SEVERAL_NUMBERS", event_id, "identifier_asserted.value", (scheme,))


@rule
def same_and_distinct(record: Record) -> Iterator[Noted]:
    if event_id := record.identity.same_and_distinct_event_id:
        yield Noted("SAME_AND_DISTINCT", event_id, "persons_declared_distinct.person_ids")


@rule
def amendment_undecided(record: Record) -> Iterator[Noted]:
    for event_id in record.identity.amendment_event_ids:
        yield Noted("AMENDMENT_UNDECIDED", event_id)
