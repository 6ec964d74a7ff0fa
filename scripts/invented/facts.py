"""What is told of a family: a template of each kind of event that the real lists could fill.

Places: `p0` to `p4` are its members, adults first; `family`, `transfer`, `station`, `center` and
`shelter` are what their names say; `incident` is the apprehension that all of it follows from.
"""

from functools import cache
from typing import Any

from invented.template import SOME_BIRTH, SOME_TIME, SYSTEM, Template, place
from ledger.v1.custody_pb2 import Accompaniment
from ledger.v1.event_pb2 import Event
from ledger.v1.family_pb2 import RelationshipBasis, RelationshipKind
from ledger.v1.time_pb2 import Precision

FAR_CODES = ("ZERO_TOLERANCE", "CRIMINAL_HISTORY_UNSPECIFIED", "UNFIT_PARENT", "PARENT_MEDICAL")
ENDS = {
    "SPONSOR_PARENT_OR_GUARDIAN": "Discharged under other appropriate circumstances",
    "SPONSOR_CLOSE_RELATIVE": "Discharged under other appropriate circumstances",
    "PAROLED": "",
    "ALTERNATIVES_TO_DETENTION": "",
    "VOLUNTARY_RETURN": "",
}
COUNTRIES = ("Guatemala", "Honduras", "El Salvador", "Mexico", "Brazil", "Romania")
NAME = 12
"""So many letters has the name of a facility."""

_DAY = frozenset({"referred_to_orr", "placed", "reunified", "released", "removed", "separated"})
"""Known to the day; all else to the minute."""


def _told(by: str, zone: str, fact: str, /, **fields: Any) -> Template:
    day = fact in _DAY
    time = {
        "time": SOME_TIME,
        "precision": Precision.PRECISION_DAY if day else Precision.PRECISION_MINUTE,
        "zone": zone,
    }
    return Template(
        Event(
            event_id=place("event"),
            valid_time=time,
            source={"system": SYSTEM[by], "record_reference": place("record", 16)},
            actor={"agency": by, "actor_id": place("officer", 9)},
            correlation_id=place("incident"),
            **{fact: fields},
        ),
        by_day=day,
    )


def _people(first: int, last: int) -> list[str]:
    return [place(f"p{number}") for number in range(first, last)]


def _at(name: str, kind: str) -> dict[str, str]:
    return {"name": place(name, NAME), "kind": kind}


@cache
def apprehended(zone: str, adults: int, people: int) -> Template:
    alone = Accompaniment.ACCOMPANIMENT_ALONE
    with_parent = Accompaniment.ACCOMPANIMENT_WITH_PARENT
    with_whom = with_parent if adults else alone
    return _told(
        "CBP",
        zone,
        "apprehended",
        person_ids=_people(0, people),
        agency="CBP",
        place=_at("station", "BORDER_PATROL_STATION"),
        accompaniment=with_whom if people > adults else 0,
    )


@cache
def registered(zone: str, who: int, age: int, sex: int, country: str, *, born: bool) -> Template:
    """`born`: with a date of birth, of which the ledger seals all but the year."""
    claims = {"stated_age_years": age, "sex": sex, "nationality_text": country}
    if born:
        claims["birth_date"] = SOME_BIRTH
    return _told("CBP", zone, "person_registered", person_id=place(f"p{who}"), **claims)


@cache
def numbered(zone: str, who: int, agency: str, scheme: str) -> Template:
    fields = {"person_id": place(f"p{who}"), "scheme": scheme, "value": place("number", 9)}
    return _told(agency, zone, "identifier_asserted", **fields)


@cache
def family_formed(zone: str, people: int) -> Template:
    members = _people(0, people)
    fields = {"family_id": place("family"), "external_number": place("number", 9)}
    return _told("CBP", zone, "family_group_formed", member_ids=members, **fields)


@cache
def related(zone: str, child: int, adult: int) -> Template:
    return _told(
        "CBP",
        zone,
        "relationship_asserted",
        person_id=place(f"p{child}"),
        relative_id=place(f"p{adult}"),
        kind=RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT,
        basis=RelationshipBasis.RELATIONSHIP_BASIS_STATEMENT_OF_ADULT,
    )


@cache
def booked_in(zone: str, who: int, agency: str, where: str, kind: str) -> Template:
    person = place(f"p{who}")
    return _told(
        agency, zone, "booked_in", person_id=person, agency=agency, facility=_at(where, kind)
    )


@cache
def booked_out(zone: str, who: int, agency: str, where: str, kind: str) -> Template:
    person = place(f"p{who}")
    return _told(
        agency, zone, "booked_out", person_id=person, agency=agency, facility=_at(where, kind)
    )


@cache
def cared_for(zone: str, who: int, action: str) -> Template:
    fields = {"person_id": place(f"p{who}"), "agency": "CBP", "action_code": action}
    return _told("CBP", zone, "custodial_action_recorded", **fields)


@cache
def separated(zone: str, child: int, adults: int, reason: int) -> Template:
    return _told(
        "CBP",
        zone,
        "separated",
        child_id=place(f"p{child}"),
        adult_ids=_people(0, adults),
        reason_codes=[FAR_CODES[reason]],
        reason_text=FAR_CODES[reason].replace("_", " ").capitalize() + ", as the form has it",
        agency="CBP",
        place=_at("station", "BORDER_PATROL_STATION"),
    )


@cache
def referred(zone: str, child: int) -> Template:
    fields = {"child_id": place(f"p{child}"), "referring_agency": "CBP"}
    office = _at("station", "BORDER_PATROL_STATION")
    return _told("CBP", zone, "referred_to_orr", referring_office=office, **fields)


@cache
def placed(zone: str, child: int) -> Template:
    fields = {"child_id": place(f"p{child}"), "agency": "ORR"}
    return _told("ORR", zone, "placed", facility=_at("shelter", "ORR_SHELTER"), **fields)


@cache
def prosecuted(zone: str, adult: int) -> Template:
    fields = {"person_id": place(f"p{adult}"), "agency": "CBP", "statute_code": "US_8_1325"}
    return _told("CBP", zone, "referred_for_prosecution", charge_text="8 USC 1325(a)(1)", **fields)


@cache
def departed(zone: str, first: int, last: int, adults: int, to: str) -> Template:
    """With what the sender states of the relatives of each minor who goes."""
    links = [
        {"person_id": place(f"p{child}"), "relative_ids": _people(0, adults)}
        if adults
        else {"person_id": place(f"p{child}"), "no_known_relative_text": "None given"}
        for child in range(max(first, adults), last)
    ]
    return _told(
        "CBP",
        zone,
        "transfer_departed",
        transfer_id=place("transfer"),
        person_ids=_people(first, last),
        from_agency="CBP",
        from_facility=_at("station", "BORDER_PATROL_STATION"),
        to_agency=to,
        links=links,
    )


@cache
def arrived(zone: str, first: int, last: int, at: str, where: str, kind: str) -> Template:
    fields = {"transfer_id": place("transfer"), "person_ids": _people(first, last), "agency": at}
    return _told(at, zone, "transfer_arrived", facility=_at(where, kind), **fields)


@cache
def spoke(zone: str, child: int, adult: int, *, succeeded: bool) -> Template:
    return _told(
        "ORR",
        zone,
        "communication_occurred",
        child_id=place(f"p{child}"),
        relative_id=place(f"p{adult}"),
        agency="ORR",
        means_code="TELEPHONE",
        succeeded=succeeded,
    )


@cache
def reunified(zone: str, child: int, adults: int) -> Template:
    fields = {"child_id": place(f"p{child}"), "agency": "ORR", "adult_ids": _people(0, adults)}
    return _told("ORR", zone, "reunified", outcome_text="Reunited with Sep Parent", **fields)


@cache
def released(zone: str, who: int, agency: str, reason: str) -> Template:
    fields = {"person_id": place(f"p{who}"), "agency": agency, "reason_code": reason}
    return _told(agency, zone, "released", reason_text=ENDS[reason], **fields)


@cache
def removed(zone: str, who: int) -> Template:
    return _told("ICE", zone, "removed", person_id=place(f"p{who}"), agency="ICE")


@cache
def retracted(zone: str, agency: str) -> Template:
    fields = {"retracted_event_id": place("wrong"), "reason_text": "Wrong date; entered again"}
    return _told(agency, zone, "retracted", **fields)
