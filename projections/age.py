"""How old somebody can be: ages as intervals, because a list that says "6" says no more.

Days are ordinals of the proleptic Gregorian calendar (`date.toordinal`). The day of an instant is
that of UTC: nobody's record says at which hour she was born.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from google.type.date_pb2 import Date

from ledger.v1.identity_pb2 import Truth
from ledger.v1.view_pb2 import Age, BirthRange
from projections.valid_time import from_us, to_us

ADULT_YEARS = 18
"""Under it somebody is a minor (6 U.S.C. 279(g)(2)(B))."""

TENDER_YEARS = 5
"""Under it a child cannot be asked who her parents are (Ms. L v. ICE; OIG-18-84)."""

OLDEST_YEARS = 130

BIRTH_YEARS = (1900 - OLDEST_YEARS, 2200)
"""Valid times are of the years 1900 to 2200; nobody whom they name was born outside these."""


@dataclass(frozen=True, slots=True)
class Born:
    """The first and the last day on which somebody can have been born."""

    earliest: int
    latest: int

    def meet(self, other: "Born") -> "Born | None":
        """What both allow; None: they contradict each other."""
        earliest, latest = max(self.earliest, other.earliest), min(self.latest, other.latest)
        return Born(earliest, latest) if earliest <= latest else None

    def years(self, at_us: int) -> tuple[int, int]:
        """The fewest and the most whole years at an instant; 0 before the birth."""
        on = from_us(at_us).date()
        return _years(self.latest, on), _years(self.earliest, on)

    def is_below(self, years: int, at_us: int) -> Truth.ValueType:
        """Whether the age at an instant is below so many years."""
        fewest, most = self.years(at_us)
        if most < years:
            return Truth.TRUTH_YES
        return Truth.TRUTH_NO if fewest >= years else Truth.TRUTH_UNSPECIFIED

    @staticmethod
    def birthday(birth: int, years: int) -> int:
        """The first moment of the birthday so many years after a birth."""
        day = _later(date.fromordinal(birth), years)
        return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def born_on(stated: Date) -> Born | None:
    """From a date of birth; a month or day of 0 is not known. None: it is no date of a birth."""
    if not BIRTH_YEARS[0] <= stated.year <= BIRTH_YEARS[1]:
        return None
    try:
        first = date(stated.year, stated.month or 1, stated.day or 1)
        if not stated.month:
            last = date(stated.year, 12, 31)
        elif not stated.day:
            last = _later_months(date(stated.year, stated.month, 1))
        else:
            last = first
    except ValueError:
        return None
    return Born(first.toordinal(), last.toordinal())


def born_by_age(years: int, start_us: int, end_us: int) -> Born:
    """From an age in whole years, stated within a stretch of time."""
    first, last = from_us(start_us).date(), from_us(end_us - 1).date()
    return Born(_earlier(first, years + 1).toordinal() + 1, _earlier(last, years).toordinal())


def born_as_minor(start_us: int) -> Born:
    """From having been found to be under 18 at an instant."""
    day = from_us(start_us).date()
    return Born(_earlier(day, ADULT_YEARS).toordinal() + 1, day.toordinal())


def born_as_adult(end_us: int) -> Born:
    """From having been found to be 18 or over at an instant."""
    day = from_us(end_us - 1).date()
    return Born(_earlier(day, OLDEST_YEARS).toordinal(), _earlier(day, ADULT_YEARS).toordinal())


def present_born(born: Born | None) -> BirthRange | None:
    """The interval in the words."""
    if born is None:
        return None
    return BirthRange(earliest_date=_date(born.earliest), latest_date=_date(born.latest))


def born_of(stated: BirthRange) -> Born:
    """The interval that the words state."""
    first, last = stated.earliest_date, stated.latest_date
    return Born(
        date(first.year, first.month, first.day).toordinal(),
        date(last.year, last.month, last.day).toordinal(),
    )


def present_age(born: Born | None, at_us: int, *, disputed: bool) -> Age:
    """The age at an instant in the words."""
    if born is None:
        return Age(disputed=disputed)
    fewest, most = born.years(at_us)
    return Age(
        born=present_born(born),
        years_min=fewest,
        years_max=most,
        minor=born.is_below(ADULT_YEARS, at_us),
        disputed=disputed,
    )


def _years(birth: int, on: date) -> int:
    born = date.fromordinal(birth)
    return max(0, on.year - born.year - ((on.month, on.day) < (born.month, born.day)))


def _later(day: date, years: int) -> date:
    """The birthday so many years later; of 29 February in other years, 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _earlier(day: date, years: int) -> date:
    if day.year <= years:
        return date.min
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)


def _later_months(first: date) -> date:
    """The last day of a month."""
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)


def _date(ordinal: int) -> Date:
    day = date.fromordinal(ordinal)
    return Date(year=day.year, month=day.month, day=day.day)
