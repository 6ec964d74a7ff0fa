"""Rules about separations."""

from collections.abc import Iterator

from ledger.v1.identity_pb2 import Truth
from projections.codes import codes_of, is_in_force
from projections.record import Noted, Record
from projections.rules import rule
from projections.valid_time import from_us

LISTED = "separated.reason_codes"


@rule
def separation_without_reason(record: Record) -> Iterator[Noted]:
    for one in record.separation.separations:
        codes = {*one.body.reason_codes}
        if codes == {"NOT_RECORDED"} or (codes == {"OTHER"} and not one.body.reason_text.strip()):
            yield Noted("SEPARATION_WITHOUT_REASON", one.event_id, LISTED, tuple(sorted(codes)))


@rule
def reason_not_in_force(record: Record) -> Iterator[Noted]:
    known = codes_of("separation_reason")
    for one in record.separation.separations:
        day = from_us(one.since_us).date()
        out = [
            code
            for code in one.body.reason_codes
            if code in known and not is_in_force(known[code], day)
        ]
        if out:
            yield Noted("REASON_NOT_IN_FORCE", one.event_id, LISTED, (*out, f"on {day}"))


@rule
def reason_not_permitted(record: Record) -> Iterator[Noted]:
    settlement = codes_of("finding")["REASON_NOT_PERMITTED"]
    known = codes_of("separation_reason")
    for one in record.separation.separations:
        codes = list(one.body.reason_codes)
        permitted = any(
            "permitted_from_2023" in known[code].attributes for code in codes if code in known
        )
        if is_in_force(settlement, from_us(one.since_us).date()) and not permitted:
            yield Noted("REASON_NOT_PERMITTED", one.event_id, LISTED, tuple(codes))


@rule
def separation_without_parent(record: Record) -> Iterator[Noted]:
    for one in record.separation.separations:
        if not one.adult_ids:
            yield Noted("SEPARATION_WITHOUT_PARENT", one.event_id, "separated.adult_ids")


@rule
def notice(record: Record) -> Iterator[Noted]:
    for one in record.separation.separations:
        if one.notice_given == Truth.TRUTH_NO:
            yield Noted("NOTICE_NOT_GIVEN", one.event_id, "separated.notice")
        elif one.notice_given == Truth.TRUTH_UNSPECIFIED:
            yield Noted("NOTICE_NOT_RECORDED", one.event_id, "separated.notice")


@rule
def separation_not_authorized(record: Record) -> Iterator[Noted]:
    for one in record.separation.separations:
        if one.authorized == Truth.TRUTH_UNSPECIFIED:
            yield Noted("SEPARATION_NOT_AUTHORIZED", one.event_id, "separated.authorized_event_id")


@rule
def separation_contested(record: Record) -> Iterator[Noted]:
    for one in record.separation.separations:
        for event_id in one.contested_event_ids:
            yield Noted("SEPARATION_CONTESTED", event_id)
