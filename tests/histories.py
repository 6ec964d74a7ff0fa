"""Histories that hypothesis invents: what several sources might tell the ledger, in any order.

Few people, places and days, so that the events meet: late, contradictory, repeated, retracted,
corrected, and as finely known as each source happens to know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from events import DAY, DAY_1, MINUTE, event, id_of
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from hypothesis import strategies as st

from ledger.v1.custody_pb2 import (
    Absconded,
    Accompaniment,
    AddressChanged,
    Apprehended,
    BookedIn,
    BookedOut,
    CarriedLinks,
    CourtAppearanceRecorded,
    CustodialActionRecorded,
    Died,
    ExceptionalCircumstanceDeclared,
    Hospitalized,
    LocationConfirmed,
    Placed,
    PlacementDesignated,
    ReferredForProsecution,
    ReferredToOrr,
    Released,
    RemovalPlanned,
    Removed,
    ReturnedFromProsecution,
    ReturnedToFacility,
    TakenToCourt,
    TransferArrived,
    TransferDeparted,
    TransferProposed,
    TransferRefused,
    WellbeingCallMade,
)
from ledger.v1.event_pb2 import Event
from ledger.v1.family_pb2 import (
    FamilyGroupFormed,
    FamilyGroupReclassified,
    LinkEvidenceAttached,
    MatchConfirmed,
    MatchProposed,
    MatchRejected,
    RelationshipAsserted,
    RelationshipBasis,
    RelationshipDisproved,
    RelationshipDisputed,
    RelationshipKind,
    RelationshipVerified,
    TracingRequestFiled,
    VerificationResult,
)
from ledger.v1.identity_pb2 import (
    AgeDetermined,
    AgeDisputed,
    AgeResult,
    AmendmentDecided,
    AmendmentRequested,
    IdentifierAsserted,
    PersonRegistered,
    PersonsDeclaredDistinct,
    PersonsLinkedAsSame,
    PersonsUnlinked,
    SpecialNeedRecorded,
)
from ledger.v1.options_pb2 import permanent
from ledger.v1.oversight_pb2 import (
    Citation,
    ClassMembershipDetermined,
    InformationRequested,
    InformationSupplied,
    ListCertified,
    ListReconciled,
    NumberPublished,
    Retracted,
)
from ledger.v1.place_pb2 import Address, AddressState, Place
from ledger.v1.protection_pb2 import (
    ConfidentialityDeclared,
    EmergencyAccessOpened,
    LegalHoldLifted,
    LegalHoldPlaced,
    RecordSealed,
    RecordUnsealed,
)
from ledger.v1.separation_pb2 import (
    CommunicationOccurred,
    NoticeState,
    ReunificationCaseOpened,
    ReunificationRuledOut,
    ReunificationStepCompleted,
    ReunificationWaived,
    Reunified,
    Separated,
    SeparationAuthorized,
    SeparationContested,
    SeparationNotice,
)
from ledger.v1.time_pb2 import Precision

INSTANT = Precision.PRECISION_INSTANT
HOUR = Precision.PRECISION_HOUR
MONTH = Precision.PRECISION_MONTH

PEOPLE = [id_of(f"person-{number}") for number in range(5)]
FAMILIES = [id_of(f"family-{number}") for number in range(2)]
TRANSFERS = [id_of(f"transfer-{number}") for number in range(2)]
REQUESTS = [id_of(f"request-{number}") for number in range(2)]
CASES = [id_of(f"case-{number}") for number in range(2)]
NUMBERS = [id_of(f"number-{number}") for number in range(2)]
LISTS = [id_of("list-0")]
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

    def record_of(self, person_id: str, size: int) -> list[tuple[int, Event]]:
        """(position, event) of the first `size` about a person or anybody ever linked with her.

        As of one person, that is: which of them are hers, what is known then must say.
        """
        found = {person_id}
        before: set[str] = set()
        while before != found:
            before = set(found)
            for one in before:
                for _, other in self.about(one, size):
                    found |= {*other.persons_linked_as_same.person_ids}
        about = {position: one for who in found for position, one in self.about(who, size)}
        return sorted(about.items())

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
    for kind, known in (
        ("person-", PEOPLE),
        ("family-", FAMILIES),
        ("transfer-", TRANSFERS),
        ("request-", REQUESTS),
        ("case-", CASES),
        ("number-", NUMBERS),
        ("list-", LISTS),
    )
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
ANY_EVENT = st.sampled_from(["", *(id_of(f"event-{number}") for number in range(6))])
"""An event of the history, as a rule of some other kind than the one meant; "": none is named."""

REASONS = [
    ("OTHER", ""),
    ("OTHER", "in the officer's own words"),
    ("ZERO_TOLERANCE", ""),
    ("DANGER_TO_CHILD", ""),
    ("NOT_RECORDED", ""),
]
NOTICES = [
    None,
    SeparationNotice(state=NoticeState.NOTICE_STATE_GIVEN, language="es"),
    SeparationNotice(state=NoticeState.NOTICE_STATE_NOT_GIVEN, not_given_reason_text="no time"),
]
EDITIONS = ["", "2018-06-20", "2026-11-26"]
"""Of the words that a source writes in: what an older one had no field for was not collected."""


@cache
def custody_facts(people: int) -> st.SearchStrategy[Message]:
    """Who is taken in, moved, and released: the four kinds that a rule of thumb can follow."""
    person = st.sampled_from(PEOPLE[:people])
    some = st.lists(person, min_size=1, max_size=3, unique=True)
    return st.one_of(
        st.builds(
            lambda who, agency, place, found: Apprehended(
                person_ids=who, agency=agency, place=place, accompaniment=found
            ),
            some,
            AGENCY,
            PLACES | st.just(Place()),
            st.sampled_from(
                [
                    Accompaniment.ACCOMPANIMENT_UNSPECIFIED,
                    Accompaniment.ACCOMPANIMENT_WITH_PARENT,
                    Accompaniment.ACCOMPANIMENT_ALONE,
                ]
            ),
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
def carried(people: int) -> st.SearchStrategy[list[CarriedLinks]]:
    """What a hand-over says of somebody's relatives: nothing, that none is known, or who they are."""
    who = st.lists(st.sampled_from(PEOPLE[:people]), min_size=1, max_size=3, unique=True)
    stated = who.map(
        lambda some: [
            CarriedLinks(
                person_id=some[0],
                relative_ids=some[1:],
                no_known_relative_text="" if some[1:] else "she travelled alone",
            )
        ]
    )
    return mixed((1, st.just([])), (2, stated))


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
            links=carried(people),
        ),
        st.builds(
            TransferArrived,
            transfer_id=hand_over,
            person_ids=some,
            agency=AGENCY,
            facility=PLACES | st.none(),
            links=carried(people),
        ),
        st.lists(person, min_size=1, max_size=2, unique=True).flatmap(
            lambda who: st.builds(
                ReferredToOrr,
                child_id=st.just(who[0]),
                referring_agency=AGENCY,
                parent_ids=st.just(who[1:]),
                reason_codes=st.sampled_from([[], ["ZERO_TOLERANCE"]]),
            )
        ),
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
            lambda who, agency, why, notice, authorized: Separated(
                child_id=who[0],
                adult_ids=who[1:],
                adult_unknown_reason="" if who[1:] else "the source names none",
                reason_codes=[why[0]],
                reason_text=why[1],
                agency=agency,
                notice=notice,
                authorized_event_id=authorized,
            ),
            some,
            AGENCY,
            st.sampled_from(REASONS),
            st.sampled_from(NOTICES),
            ANY_EVENT,
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
            scheme=st.sampled_from(["OTHER", "FMU", "A_NUMBER"]),
            value=st.sampled_from(["1", "2", "012345678"]),
        ),
    )


@cache
def stays(people: int) -> st.SearchStrategy[Message]:
    """What happens to somebody while she is held."""
    person = st.sampled_from(PEOPLE[:people])
    some = st.lists(person, min_size=1, max_size=2, unique=True)
    of_one = {"person_id": person, "agency": AGENCY}
    return st.one_of(
        st.builds(Hospitalized, hospital=PLACES, **of_one),
        st.builds(TakenToCourt, court=PLACES, **of_one),
        st.builds(ReturnedToFacility, facility=PLACES, **of_one),
        st.builds(
            ReferredForProsecution, statute_code=st.sampled_from(["US_8_1325", "OTHER"]), **of_one
        ),
        st.builds(ReturnedFromProsecution, facility=PLACES | st.none(), **of_one),
        st.builds(PlacementDesignated, child_id=person, agency=AGENCY, facility=PLACES),
        st.builds(LocationConfirmed, place=PLACES, **of_one),
        st.builds(CustodialActionRecorded, action_code=st.just("PHONE_CALL_TO_RELATIVE"), **of_one),
        st.builds(
            TransferProposed,
            transfer_id=st.sampled_from(TRANSFERS),
            person_ids=some,
            from_agency=AGENCY,
            to_agency=AGENCY,
        ),
        st.builds(
            TransferRefused,
            transfer_id=st.sampled_from(TRANSFERS),
            person_ids=some,
            agency=AGENCY,
            reason_text=st.just("no bed"),
        ),
        st.builds(
            ExceptionalCircumstanceDeclared,
            person_ids=some,
            clock_code=st.sampled_from(["TRANSFER_24", "L_01", "L_03"]),
            agency=AGENCY,
            reason_text=st.just("a storm"),
        ),
    )


@cache
def ends(people: int) -> st.SearchStrategy[Message]:
    """How custody ends otherwise than by a release, and what is learned of somebody afterwards."""
    person = st.sampled_from(PEOPLE[:people])
    of_one = {"person_id": person, "agency": AGENCY}
    address = st.sampled_from(
        [
            Address(state=AddressState.ADDRESS_STATE_COMPLETE, country_text="Honduras"),
            Address(state=AddressState.ADDRESS_STATE_BLANK),
        ]
    )
    return st.one_of(
        st.builds(Absconded, facility=PLACES | st.none(), **of_one),
        st.builds(Died, **of_one),
        st.builds(Removed, country_text=st.just("Guatemala"), **of_one),
        st.builds(RemovalPlanned, **of_one),
        st.builds(AddressChanged, person_id=person, address=address),
        st.builds(
            Released,
            reason_code=st.sampled_from(["RAN_AWAY", "SPONSOR_OTHER_ADULT"]),
            destination=address,
            **of_one,
        ),
        st.builds(WellbeingCallMade, reached=st.booleans(), **of_one),
        st.builds(CourtAppearanceRecorded, person_id=person, appeared=st.booleans()),
    )


@cache
def proceedings(people: int) -> st.SearchStrategy[Message]:
    """What is decided and done about a separation."""
    by_age = st.lists(st.sampled_from(PEOPLE[:people]), min_size=2, max_size=3, unique=True).map(
        lambda who: sorted(who, key=PEOPLE.index)
    )
    case = st.sampled_from(CASES)
    return st.one_of(
        st.builds(
            lambda who, agency: SeparationAuthorized(
                child_id=who[0],
                adult_ids=who[1:],
                agency=agency,
                authorized_by="officer",
                approved_by="supervisor",
                reason_codes=["DANGER_TO_CHILD"],
            ),
            by_age,
            AGENCY,
        ),
        st.builds(
            lambda who, of, named: SeparationContested(
                child_id=who[0],
                contested_by_id=who[1] if named else "",
                separated_event_id=of,
                reason_text="she is his mother",
            ),
            by_age,
            ANY_EVENT,
            st.booleans(),
        ),
        st.builds(
            lambda who, agency, succeeded: CommunicationOccurred(
                child_id=who[0],
                relative_id=who[1],
                agency=agency,
                means_code="TELEPHONE",
                succeeded=succeeded,
            ),
            by_age,
            AGENCY,
            st.booleans(),
        ),
        st.builds(
            lambda who, which, agency: ReunificationCaseOpened(
                case_id=which, child_id=who[0], adult_ids=who[1:], agency=agency
            ),
            by_age,
            case,
            AGENCY,
        ),
        st.builds(
            lambda who, which, step: ReunificationStepCompleted(
                case_id=which, child_id=who[0], step_code=step, agency="ORR"
            ),
            by_age,
            case,
            st.sampled_from(["PARENT_LOCATED", "CHILD_HANDED_OVER"]),
        ),
        st.builds(
            lambda who, agency: ReunificationWaived(
                child_id=who[0], adult_id=who[1], agency=agency, language="es"
            ),
            by_age,
            AGENCY,
        ),
        st.builds(
            lambda who, agency, everybody: ReunificationRuledOut(
                child_id=who[0],
                adult_ids=[] if everybody else who[1:],
                agency=agency,
                criteria_text="Ms. L, 26 June 2018",
            ),
            by_age,
            AGENCY,
            st.booleans(),
        ),
    )


@cache
def doubts(people: int) -> st.SearchStrategy[Message]:
    """What is found out about links: shown, verified, doubted, disproved, looked for, matched."""
    pair = st.lists(st.sampled_from(PEOPLE[:people]), min_size=2, max_size=2, unique=True)
    method = st.sampled_from(
        [RelationshipBasis.RELATIONSHIP_BASIS_DNA, RelationshipBasis.RELATIONSHIP_BASIS_DOCUMENT]
    )
    return st.one_of(
        st.builds(
            lambda who, code: LinkEvidenceAttached(
                person_id=who[0], relative_id=who[1], evidence_code=code
            ),
            pair,
            st.sampled_from(["BAND", "STATEMENT"]),
        ),
        st.builds(
            lambda who, by, confirmed: RelationshipVerified(
                person_id=who[0],
                relative_id=who[1],
                method=by,
                result=VerificationResult.VERIFICATION_RESULT_CONFIRMED
                if confirmed
                else VerificationResult.VERIFICATION_RESULT_INCONCLUSIVE,
            ),
            pair,
            method,
            st.booleans(),
        ),
        pair.map(
            lambda who: RelationshipDisputed(
                person_id=who[0], relative_id=who[1], reason_text="an aunt, she says"
            )
        ),
        st.builds(
            lambda who, by: RelationshipDisproved(
                person_id=who[0], relative_id=who[1], method=by, evidence_reference="lab 12"
            ),
            pair,
            method,
        ),
        st.builds(
            lambda family_id, who: FamilyGroupReclassified(
                family_id=family_id, member_ids=who, class_code="UNACCOMPANIED_CHILD"
            ),
            st.sampled_from(FAMILIES),
            st.lists(st.sampled_from(PEOPLE[:people]), min_size=1, max_size=3, unique=True),
        ),
        st.builds(
            lambda request_id, who, kind, found: TracingRequestFiled(
                request_id=request_id,
                inquirer_id=who[0],
                sought_id=who[1] if found else "",
                kind=kind,
            ),
            st.sampled_from(REQUESTS),
            pair,
            st.sampled_from(KINDS),
            st.booleans(),
        ),
        pair.map(lambda who: MatchProposed(person_ids=who, reason_codes=["SAME_MINUTE"])),
        pair.map(lambda who: MatchConfirmed(person_ids=who, reason_text="they said so")),
        pair.map(lambda who: MatchRejected(person_ids=who, reason_text="strangers")),
    )


@cache
def merges(people: int) -> st.SearchStrategy[Message]:
    """Which records are of one person."""
    person = st.sampled_from(PEOPLE[:people])
    pair = st.lists(person, min_size=2, max_size=2, unique=True)
    approved_by = ["one", "another"]
    return st.one_of(
        st.lists(person, min_size=2, max_size=3, unique=True).map(
            lambda who: PersonsLinkedAsSame(
                person_ids=who, basis_text="one photograph", approved_by=approved_by
            )
        ),
        pair.map(
            lambda who: PersonsUnlinked(
                person_ids=who, reason_text="two fingerprints", approved_by=approved_by
            )
        ),
        pair.map(lambda who: PersonsDeclaredDistinct(person_ids=who, reason_text="twins")),
    )


@cache
def claims(people: int) -> st.SearchStrategy[Message]:
    """What is claimed of somebody's age and needs, and what she says of her record."""
    person = st.sampled_from(PEOPLE[:people])
    return st.one_of(
        st.builds(
            SpecialNeedRecorded,
            person_id=person,
            need_code=st.sampled_from(["DEAF", "PRE_VERBAL", "MEDICAL"]),
        ),
        st.builds(AgeDisputed, person_id=person),
        st.builds(
            AgeDetermined,
            person_id=person,
            method_code=st.just("DOCUMENT"),
            result=st.sampled_from(
                [
                    AgeResult.AGE_RESULT_MINOR,
                    AgeResult.AGE_RESULT_ADULT,
                    AgeResult.AGE_RESULT_UNDETERMINED,
                ]
            ),
        ),
        st.builds(
            PersonRegistered,
            person_id=person,
            stated_age_years=st.sampled_from([3, 17, 30]),
            nationality_text=st.just("Honduras"),
        ),
        st.builds(
            AmendmentRequested,
            person_id=person,
            concerned_event_id=ANY_EVENT.filter(bool),
            request_text=st.just("that is not my son's name"),
        ),
        st.builds(
            AmendmentDecided,
            person_id=person,
            requested_event_id=ANY_EVENT.filter(bool),
            granted=st.booleans(),
            reason_text=st.just("it is"),
        ),
    )


NOBODY = Citation(
    query='{"ListRoster":{"agency":"BOP"}}',
    root=sha256(b"").digest(),
    sha256=sha256(b"").digest(),
    as_of_time={"seconds": 1_525_132_800},
)
"""What an answer about nobody was computed from: the empty log."""


@cache
def oversight(people: int) -> st.SearchStrategy[Message]:
    """What agencies ask one another, determine, certify and publish."""
    some = st.lists(st.sampled_from(PEOPLE[:people]), min_size=1, max_size=2, unique=True)
    of_request = {"request_id": st.sampled_from(REQUESTS), "person_ids": some, "agency": AGENCY}
    return st.one_of(
        st.builds(
            InformationRequested,
            of_agency=AGENCY,
            request_text=st.just("where are her parents?"),
            **of_request,
        ),
        st.builds(InformationSupplied, **of_request),
        st.builds(
            ClassMembershipDetermined,
            person_id=st.sampled_from(PEOPLE[:people]),
            class_code=st.sampled_from(["MS_L_2018", "FLORES"]),
            criteria_version=st.sampled_from(["2018-06-26", "2019-03-08"]),
            included=st.booleans(),
        ),
        st.builds(
            NumberPublished,
            number_id=st.sampled_from(NUMBERS),
            agency=AGENCY,
            title=st.just("children separated"),
            value=st.sampled_from([2053, 2654, 2737]),
        ),
        st.builds(
            ListCertified,
            list_id=st.sampled_from(LISTS),
            agency=AGENCY,
            title=st.just("class members"),
            citation=st.just(NOBODY),
        ),
        st.builds(
            ListReconciled,
            list_id=st.sampled_from(LISTS),
            agency=AGENCY,
            title=st.just("class members"),
            citation=st.just(NOBODY),
            matched=st.integers(0, 3),
        ),
    )


@cache
def protections(people: int) -> st.SearchStrategy[Message]:
    """What guards a record.

    Not that it is erased: over loopback, where nobody is identified, nothing is.
    """
    person = st.sampled_from(PEOPLE[:people])
    order = {"person_id": person, "order_reference": st.just("order 17")}
    hold = {"person_id": person, "hold_reference": st.sampled_from(["18-428", "85-4544"])}
    return st.one_of(
        st.builds(
            ConfidentialityDeclared,
            person_id=person,
            ground_code=st.sampled_from(["ASYLUM_208_6", "PROTECTED_1367"]),
        ),
        st.builds(RecordSealed, **order),
        st.builds(RecordUnsealed, **order),
        st.builds(LegalHoldPlaced, **hold),
        st.builds(LegalHoldLifted, **hold),
        st.builds(
            EmergencyAccessOpened,
            person_id=person,
            until_time=st.sampled_from([{"seconds": 1_525_132_800}, {"seconds": 4_000_000_000}]),
            reason_text=st.just("she is ill"),
        ),
    )


@cache
def handovers(people: int) -> st.SearchStrategy[Message]:
    """Above all who leaves one custodian for another, and what else shows where she is."""
    return mixed(
        (6, movements(people)),
        (3, stays(people)),
        (1, custody_facts(people)),
        (1, ends(people)),
    )


@cache
def apart_facts(people: int) -> st.SearchStrategy[Message]:
    """Anything but a retraction and a merge: each record is of a person of its own."""
    return mixed(
        (5, custody_facts(people)),
        (5, movements(people)),
        (9, separations(people)),
        (3, links(people)),
        (2, stays(people)),
        (1, ends(people)),
        (2, proceedings(people)),
        (2, doubts(people)),
        (1, claims(people)),
        (1, oversight(people)),
        (1, protections(people)),
    )


@cache
def facts(people: int) -> st.SearchStrategy[Message]:
    """Anything but a retraction."""
    return mixed((12, apart_facts(people)), (1, merges(people)))


@cache
def merging_facts(people: int) -> st.SearchStrategy[Message]:
    """The same, with many a merge."""
    return mixed((3, apart_facts(people)), (1, merges(people)))


@cache
def plain_facts(people: int) -> st.SearchStrategy[Message]:
    """What a rule of thumb can follow: custody in four kinds, and separations."""
    return mixed((3, custody_facts(people)), (2, plain_separations(people)))


@cache
def plain_separations(people: int) -> st.SearchStrategy[Message]:
    """Who is taken from whom and brought back, and free then."""
    return separations(people).map(_free)


def _is_voidable(one: Event) -> bool:
    """Whether an event may be retracted."""
    if one.WhichOneof("fact") == "retracted":
        return False
    return not body_of(one).DESCRIPTOR.GetOptions().Extensions[permanent]


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
            vocabulary=draw(st.sampled_from(EDITIONS)),
            **envelope,
        )
        made.append(one)
        return one

    for _ in range(draw(st.integers(least, most))):
        when = draw(whens)
        if distinct and when.start in taken:
            continue
        taken.add(when.start)
        voidable = [one for one in made if _is_voidable(one)]
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
    whens: st.SearchStrategy[When] = WHENS,
    most: int = 24,
    bodies: Callable[[int], st.SearchStrategy[Message]] = facts,
) -> st.SearchStrategy[History]:
    """Distinct facts at distinct valid times, none retracted: each may be learned first or last."""
    return histories(most=most, moves=("assert",), whens=whens, distinct=True, bodies=bodies)


@cache
def ties(people: int) -> st.SearchStrategy[Message]:
    """Above all who belongs to whom, and what takes them apart."""
    return mixed(
        (4, links(people)),
        (3, separations(people)),
        (3, doubts(people)),
        (2, proceedings(people)),
        (2, movements(people)),
        (1, custody_facts(people)),
    )


@cache
def merging_ties(people: int) -> st.SearchStrategy[Message]:
    """The same, with many a merge."""
    return mixed((3, ties(people)), (1, merges(people)))


def family_histories(*, merging: bool = False) -> st.SearchStrategy[History]:
    """Families, and everything that might tear them."""
    return histories(bodies=merging_ties if merging else ties)
