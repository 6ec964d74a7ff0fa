"""Legal time limits: met, missed, or not to be told, at every precision and edge (R-10)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import ticking
from events import event as any_event
from events import id_of, place
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from ledger.append import append_events
from ledger.ask.population import list_clocks
from ledger.ledger import Ledger
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_pb2 import (
    Accompaniment,
    Apprehended,
    BookedIn,
    ExceptionalCircumstanceDeclared,
    Hospitalized,
    Placed,
    ReferredToOrr,
    Released,
    ReturnedToFacility,
    TakenToCourt,
    TransferArrived,
    TransferDeparted,
    WellbeingCallMade,
)
from ledger.v1.custody_query_service_pb2 import ListClocksRequest
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.family_pb2 import RelationshipAsserted, RelationshipKind
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.oversight_pb2 import InformationRequested, InformationSupplied, Retracted
from ledger.v1.separation_pb2 import (
    CommunicationOccurred,
    ReunificationCaseOpened,
    ReunificationStepCompleted,
    Reunified,
    Separated,
)
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import ClockState
from projections import casework, clocks
from projections.clocks import INDETERMINATE, MET, MISSED, RUNNING, Clock
from projections.findings import duties
from projections.history import facts
from projections.time_limit import time_limits
from projections.valid_time import to_us

EDITION, OLD = "2026-11-25", "2018-06-20"
CHILD, MOTHER = id_of("child"), id_of("mother")
FIRST, SECOND = id_of("first"), id_of("second")

INSTANT = Precision.PRECISION_INSTANT
MINUTE, HOUR = Precision.PRECISION_MINUTE, Precision.PRECISION_HOUR
DAY, MONTH = Precision.PRECISION_DAY, Precision.PRECISION_MONTH
MICROSECOND = timedelta(microseconds=1)

T = datetime(2018, 8, 1, tzinfo=UTC)
NAMES = {RUNNING: "RUNNING", MET: "MET", MISSED: "MISSED", INDETERMINATE: "INDETERMINATE"}


def event(
    body: Message, on: datetime, precision: Precision.ValueType = INSTANT, **envelope: Any
) -> Event:
    """An event in the words of the last edition."""
    return any_event(body, on, precision=precision, **{"vocabulary": EDITION, **envelope})


def born(year: int, month: int = 6, day: int = 1) -> Event:
    stated = Date(year=year, month=month, day=day)
    return event(PersonRegistered(person_id=CHILD, birth_date=stated), T, DAY)


def separated(on: datetime = T, precision: Precision.ValueType = INSTANT, **envelope: Any) -> Event:
    body = Separated(
        child_id=CHILD, adult_ids=[MOTHER], reason_codes=["CHILD_MEDICAL"], agency="CBP"
    )
    return event(body, on, precision, **envelope)


def placed(on: datetime, precision: Precision.ValueType = INSTANT, **envelope: Any) -> Event:
    body = Placed(child_id=CHILD, agency="ORR", facility=place("Willow House"))
    return event(body, on, precision, **envelope)


def apprehended(on: datetime = T, agency: str = "CBP", **more: Any) -> Event:
    return event(Apprehended(person_ids=[CHILD], agency=agency, **more), on)


def reunified(on: datetime, precision: Precision.ValueType = DAY) -> Event:
    return event(Reunified(child_id=CHILD, adult_ids=[MOTHER], agency="ORR"), on, precision)


def released(on: datetime, **envelope: Any) -> Event:
    body = Released(person_id=CHILD, agency="ORR", reason_code="SPONSOR_CLOSE_RELATIVE")
    return event(body, on, **envelope)


def of(code: str, *events: Event, at: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> list[Clock]:
    """The clocks of a limit, after these events, as they stand at an instant."""
    entries = []
    for position, one in enumerate(events, 1):
        entry = Entry(event=one)
        entry.record_time.FromDatetime(datetime(2024, 1, 1, tzinfo=UTC))
        entries.append((position, entry))
    view = duties.fold(CHILD, facts(entries, CHILD), to_us(at))
    return [one for one in view.clocks.clocks if one.code == code]


def state(code: str, *events: Event, **at: datetime) -> str:
    """How the only clock of a limit stands; "" where there is none."""
    found = of(code, *events, **at)
    assert len(found) <= 1
    return NAMES[found[0].state] if found else ""


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def days(number: float) -> datetime:
    return T + timedelta(days=number)


# Precisions and edges. L_02: 72 hours from the separation to ORR.

STOPPED = [
    ("exactly 72 hours", T, INSTANT, T + hours(72), INSTANT, "MET"),
    ("a microsecond more", T, INSTANT, T + hours(72) + MICROSECOND, INSTANT, "MISSED"),
    ("at once", T, INSTANT, T, INSTANT, "MET"),
    ("minutes: the last within", T, MINUTE, T + hours(72) - timedelta(minutes=1), MINUTE, "MET"),
    ("minutes: the same one", T, MINUTE, T + hours(72), MINUTE, "INDETERMINATE"),
    ("minutes: the next", T, MINUTE, T + hours(72) + timedelta(minutes=1), MINUTE, "MISSED"),
    ("hours: the last within", T, HOUR, T + hours(71), HOUR, "MET"),
    ("hours: the same one", T, HOUR, T + hours(72), HOUR, "INDETERMINATE"),
    ("hours: the next", T, HOUR, T + hours(73), HOUR, "MISSED"),
    ("days: the third", T, DAY, days(2), DAY, "MET"),
    ("days: the fourth", T, DAY, days(3), DAY, "INDETERMINATE"),
    ("days: the fifth", T, DAY, days(4), DAY, "MISSED"),
    ("a day, and an instant that is certainly within", T, DAY, days(3), INSTANT, "MET"),
    ("a day, and an instant", T, DAY, days(3) + MICROSECOND, INSTANT, "INDETERMINATE"),
    ("a day, and the last open instant", T, DAY, days(4) - MICROSECOND, INSTANT, "INDETERMINATE"),
    ("a day, and an instant that is certainly late", T, DAY, days(4), INSTANT, "MISSED"),
    ("an instant, and a day that is within", T, INSTANT, days(2), DAY, "MET"),
    ("an instant, and the day of the limit", T + hours(9), INSTANT, days(3), DAY, "INDETERMINATE"),
    ("an instant, and the day after", T + hours(9), INSTANT, days(4), DAY, "MISSED"),
    ("one month", T, MONTH, T, MONTH, "INDETERMINATE"),
    ("the next month", T, MONTH, datetime(2018, 9, 1, tzinfo=UTC), MONTH, "INDETERMINATE"),
    ("the month after", T, MONTH, datetime(2018, 10, 1, tzinfo=UTC), MONTH, "MISSED"),
]


@pytest.mark.parametrize("case", STOPPED, ids=lambda case: case[0])
def test_a_limit_is_judged_as_finely_as_it_is_known(case: tuple[Any, ...]) -> None:
    _, start, started, stop, stopped, expected = case
    assert state("L_02", born(2012), separated(start, started), placed(stop, stopped)) == expected


def test_a_day_of_a_zone_is_as_long_as_it_was() -> None:
    """With the end of summer time the third day ends an hour later."""
    chicago = ZoneInfo("America/Chicago")

    def judged(month: int, day: int) -> str:
        start = datetime(2018, month, day, tzinfo=chicago)
        stop = datetime(2018, month, day + 2, tzinfo=chicago)
        zone = {"zone": "America/Chicago"}
        return state("L_02", born(2012), separated(start, DAY, **zone), placed(stop, DAY, **zone))

    assert judged(10, 1) == "MET"
    assert judged(11, 3) == "INDETERMINATE"  # 4 November had 25 hours
    assert judged(3, 10) == "MET"  # 11 March had 23


RUN = [
    (INSTANT, T + hours(72), "RUNNING"),
    (INSTANT, T + hours(72) + MICROSECOND, "MISSED"),
    (MINUTE, T + hours(72) + MICROSECOND, "INDETERMINATE"),
    (MINUTE, T + hours(72) + timedelta(minutes=1), "MISSED"),
    (DAY, days(3), "RUNNING"),
    (DAY, days(3) + MICROSECOND, "INDETERMINATE"),
    (DAY, days(4) - MICROSECOND, "INDETERMINATE"),
    (DAY, days(4), "MISSED"),
]


@pytest.mark.parametrize(("precision", "at", "expected"), RUN)
def test_a_clock_that_nothing_stops_runs_and_runs_out(
    precision: Precision.ValueType, at: datetime, expected: str
) -> None:
    assert state("L_02", born(2012), separated(T, precision), at=at) == expected


def test_the_populations_change_at_the_same_moments(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger(clock=ticking(to_us(datetime(2024, 1, 1, tzinfo=UTC))))
    for precision in (INSTANT, MINUTE, DAY):
        child = id_of(f"of {precision}")
        body = Separated(
            child_id=child, adult_ids=[MOTHER], reason_codes=["CHILD_MEDICAL"], agency="CBP"
        )
        append(ledger, event(body, T, precision))
        for of_precision, at, expected in RUN:
            if of_precision == precision:
                assert listed(ledger, child, "L_02", as_of_time=at) == [expected]
        assert listed(ledger, child, "L_02", as_of_time=T - MICROSECOND) == []


def append(ledger: Ledger, *events: Event) -> None:
    append_events(ledger, AppendEventsRequest(events=events), 10)


def listed(ledger: Ledger, person_id: str, code: str, **basis: Any) -> list[str]:
    """How the clocks of one person stand that are listed."""
    request = ListClocksRequest(clock_code=code, basis=Basis(**basis))
    found = list_clocks(ledger, request).clocks
    return [NAMES[one.state] for one in found if one.person_id == person_id]


# Starts and stops.


def test_hospital_and_court_do_not_stop_or_begin_a_clock_anew() -> None:
    first = apprehended(T)
    (clock,) = of(
        "L_03",
        born(2012),
        first,
        event(Hospitalized(person_id=CHILD, agency="CBP", hospital=place("Valley")), T + hours(10)),
        event(TakenToCourt(person_id=CHILD, agency="CBP", court=place("El Paso")), T + hours(20)),
        event(
            ReturnedToFacility(person_id=CHILD, agency="CBP", facility=place("Harbor")),
            T + hours(30),
        ),
        apprehended(T + hours(40)),
        event(BookedIn(person_id=CHILD, agency="CBP", facility=place("Harbor")), T + hours(50)),
        placed(T + hours(73)),
    )

    assert clock.start_event_id == first.event_id
    assert clock.due_us == to_us(T + hours(72))
    assert clock.state == MISSED


def test_a_stop_begins_nothing_and_a_start_after_it_begins_another_clock() -> None:
    events = [born(2012), separated(T), placed(T + hours(9)), separated(T + hours(300))]
    met, running = of("L_02", *events, at=T + hours(301))

    assert [met.state, running.state] == [MET, RUNNING]
    assert running.from_us == to_us(T + hours(300))


def test_what_has_arrived_before_the_start_has_arrived() -> None:
    """Sources disagree by hours: a child placed before she is recorded as separated is placed."""
    stop = placed(T - hours(3))
    (clock,) = of("L_02", born(2012), stop, separated(T))

    assert clock.state == MET
    assert clock.stop is not None
    assert clock.stop.event_id == stop.event_id


def test_what_has_left_again_before_the_start_has_not_arrived() -> None:
    assert (
        state("L_02", born(2012), placed(T - hours(9)), released(T - hours(3)), separated(T))
        == "MISSED"
    )


def test_another_agency_s_event_does_not_stop_a_clock() -> None:
    events = [born(2012), apprehended(T)]
    at_cbp = event(BookedIn(person_id=CHILD, agency="CBP", facility=place("Harbor")), T + hours(9))
    at_ice = event(BookedIn(person_id=CHILD, agency="ICE", facility=place("Karnes")), T + hours(9))

    assert state("L_03", *events, at_cbp) == "MISSED"
    assert state("L_03", *events, at_ice) == "MET"
    assert state("L_04", *events, at_ice) == "MISSED"
    assert of("L_03", born(2012), apprehended(T, "ICE")) == []


def test_only_what_a_pattern_asks_of_a_field_starts_or_stops() -> None:
    unknown = Accompaniment.ACCOMPANIMENT_UNKNOWN
    alone = Accompaniment.ACCOMPANIMENT_ALONE
    link = RelationshipAsserted(
        person_id=CHILD,
        relative_id=MOTHER,
        kind=RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT,
    )
    asked = [born(2012), apprehended(T, accompaniment=unknown)]

    assert state("ACCOMPANIMENT_24", *asked) == "MISSED"
    assert state("ACCOMPANIMENT_24", *asked, event(link, T + hours(24))) == "MET"
    assert state("ACCOMPANIMENT_24", born(2012), apprehended(T, accompaniment=alone)) == ""
    assert state("L_01", *asked) == ""
    assert state("L_01", born(2012), apprehended(T, accompaniment=alone)) == "MISSED"

    def called(*, reached: bool) -> Event:
        body = WellbeingCallMade(person_id=CHILD, agency="ORR", reached=reached)
        return event(body, T + hours(100))

    assert state("WELLBEING_30", born(2012), released(T), called(reached=True)) == "MET"
    assert state("WELLBEING_30", born(2012), released(T), called(reached=False)) == "MISSED"


def test_two_hand_overs_of_one_person_are_two_clocks() -> None:
    def departed(transfer_id: str, on: datetime) -> Event:
        body = TransferDeparted(
            transfer_id=transfer_id, person_ids=[CHILD], from_agency="ICE", to_agency="ORR"
        )
        return event(body, on)

    def arrived(transfer_id: str, on: datetime) -> Event:
        body = TransferArrived(transfer_id=transfer_id, person_ids=[CHILD], agency="ORR")
        return event(body, on)

    events = [departed(FIRST, T), departed(SECOND, T + hours(1)), arrived(SECOND, T + hours(9))]
    missed, met = of("TRANSFER_24", *events)

    assert [(one.key, one.state) for one in (missed, met)] == [(FIRST, MISSED), (SECOND, MET)]
    assert {one.owner_agency for one in (missed, met)} == {"ICE"}
    # Who was placed has come, whichever hand-over it was by.
    assert [one.state for one in of("TRANSFER_24", *events, placed(T + hours(10)))] == [MET, MET]


def test_who_is_to_answer_a_request_is_its_owner() -> None:
    request = InformationRequested(
        request_id=FIRST, person_ids=[CHILD], agency="ORR", of_agency="ICE", request_text="why"
    )
    supplied = InformationSupplied(request_id=FIRST, person_ids=[CHILD], agency="ICE")
    (clock,) = of("INFORMATION_72", event(request, T), event(supplied, T + hours(72)))

    assert (clock.owner_agency, clock.state) == ("ICE", MET)


def test_what_was_retracted_starts_and_stops_nothing() -> None:
    def retract(one: Event) -> Event:
        return event(Retracted(retracted_event_id=one.event_id, reason_text="no"), T, DAY)

    start, stop = separated(T), placed(T + hours(9))
    assert state("L_02", born(2012), start, stop) == "MET"
    assert state("L_02", born(2012), start, stop, retract(stop)) == "MISSED"
    assert state("L_02", born(2012), start, stop, retract(start)) == ""


# For whom.


def test_a_rule_for_minors_is_for_those_who_are_or_are_treated_as_such() -> None:
    assert state("L_03", born(2012), apprehended()) == "MISSED"
    assert state("L_03", born(1980), apprehended()) == ""
    assert state("L_03", apprehended()) == ""
    # Whoever is separated as a child is owed what a child is, however old a source says she is.
    assert state("L_02", separated()) == "MISSED"
    assert state("L_02", born(1980), separated()) == "MISSED"
    # On the day of her 18th birthday she is none.
    assert state("L_03", born(2000, 8, 1), apprehended()) == ""
    assert state("L_03", born(2000, 8, 2), apprehended()) == "MISSED"


BEFORE_ORDER = datetime(2018, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        (born(2013, 6, 27), "L_09_UNDER_5"),
        (born(2013, 6, 26), "L_09_FROM_5"),
        # Who can have been under five is owed what is owed under five.
        (event(PersonRegistered(person_id=CHILD, stated_age_years=5), T, DAY), "L_09_UNDER_5"),
        (event(PersonRegistered(person_id=CHILD, stated_age_years=6), T, DAY), "L_09_FROM_5"),
        (event(PersonRegistered(person_id=CHILD), T, DAY), "L_09_FROM_5"),
    ],
)
def test_the_limits_of_the_order_go_by_the_age_at_the_order(
    registered: Event, expected: str
) -> None:
    codes = ("L_09_UNDER_5", "L_09_FROM_5")
    found = [code for code in codes if of(code, registered, separated(BEFORE_ORDER))]
    assert found == [expected]


def july(day: int) -> datetime:
    return datetime(2018, 7, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("year", "code", "last"), [(2015, "L_09_UNDER_5", 10), (2010, "L_09_FROM_5", 26)]
)
def test_the_order_gave_until_the_end_of_a_day(year: int, code: str, last: int) -> None:
    def judged(stop: Event) -> str:
        return state(code, born(year), separated(BEFORE_ORDER), stop)

    assert judged(reunified(july(last))) == "MET"
    assert judged(reunified(july(last + 1))) == "MISSED"
    assert judged(reunified(july(last + 1) - MICROSECOND, INSTANT)) == "MET"
    assert judged(reunified(july(last + 1), INSTANT)) == "MISSED"


def test_the_order_gave_ten_days_to_speak_and_who_could_not_record_it_is_not_judged() -> None:
    def spoke(day: int, *, succeeded: bool = True) -> Event:
        body = CommunicationOccurred(
            child_id=CHILD,
            relative_id=MOTHER,
            agency="ORR",
            means_code="TELEPHONE",
            succeeded=succeeded,
        )
        return event(body, july(day), DAY)

    before = [born(2012), separated(BEFORE_ORDER)]
    assert state("L_09_CONTACT", *before, spoke(6)) == "MET"
    assert state("L_09_CONTACT", *before, spoke(7)) == "MISSED"
    assert state("L_09_CONTACT", *before, spoke(6, succeeded=False)) == "MISSED"
    assert state("L_09_CONTACT", born(2012), separated(BEFORE_ORDER, vocabulary=OLD)) == ""
    assert state("WELLBEING_30", born(2012), released(T, vocabulary=OLD)) == ""


@pytest.mark.parametrize(
    ("code", "on", "is_judged"),
    [
        ("L_02", datetime(2008, 12, 22, tzinfo=UTC), False),
        ("L_02", datetime(2008, 12, 23, tzinfo=UTC), True),
        ("L_09_FROM_5", datetime(2018, 6, 26, tzinfo=UTC), True),
        ("L_09_FROM_5", datetime(2018, 6, 27, tzinfo=UTC), False),
    ],
)
def test_a_limit_is_judged_while_it_was_in_force(code: str, on: datetime, is_judged: bool) -> None:
    assert bool(of(code, born(2004), separated(on, DAY))) == is_judged


# Exceptional circumstances.


def declared(on: datetime, code: str = "L_02", precision: Precision.ValueType = INSTANT) -> Event:
    body = ExceptionalCircumstanceDeclared(
        person_ids=[CHILD], clock_code=code, agency="CBP", reason_text="a flood"
    )
    return event(body, on, precision)


def test_exceptional_circumstances_explain_a_miss_and_it_stays_one() -> None:
    flood = declared(T + hours(10))
    (clock,) = of("L_02", born(2012), separated(), flood)
    (other,) = of("L_01", born(2012), separated(), flood)

    assert (clock.state, clock.exceptional_event_ids) == (MISSED, (flood.event_id,))
    assert (other.state, other.exceptional_event_ids) == (MISSED, ())
    # Of one day nobody can say which was first, and it is meant all the same.
    (known_by_day,) = of("L_02", born(2012), separated(T, DAY), declared(T, precision=DAY))
    assert len(known_by_day.exceptional_event_ids) == 1
    (before,) = of("L_02", born(2012), separated(T), declared(T - hours(1)))
    assert before.exceptional_event_ids == ()
    # What ran out before does not explain what runs afterwards.
    late = [separated(), flood, placed(T + hours(80)), separated(T + hours(300))]
    assert [len(one.exceptional_event_ids) for one in of("L_02", born(2012), *late)] == [1, 0]


# Steps of a reunification.


def test_each_step_of_a_case_has_its_owner_and_its_time() -> None:
    case = event(ReunificationCaseOpened(case_id=FIRST, child_id=CHILD, agency="ORR"), T)
    done = event(
        ReunificationStepCompleted(
            case_id=FIRST, child_id=CHILD, step_code="CHILD_LOCATED", agency="ORR"
        ),
        T + hours(24),
    )
    elsewhere = event(
        ReunificationStepCompleted(
            case_id=SECOND, child_id=CHILD, step_code="PARENT_LOCATED", agency="ICE"
        ),
        T + hours(1),
    )
    entries = []
    for position, one in enumerate([born(2012), case, done, elsewhere], 1):
        entries.append((position, Entry(event=one)))
    view = duties.fold(CHILD, facts(entries, CHILD), to_us(T + hours(50)))
    (found,) = casework.present_cases(view.casework, view.clocks)
    steps = {one.step_code: one for one in found.steps}

    assert steps["CHILD_LOCATED"].state == MET
    assert steps["CHILD_LOCATED"].event_id == done.event_id
    assert (steps["PARENT_LOCATED"].state, steps["PARENT_LOCATED"].owner_agency) == (MISSED, "ICE")
    assert steps["CHILD_HANDED_OVER"].state == RUNNING
    assert steps.keys() == {one.code for one in time_limits() if one.applies_to == "child"}


# What runs out soon, from the tables.


def test_within_so_many_hours_means_those_that_run_and_run_out_by_then(
    open_ledger: Callable[..., Ledger],
) -> None:
    now = T + hours(70)
    ledger = open_ledger(clock=ticking(to_us(now), step_us=0))
    people = {name: id_of(name) for name in ("soon", "later", "out", "met", "by the day")}
    starts = {"soon": T, "later": T + hours(1), "out": T - hours(9), "met": T, "by the day": T}
    for name, person_id in people.items():
        body = Separated(
            child_id=person_id, adult_ids=[MOTHER], reason_codes=["CHILD_MEDICAL"], agency="CBP"
        )
        append(ledger, event(body, starts[name], DAY if name == "by the day" else INSTANT))
    body = Placed(child_id=people["met"], agency="ORR", facility=place("Willow House"))
    append(ledger, event(body, T + hours(9)))

    def asked(**wanted: Any) -> set[str]:
        request = ListClocksRequest(clock_code="L_02", **wanted)
        answer = list_clocks(ledger, request)
        assert answer.total_size == len(answer.clocks)
        names = {person_id: name for name, person_id in people.items()}
        return {names[one.person_id] for one in answer.clocks}

    assert asked() == {*people}
    assert asked(within_hours=1) == set()
    assert asked(within_hours=2) == {"soon", "by the day"}
    assert asked(within_hours=3) == {"soon", "later", "by the day"}
    assert asked(within_hours=0, basis=Basis(as_of_time=T + hours(72))) == {"soon", "by the day"}
    assert asked(states=[ClockState.CLOCK_STATE_MISSED]) == {"out"}
    assert asked(states=[ClockState.CLOCK_STATE_MISSED, ClockState.CLOCK_STATE_MET]) == {
        "out",
        "met",
    }


def test_a_clock_says_when_it_started_and_runs_out_and_by_which_edition() -> None:
    (clock,) = of("L_02", born(2012), separated(T, DAY), placed(days(4), DAY))
    shown = clocks.present(CHILD, clock)

    assert shown.start_time.ToDatetime(UTC) == T
    assert shown.latest_start_time.ToDatetime(UTC) == days(1) - MICROSECOND
    assert shown.due_time.ToDatetime(UTC) == days(3)
    assert shown.latest_due_time.ToDatetime(UTC) == days(4) - MICROSECOND
    assert shown.stop_time.ToDatetime(UTC) == days(4)
    assert shown.edition


def test_a_referral_stops_the_notice_and_starts_the_placement() -> None:
    referral = event(ReferredToOrr(child_id=CHILD, referring_agency="CBP"), T + hours(48))
    assert state("L_01", born(2012), separated(), referral) == "MET"
    assert state("L_02", born(2012), separated(), referral) == "MISSED"
    assert of("L_08", born(2012), separated(), referral) == []  # not in force before July 2024
