"""What the files have of an entry: typed columns, no personal field, nothing but text and integers.

Instants are microseconds since 1970-01-01 UTC. Nothing is null: what is not stated is "" or 0.
docs/recompute.md says what each column means.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.descriptor import Descriptor

from ledger.v1.event_pb2 import Entry
from ledger.v1.place_pb2 import Place
from ledger.v1.time_pb2 import Precision
from projections.history import order_of
from projections.subjects import named
from projections.valid_time import EPOCH, civil_unit, from_us, start_us, unit_end_us

EVENT = {
    "position": "BIGINT",
    "event_id": "VARCHAR",
    "kind": "VARCHAR",
    "rank": "BIGINT",
    "valid_us": "BIGINT",
    "valid_until_us": "BIGINT",
    "precision": "BIGINT",
    "zone": "VARCHAR",
    "day": "BIGINT",
    "civil": "BIGINT",
    "record_us": "BIGINT",
    "actor_agency": "VARCHAR",
    "agency": "VARCHAR",
    "to_agency": "VARCHAR",
    "facility": "VARCHAR",
    "facility_key": "VARCHAR",
    "has_facility": "BIGINT",
    "transfer_id": "VARCHAR",
    "codes": "VARCHAR",
    "retracted_event_id": "VARCHAR",
    "leaf_hash": "VARCHAR",
}
SUBJECT = {
    "position": "BIGINT",
    "subject_kind": "VARCHAR",
    "subject": "VARCHAR",
    "subject_key": "BIGINT",
    "role": "VARCHAR",
}

Row = tuple[Any, ...]

# Of several places that an event names, the one at which it leaves those whom it is about.
_PLACES = ("held_together_at", "facility", "from_facility", "hospital", "court", "place", "port")
_AGENCIES = ("agency", "from_agency", "referring_agency")
_CODES = ("reason_codes", "reason_code", "class_code", "statute_code", "ground_codes")
_INDEX = re.compile(r"\[\d+\]")
_NOT_KNOWN = (0, "", "", "", "", 0, "", "", "")


def event_row(position: int, entry: Entry, leaf_hash: bytes) -> Row:
    """An entry as a row of events; of a kind that the words do not have, what is common to all.

    From the bytes that were hashed alone: no column of the database is believed.
    """
    event, stated = entry.event, entry.event.valid_time
    fact = event.WhichOneof("fact")
    kind, found = "", _NOT_KNOWN
    if fact is not None:
        body = getattr(event, fact)
        kind, found = body.DESCRIPTOR.name, _body(body)
    rank, agency, to_agency, facility, key, has_facility, transfer_id, codes, retracted = found
    start = start_us(stated)
    civil = 0
    if stated.precision in (Precision.PRECISION_DAY, Precision.PRECISION_MONTH):
        civil = int("".join(f"{one:02}" for one in civil_unit(stated)))
    return (
        position,
        event.event_id,
        kind,
        rank,
        start,
        unit_end_us(start, stated.precision, stated.zone),
        stated.precision,
        stated.zone,
        _day(start, stated.zone),
        civil,
        entry.record_time.ToMicroseconds(),
        event.actor.agency,
        agency,
        to_agency,
        facility,
        key,
        has_facility,
        transfer_id,
        codes,
        retracted,
        leaf_hash.hex(),
    )


def subject_rows(position: int, entry: Entry) -> Iterator[Row]:
    """Whom an entry names, and as what: "links.relative_ids" for the relatives in its links."""
    fact = entry.event.WhichOneof("fact")
    if fact is None:
        return
    for path, name in named(getattr(entry.event, fact)):
        kind, _, subject = name.partition(":")
        yield position, kind, subject, key_of(subject), _INDEX.sub("", path)


def key_of(subject: str) -> int:
    """A number for a subject: the first 63 bits of the SHA-256 of its id."""
    return int.from_bytes(sha256(subject.encode()).digest()[:8]) >> 1


@lru_cache(maxsize=4096)
def _day(us: int, zone: str) -> int:
    """The day of an instant in the calendar of a zone, counted from 1970-01-01."""
    return from_us(us).astimezone(ZoneInfo(zone)).toordinal() - EPOCH.toordinal()


@cache
def _fields(kind: Descriptor) -> tuple[str, str, str, bool, bool, bool]:
    """The fields of a kind for the agency, the place, the codes; and which others it has."""
    names = kind.fields_by_name

    def first(wanted: tuple[str, ...]) -> str:
        return next((one for one in wanted if one in names), "")

    return (
        first(_AGENCIES),
        first(_PLACES),
        first(_CODES),
        "to_agency" in names,
        "transfer_id" in names,
        "retracted_event_id" in names,
    )


def _body(body: Any) -> tuple[int, str, str, str, str, int, str, str, str]:
    kind = body.DESCRIPTOR
    agency, place, codes, has_to, has_transfer, retracts = _fields(kind)
    where: Place | None = getattr(body, place) if place and body.HasField(place) else None
    facility = (where.name or where.code) if where else ""
    code = getattr(body, codes) if codes else ""
    return (
        order_of(kind),
        getattr(body, agency) if agency else "",
        body.to_agency if has_to else "",
        facility,
        " ".join(facility.split()).casefold(),
        int(where is not None),
        body.transfer_id if has_transfer else "",
        code if isinstance(code, str) else " ".join(code),
        body.retracted_event_id if retracts else "",
    )
