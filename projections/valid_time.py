"""Minutes, hours, days and months, as sources state them.

Instants are integers: microseconds since 1970-01-01 UTC.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ledger.v1.time_pb2 import Precision, ValidTime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime."""
    return (instant - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """The aware UTC datetime of so many microseconds since 1970-01-01 UTC."""
    return EPOCH + timedelta(microseconds=us)


def start_us(valid_time: ValidTime) -> int:
    """The first moment of the stated unit."""
    return valid_time.time.seconds * 1_000_000 + valid_time.time.nanos // 1_000


@lru_cache(maxsize=4096)
def unit_start_us(instant_us: int, precision: Precision.ValueType, zone: str) -> int:
    """The first moment of the minute, hour, day or month of `zone` that holds the instant.

    Raises ZoneInfoNotFoundError for a zone that the IANA database does not have.
    """
    local = from_us(instant_us).astimezone(ZoneInfo(zone))
    if precision == Precision.PRECISION_MINUTE:
        local = local.replace(second=0, microsecond=0)
    elif precision == Precision.PRECISION_HOUR:
        local = local.replace(minute=0, second=0, microsecond=0)
    elif precision == Precision.PRECISION_DAY:
        local = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    elif precision == Precision.PRECISION_MONTH:
        local = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return to_us(local)


@lru_cache(maxsize=4096)
def unit_end_us(start: int, precision: Precision.ValueType, zone: str) -> int:
    """The first moment after the unit that begins at `start`; after an instant, the next one.

    A day in `zone` may have 23, 24 or 25 hours.
    """
    if precision == Precision.PRECISION_MINUTE:
        return start + 60_000_000
    if precision == Precision.PRECISION_HOUR:
        return start + 3_600_000_000
    if precision in (Precision.PRECISION_DAY, Precision.PRECISION_MONTH):
        local = from_us(start).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        days = 1 if precision == Precision.PRECISION_DAY else 32
        after = local + timedelta(days=days)
        if precision == Precision.PRECISION_MONTH:
            after = after.replace(day=1)
        return to_us(after.replace(tzinfo=ZoneInfo(zone)))
    return start + 1


def civil_unit(valid_time: ValidTime) -> tuple[int, ...]:
    """The day or month by its numbers in the calendar of its zone; otherwise the instant.

    The same day in two zones has the same numbers and two beginnings.
    """
    return _civil_unit(start_us(valid_time), valid_time.precision, valid_time.zone)


@lru_cache(maxsize=4096)
def _civil_unit(start: int, precision: Precision.ValueType, zone: str) -> tuple[int, ...]:
    if precision not in (Precision.PRECISION_DAY, Precision.PRECISION_MONTH):
        return (start,)
    local = from_us(start).astimezone(ZoneInfo(zone))
    is_day = precision == Precision.PRECISION_DAY
    return (local.year, local.month, local.day) if is_day else (local.year, local.month)
