"""The profiles that come with the ledger, on the real lists, against figures counted without them."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.descriptor import FieldDescriptor
from lists import APPREHENSIONS, COUNTS, SEPARATIONS, needs, plain

from ledger.errors import MistakeError
from ledger.imports import profile, rows
from ledger.v1.event_pb2 import Event
from ledger.v1.identity_pb2 import Sex
from ledger.v1.time_pb2 import Precision


def events_of(file: Path, name: str) -> list[Event]:
    found = list(rows.read(file, profile.load(name)))
    assert [(row.line, row.column, row.reason) for row in found if row.reason] == []
    return [event for row in found for event in row.events]


@needs(APPREHENSIONS)
def test_each_row_of_the_apprehension_list_is_a_person_and_her_apprehension() -> None:
    found = list(rows.read(APPREHENSIONS, profile.load("usbp-apprehensions")))

    assert len(found) == 4711
    assert [(row.line, row.column, row.reason) for row in found if row.reason] == []
    assert [row.line for row in found] == list(range(8, 8 + 4711))
    assert {tuple(event.WhichOneof("fact") for event in row.events) for row in found} == {
        ("person_registered", "apprehended")
    }
    for row in found:
        registered, apprehended = row.events
        assert [registered.person_registered.person_id] == apprehended.apprehended.person_ids
        assert registered.valid_time == apprehended.valid_time
        assert apprehended.apprehended.accompaniment == 0
        assert (registered.source.row, registered.source.line) == (row.number, row.line)
    events = [event for row in found for event in row.events]
    assert len({event.event_id for event in events}) == 2 * 4711
    assert len({row.events[1].apprehended.person_ids[0] for row in found}) == 4711
    assert {event.source.system for event in events} == {"USBP apprehension list"}
    assert {event.valid_time.precision for event in events} == {Precision.PRECISION_MINUTE}
    assert {event.vocabulary for event in events} == {"2019-09-30"}
    # Nothing is odd but rows alike in every cell: 36 pairs and two triples.
    notes = Counter(text.split(" of line ")[0] for row in found for _, text in row.notes)
    assert notes == {"is like the row": 40}


@needs(APPREHENSIONS)
def test_what_the_apprehension_list_says_is_what_the_events_say() -> None:
    listed = plain(APPREHENSIONS, title_lines=6, delimiter="|")
    form = "%m/%d/%Y %I:%M:%S %p"
    events = events_of(APPREHENSIONS, "usbp-apprehensions")
    people = [event.person_registered for event in events[::2]]
    apprehended = [event.apprehended for event in events[1::2]]

    assert [person.nationality_text for person in people] == [one["CITIZENSHIP"] for one in listed]
    assert [str(person.stated_age_years) for person in people] == [one["APP_AGE"] for one in listed]
    assert [one.place.name for one in apprehended] == [one["SECTOR"] for one in listed]
    assert Counter(one.place.name for one in apprehended) == {"BLW": 2601, "SPW": 2110}
    assert Counter(person.sex for person in people) == {Sex.SEX_MALE: 3863, Sex.SEX_FEMALE: 848}
    assert sum(person.stated_age_years < 18 for person in people) == 232
    pacific = ZoneInfo("America/Los_Angeles")
    assert [
        event.valid_time.time.ToDatetime(tzinfo=UTC).astimezone(pacific).strftime(form)
        for event in events[1::2]
    ] == [
        datetime.strptime(one["APPR_DT_TIME"], form).replace(tzinfo=UTC).strftime(form)
        for one in listed
    ]
    assert events[1].valid_time.time.ToDatetime(tzinfo=UTC) == datetime(
        2012, 1, 1, 19, 34, tzinfo=UTC
    )
    assert events[-1].valid_time.time.ToDatetime(tzinfo=UTC) == datetime(
        2019, 6, 30, 6, 21, tzinfo=UTC
    )


@needs(APPREHENSIONS)
def test_the_apprehensions_that_may_be_of_families_are_those_of_the_data_s_readme() -> None:
    events = events_of(APPREHENSIONS, "usbp-apprehensions")
    groups = defaultdict(list)
    for registered, apprehended in zip(events[::2], events[1::2], strict=True):
        person = registered.person_registered
        key = (
            apprehended.valid_time.time.seconds,
            apprehended.apprehended.place.name,
            person.nationality_text,
        )
        groups[key].append(person.stated_age_years)

    mixed = [ages for ages in groups.values() if min(ages) < 18 <= max(ages)]

    assert len(mixed) == 137
    assert sum(len(ages) for ages in mixed) == 451
    assert sum(age < 18 for ages in mixed for age in ages) == 185
    gaps = [
        max(adult - child for adult, child in product(ages, ages) if child < 18 <= adult)
        for ages in mixed
    ]
    assert sum(gap >= 15 for gap in gaps) == 127


@needs(COUNTS)
def test_one_number_published_twice_is_two_events_of_one_number() -> None:
    listed = plain(COUNTS)
    earlier = events_of(COUNTS, "cbp-daily-counts-earlier")
    later = events_of(COUNTS, "cbp-daily-counts-later")
    first = [event.number_published for event in earlier]
    second = [event.number_published for event in later]

    assert len(first) == len(second) == 304
    assert [one.number_id for one in first] == [one.number_id for one in second]
    assert len({one.number_id for one in first}) == 304
    assert len({event.event_id for event in [*earlier, *later]}) == 608
    assert [(one.value, two.value) for one, two in zip(first, second, strict=True)] == [
        (int(one["smaller_daily_count"]), int(one["larger_daily_count"])) for one in listed
    ]
    differences = [two.value - one.value for one, two in zip(first, second, strict=True)]
    assert sum(difference != 0 for difference in differences) == 98
    assert sum(abs(difference) for difference in differences) == 174
    assert sum(differences) == 70
    assert [one.release_text for one in first] == [one["smaller_file"] for one in listed]
    assert [one.release_text for one in second] == [one["larger_file"] for one in listed]
    for event, one in zip([*earlier, *later], [*listed, *listed], strict=True):
        assert event.number_published.title == "USBP nationwide apprehensions on one day"
        assert event.number_published.agency == event.actor.agency == "CBP"
        assert event.valid_time.precision == Precision.PRECISION_DAY
        assert event.valid_time.zone == "UTC"
        assert event.valid_time.time.ToJsonString() == f"{one['event_date']}T00:00:00Z"


@needs(COUNTS)
def test_the_later_release_reaches_to_a_later_day() -> None:
    """What the profiles go by to say which release is the earlier."""
    pairs = {
        (one["pair_id"], one["smaller_max_date"], one["larger_max_date"]) for one in plain(COUNTS)
    }

    assert len(pairs) == 6
    assert all(smaller < larger for _, smaller, larger in pairs)


@needs(SEPARATIONS)
def test_a_referral_carries_the_reason_as_the_list_gives_it() -> None:
    listed = [one for one in plain(SEPARATIONS) if one["AGE"] != "A"]
    found = list(rows.read(SEPARATIONS, profile.load("orr-separations")))
    events = [event for row in found for event in row.events]
    referrals = [
        event.referred_to_orr for event in events if event.WhichOneof("fact") == "referred_to_orr"
    ]

    assert len(events) == 18_453
    assert {event.vocabulary for event in events} == {"2019-04-01"}
    assert [one.reason_text for one in referrals] == [one["Reason fo Separation"] for one in listed]
    separations = [event.separated for event in events if event.WhichOneof("fact") == "separated"]
    assert [list(one.reason_codes) for one in referrals] == [
        list(one.reason_codes) for one in separations
    ]
    # Counted by the text, not by the table of codes.
    zero = sum("zero tolerance" in one["Reason fo Separation"].casefold() for one in listed)
    assert sum("ZERO_TOLERANCE" in one.reason_codes for one in referrals) == zero == 2723


INVENTED = """
name = "invented"
title = "An invented list"
system = "invented"
agency = "CBP"
zone = "America/Los_Angeles"
vocabulary = "2019-04-01"

[file]
formats = ["%Y-%m-%d %H:%M"]
precision = "minute"
columns = ["when", "count", "sex"]

[[event]]
fact = "number_published"
valid_time = "when"
[event.fields]
number_id = { mint = "number" }
agency = { value = "CBP" }
value = { column = "count" }

[[event]]
fact = "person_registered"
valid_time = "when"
[event.fields]
person_id = { mint = "person" }
stated_age_years = { value = "9" }
sex = { column = "sex", codes = "sex" }

[codes.sex]
f = "SEX_FEMALE"
"""
SECOND = """
[[event]]
fact = "number_published"
valid_time = "when"
[event.fields]
number_id = { mint = "number" }
agency = { value = "CBP" }
value = { value = "-1" }
"""


def load(tmp_path: Path, text: str) -> profile.Profile:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return profile.load(str(file))


def read(tmp_path: Path, text: str, *lines: str) -> list[rows.Row]:
    file = tmp_path / "list.csv"
    file.write_text("\n".join(["when,count,sex", *lines]), encoding="utf-8")
    return list(rows.read(file, load(tmp_path, text)))


FAULTS = {
    "a vocabulary that is no day": ('"2019-04-01"', '"2019-04-31"', "vocabulary 2019-04-31"),
    "a vocabulary in words": ('"2019-04-01"', '"April 2019"', "vocabulary April 2019"),
    "a vocabulary in another form": ('"2019-04-01"', '"20190401"', "vocabulary 20190401"),
    "a vocabulary that is no text": ('"2019-04-01"', "2019", "vocabulary 2019"),
    "a misspelled vocabulary": ("vocabulary =", "vocabluary =", "vocabluary"),
    "a misspelled key of an event": ('fact = "n', 'ids = "a"\nfact = "n', "ids"),
    "two events of one fact": (
        "[codes.sex]",
        f"{SECOND}\n[codes.sex]",
        "2 events have the id number_published",
    ),
    "an id that is another event's fact": (
        'fact = "n',
        'id = "person_registered"\nfact = "n',
        "2 events have the id person_registered",
    ),
    "a number below the range": ('"9"', '"-1"', "person_registered.stated_age_years: -1 is not"),
    "a number above the range": ('"9"', '"4294967296"', "stated_age_years: 4294967296 is not"),
    "a number in words": ('"9"', '"nine"', "stated_age_years: nine is not a number"),
    "a value that is not free text": ('value = "9"', 'text = "nine"', "nine is not a number"),
    "texts of several values without a table": (', codes = "sex"', "", "needs a table of codes"),
    "a field of another kind": ("value = {", "citation = {", "holds neither text"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_a_profile_is_named(case: str, tmp_path: Path) -> None:
    right, wrong, reason = FAULTS[case]
    assert right in INVENTED
    load(tmp_path, INVENTED)

    with pytest.raises(MistakeError, match=r"mine\.toml") as caught:
        load(tmp_path, INVENTED.replace(right, wrong, 1))

    assert reason in str(caught.value)


NUMBERS = {
    "0": 0,
    "-7": -7,
    " 12 ": 12,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "9223372036854775808": None,
    "-9223372036854775809": None,
    "9" * 5000: None,
    "1 000": None,
    "1.0": None,
    "--1": None,
    "+1": None,
    "٣": None,
    "many": None,
}


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:24])
def test_a_number_of_a_signed_field_is_in_its_range_or_named(text: str, tmp_path: Path) -> None:
    (row,) = read(tmp_path, INVENTED, f"2018-06-04 08:40,{text},F")

    if NUMBERS[text] is None:
        assert (row.column, row.events) == ("count", [])
        assert "is not a number" in row.reason
    else:
        assert row.reason == ""
        assert row.events[0].number_published.value == NUMBERS[text]


def test_a_number_of_an_unsigned_field_is_not_negative(tmp_path: Path) -> None:
    unsigned = INVENTED.replace('"9"', '"0"').replace(
        'stated_age_years = { value = "0" }', 'stated_age_years = { column = "count" }'
    )
    above, below, good = read(
        tmp_path,
        unsigned.replace('value = { column = "count" }', 'value = { value = "-1" }'),
        "2018-06-04 08:40,4294967296,F",
        "2018-06-04 08:40,-1,F",
        "2018-06-04 08:40,4294967295,F",
    )

    assert (above.column, below.column, good.column) == ("count", "count", "")
    assert good.events[0].number_published.value == -1
    assert good.events[1].person_registered.stated_age_years == 4294967295


def test_the_ranges_are_those_of_the_fields_that_events_have() -> None:
    """Whoever adds a kind of whole number to the words finds that profiles do not read it yet."""
    floating = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}
    others = {
        FieldDescriptor.CPPTYPE_STRING,
        FieldDescriptor.CPPTYPE_ENUM,
        FieldDescriptor.CPPTYPE_BOOL,
        FieldDescriptor.CPPTYPE_MESSAGE,
    }
    facts = Event.DESCRIPTOR.oneofs_by_name["fact"].fields
    fields = [one for fact in facts for one in fact.message_type.fields]

    assert not [one.full_name for one in fields if one.cpp_type in floating]
    whole = {one.type for one in fields if one.cpp_type not in others}
    assert whole <= profile.INTEGERS.keys()
    assert FieldDescriptor.TYPE_SINT64 in whole


def test_one_row_becomes_two_events_of_one_fact_where_each_has_its_id(tmp_path: Path) -> None:
    second = SECOND.replace("fact =", 'id = "again"\nfact =')
    text = INVENTED.replace("[codes.sex]", f"{second}\n[codes.sex]")

    (row,) = read(tmp_path, text, "2018-06-04 08:40,5,F")
    (alone,) = read(tmp_path, INVENTED, "2018-06-04 08:40,5,F")

    assert [event.WhichOneof("fact") for event in row.events] == [
        "number_published",
        "person_registered",
        "number_published",
    ]
    assert len({event.event_id for event in row.events}) == 3
    assert row.events[0].number_published.number_id == row.events[2].number_published.number_id
    # An id that is not given is the fact, so what was imported before is found again.
    assert row.events[:2] == alone.events


def test_a_profile_without_a_vocabulary_leaves_it_open(tmp_path: Path) -> None:
    (row,) = read(tmp_path, INVENTED, "2018-06-04 08:40,5,F")
    assert {event.vocabulary for event in row.events} == {"2019-04-01"}

    without = INVENTED.replace('vocabulary = "2019-04-01"', "")
    (row,) = read(tmp_path, without, "2018-06-04 08:40,5,F")
    assert {event.vocabulary for event in row.events} == {""}


def test_a_time_that_the_clocks_skipped_is_a_row_rejected_and_one_shown_twice_is_noted(
    tmp_path: Path,
) -> None:
    before, skipped, after, twice = read(
        tmp_path,
        INVENTED,
        "2018-03-11 01:59,1,F",
        "2018-03-11 02:30,1,F",
        "2018-03-11 03:00,1,F",
        "2018-11-04 01:30,1,F",
    )

    assert (skipped.column, skipped.events) == ("when", [])
    assert "America/Los_Angeles skipped" in skipped.reason
    gap = after.events[0].valid_time.time.seconds - before.events[0].valid_time.time.seconds
    assert gap == 60
    assert before.notes == after.notes == []
    ((column, note),) = twice.notes
    assert column == "when"
    assert "showed twice: read as the first" in note
    assert twice.events[0].valid_time.time.ToJsonString() == "2018-11-04T08:30:00Z"


def test_a_day_that_begins_without_midnight_is_read_from_its_first_moment(tmp_path: Path) -> None:
    days = INVENTED.replace("America/Los_Angeles", "America/Sao_Paulo").replace(
        'precision = "minute"', 'precision = "day"'
    )
    (row,) = read(tmp_path, days.replace(" %H:%M", ""), "2017-10-15,1,F")

    assert row.reason == ""
    assert row.events[0].valid_time.time.ToJsonString() == "2017-10-15T03:00:00Z"
