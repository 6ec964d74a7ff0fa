"""When people come, how long they stay, and where: the shape of the real lists, as figures.

Nothing of a list is copied. Arrivals follow, to about a thousand, what CBP published by the month
of its southwest border; separations, delays and stays are quantiles of the list of separated
children of 2018-19 (3,108 of them), of whom one shelter had an eighth, and ninety-nine had all.
"""

from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate
from math import exp
from random import Random
from zoneinfo import ZoneInfo

DAY_S = 86_400

FIRST_DAY = date(2016, 10, 1)
# Apprehensions in thousands, month by month from FIRST_DAY; later months are like the last.
_THOUSANDS = (
    *(46, 47, 43, 32, 19, 12, 11, 15, 16, 18, 22, 23),
    *(26, 29, 29, 26, 27, 37, 38, 40, 34, 31, 38, 42),
    *(51, 52, 51, 48, 67, 93, 99, 133, 95, 72, 51, 41),
)
_SPREAD = 0.35  # of the logarithm of a day's arrivals
_WEEKEND = 0.7  # of the arrivals of other days, as a share of a mean day
_SATURDAY = 5

ZERO_TOLERANCE = date(2018, 5, 5), date(2018, 6, 20)

SECTORS = {
    "Rio Grande": ("America/Chicago", 0.41),
    "El Paso": ("America/Denver", 0.17),
    "Tucson": ("America/Phoenix", 0.14),
    "Del Rio": ("America/Chicago", 0.09),
    "Yuma": ("America/Phoenix", 0.08),
    "San Diego": ("America/Los_Angeles", 0.06),
    "Laredo": ("America/Chicago", 0.05),
}

# (share, days), straight lines between: how long children stayed with ORR, how long after they were
# met they were referred, and then approved; how long adults were held; how late what was late was.
IN_CARE = ((0, 1), (0.05, 27), (0.1, 31), (0.25, 42), (0.5, 56), (0.75, 76), (0.9, 135), (1, 349))
TO_REFERRAL = ((0, 0), (0.25, 1), (0.5, 2), (0.75, 3), (0.95, 5), (1, 30))
TO_PLACEMENT = ((0, 0), (0.25, 0.5), (0.75, 2), (1, 5))
DETAINED = ((0, 1), (0.25, 12), (0.5, 30), (0.75, 55), (0.9, 120), (1, 400))
LATE = ((0, 1), (0.5, 6), (1, 60))
PROMPT = ((0, 0.003), (0.6, 0.05), (0.9, 0.4), (1, 2))

Quantiles = tuple[tuple[float, float], ...]


def drawn_s(random: Random, quantiles: Quantiles) -> int:
    """So many seconds, drawn from a distribution of days."""
    share = random.random()
    index = 1
    while quantiles[index][0] < share:
        index += 1
    (low, least), (high, most) = quantiles[index - 1], quantiles[index]
    return int((least + (most - least) * (share - low) / (high - low)) * DAY_S)


def arrivals(seed: int) -> Iterator[tuple[date, float]]:
    """Each day with its share of the arrivals of the first three years."""
    random = Random(seed)  # noqa: S311
    days = (FIRST_DAY + timedelta(days=number) for number in range(10**6))
    whole = sum(_THOUSANDS)
    for day in days:
        month = (day.year - FIRST_DAY.year) * 12 + day.month - FIRST_DAY.month
        thousands = _THOUSANDS[min(month, len(_THOUSANDS) - 1)]
        noise = exp(random.gauss(0, _SPREAD) - _SPREAD**2 / 2)
        weekend = _WEEKEND if day.weekday() >= _SATURDAY else (7 - 2 * _WEEKEND) / 5
        yield day, thousands / whole / 30.4 * noise * weekend


@cache
def midnight_s(day: date, zone: str) -> int:
    """The first second of a day, since 1970 UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


@cache
def day_of(day_number: int) -> date:
    """The day, so many days after the first of 1970."""
    return datetime.fromtimestamp(day_number * DAY_S, UTC).date()


class Zipf:
    """Places by name, drawn so that the n-th is as likely as n to the power of -0.8."""

    def __init__(self, names: list[str], exponent: float = 0.8) -> None:
        self._names = [name.encode() for name in names]
        self._sums = list(accumulate(n**-exponent for n in range(1, len(names) + 1)))

    def draw(self, random: Random) -> bytes:
        """One of them."""
        return self._names[bisect(self._sums, random.random() * self._sums[-1])]
