"""Histories that hypothesis invents: what several sources might tell the ledger, in any order.

Few people, places and days, so that the events meet: late, contradictory, repeated, retracted,
corrected, and as finely known as each source happens to know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Any
from zoneinfo import ZoneInfo

from events import DAY, DAY_1, MINUTE, event, id_of
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from hypothesis import strategies as st

from ledger.v1.custody_pb2 import (
    Apprehended,
    BookedIn,
    BookedOut,
    Placed,
    ReferredToOrr,
    Released,
    TransferArrived,
    TransferDeparted,
)
from ledger.v1.event_pb2 import Event
from ledger.v1.family_pb2 import FamilyGroupFormed, RelationshipAsserted, RelationshipKind
from ledger.v1.identity_pb2 import IdentifierAsserted, PersonRegistered
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.place_pb2 import Place
from ledger.v1.separation_pb2 import Reunified, Separated
from ledger.v1.time_pb2 import Precision

INSTANT = Precision.PRECISION_INSTANT
HOUR = Precision.PRECISION_HOUR
MONTH = Precision.PRECISION_MONTH

PEOPLE = [id_of(f"person-{number}") for number in range(5)]
FAMILIES = [id_of(f"family-{number}") for number in range(2)]
TRANSFERS = [id_of(f"transfer-{number}") for number in range(2)]
AGENCIES = ["CBP", "ICE", "ORR", "USMS"]
FACILITIES = ["Ursula", "Casa Padre", "CASA  padre ", "Port Isabel"]
KINDS = [
    RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT,
    RelationshipKind.RELATIONSHIP_KIND_SIBLING,
    RelationshipKind.RELATIONSHIP_KIND_CHILD,
]
ZONES = ["UTC", "America/Chicago", "America/Los_Angeles", "Asia/Kolkata", "America/Sao_Paulo"]
DATES = [
    date(2018, 5, 1),
    date(2018, 5, 2),
    date(2018, 5, 3),
    date(2018, 5, 31),
    date(2018, 6, 1),
    date(2018, 3, 11),  # 23 hours long in the United States
    date(2018, 9, 30),
    date(2018, 11, 4),  # 25 hours long in the United States; in Brazil it begins at one o'clock
]
TICK = timedelta(microseconds=1)
HORIZONS = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=32) * number for number in (552, 553)]
"""Where the tables cut long periods: 2018-05-13 and 2018-06-14."""


@dataclass(frozen=True, slots=True)
class When:
    """A valid time as a source states it."""

    start: datetime
    precision: Precision.ValueType
    zone: str


@dataclass(frozen=True)
class History:
    """What is appended to a log, one append after the other; the same event may come again."""

    appends: tuple[tuple[Event, ...], ...]

    @cached_property
    def events(self) -> list[Event]:
        """Those that the log keeps, each once; the first is at position 1."""
        return list({one.event_id: one for append in self.appends for one in append}.values())

    @cached_property
    def sizes(self) -> list[int]:
        """The size of the log after each append."""
        seen: set[str] = set()
        return [len(seen := seen | {one.event_id for one in append}) for append in self.appends]

    @cached_property
    def people(self) -> list[str]:
        """Those whom any event names."""
        return [person for person in PEOPLE if self.about(person, len(self.events))]

    def about(self, subject_id: str, size: int) -> list[tuple[int, Event]]:
        """(position, event) of the first `size` that concern a person or family."""
        by_id = {one.event_id: one for one in self.events}
        return [
            (position, one)
            for position, one in enumerate(self.events[:size], 1)
            # A retraction concerns whom the retracted event concerns.
            if _names(by_id.get(one.retracted.retracted_event_id, one), subject_id)
        ]

    def voided(self, size: int) -> set[str]:
        """The ids of the events that one of the first `size` retracts."""
        return {one.retracted.retracted_event_id for one in self.events[:size]} - {""}

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What hypothesis shows of a failure: a line an event, a rule between appends."""
        appends = ("\n".join(map(_line, append)) for append in self.appends)
        printer.text("\n" + "\n----\n".join(appends) + "\n")


def _names(one: Event, subject_id: str) -> bool:
    return subject_id.encode() in one.SerializeToString()


_SHORT = {
    name: f"{kind}{number}"
    for kind, known in (("person-", PEOPLE), ("family-", FAMILIES), ("transfer-", TRANSFERS))
    for number, name in enumerate(known)
}


def _line(one: Event) -> str:
    """An event as a failing test shows it."""
    at = one.valid_time
    text = " ".join(str(body_of(one)).split())
    for name, short in _SHORT.items():
        text = text.replace(name, short)
    precision = Precision.Name(at.precision).removeprefix("PRECISION_").lower()
    start = at.time.ToDatetime().isoformat()
    return f"{one.event_id[:8]} {start}Z, {precision} in {at.zone}: {body_of(one).DESCRIPTOR.name} {text}"


def body_of(one: Event) -> Any:
    """The message in the event's `fact`."""
    return getattr(one, one.WhichOneof("fact"))


def _when(
    precision: Precision.ValueType, zone: str, day: date, hour: int, minute: int, second: float
) -> When:
    """The first moment of the unit of this precision that holds the wall time."""
    at = datetime.combine(day, time(hour, minute)) + timedelta(seconds=second)
    if precision == MONTH:
        at = datetime.combine(day.replace(day=1), time())
    elif precision == DAY:
        at = datetime.combine(day, time())
    elif precision == HOUR:
        at = datetime.combine(day, time(hour))
    elif precision == MINUTE:
        at = datetime.combine(day, time(hour, minute))
    return When(at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), precision, zone)


def mixed(*shares: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of several strategies, each as often as its share says."""
    ways = [way for share, way in shares for _ in range(share)]
    return st.integers(0, len(ways) - 1).flatmap(ways.__getitem__)


def _stated(days: Sequence[date], zones: Sequence[str]) -> st.SearchStrategy[When]:
    return st.builds(
        _when,
        st.sampled_from([DAY, DAY, DAY, INSTANT, MINUTE, MINUTE, HOUR, MONTH]),
        st.sampled_from(zones),
        st.sampled_from(days),
        st.sampled_from([0, 1, 9, 14, 23]),
        st.sampled_from([0, 30, 59]),
        st.sampled_from([0, 1e-6, 59.999999]),
    )


CLOSE = _stated(DATES[:3], ZONES[:2])
"""Times of every precision, many of them in one another's units."""

WHENS = mixed(
    (6, CLOSE),
    (4, _stated(DATES, ZONES)),
    (
        1,
        st.sampled_from(
            [When(at + step, INSTANT, "UTC") for at in HORIZONS for step in (-TICK, 0 * TICK, TICK)]
        ),
    ),
)
"""The same over a year and in several zones, and instants at the horizons."""

INSTANTS = st.integers(0, 100 * 24 - 1).map(
    lambda hours: When(DAY_1 + timedelta(hours=hours), INSTANT, "UTC")
)
"""Instants of a hundred days."""

PLACES = st.sampled_from([Place(name=name) for name in FACILITIES])
AGENCY = st.sampled_from(AGENCIES)


@cache
def custody_facts(people: int) -> st.SearchStrategy[Message]:
    """Who is taken in, moved, and released: the four kinds that a rule of thumb can follow."""
    person = st.sampled_from(PEOPLE[:people])
    some = st.lists(person, min_size=1, max_size=3, unique=True)
    return st.one_of(
        st.builds(
            lambda who, agency, place: Apprehended(person_ids=who, agency=agency, place=place),
            some,
            AGENCY,
            PLACES | st.just(Place()),
        ),
        st.builds(BookedIn, person_id=person, agency=AGENCY, facility=PLACES),
        st.builds(Placed, child_id=person, agency=AGENCY, facility=PLACES),
        st.lists(person, min_size=1, max_size=2, unique=True).flatmap(
            lambda who: st.builds(
                Released,
                person_id=st.just(who[0]),
                agency=AGENCY,
                reason_code=st.just("OTHER"),
                sponsor_id=st.just(who[1] if len(who) > 1 else ""),
            )
        ),
    )


@cache
def movements(people: int) -> st.SearchStrategy[Message]:
    """The rest of what happens to a person in custody."""
    person = st.sampled_from(PEOPLE[:people])
    some = st.lists(person, min_size=1, max_size=3, unique=True)
    hand_over = st.sampled_from(TRANSFERS)
    return st.one_of(
        st.builds(BookedOut, person_id=person, agency=AGENCY, facility=PLACES),
        st.builds(
            TransferDeparted,
            transfer_id=hand_over,
            person_ids=some,
            from_agency=AGENCY,
            to_agency=AGENCY,
        ),
        st.builds(
            TransferArrived,
            transfer_id=hand_over,
            person_ids=some,
            agency=AGENCY,
            facility=PLACES | st.none(),
        ),
        st.builds(ReferredToOrr, child_id=person, referring_agency=AGENCY),
        st.builds(
            Placed,
            child_id=person,
            agency=AGENCY,
            facility=PLACES,
            undated_outcome_text=st.just("released, no date given"),
        ),
    )


@cache
def separations(people: int) -> st.SearchStrategy[Message]:
    """Who is taken from whom, and brought back; as a rule the youngest is the child."""
    person = st.sampled_from(PEOPLE[:people])
    anybody = st.lists(person, min_size=1, max_size=3, unique=True)
    by_age = st.lists(person, min_size=2, max_size=3, unique=True).map(
        lambda who: sorted(who, key=PEOPLE.index)
    )
    some = mixed((1, anybody), (2, by_age))
    return st.one_of(
        st.builds(
            lambda who, agency: Separated(
                child_id=who[0],
                adult_ids=who[1:],
                adult_unknown_reason="" if who[1:] else "the source names none",
                reason_codes=["OTHER"],
                agency=agency,
            ),
            some,
            AGENCY,
        ),
        st.builds(
            lambda who, agency, place: Reunified(
                child_id=who[0], adult_ids=who[1:], agency=agency, held_together_at=place
            ),
            some,
            AGENCY,
            PLACES | st.none(),
        ),
    )


@cache
def links(people: int) -> st.SearchStrategy[Message]:
    """Who belongs together, and who is who."""
    person = st.sampled_from(PEOPLE[:people])
    return st.one_of(
        st.builds(
            lambda who, kind: RelationshipAsserted(person_id=who[0], relative_id=who[1], kind=kind),
            st.lists(person, min_size=2, max_size=2, unique=True),
            st.sampled_from(KINDS),
        ),
        st.builds(
            FamilyGroupFormed,
            family_id=st.sampled_from(FAMILIES),
            member_ids=st.lists(person, min_size=1, max_size=3, unique=True),
        ),
        st.builds(
            lambda who, year: PersonRegistered(person_id=who, birth_date=Date(year=year)),
            person,
            st.integers(2008, 2017),
        ),
        st.builds(
            IdentifierAsserted,
            person_id=person,
            scheme=st.just("OTHER"),
            value=st.sampled_from(["1", "2"]),
        ),
    )


@cache
def facts(people: int) -> st.SearchStrategy[Message]:
    """Anything but a retraction."""
    return mixed(
        (3, custody_facts(people)),
        (3, movements(people)),
        (3, separations(people)),
        (2, links(people)),
    )


@cache
def plain_facts(people: int) -> st.SearchStrategy[Message]:
    """What a rule of thumb can follow: custody in four kinds, and separations."""
    return mixed((3, custody_facts(people)), (2, plain_separations(people)))


@cache
def plain_separations(people: int) -> st.SearchStrategy[Message]:
    """Who is taken from whom and brought back, and free then."""
    return separations(people).map(_free)


def _free(body: Message) -> Message:
    """The fact without the family being held together."""
    if isinstance(body, Reunified):
        body.ClearField("held_together_at")
    return body


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    least: int = 8,
    most: int = 24,
    people: tuple[int, int] = (2, len(PEOPLE)),
    moves: Sequence[str] = ("assert",) * 5 + ("retract", "correct", "again", "repeat"),
    whens: st.SearchStrategy[When] = WHENS,
    distinct: bool = False,
    bodies: Callable[[int], st.SearchStrategy[Message]] = facts,
) -> History:
    """A history of about so many events that name so many people.

    A step of it asserts, retracts, corrects (a retraction and another event in one append), sends
    an event again or repeats a fact as a new event. `distinct`: no two valid times are the same.
    """
    cast = draw(st.integers(*people))
    made: list[Event] = []
    taken: set[datetime] = set()
    steps: list[list[Event]] = []

    def say(body: Message, when: When, **envelope: str) -> Event:
        name = id_of(f"event-{len(made)}")
        one = event(
            body,
            when.start,
            event_id=name,
            precision=when.precision,
            zone=when.zone,
            agency=draw(AGENCY),
            **envelope,
        )
        made.append(one)
        return one

    for _ in range(draw(st.integers(least, most))):
        when = draw(whens)
        if distinct and when.start in taken:
            continue
        taken.add(when.start)
        voidable = [one for one in made if one.WhichOneof("fact") != "retracted"]
        move = draw(st.sampled_from(moves)) if voidable else "assert"
        if move == "assert":
            steps.append([say(draw(bodies(cast)), when)])
            continue
        earlier = draw(st.sampled_from(voidable))
        if move == "again":
            steps.append([earlier])
        elif move == "repeat":
            steps.append([say(body_of(earlier), when)])
        else:
            why = Retracted(retracted_event_id=earlier.event_id, reason_text="not so")
            step = [say(why, when)]
            if move == "correct":
                body = draw(mixed((1, bodies(cast)), (1, st.just(body_of(earlier)))))
                step.append(say(body, draw(whens), corrects_event_id=earlier.event_id))
            steps.append(step)
    appends: list[list[Event]] = []
    for step in steps:
        if appends and draw(st.sampled_from([True, True, False])):
            appends[-1] += step
        else:
            appends.append(list(step))
    return History(tuple(map(tuple, appends)))


def plain_histories() -> st.SearchStrategy[History]:
    """Facts at distinct instants, some of them retracted: simple enough to be judged by eye."""
    moves = ("assert",) * 5 + ("retract",)
    apart = histories(
        people=(3, 3), moves=moves, whens=INSTANTS, distinct=True, bodies=plain_separations
    )
    anything = histories(moves=moves, whens=INSTANTS, distinct=True, bodies=plain_facts)
    return mixed((1, anything), (1, apart))


def late_histories(
    whens: st.SearchStrategy[When] = WHENS, most: int = 24
) -> st.SearchStrategy[History]:
    """Distinct facts at distinct valid times, none retracted: each may be learned first or last."""
    return histories(most=most, moves=("assert",), whens=whens, distinct=True)


@cache
def ties(people: int) -> st.SearchStrategy[Message]:
    """Above all who belongs to whom, and what takes them apart."""
    return mixed((3, links(people)), (2, separations(people)), (1, custody_facts(people)))


def family_histories() -> st.SearchStrategy[History]:
    """Families, and everything that might tear them."""
    return histories(bodies=ties)
