"""Who somebody is: ages as intervals, numbers in any spelling, and whose a number is."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from conftest import STORES
from events import day, id_of
from events import event as any_event
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_pb2 import Apprehended, Released
from ledger.v1.custody_query_service_pb2 import (
    GetPersonRequest,
    GetPersonResponse,
    ResolveIdentifierRequest,
    ResolveIdentifierResponse,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.identity_pb2 import (
    AgeDetermined,
    AgeDisputed,
    AgeResult,
    IdentifierAsserted,
    PersonRegistered,
    PersonsDeclaredDistinct,
    PersonsLinkedAsSame,
    PersonsUnlinked,
    SpecialNeedRecorded,
    Truth,
)
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.separation_pb2 import NoticeState, Separated, SeparationNotice
from ledger.v1.time_pb2 import Precision, ValidTime
from ledger.v1.view_pb2 import IdentifierStatus
from projections import identity
from projections.age import Born, born_as_adult, born_as_minor, born_by_age, born_on
from projections.history import facts
from projections.identifiers import mark, normalized
from projections.separation import present as present_separations
from projections.separation import separation
from projections.valid_time import start_us, to_us, unit_end_us

EDITION, OLD = "2026-11-25", "2018-06-20"
PERSON = id_of("person")
DAY, MONTH = Precision.PRECISION_DAY, Precision.PRECISION_MONTH
YES, NO, NOT_RECORDED = Truth.TRUTH_YES, Truth.TRUTH_NO, Truth.TRUTH_UNSPECIFIED
NOT_COLLECTED = Truth.TRUTH_NOT_COLLECTED


def event(body: Message, on: float | datetime = 1, **envelope: Any) -> Event:
    """An event in the words of the last edition."""
    return any_event(body, on, **{"vocabulary": EDITION, **envelope})


def span(first: date, last: date) -> Born:
    return Born(first.toordinal(), last.toordinal())


def at(year: int, month: int, of_month: int) -> int:
    return to_us(datetime(year, month, of_month, tzinfo=UTC))


# Dates of birth.


@pytest.mark.parametrize(
    ("stated", "first", "last"),
    [
        ((2012, 6, 9), date(2012, 6, 9), date(2012, 6, 9)),
        ((2012, 2, 29), date(2012, 2, 29), date(2012, 2, 29)),
        ((2012, 2, 0), date(2012, 2, 1), date(2012, 2, 29)),
        ((2013, 2, 0), date(2013, 2, 1), date(2013, 2, 28)),
        ((2012, 12, 0), date(2012, 12, 1), date(2012, 12, 31)),
        ((2012, 0, 0), date(2012, 1, 1), date(2012, 12, 31)),
        # Of a day of no known month nothing is made but that none comes before it.
        ((2012, 0, 17), date(2012, 1, 17), date(2012, 12, 31)),
    ],
)
def test_what_is_not_known_of_a_date_of_birth_leaves_an_interval(
    stated: tuple[int, int, int], first: date, last: date
) -> None:
    year, month, of_month = stated
    assert born_on(Date(year=year, month=month, day=of_month)) == span(first, last)


@pytest.mark.parametrize(
    "stated",
    [(2013, 2, 29), (2018, 2, 31), (2018, 13, 1), (0, 0, 0), (0, 5, 9), (1769, 1, 1), (9999, 1, 1)],
)
def test_a_date_that_is_none_says_nothing(stated: tuple[int, int, int]) -> None:
    year, month, of_month = stated
    assert born_on(Date(year=year, month=month, day=of_month)) is None


@pytest.mark.parametrize(
    ("on", "years"),
    [
        ((2013, 2, 28), 0),
        ((2013, 3, 1), 1),
        ((2016, 2, 28), 3),
        ((2016, 2, 29), 4),
        ((2017, 2, 28), 4),
        ((2017, 3, 1), 5),
        ((2011, 1, 1), 0),
    ],
)
def test_who_was_born_on_29_february_has_her_birthday_on_1_march(
    on: tuple[int, int, int], years: int
) -> None:
    leap = span(date(2012, 2, 29), date(2012, 2, 29))
    assert leap.years(at(*on)) == (years, years)
    assert Born.birthday(leap.earliest, 5) == at(2017, 3, 1)


BIRTHS = st.dates(date(1890, 1, 1), date(2030, 12, 31))


@settings(deadline=None, derandomize=True, database=None)
@given(BIRTHS, st.integers(0, 120))
def test_an_age_is_reached_at_the_first_moment_of_the_birthday(birth: date, years: int) -> None:
    one = span(birth, birth)
    turn = Born.birthday(one.earliest, years)
    assert one.years(turn) == (years, years)
    assert one.years(turn - 1) == (max(0, years - 1), max(0, years - 1))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(BIRTHS, st.integers(0, 20))
def test_an_age_stated_on_a_day_is_that_of_everybody_born_within_the_interval(
    on: date, years: int
) -> None:
    """Day by day, with nobody left out and nobody too many."""
    start = at(on.year, on.month, on.day)
    found = born_by_age(years, start, start + 86_400_000_000)
    around = range(on.toordinal() - (years + 2) * 366, on.toordinal() + 1)
    having = [one for one in around if Born(one, one).years(start) == (years, years)]
    # Who is not born yet is no year old either.
    assert (found.earliest, found.latest) == (having[0], having[-1])


@pytest.mark.parametrize(
    ("on", "precision", "zone", "first", "last"),
    [
        ((2018, 5, 1), DAY, "UTC", date(2011, 5, 2), date(2012, 5, 1)),
        # The day of Chicago begins on one day of UTC and ends on the next.
        ((2018, 5, 1), DAY, "America/Chicago", date(2011, 5, 2), date(2012, 5, 2)),
        ((2018, 5, 1), MONTH, "UTC", date(2011, 5, 2), date(2012, 5, 31)),
        ((2016, 2, 29), DAY, "UTC", date(2009, 3, 1), date(2010, 2, 28)),
    ],
)
def test_a_stated_age_is_as_fine_as_the_day_it_was_stated_on(
    on: tuple[int, int, int], precision: Precision.ValueType, zone: str, first: date, last: date
) -> None:
    stated = ValidTime(precision=precision, zone=zone)
    stated.time.FromDatetime(datetime(*on, tzinfo=ZoneInfo(zone)))
    start = start_us(stated)
    assert born_by_age(6, start, unit_end_us(start, precision, zone)) == span(first, last)


def test_a_finding_that_somebody_is_a_minor_or_an_adult_bounds_her_birth() -> None:
    on = at(2018, 5, 1)
    minor, adult = born_as_minor(on), born_as_adult(on + 86_400_000_000)

    assert minor == span(date(2000, 5, 2), date(2018, 5, 1))
    assert (minor.is_below(18, on), adult.is_below(18, on)) == (YES, NO)
    assert adult.latest == date(2000, 5, 1).toordinal()
    assert minor.meet(adult) is None
    # A minor then may be none two years later.
    assert minor.is_below(18, at(2020, 5, 1)) == NOT_RECORDED


def test_whether_she_is_a_minor_may_not_be_told() -> None:
    year = span(date(2000, 1, 1), date(2000, 12, 31))
    assert year.is_below(18, at(2017, 12, 31)) == YES
    assert year.is_below(18, at(2018, 1, 1)) == NOT_RECORDED
    assert year.is_below(18, at(2018, 12, 30)) == NOT_RECORDED
    assert year.is_below(18, at(2018, 12, 31)) == NO
    assert year.years(at(2018, 6, 1)) == (17, 18)


# Claims, determinations, needs.


def fold(*events: Event) -> identity.Identity:
    entries = []
    for position, one in enumerate(events, 1):
        entry = Entry(event=one)
        entry.record_time.FromDatetime(datetime(2024, 1, 1, tzinfo=UTC))
        entries.append((position, entry))
    return identity.identity.fold(PERSON, facts(entries, PERSON))


def claimed(year: int, month: int = 0, of_month: int = 0) -> Event:
    stated = Date(year=year, month=month, day=of_month)
    return event(PersonRegistered(person_id=PERSON, birth_date=stated))


def aged(years: int, on: float = 1) -> Event:
    return event(PersonRegistered(person_id=PERSON, stated_age_years=years), on)


def determined(result: AgeResult.ValueType, on: float = 3, birth: Date | None = None) -> Event:
    body = AgeDetermined(person_id=PERSON, method_code="DOCUMENT", result=result, birth_date=birth)
    return event(body, on)


MINOR, ADULT = AgeResult.AGE_RESULT_MINOR, AgeResult.AGE_RESULT_ADULT
UNDETERMINED = AgeResult.AGE_RESULT_UNDETERMINED
DISPUTE = AgeDisputed(person_id=PERSON, reason_text="tall")


def test_claims_that_go_together_narrow_her_birth_down() -> None:
    view = fold(claimed(2012), aged(6), claimed(2012, 3))
    assert view.born == span(date(2012, 3, 1), date(2012, 3, 31))
    assert view.contradicting_event_id == ""
    assert len(view.claims) == 3


def test_claims_that_contradict_each_other_leave_it_open() -> None:
    first, second, third = claimed(2012), claimed(2010, 1, 1), claimed(2011)
    view = fold(first, second, third)
    # The first that does not fit is the one to look at.
    assert view.contradicting_event_id == second.event_id
    # And none counts more for having been learned after the others.
    for some in permutations([first, second, third, claimed(2012, 3)]):
        assert fold(*some).born == span(date(2010, 1, 1), date(2012, 12, 31))


def test_a_registration_without_an_age_says_nothing_of_it() -> None:
    assert fold(event(PersonRegistered(person_id=PERSON))).born is None
    assert (
        fold(claimed(2012), event(PersonRegistered(person_id=PERSON))).born
        == fold(claimed(2012)).born
    )


def test_an_age_stands_in_for_a_date_that_is_none() -> None:
    body = PersonRegistered(
        person_id=PERSON, birth_date=Date(year=2012, month=2, day=31), stated_age_years=6
    )
    assert fold(event(body)).born == fold(aged(6)).born
    birth = Date(year=2012, month=2, day=31)
    assert fold(determined(MINOR, birth=birth)).born == fold(determined(MINOR)).born


def test_a_determination_counts_before_claims_and_the_latest_counts() -> None:
    on = to_us(day(4))
    assert fold(claimed(2012), determined(ADULT)).is_below(18, on) == NO
    assert fold(claimed(1990), determined(MINOR, 4)).is_below(18, on) == YES
    assert fold(claimed(2012), determined(ADULT, 3), determined(MINOR, 4)).is_below(18, on) == YES
    # Learned in the other order it comes to the same.
    assert fold(claimed(2012), determined(MINOR, 4), determined(ADULT, 3)).is_below(18, on) == YES
    # Where a claim goes together with it, it still narrows it down.
    assert fold(claimed(2012), determined(MINOR)).born == fold(claimed(2012)).born
    exact = Date(year=2011, month=4, day=2)
    assert fold(claimed(2012), determined(MINOR, birth=exact)).born == born_on(exact)


def test_a_dispute_stands_until_an_age_is_determined() -> None:
    dispute = event(DISPUTE, 2)
    for settled, events in (
        (False, [dispute]),
        (False, [dispute, determined(UNDETERMINED)]),
        (True, [dispute, determined(MINOR)]),
        (True, [dispute, determined(ADULT)]),
        (True, [dispute, determined(UNDETERMINED, birth=Date(year=2012))]),
        (False, [determined(MINOR, 1), dispute]),
    ):
        assert (fold(claimed(2012), *events).disputed_event_id == "") == settled
        shown = identity.present(fold(claimed(2012), *events), to_us(day(9)))
        assert shown.age.disputed != settled


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], NOT_RECORDED),
        ([claimed(2012)], YES),
        ([claimed(2016)], NO),
        ([aged(4, on=-30)], NOT_RECORDED),
        ([claimed(2012), "NON_VERBAL"], NO),
        ([claimed(2012), "PREGNANT"], YES),
        (["PRE_VERBAL"], NO),
    ],
)
def test_who_speaks_for_herself_is_five_and_has_no_need_that_prevents_it(
    events: list[Any], expected: Truth.ValueType
) -> None:
    view = fold(
        *(
            event(SpecialNeedRecorded(person_id=PERSON, need_code=one))
            if isinstance(one, str)
            else one
            for one in events
        )
    )
    assert view.speaks_for_herself(to_us(day(9))) == expected


# What the words of the time had no place for.


@pytest.mark.parametrize(
    ("state", "vocabulary", "expected"),
    [
        (NoticeState.NOTICE_STATE_GIVEN, EDITION, YES),
        (NoticeState.NOTICE_STATE_NOT_GIVEN, EDITION, NO),
        (None, EDITION, NOT_RECORDED),
        (None, OLD, NOT_COLLECTED),
        (None, "2026-11-24", NOT_COLLECTED),
        # What is there is there, whatever edition a source says that it wrote in.
        (NoticeState.NOTICE_STATE_GIVEN, OLD, YES),
        (NoticeState.NOTICE_STATE_NOT_GIVEN, OLD, NO),
    ],
)
def test_what_was_not_collected_is_neither_no_nor_missing(
    state: NoticeState.ValueType | None, vocabulary: str, expected: Truth.ValueType
) -> None:
    body = Separated(
        child_id=PERSON,
        adult_ids=[id_of("mother")],
        reason_codes=["CHILD_MEDICAL"],
        agency="CBP",
        notice=SeparationNotice(state=state) if state else None,
    )
    made = Entry(event=event(body, vocabulary=vocabulary))
    view = separation.fold(PERSON, facts([(1, made)], PERSON))
    (shown,) = present_separations(view).separations

    assert shown.notice_given == expected
    missing = NOT_COLLECTED if vocabulary < EDITION else NOT_RECORDED
    assert shown.authorized == missing


def test_without_an_edition_an_event_is_in_the_words_of_the_day_it_was_recorded() -> None:
    body = Separated(
        child_id=PERSON, adult_ids=[id_of("m")], reason_codes=["CHILD_MEDICAL"], agency="CBP"
    )
    for recorded, expected in (
        (datetime(2026, 11, 24, 23, 59, 59, 999999, tzinfo=UTC), NOT_COLLECTED),
        (datetime(2026, 11, 25, tzinfo=UTC), NOT_RECORDED),
    ):
        entry = Entry(event=any_event(body))
        entry.record_time.FromDatetime(recorded)
        view = separation.fold(PERSON, facts([(1, entry)], PERSON))
        assert view.separations[0].notice_given == expected


# Numbers.

SPELLINGS = [
    ("A_NUMBER", "A12345678", "012345678"),
    ("A_NUMBER", "012345678", "012345678"),
    ("A_NUMBER", " a 012-345-678 ", "012345678"),
    ("A_NUMBER", "A1234567", "001234567"),
    ("A_NUMBER", "A201987654", "201987654"),
    ("A_NUMBER", "123456", ""),
    ("A_NUMBER", "A1234567890", ""),
    ("A_NUMBER", "AA1234567", ""),
    ("A_NUMBER", "1234567A", ""),
    ("A_NUMBER", "١٢٣٤٥٦٧٨", ""),
    ("A_NUMBER", "A", ""),
    ("FIN", "123 456 7890", "1234567890"),
    ("FIN", "12345678901", ""),
    ("FIN", "A123", ""),
    ("E3_EVENT", "abc-1805-000123", "ABC1805000123"),
    ("E3_EVENT", "ABC180500012", ""),
    ("USMS", "12345678", "12345-678"),
    ("USMS", "12345-678", "12345-678"),
    ("USMS", "12345-6789", ""),
    ("BOP", "12345 678", "12345-678"),
    ("UAC_ID", "000123", "000123"),
    ("UAC_ID", "12x", ""),
    ("PASSPORT", "e 123 4567", "E1234567"),
    ("PASSPORT", "E1234567890", ""),
    ("BAND", "w-17", "W17"),
    ("FMU", "fmu 17", "FMU17"),
    ("OTHER", "no. 17/b", "NO17B"),
    ("OTHER", "—", ""),
]


@pytest.mark.parametrize(("scheme", "value", "expected"), SPELLINGS)
def test_numbers_are_compared_in_the_form_of_their_scheme(
    scheme: str, value: str, expected: str
) -> None:
    assert normalized(scheme, value) == expected


def test_what_two_assertions_of_one_number_have_in_common() -> None:
    one = mark("A_NUMBER", "A12345678", "")
    assert one == mark("A_NUMBER", "012-345-678", " ")
    assert one != mark("A_NUMBER", "012345679", "")
    assert one != mark("FIN", "012345678", "")
    assert "12345678" not in one
    # A band number means nothing without the site; a passport number without the country.
    assert mark("BAND", "17", "McAllen") == mark("BAND", " 17", "mcallen ")
    assert mark("BAND", "17", "McAllen") != mark("BAND", "17", "El Paso")
    # What has not the form of its scheme is compared as it is.
    assert mark("A_NUMBER", "unknown  to us", "") == mark("A_NUMBER", "Unknown to us", "")
    assert mark("A_NUMBER", "12", "") != mark("A_NUMBER", "13", "")


# Whose a number is.

STATUS = IdentifierStatus
ACTIVE, CONFLICT = STATUS.IDENTIFIER_STATUS_ACTIVE, STATUS.IDENTIFIER_STATUS_CONFLICT
RETRACTED, SHARED = STATUS.IDENTIFIER_STATUS_RETRACTED, STATUS.IDENTIFIER_STATUS_SHARED


@pytest.fixture(scope="module", params=STORES)
def client(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Client]:
    """One for the whole file: every test has people and numbers of its own."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('identity') / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgres_of")(request.param).create_database()
    running = Server(Ledger(url), "127.0.0.1:0")
    with Client(running.address) as connected:
        yield connected
    running.stop()


def append(client: Client, *events: Event) -> int:
    """Append; the size of the log."""
    return client.ledger.AppendEvents(AppendEventsRequest(events=events)).stamp.size


def asserted(
    person_id: str, value: str, on: float = 1, scheme: str = "A_NUMBER", **envelope: Any
) -> Event:
    body = IdentifierAsserted(person_id=person_id, scheme=scheme, value=value)
    return event(body, on, **envelope)


def resolve(
    client: Client, value: str, scheme: str = "A_NUMBER", issuer_text: str = "", **basis: Any
) -> ResolveIdentifierResponse:
    return client.custody.ResolveIdentifier(
        ResolveIdentifierRequest(
            scheme=scheme, value=value, issuer_text=issuer_text, basis=Basis(**basis)
        )
    )


def who(answer: ResolveIdentifierResponse) -> dict[str, int]:
    return {one.person_id: one.status for one in answer.people}


def person(client: Client, person_id: str, **basis: Any) -> GetPersonResponse:
    asked = GetPersonRequest(person_id=person_id, basis=Basis(**basis))
    return client.custody.GetPerson(asked)


def two() -> tuple[str, str]:
    """Two people, by id."""
    first, second = sorted((str(uuid4()), str(uuid4())))
    return first, second


def same(*person_ids: str) -> Event:
    body = PersonsLinkedAsSame(person_ids=person_ids, basis_text="prints", approved_by=["17", "18"])
    return event(body)


def test_a_number_is_found_in_any_spelling_with_who_asserted_it(client: Client) -> None:
    one, _ = two()
    events = [
        asserted(one, "A11111111"),
        asserted(one, "011-111-111", 2, agency="ICE"),
        asserted(one, "A11111111", 3),
    ]
    append(client, *events)

    answer = resolve(client, "a 11 111 111")

    (found,) = answer.people
    assert (found.person_id, found.status) == (one, ACTIVE)
    assert list(found.event_ids) == [made.event_id for made in events]
    assert list(found.values) == ["A11111111", "011-111-111"]
    assert list(found.asserted_by) == ["CBP", "ICE"]
    assert answer.normalized == "011111111"


def test_a_number_of_two_is_a_conflict_and_neither_is_picked(client: Client) -> None:
    first, second = two()
    known = append(client, asserted(second, "A22222222"))
    append(client, asserted(first, "022222222", 2))

    assert who(resolve(client, "A22222222")) == {first: CONFLICT, second: CONFLICT}
    assert [one.person_id for one in resolve(client, "A22222222").people] == [first, second]
    # As it was known, and as it was.
    assert who(resolve(client, "A22222222", at_size=known)) == {second: ACTIVE}
    assert who(resolve(client, "A22222222", as_of_time=day(1))) == {second: ACTIVE}


def test_a_number_that_was_taken_back_was_once_asserted(client: Client) -> None:
    first, second = two()
    wrong = asserted(first, "A33333333")
    before = append(client, wrong, asserted(second, "A33333333"))
    append(client, event(Retracted(retracted_event_id=wrong.event_id, reason_text="typed wrong")))

    assert who(resolve(client, "A33333333")) == {first: RETRACTED, second: ACTIVE}
    assert who(resolve(client, "A33333333", at_size=before)) == {
        first: CONFLICT,
        second: CONFLICT,
    }
    # Asserted again, it stands again.
    append(client, asserted(first, "A33333333", 2))
    assert who(resolve(client, "A33333333")) == {first: CONFLICT, second: CONFLICT}


def test_a_number_that_is_shared_by_its_nature_is_no_conflict(client: Client) -> None:
    first, second = two()
    append(client, *(asserted(one, "FMU 44", scheme="FMU") for one in (first, second)))

    assert who(resolve(client, "fmu-44", "FMU")) == {first: SHARED, second: SHARED}


def test_two_records_of_one_person_are_one_and_named(client: Client) -> None:
    first, second = two()
    append(client, asserted(first, "A55555555"), asserted(second, "A55555555"))
    before = append(client, event(PersonRegistered(person_id=second, stated_age_years=6)))

    linked = append(client, same(first, second))

    (found,) = resolve(client, "A55555555").people
    assert (found.person_id, found.status) == (first, ACTIVE)
    assert list(found.same_person_ids) == [second]
    assert who(resolve(client, "A55555555", at_size=before)) == {
        first: CONFLICT,
        second: CONFLICT,
    }
    # Each answers with what is known of both, and once unlinked with its own.
    assert [one.stated_age_years for one in person(client, first).claims] == [6]
    body = PersonsUnlinked(
        person_ids=[first, second], reason_text="twins", approved_by=["17", "18"]
    )
    append(client, event(body, 2))
    assert who(resolve(client, "A55555555")) == {first: CONFLICT, second: CONFLICT}
    assert list(person(client, first).claims) == []
    assert [one.stated_age_years for one in person(client, first, at_size=linked).claims] == [6]


def test_a_number_of_nobody_is_an_answer(client: Client) -> None:
    answer = resolve(client, "A99999999")
    assert (list(answer.people), answer.normalized) == ([], "099999999")
    assert resolve(client, "no number").normalized == ""


def test_what_has_not_the_form_of_its_scheme_is_found_as_it_is(client: Client) -> None:
    one, _ = two()
    append(client, asserted(one, "A66 or 67"))
    assert who(resolve(client, "a66  OR 67")) == {one: ACTIVE}
    assert who(resolve(client, "A66")) == {}
    assert person(client, one).identifiers[0].normalized == ""


def test_a_number_of_one_place_is_not_that_of_another(client: Client) -> None:
    first, second = two()
    for one, site in ((first, "McAllen"), (second, "El Paso")):
        body = IdentifierAsserted(person_id=one, scheme="BAND", value="17", issuer_text=site)
        append(client, event(body))

    assert who(resolve(client, "17", "BAND", " mcallen")) == {first: ACTIVE}
    assert who(resolve(client, "17", "BAND", "El Paso")) == {second: ACTIVE}
    assert who(resolve(client, "17", "BAND")) == {}


def test_who_was_declared_somebody_else_is_named_with_her(client: Client) -> None:
    first, second = two()
    body = PersonsDeclaredDistinct(person_ids=[first, second], reason_text="other prints")
    append(client, event(body))
    assert list(person(client, first).distinct_person_ids) == [second]
    assert list(person(client, first).same_person_ids) == []


def test_an_age_is_that_of_the_moment_asked_about(client: Client) -> None:
    one, _ = two()
    birth = Date(year=2000, month=6, day=15)
    append(
        client,
        event(PersonRegistered(person_id=one, birth_date=birth)),
        event(Apprehended(person_ids=[one], agency="CBP")),
        event(Released(person_id=one, agency="CBP", reason_code="PAROLED"), 2),
    )
    eve = datetime(2018, 6, 14, tzinfo=UTC)
    for when, years, minor in ((eve, 17, YES), (eve + timedelta(days=1), 18, NO)):
        found = person(client, one, as_of_time=when).age
        assert (found.years_min, found.years_max, found.minor) == (years, years, minor)
    assert person(client, one, as_of_time=eve).age.born.earliest_date == birth
