"""Code lists: what real records say maps to codes, on which days a code is in force, editions."""

import csv
import re
import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from conftest import SHARED
from google.type.date_pb2 import Date

from ledger.imports import profile
from ledger.v1.family_pb2 import RelationshipKind
from ledger.v1.ledger_service_pb2 import Code
from projections import codes
from projections.codes import code_lists, codes_of, edition, folded, is_in_force, said_in

SEPARATED = SHARED / "sep_orr_2018_2019" / "separation_data_set.raw.csv"
FACILITIES = SHARED / "facilities" / "uwchr_ice_facilities.psv"
needs_separated = pytest.mark.skipif(
    not SEPARATED.exists(), reason=f"the real list is not at {SEPARATED}"
)
needs_facilities = pytest.mark.skipif(
    not FACILITIES.exists(), reason=f"the real list is not at {FACILITIES}"
)
KINDS = {
    name.removeprefix("RELATIONSHIP_KIND_")
    for name, number in RelationshipKind.items()
    if number != RelationshipKind.RELATIONSHIP_KIND_UNSPECIFIED
}

# Every reason for which ICE released somebody, as its records of November 2023 to February 2025
# write it, and the few others that were seen elsewhere.
RELEASES = {
    "Removed": "REMOVED",
    "Paroled": "PAROLED",
    "Order of recognizance": "OWN_RECOGNIZANCE",
    "Paroled - Fear Found": "PAROLED",
    "Bonded Out - IJ": "BONDED_OUT",
    "Paroled - Humanitarian": "PAROLED",
    "Order of supervision": "ORDER_OF_SUPERVISION",
    "Processing Disposition Changed Locally": "PROCESSING_DISPOSITION_CHANGED",
    "Order of Recognizance - Humanitarian": "OWN_RECOGNIZANCE",
    "Bonded Out - Field Office": "BONDED_OUT",
    "Order of Supervision - No SLRRFF": "ORDER_OF_SUPERVISION",
    "Relief Granted by IJ": "RELIEF_GRANTED",
    "Proceedings Terminated": "PROCEEDINGS_TERMINATED",
    "Voluntary departure": "VOLUNTARY_DEPARTURE",
    "Paroled - Public Benefit": "PAROLED",
    "Order of Supervision - Humanitarian": "ORDER_OF_SUPERVISION",
    "Voluntary Return": "VOLUNTARY_RETURN",
    "Order of Supervision - Re-Release": "ORDER_OF_SUPERVISION",
    "Withdrawal": "WITHDREW_APPLICATION",
    "Died": "DIED",
    "Escaped": "ESCAPED",
    "Title 42 Return": "EXPELLED_TITLE_42",
    "ORR-Runaway": "RAN_AWAY",
    "ATD - Alternatives to Detention": "ALTERNATIVES_TO_DETENTION",
    "Withdrawal - lack of space": "WITHDREW_APPLICATION",
}
# Written in the same column of nobody who was released.
HAND_OVERS = [
    "Transferred",
    "U.S. Marshals or other agency (explain in Detention Comments)",
    "ORR - Office of Refugee Resettlement",
    "",
]
STILL_HELD = {"Still in Care", "Still In Care"}
REUNIFIED = {"Reunited with Sep Parent", "Reunited with Sep. Parent"}

# (what HHS writes, the kind of relationship, HHS's category where the words decide it)
SPONSORS = [
    ("Mother", "BIOLOGICAL_PARENT", "1"),
    ("Legal Guardian", "LEGAL_GUARDIAN", "1"),
    ("Step Mother", "STEP_PARENT", ""),
    ("Stepfather non-legally-adopted", "STEP_PARENT", ""),
    ("Sister", "SIBLING", "2"),
    ("Half-Sibling", "HALF_SIBLING", "2"),
    ("Grandfather", "GRANDPARENT", "2"),
    ("Uncle (Non-Primary Caregiver)", "AUNT_OR_UNCLE", "2"),
    ("Aunt (PC)", "AUNT_OR_UNCLE", "2"),
    ("Adult First Cousin (Non-PC)", "COUSIN", "2"),
    ("Other Cousin", "COUSIN", "3"),
    ("Brother-in-law", "IN_LAW", ""),
    ("Adult Niece", "NIECE_OR_NEPHEW", ""),
    ("UC's Spouse", "SPOUSE", ""),
    ("Godmother", "GODPARENT", "3"),
    ("Other Distant Relative", "OTHER_RELATIVE", "3"),
    ("Family Friend", "UNRELATED_CAREGIVER", "3"),
    ("Unrelated Sponsor", "UNRELATED_CAREGIVER", "3"),
]


def real_rows(file: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=delimiter))
    # The conversion from PDF left 62 page headers, the letters of the columns, among the children.
    return [row for row in rows if row.get("AGE") != "A"]


def stated_counts(name: str, pattern: str) -> dict[str, int]:
    """What the source of each code says of how often the real list has it."""
    found = {}
    for code in codes_of(name).values():
        if stated := re.search(pattern, code.source):
            found[code.code] = int(stated[1].replace(",", "").replace("no", "0"))
    return found


@needs_separated
def test_every_reason_on_the_real_list_of_separations_means_a_code() -> None:
    said = said_in("separation_reason")
    rows = real_rows(SEPARATED)
    fragments = [
        {folded(fragment) for fragment in row["Reason fo Separation"].split(";")} for row in rows
    ]

    assert len(rows) == 3108
    assert len(set().union(*fragments)) == 39
    assert set().union(*fragments) - said.keys() == set()
    # Counted through the texts, each code has as many rows as its source says.
    counts = Counter(
        code for row in fragments for code in {code for text in row for code in said[text]}
    )
    stated = stated_counts("separation_reason", r"([\d,]+|\bno) rows? of the ORR list")
    assert stated.keys() == codes_of("separation_reason").keys()
    assert {code: counts[code] for code in stated} == stated


def test_the_profile_of_the_list_of_separations_goes_by_the_code_list() -> None:
    table = profile.load("orr-separations").codes["reason"]

    assert table == said_in("separation_reason")
    assert len(table) == 39


def test_a_text_that_names_two_reasons_means_both() -> None:
    text = "Parent has Criminal history (US or Home\nCountry) and gang\naffiliation"

    assert set(said_in("separation_reason")[folded(text)]) == {
        "CRIMINAL_HISTORY_UNSPECIFIED",
        "GANG_OR_CARTEL_AFFILIATION",
    }


@needs_separated
def test_every_outcome_on_the_real_list_of_separations_is_a_release_or_is_none() -> None:
    outcomes = {row["REUNITIED_SEP_PARENTS"] for row in real_rows(SEPARATED)}
    released = {one for one in outcomes if folded(one) in said_in("release_reason")}

    assert outcomes - released == STILL_HELD | REUNIFIED
    assert {said_in("release_reason")[folded(one)] for one in released} == {
        ("OTHER_APPROPRIATE_CIRCUMSTANCES",)
    }
    assert len(released) == 2


def test_every_reason_for_which_ice_released_somebody_means_one_code() -> None:
    said = said_in("release_reason")

    assert {text: said.get(folded(text)) for text in RELEASES} == {
        text: (code,) for text, code in RELEASES.items()
    }


@pytest.mark.parametrize("text", HAND_OVERS)
def test_a_hand_over_is_no_release(text) -> None:
    assert folded(text) not in said_in("release_reason")


@needs_facilities
def test_every_kind_on_the_real_list_of_facilities_means_one_code() -> None:
    said = said_in("facility_kind")
    rows = real_rows(FACILITIES, "|")
    kinds = {row["type_detailed"] for row in rows}

    assert (len(rows), len(kinds)) == (1532, 20)
    assert {
        text: said.get(folded(text), ()) for text in kinds if len(said.get(folded(text), ())) != 1
    } == {}
    counts = Counter(said[folded(row["type_detailed"])][0] for row in rows)
    assert counts == stated_counts(
        "facility_kind", r"ICE facility list 2017: .*?, (\d+) (?:place|entr)"
    )


@pytest.mark.parametrize("name", code_lists())
def test_no_text_of_a_list_is_blank_or_stands_twice_under_one_code(name) -> None:
    for code in codes_of(name).values():
        texts = [folded(text) for text in code.said]
        assert all(texts), code.code
        assert len(set(texts)) == len(texts), code.code
        assert all(code.code in said_in(name)[text] for text in texts)


def test_every_relationship_of_a_sponsor_is_a_kind_of_the_words() -> None:
    found = codes_of("sponsor_relationship")

    assert all(code.said for code in found.values())
    assert {code.attributes["kind"] for code in found.values()} - KINDS == set()
    assert {
        code.attributes["category"] for code in found.values() if "category" in code.attributes
    } == {
        "1",
        "2",
        "3",
    }
    assert {text for text, of in said_in("sponsor_relationship").items() if len(of) != 1} == set()


@pytest.mark.parametrize(("text", "kind", "category"), SPONSORS)
def test_what_hhs_writes_of_a_sponsor_means_a_relationship(text, kind, category) -> None:
    (code,) = said_in("sponsor_relationship")[folded(text)]
    attributes = codes_of("sponsor_relationship")[code].attributes

    assert (attributes["kind"], attributes.get("category", "")) == (kind, category)


@pytest.mark.parametrize(
    "text",
    [
        "Sent for immigration prosecution",
        "sent for\nimmigration prosecution",
        "Sent for  immigration\r\n prosecution",
        " SENT FOR IMMIGRATION PROSECUTION.",
        "\tSent for immigration prosecution .\n",
    ],
)
def test_line_breaks_case_and_a_final_full_stop_do_not_make_another_text(text) -> None:
    assert folded(text) == "sent for immigration prosecution"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Other approp. Circumstances", "Other approp Circumstances"),
        ("Criminal History", "CriminalHistory"),
        ("Gang", "Gang?"),
        ("Paroled - Humanitarian", "Paroled"),
    ],
)
def test_other_words_and_signs_make_another_text(one, other) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2018, 4, 5), False),
        (date(2018, 4, 6), True),
        (date(2018, 6, 26), True),
        (date(2018, 6, 27), False),
    ],
)
def test_a_code_is_in_force_on_its_first_day_and_on_its_last(on, expected) -> None:
    first, last = Date(year=2018, month=4, day=6), Date(year=2018, month=6, day=26)

    assert is_in_force(Code(in_force_from_date=first, in_force_to_date=last), on) is expected
    # One bound alone binds on its own side only.
    assert is_in_force(Code(in_force_from_date=first), on) is (on >= date(2018, 4, 6))
    assert is_in_force(Code(in_force_to_date=last), on) is (on <= date(2018, 6, 26))
    assert is_in_force(Code(), on)


def test_zero_tolerance_ends_with_the_day_of_the_injunction() -> None:
    code = codes_of("separation_reason")["ZERO_TOLERANCE"]

    assert is_in_force(code, date(2017, 1, 1))
    assert is_in_force(code, date(2018, 6, 26))
    assert not is_in_force(code, date(2018, 6, 27))


def test_another_byte_in_a_list_is_another_edition(monkeypatch, tmp_path) -> None:
    for one in Path(codes.__file__).parent.glob("*.toml"):
        shutil.copy(one, tmp_path)
    monkeypatch.setattr(codes, "files", lambda _name: tmp_path)
    uncached = edition.__wrapped__
    changed = tmp_path / "release_reason.toml"
    before = changed.read_bytes()

    assert uncached() == edition()
    changed.write_bytes(before + b"\n")
    assert uncached() != edition()
    changed.write_bytes(before)
    assert uncached() == edition()
    (tmp_path / "new.toml").write_bytes(b'name = "new"\n')
    assert uncached() != edition()
    (tmp_path / "new.toml").rename(tmp_path / "new.txt")
    assert uncached() == edition()
