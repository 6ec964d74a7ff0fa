"""What happens to one family, and what agencies tell of it, when, wrongly, late, or twice."""

from collections.abc import Callable
from datetime import date
from random import Random

from invented import facts
from invented.days import (
    DAY_S,
    DETAINED,
    IN_CARE,
    LATE,
    PROMPT,
    SECTORS,
    TO_PLACEMENT,
    TO_REFERRAL,
    ZERO_TOLERANCE,
    Zipf,
    day_of,
    drawn_s,
    midnight_s,
)
from invented.template import Template, of_birth, of_seconds

STATIONS = Zipf([f"Station {number:04}" for number in range(120)])
CENTERS = Zipf([f"Center {number:05}" for number in range(200)])
SHELTERS = Zipf([f"Shelter {number:04}" for number in range(99)])

# (up to which share, adults, children): one to five together.
_TOGETHER = (
    (0.35, 1, 0),
    (0.50, 0, 1),
    (0.78, 1, 1),
    (0.87, 1, 2),
    (0.93, 2, 1),
    (0.96, 2, 2),
    (0.98, 1, 3),
    (1.00, 2, 3),
)
_SEPARATED, _SEPARATED_THEN = 0.02, 0.25  # of families; while zero tolerance was in force
_REUNIFIED, _DISCHARGED = 0.71, 0.23  # of the children of the list; the others are still in care
_LATE, _TWICE, _WRONG = 0.02, 0.01, 0.015  # of events
_MALE, _WITH_BIRTH, _WITH_NUMBER = 0.64, 0.4, 0.6  # of persons
_SCREENED = 0.5  # of families
_SENT_BACK, _MOVED_AS_ADULT = 0.2, 0.3  # of adults; of those who were handed over
_REMOVED, _PAROLED = 0.55, 0.4  # of these too; the others are still held
_MOVED, _SPOKE = 0.15, 0.6  # of children in care; of those who were separated

ZONES, WEIGHTS = zip(*SECTORS.values(), strict=True)

Tell = Callable[[int, bytes], None]
"""(second of the recording, the bytes of an event)."""


class Family:
    """One family, from its apprehension on."""

    def __init__(self, random: Random, met_s: int, tell: Tell) -> None:
        self._random = random
        self._tell = tell
        self._met_s = met_s
        (self.zone,) = random.choices(ZONES, WEIGHTS)
        share = random.random()
        self.adults, self.children = next(
            (adults, children) for most, adults, children in _TOGETHER if share <= most
        )
        self.people = self.adults + self.children
        names = (b"p0", b"p1", b"p2", b"p3", b"p4", b"family", b"incident")
        self._values = {name: _id(random.randbytes(16).hex()) for name in names}
        self._values |= {
            b"officer": b"officer%02d" % random.randrange(100),
            b"station": STATIONS.draw(random),
            b"center": CENTERS.draw(random),
            b"shelter": SHELTERS.draw(random),
        }

    def live(self) -> None:
        """Tell all of it."""
        self._meet()
        day = day_of(self._met_s // DAY_S)
        likely = _SEPARATED_THEN if _is_zero_tolerance(day) else _SEPARATED
        if self.children and self.adults and self._random.random() < likely:
            self._separate(day)
        elif self.children and self.adults:
            self._keep_together()
        elif self.children:
            self._care_for(0, self._met_s + drawn_s(self._random, TO_REFERRAL), separated=False)
        else:
            self._detain(0, self._met_s + DAY_S)

    def _meet(self) -> None:
        random, zone, met = self._random, self.zone, self._met_s
        self._told(met, facts.apprehended(zone, self.adults, self.people))
        country = facts.COUNTRIES[int(random.random() ** 3 * len(facts.COUNTRIES))]
        for who in range(self.people):
            age = self._age(who)
            born = random.random() < _WITH_BIRTH
            if born:
                month, day = random.randrange(1, 13), random.randrange(1, 29)
                self._values[b"birth"] = of_birth(day_of(met // DAY_S).year - age - 1, month, day)
            sex = 1 + (random.random() < _MALE)
            self._told(met + 3_600, facts.registered(zone, who, age, sex, country, born=born))
            if random.random() < _WITH_NUMBER:
                self._number()
                self._told(met + 4_200, facts.numbered(zone, who, "CBP", "A_NUMBER"))
            self._told(met + 5_400, facts.booked_in(zone, who, "CBP", "station", _STATION))
        if self.people > 1:
            self._number()
            self._told(met + 1_800, facts.family_formed(zone, self.people))
            for child in range(self.adults, self.people):
                for adult in range(self.adults):
                    self._told(met + 2_400, facts.related(zone, child, adult))
        if random.random() < _SCREENED:
            self._told(met + 9_000, facts.cared_for(zone, 0, "MEDICAL_SCREENING"))

    def _age(self, who: int) -> int:
        if who < self.adults:
            return 19 + int(self._random.random() ** 2 * 40)
        return int(18 * self._random.random() ** 0.8)

    def _separate(self, day: date) -> None:
        random, met = self._random, self._met_s
        reason = 0 if _is_zero_tolerance(day) else random.randrange(1, len(facts.FAR_CODES))
        apart = met + DAY_S
        for adult in range(self.adults):
            self._told(apart, facts.prosecuted(self.zone, adult))
            self._detain(adult, apart + DAY_S)
        for child in range(self.adults, self.people):
            self._told(apart, facts.separated(self.zone, child, self.adults, reason))
            self._care_for(child, met + DAY_S + drawn_s(random, TO_REFERRAL), separated=True)

    def _keep_together(self) -> None:
        random, zone = self._random, self.zone
        leave = self._met_s + 2 * DAY_S
        self._transfer(0, self.people, leave, "ICE", "FAMILY")
        end = leave + DAY_S + min(drawn_s(random, DETAINED), 21 * DAY_S)
        for who in range(self.people):
            self._told(end, facts.released(zone, who, "ICE", "ALTERNATIVES_TO_DETENTION"))

    def _care_for(self, child: int, referred_s: int, *, separated: bool) -> None:
        """ORR takes a child in, moves her perhaps, and lets her go."""
        random, zone = self._random, self.zone
        self._told(referred_s, facts.referred(zone, child))
        start = referred_s + drawn_s(random, TO_PLACEMENT)
        self._values[b"shelter"] = SHELTERS.draw(random)
        self._told(start, facts.placed(zone, child))
        stay = drawn_s(random, IN_CARE)
        if separated and random.random() < _SPOKE:
            self._told(start + stay // 3, facts.spoke(zone, child, 0, succeeded=stay % 4 > 0))
        if random.random() < _MOVED:
            self._values[b"shelter"] = SHELTERS.draw(random)
            self._told(start + stay // 2, facts.placed(zone, child))
        end, share = start + stay, random.random()
        if separated and share < _REUNIFIED:
            self._told(end, facts.reunified(zone, child, self.adults))
        elif share < _REUNIFIED + _DISCHARGED:
            reason = _SPONSORS[stay % len(_SPONSORS)]
            self._told(end, facts.released(zone, child, "ORR", reason))

    def _detain(self, adult: int, leave_s: int) -> None:
        """ICE takes an adult over, and removes or releases her."""
        random, zone = self._random, self.zone
        self._values[b"center"] = CENTERS.draw(random)
        if random.random() < _SENT_BACK:
            self._told(leave_s, facts.released(zone, adult, "CBP", "VOLUNTARY_RETURN"))
            return
        self._transfer(adult, adult + 1, leave_s, "ICE", "IGSA")
        stay = drawn_s(random, DETAINED)
        if random.random() < _MOVED_AS_ADULT:
            moved = leave_s + DAY_S // 2 + stay // 2
            self._told(moved, facts.booked_out(zone, adult, "ICE", "center", "IGSA"))
            self._values[b"center"] = CENTERS.draw(random)
            self._told(moved + 7_200, facts.booked_in(zone, adult, "ICE", "center", "IGSA"))
        end = leave_s + DAY_S + stay
        share = random.random()
        if share < _REMOVED:
            self._told(end, facts.removed(zone, adult))
        elif share < _REMOVED + _PAROLED:
            self._told(end, facts.released(zone, adult, "ICE", "PAROLED"))

    def _transfer(self, first: int, last: int, leave_s: int, to: str, kind: str) -> None:
        self._values[b"transfer"] = _id(self._random.randbytes(16).hex())
        self._told(leave_s, facts.departed(self.zone, first, last, self.adults, to))
        arrive = leave_s + 14_400
        self._told(arrive, facts.arrived(self.zone, first, last, to, "center", kind))

    def _number(self) -> None:
        self._values[b"number"] = b"%09d" % self._random.randrange(10**9)

    def _told(self, when_s: int, fact: Template) -> None:
        """Have it recorded soon, or late, or twice, or wrongly and then right."""
        random = self._random
        share = random.random()
        recorded = when_s + drawn_s(random, LATE if share < _LATE else PROMPT)
        told_s = when_s - DAY_S if share > 1 - _WRONG else when_s
        self._record(recorded, told_s, fact.first, by_day=fact.by_day)
        if _LATE < share < _LATE + _TWICE:
            later = recorded + 3_600 + drawn_s(random, PROMPT)
            self._record(later, when_s, fact.again, by_day=fact.by_day)
        elif told_s < when_s:
            self._values[b"wrong"] = self._values[b"event"]
            noticed = _at_night(recorded + drawn_s(random, LATE), random)
            taken_back = facts.retracted(self.zone, fact.agency)
            self._record(noticed, noticed, taken_back.first, by_day=False)
            self._record(noticed + 1, when_s, fact.corrected, by_day=fact.by_day)

    def _record(
        self, recorded_s: int, when_s: int, form: Callable[..., bytes], *, by_day: bool
    ) -> None:
        digits = self._random.randbytes(16).hex()
        values = self._values
        values[b"event"] = _id(f"{recorded_s * 1_000:012x}{digits[12:]}", version=7)
        values[b"record"] = digits[:16].encode()
        # Midnight on this border is up to eight hours after that of UTC.
        day = (when_s - 28_800) // DAY_S
        start = midnight_s(day_of(day), self.zone) if by_day else when_s - when_s % 60
        values[b"time"] = of_seconds(start)
        self._tell(recorded_s, form(values))


_SPONSORS = "SPONSOR_PARENT_OR_GUARDIAN", "SPONSOR_CLOSE_RELATIVE"
_STATION = "BORDER_PATROL_STATION"


def _is_zero_tolerance(day: date) -> bool:
    return ZERO_TOLERANCE[0] <= day <= ZERO_TOLERANCE[1]


def _at_night(second: int, random: Random) -> int:
    """In the half hour of that day in which offices record what they correct, by the batch."""
    return second - second % DAY_S + 84_600 + random.randrange(1_799)


def _id(digits: str, version: int = 4) -> bytes:
    """A UUID (RFC 9562) of 32 hexadecimal digits; of version 7 the first 12 are milliseconds."""
    return (
        f"{digits[:8]}-{digits[8:12]}-{version}{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
    ).encode()
