"""Laws: what holds of every history that anybody could tell the ledger, on every store.

What is true is said a second time here, by means that share nothing with the product: lists in
memory, hashlib, and rules of thumb.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations, pairwise
from uuid import uuid4

import pytest
import sqlalchemy as sa
from conftest import VERSIONS, ticking
from events import day, event, id_of
from eventsourcing.dcb.api import DCBQuery
from google.protobuf.message import Message
from histories import (
    AGENCIES,
    CLOSE,
    FACILITIES,
    FAMILIES,
    HORIZONS,
    INSTANTS,
    History,
    body_of,
    family_histories,
    histories,
    late_histories,
    plain_histories,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import projections
from ledger.append import append_events
from ledger.ask.person import get_person, get_person_timeline
from ledger.ask.population import list_roster, list_separations
from ledger.ask.relatives import get_family
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.prove import get_checkpoint, get_consistency_proof, get_inclusion_proof
from ledger.read import get_event
from ledger.rpc.strict import check
from ledger.store import populations
from ledger.store.generations import Generation, State
from ledger.store.tables import period
from ledger.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
)
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_pb2 import Placed
from ledger.v1.custody_query_service_pb2 import (
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    GetPersonTimelineResponse,
    ListRosterRequest,
    ListSeparationsRequest,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    GetEventRequest,
    Receipt,
)
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.place_pb2 import Place
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import (
    ChildSeparations,
    Custody,
    CustodyStatus,
    FamilyLink,
    LinkStatus,
    SeparationStatus,
)
from projections.belief import OPEN, Membership, revise
from projections.custody import by_agency, by_facility, custody
from projections.family import family
from projections.family import present as present_family
from projections.history import Fact, facts
from projections.identity import identity
from projections.projection import Projection
from projections.separation import EVER, NOT_REUNIFIED, separation

TABLES = [custody, separation]
IN_CUSTODY = (CustodyStatus.CUSTODY_STATUS_HELD, CustodyStatus.CUSTODY_STATUS_IN_TRANSFER)
LATER_US = 1_893_456_000_000_000
"""2030-01-01: later than everything."""
MONTH_US = 32 * 24 * 3_600 * 1_000_000
"""No stated unit is longer."""


def tried(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same histories each time, so that a failure can be repeated."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


@contextmanager
def opened(url: str, clock: Callable[[], int] | None = None) -> Iterator[Ledger]:
    """A ledger on a new log."""
    with closing(Ledger(url, name=uuid4().hex, clock=clock or ticking())) as ledger:
        yield ledger


def append(ledger: Ledger, events: Sequence[Event], **options: bool) -> AppendEventsResponse:
    return append_events(ledger, AppendEventsRequest(events=events, **options), 30)


def append_all(ledger: Ledger, history: History) -> list[AppendEventsResponse]:
    return [append(ledger, events) for events in history.appends]


def basis(as_of_us: int, **known: int) -> Basis:
    """As of an instant; known: `at_size` or `known_at_us`."""
    made = Basis()
    made.as_of_time.FromMicroseconds(as_of_us)
    if "known_at_us" in known:
        made.known_at_time.FromMicroseconds(known["known_at_us"])
    elif "at_size" in known:
        made.at_size = known["at_size"]
    return made


def start_of(one: Event) -> int:
    return one.valid_time.time.ToMicroseconds()


def edges(history: History) -> list[int]:
    """The instants at which something may change, and those right before and after."""
    at = [start_of(one) for one in history.events]
    at += [round(horizon.timestamp() * 1_000_000) for horizon in HORIZONS]
    return sorted({near for us in at for near in (us - 1, us, us + 1)} | {0, LATER_US})


def some_of(data: st.DataObject, values: Sequence[int], count: int) -> list[int]:
    """A few of these, the last one always among them."""
    drawn = data.draw(st.lists(st.sampled_from(values), max_size=count - 1, unique=True))
    return sorted({*drawn, values[-1]})


def entries_of(history: History, subject_id: str, size: int) -> list[tuple[int, Entry]]:
    return [(position, Entry(event=one)) for position, one in history.about(subject_id, size)]


# The histories themselves


def test_the_histories_are_as_mixed_as_life() -> None:
    """A law that no interesting history meets proves nothing."""
    seen = Counter[str]()

    @tried(100)
    @given(history=histories())
    def look(history: History) -> None:
        events, appends = history.events, history.appends
        kinds = {one.WhichOneof("fact") for one in events}
        starts = [start_of(one) for one in events]
        precisions = {one.valid_time.precision for one in events}
        voided = history.voided(len(events))
        found = {
            "histories": True,
            "ten events": len(events) >= 10,
            "several appends": len(appends) >= 3,
            "retraction": bool(voided),
            "correction": any(one.corrects_event_id for one in events),
            "retracted twice": len(voided) < sum(one.HasField("retracted") for one in events),
            "late": any(late < early for early, late in pairwise(starts)),
            "same valid time": len(set(starts)) < len(starts),
            "sent again": sum(map(len, appends)) > len(events),
            "three precisions": len(precisions) >= 3,
            "a month": Precision.PRECISION_MONTH in precisions,
            "other zones": len({one.valid_time.zone for one in events}) >= 3,
            "seven kinds": len(kinds) >= 7,
            "separation and reunification": kinds >= {"separated", "reunified"},
            "three people": len(history.people) >= 3,
            "five events about one": any(
                len(history.about(person, len(events))) >= 5 for person in history.people
            ),
            "an append with several about one": any(
                sum(person.encode() in one.SerializeToString() for one in set_) > 1
                for set_ in (append for append in appends if len(append) > 1)
                for person in history.people
            ),
        }
        seen.update(name for name, true in found.items() if true)
        check(AppendEventsRequest(events=events))

    look()
    shares = {name: count / seen["histories"] for name, count in seen.items()}
    wanted = dict.fromkeys(shares, 0.5) | {"correction": 0.3, "a month": 0.3}
    wanted |= {"retracted twice": 0.05, "separation and reunification": 0.2, "seven kinds": 0.3}
    assert len(shares) == 17
    assert {name: share for name, share in shares.items() if share < wanted[name]} == {}


# Table = fold = rebuilt table

Row = tuple[Membership, int, int]


def rows_of(
    projection: Projection, subject_id: str, entries: list[tuple[int, Entry]], stops: list[int]
) -> set[Row]:
    """The rows of the table after catching up to each of these sizes in turn."""
    rows: dict[tuple[str, int, int], Row] = {}
    after = 0
    for stop in stops:
        known = [one for one in entries if one[0] <= stop]
        believed = {one: since for one, since, until in rows.values() if until == OPEN}
        closed, added = revise(projection, subject_id, known, after, believed)
        for one in closed:
            key = (one.membership.population, one.membership.valid_from, one.known_from)
            assert rows[key] == (one.membership, one.known_from, OPEN)
            rows[key] = (one.membership, one.known_from, one.known_to)
        for one in added:
            key = (one.membership.population, one.membership.valid_from, one.known_from)
            assert key not in rows
            rows[key] = (one.membership, one.known_from, one.known_to)
        after = stop
    return set(rows.values())


@tried(80)
@given(history=histories(most=14), stops=st.sets(st.integers(1, 20)))
def test_what_is_believed_is_what_the_fold_says_at_every_size_and_instant(
    history: History, stops: set[int]
) -> None:
    size = len(history.events)
    for projection in TABLES:
        for person in history.people:
            entries = entries_of(history, person, size)
            at_once = rows_of(projection, person, entries, [size])
            assert at_once == rows_of(projection, person, entries, list(range(1, size + 1)))
            assert at_once == rows_of(projection, person, entries, [*sorted(stops), 30])
            for one, _, _ in at_once:
                assert one.valid_to == OPEN or 0 < one.valid_to - one.valid_from <= MONTH_US
            for known in range(size + 1):
                told = facts(entries_of(history, person, known))
                at_known = [one for one, since, until in at_once if since <= known < until]
                for as_of_us in edges(history):
                    message = projection.present(projection.fold(person, told, as_of_us))
                    state = message.SerializeToString(deterministic=True)
                    assert {
                        one.population: one.state
                        for one in at_known
                        if one.valid_from <= as_of_us < one.valid_to
                    } == dict.fromkeys(belongs_to(message), state)
                periods = projection.periods(person, told)
                assert all(one.to_us == other.from_us for one, other in pairwise(periods))
                assert all(one.to_us is None or one.from_us < one.to_us for one in periods)


def listed_by(message: Custody) -> list[str]:
    """The agencies on whose rosters a person in custody is: who holds her, and who says so too."""
    return [message.agency, *message.claimed_by]


def belongs_to(message: Message) -> list[str]:
    """The populations that a state belongs to."""
    if isinstance(message, ChildSeparations):
        found = [EVER] if message.separations else []
        ended = SeparationStatus.SEPARATION_STATUS_REUNIFIED
        return found + [NOT_REUNIFIED] * any(one.status != ended for one in message.separations)
    if message.status not in IN_CUSTODY:
        return []
    found = [by_agency(agency) for agency in listed_by(message)]
    return found + [by_facility(message.agency, message.facility)] * bool(message.facility)


@tried(6)
@given(history=histories(most=12), data=st.data())
def test_the_tables_say_what_a_fold_of_what_was_appended_says(
    database_url: str, history: History, data: st.DataObject
) -> None:
    with opened(database_url) as ledger:
        for events, size in zip(history.appends, history.sizes, strict=True):
            append(ledger, events)
            assert ledger.populations.catch_up() == size
        for at_size in {size, data.draw(st.integers(0, size))}:
            known = {
                person: facts(entries_of(history, person, at_size)) for person in history.people
            }
            as_of_us = data.draw(st.sampled_from(edges(history)))
            for at_us in {*turns(known), as_of_us}:
                require_rosters(ledger, known, at_us, at_size)
            then = basis(as_of_us, at_size=at_size)
            facility = data.draw(st.sampled_from(FACILITIES))
            assert roster_of_facility(ledger, facility, then) == [
                one for one in in_custody(known, as_of_us) if same_place(one[1].facility, facility)
            ]
            require_separations(ledger, known, as_of_us, at_size)


def in_custody(known: dict[str, list[Fact]], as_of_us: int) -> list[tuple[str, Custody]]:
    """(person, custody) of those whom somebody holds, by the person."""
    folded = (
        (person, custody.present(custody.fold(person, known[person], as_of_us)))
        for person in sorted(known)
    )
    return [one for one in folded if one[1].status in IN_CUSTODY]


def require_rosters(
    ledger: Ledger, known: dict[str, list[Fact]], as_of_us: int, at_size: int
) -> None:
    held = in_custody(known, as_of_us)
    for agency in AGENCIES:
        question = ListRosterRequest(agency=agency, basis=basis(as_of_us, at_size=at_size))
        reply = list_roster(ledger, question)
        found = [(one.person_id, one.custody) for one in reply.people]
        assert found == [one for one in held if agency in listed_by(one[1])]
        assert reply.total_size == len(found)


def require_separations(
    ledger: Ledger, known: dict[str, list[Fact]], as_of_us: int, at_size: int
) -> None:
    for every in (False, True):
        question = ListSeparationsRequest(
            include_reunified=every, basis=basis(as_of_us, at_size=at_size)
        )
        reply = list_separations(ledger, question)
        wanted = {
            person: [
                one.event_id
                for one in separation.fold(person, known[person], as_of_us).separations
                if every or one.status != SeparationStatus.SEPARATION_STATUS_REUNIFIED
            ]
            for person in sorted(known)
        }
        assert [(one.child_id, one.event_id) for one in reply.separations] == [
            (person, one) for person, several in wanted.items() for one in several
        ]
        assert reply.total_size == sum(map(bool, wanted.values()))


def turns(known: dict[str, list[Fact]]) -> list[int]:
    """The instants at which somebody comes or goes."""
    return [one.from_us for person in known for one in custody.periods(person, known[person])]


def roster_of_facility(ledger: Ledger, facility: str, then: Basis) -> list[tuple[str, Message]]:
    """Who is in a facility, page by page; nobody where the ledger has not heard of it."""
    found: list[tuple[str, Message]] = []
    request = ListRosterRequest(facility=facility, basis=then, page_size=2)
    while True:
        try:
            reply = list_roster(ledger, request)
        except LedgerError as refusal:
            if refusal.name != "FACILITY_NOT_FOUND":
                raise
            return found
        found += [(one.person_id, one.custody) for one in reply.people]
        if not reply.next_page_token:
            return found
        request.page_token = reply.next_page_token


def same_place(one: str, other: str) -> bool:
    return one.lower().split() == other.lower().split()


@tried(6)
@given(history=plain_histories(), data=st.data())
def test_the_tables_say_what_a_rule_of_thumb_says(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """Nothing of `projections` is used here."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        for as_of_us in some_of(data, edges(history), 3):
            at_size = data.draw(st.integers(0, len(history.events)))
            then = basis(as_of_us, at_size=at_size)
            told = sorted(standing(history, as_of_us, at_size), key=start_of)
            held = plainly_held(told)
            for agency in AGENCIES:
                reply = list_roster(ledger, ListRosterRequest(agency=agency, basis=then))
                assert {one.person_id: Held.said_by(one.custody) for one in reply.people} == {
                    person: one
                    for person, one in held.items()
                    if agency in (one.agency, *one.claimed_by)
                }
                assert reply.total_size == len(reply.people)
            apart = plainly_apart(told)
            every = list_separations(
                ledger, ListSeparationsRequest(include_reunified=True, basis=then)
            ).separations
            assert {one.event_id: one.status for one in every} == apart
            ended = {SeparationStatus.SEPARATION_STATUS_REUNIFIED}
            still = list_separations(ledger, ListSeparationsRequest(basis=then)).separations
            assert {one.event_id for one in still} == {
                one for one, status in apart.items() if {status} != ended
            }


@tried(250)
@given(history=plain_histories(), data=st.data())
def test_the_fold_says_what_a_rule_of_thumb_says(history: History, data: st.DataObject) -> None:
    """The same without a store, and so at every instant of many more histories."""
    size = data.draw(st.integers(1, len(history.events)))
    for as_of_us in edges(history):
        told = sorted(standing(history, as_of_us, size), key=start_of)
        held = {}
        apart = {}
        for person in history.people:
            known = facts(entries_of(history, person, size))
            view = custody.fold(person, known, as_of_us)
            if view.status in IN_CUSTODY:
                held[person] = Held.said_by(custody.present(view))
            for one in separation.fold(person, known, as_of_us).separations:
                apart[one.event_id] = one.status
        assert held == plainly_held(told)
        assert apart == plainly_apart(told)


def standing(history: History, as_of_us: int, size: int) -> list[Event]:
    """What is said of the world up to an instant by the first `size`, and not retracted by them."""
    voided = history.voided(size)
    return [
        one
        for one in history.events[:size]
        if one.event_id not in voided and start_of(one) <= as_of_us
    ]


@dataclass(frozen=True)
class Held:
    """Who holds a person as far as the test can tell, and who else says so."""

    agency: str
    facility: str
    event_id: str
    since_us: int
    claimed_by: tuple[str, ...] = ()

    @classmethod
    def said_by(cls, message: Custody) -> "Held":
        since_us = message.since_time.ToMicroseconds()
        claimed_by = tuple(message.claimed_by)
        return cls(message.agency, message.facility, message.event_id, since_us, claimed_by)


def plainly_held(told: list[Event]) -> dict[str, Held]:
    """Those in custody: the latest fact decides, unless it comes from where she is not."""
    held: dict[str, Held] = {}
    for one in told:
        match one.WhichOneof("fact"):
            case "apprehended":
                for person in one.apprehended.person_ids:
                    held[person] = apprehended(held.get(person), one)
            case "booked_in":
                held[one.booked_in.person_id] = begun(one, one.booked_in.facility)
            case "placed":
                held[one.placed.child_id] = begun(one, one.placed.facility)
            case "released":
                # Nobody releases whom another holds.
                now = held.get(one.released.person_id)
                if now and now.agency == one.released.agency:
                    del held[one.released.person_id]
            case "reunified":
                held.pop(one.reunified.child_id, None)
    return held


def begun(one: Event, at: Place) -> Held:
    return Held(body_of(one).agency, at.name, one.event_id, start_of(one))


def apprehended(now: Held | None, one: Event) -> Held:
    agency = one.apprehended.agency
    if now is None or now.agency == agency:
        return begun(one, one.apprehended.place)
    # Nobody is apprehended out of another's hands: both list her.
    return replace(now, claimed_by=tuple(dict.fromkeys((*now.claimed_by, agency))))


def plainly_apart(told: list[Event]) -> dict[str, int]:
    """For each separation how it ended, if it did: with everybody, with some, with nobody."""
    found = {}
    for index, one in enumerate(told):
        if one.WhichOneof("fact") != "separated":
            continue
        adults = set(one.separated.adult_ids)
        again: set[str] = set()
        for other in told[index:]:
            if other.reunified.child_id == one.separated.child_id:
                # Who names nobody does not say that it was somebody else.
                again |= set(other.reunified.adult_ids) if adults else {"whoever it was"}
                again |= set() if other.reunified.adult_ids else adults
        found[one.event_id] = (
            SeparationStatus.SEPARATION_STATUS_REUNIFIED
            if again and again >= adults
            else SeparationStatus.SEPARATION_STATUS_PARTLY_REUNIFIED
            if again & adults
            else SeparationStatus.SEPARATION_STATUS_OPEN
        )
    return found


def table(ledger: Ledger, number: int) -> list[tuple[object, ...]]:
    """The rows of a generation, but for its number."""
    columns = [one for one in period.c if one.name not in ("log", "generation")]
    with ledger._database.reading.connect() as connection:
        wanted = sa.select(*columns).where(
            period.c.log == ledger.log.id, period.c.generation == number
        )
        return sorted(tuple(row) for row in connection.execute(wanted))


def live(ledger: Ledger, name: str) -> Generation:
    found = ledger.populations.generations.find(name, State.LIVE)
    assert found is not None
    return found


@tried(6)
@given(history=histories())
def test_a_table_that_followed_entry_by_entry_is_the_one_made_at_once_and_the_one_rebuilt(
    database_url: str, history: History
) -> None:
    with opened(database_url) as ledger:
        ledger._follower.close()  # the tables move when the test says so
        for projection in TABLES:
            # A rebuild that began when the log was empty will catch up with all of it at once.
            ledger.populations.generations.make(projection.name, projection.version, 0)
        append_all(ledger, history)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(populations, "CATCH_UP_MAX", 1)
            assert ledger.populations.catch_up() == len(history.events)
        for name in (projection.name for projection in TABLES):
            followed = live(ledger, name)
            rows = table(ledger, followed.number)
            digests = ledger.populations.periods.digests(followed, len(history.events))
            for _ in ("caught up at once", "folded subject by subject"):
                before = live(ledger, name).number
                rebuilt = ledger.populations.rebuild(name)
                assert live(ledger, name).number != before
                assert rebuilt.differing == []
                assert rebuilt.size == len(history.events)
                assert rebuilt.digest == sha256(b"".join(digests)).digest()
                assert table(ledger, live(ledger, name).number) == rows
                assert table(ledger, before) == []


def test_a_rebuild_names_what_differed_and_puts_it_right(database_url: str) -> None:
    with opened(database_url) as ledger:
        everybody = [id_of(f"somebody-{number}") for number in range(3)]
        append(
            ledger,
            [
                event(Placed(child_id=one, agency="ORR", facility={"name": "Ursula"}), 2)
                for one in everybody
            ],
        )
        ledger.populations.catch_up()
        before = live(ledger, custody.name)
        rows = table(ledger, before.number)
        with ledger._database.writing() as connection:
            connection.execute(
                sa.update(period)
                .where(period.c.log == ledger.log.id, period.c.subject == everybody[1])
                .values(valid_to=OPEN - 1)
            )
        assert set(ledger.populations.differences()) == {(2, custody.name)}
        rebuilt = ledger.populations.rebuild(custody.name)
        assert rebuilt.differing == [sha256(everybody[1].encode()).digest()[0]]
        assert table(ledger, live(ledger, custody.name).number) == rows
        assert list(ledger.populations.differences()) == []


# The log as it was


Question = tuple[Callable[[Ledger, Message], Message], Message]


def questions(history: History, then: Basis) -> list[Question]:
    """Every kind of question, about the first few."""
    found: list[Question] = []
    for one in history.people[:2]:
        found += [
            (get_person, GetPersonRequest(person_id=one, basis=then)),
            (get_person_timeline, GetPersonTimelineRequest(person_id=one, basis=then)),
            (get_family, GetFamilyRequest(person_id=one, basis=then)),
        ]
    found.append((get_family, GetFamilyRequest(family_id=FAMILIES[0], basis=then)))
    found += [(list_roster, ListRosterRequest(agency=one, basis=then)) for one in AGENCIES[:2]]
    found.append((list_roster, ListRosterRequest(facility=FACILITIES[0], basis=then)))
    found += [
        (list_separations, ListSeparationsRequest(include_reunified=every, basis=then))
        for every in (False, True)
    ]
    return found


def answers(ledger: Ledger, history: History, then: Basis) -> list[bytes]:
    """The bytes of each reply, or the name of the refusal."""
    found = []
    for ask, question in questions(history, then):
        try:
            found.append(ask(ledger, question).SerializeToString(deterministic=True))
        except LedgerError as refusal:
            found.append(refusal.name.encode())
    return found


@tried(6)
@given(history=histories(), data=st.data())
def test_what_was_answered_at_a_size_is_answered_at_that_size_for_ever(
    database_url: str, history: History, data: st.DataObject
) -> None:
    as_of_us = data.draw(st.sampled_from(edges(history)))
    stops = some_of(data, history.sizes, 3)
    digests = {}
    with opened(database_url) as ledger:
        given_then = {}
        for events, size in zip(history.appends, history.sizes, strict=True):
            append(ledger, events)
            if size in stops:
                given_then[size] = answers(ledger, history, basis(as_of_us))
                ledger.populations.catch_up()
                for projection in TABLES:
                    of = live(ledger, projection.name)
                    digests[projection.name, size] = ledger.populations.periods.digests(of, size)
        assert given_then.keys() == set(stops)
        for size, then in given_then.items():
            assert answers(ledger, history, basis(as_of_us, at_size=size)) == then
        for (name, size), digest in digests.items():
            assert ledger.populations.periods.digests(live(ledger, name), size) == digest


def correction_of(data: st.DataObject, history: History) -> list[Event]:
    """A retraction of one of the events, and the same fact as of another day."""
    voidable = [one for one in history.events if not one.HasField("retracted")]
    wrong = data.draw(st.sampled_from(voidable))
    right = Event()
    right.CopyFrom(wrong)
    right.event_id = id_of("the right one")
    right.corrects_event_id = wrong.event_id
    right.valid_time.CopyFrom(
        event(PersonRegistered(), day(data.draw(st.integers(1, 40)))).valid_time
    )
    why = Retracted(retracted_event_id=wrong.event_id, reason_text="on another day")
    return [event(why, 60, event_id=id_of("the retraction")), right]


@tried(5)
@given(history=histories(most=16), data=st.data())
def test_a_correction_changes_nothing_that_was_known_before_it(
    database_url: str, history: History, data: st.DataObject
) -> None:
    as_of_us = data.draw(st.sampled_from(edges(history)))
    with opened(database_url) as ledger:
        done = append_all(ledger, history)
        recorded = [reply.stamp.known_at_time.ToMicroseconds() for reply in done]
        sizes = [reply.stamp.size for reply in done]
        middle = data.draw(st.integers(0, len(sizes) - 1))
        bases = [
            basis(as_of_us, at_size=sizes[-1]),
            basis(as_of_us, known_at_us=recorded[-1]),
            basis(as_of_us, known_at_us=recorded[middle] - 1),
        ]
        before = [answers(ledger, history, one) for one in bases]
        assert before[0] == before[1]
        correction = correction_of(data, history)
        append(ledger, correction)
        assert [answers(ledger, history, one) for one in bases] == before
        # It does change what is known from then on.
        wrong = correction[1].corrects_event_id
        subject = next(one for one in history.people if names(correction[1], one))
        timeline = get_person_timeline(
            ledger, GetPersonTimelineRequest(person_id=subject, basis=basis(LATER_US))
        )
        events = {one.event.entry.event.event_id: one for one in timeline.events}
        assert events[wrong].retracted_by_event_id
        assert correction[1].event_id in events


def names(one: Event, subject_id: str) -> bool:
    return subject_id.encode() in one.SerializeToString()


@tried(6)
@given(
    history=late_histories(most=12),
    jumps=st.lists(
        st.sampled_from([0, 1, 1, 1_000_000, -1, -3_600_000_000]), min_size=12, max_size=12
    ),
)
def test_record_times_rise_and_what_was_known_stays_known_whatever_the_clock_does(
    database_url: str, history: History, jumps: list[int]
) -> None:
    now_us = 1_600_000_000_000_000
    last_us = 0
    told: list[tuple[Message, Message]] = []
    with opened(database_url, lambda: now_us) as ledger:
        for index, events in enumerate(history.appends):
            now_us += jumps[index % len(jumps)]
            question = ListSeparationsRequest(basis=basis(LATER_US, known_at_us=now_us))
            told.append((question, list_separations(ledger, question)))
            reply = append(ledger, events)
            times = {one.record_time.ToMicroseconds() for one in reply.receipts}
            assert len(times) == 1
            assert min(times) > last_us
            assert min(times) >= now_us
            last_us = min(times)
            assert reply.stamp.known_at_time == reply.receipts[0].record_time
            for receipt in reply.receipts:
                kept = get_event(ledger, GetEventRequest(event_id=receipt.event_id))
                assert kept.event.entry.record_time == receipt.record_time
                assert Entry.FromString(kept.entry_bytes) == kept.event.entry
        now_us += 10_000_000_000
        for question, answer in told:
            assert list_separations(ledger, question) == answer


@tried(5)
@given(history=late_histories())
def test_appends_at_once_have_one_record_time_each_in_the_order_of_the_log(
    database_url: str, history: History
) -> None:
    """Those who wait for one another share a transaction, and are told apart all the same."""
    with opened(database_url, lambda: 1_600_000_000_000_000) as ledger:
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda events: append(ledger, events), history.appends))
        seen = []
        for reply in done:
            (record_us,) = {one.record_time.ToMicroseconds() for one in reply.receipts}
            positions = [one.position for one in reply.receipts]
            assert positions == list(range(positions[0], positions[0] + len(positions)))
            seen.append((positions[0], record_us))
        assert sorted(seen) == sorted(seen, key=lambda one: one[1])
        assert len({record_us for _, record_us in seen}) == len(seen)


# The order of learning


def shuffled(data: st.DataObject, history: History) -> tuple[Event, ...]:
    order = data.draw(st.permutations(range(len(history.events))))
    return tuple(history.events[index] for index in order)


@tried(100)
@given(history=late_histories(CLOSE, most=12), data=st.data())
def test_the_order_in_which_facts_are_learned_does_not_change_what_they_mean(
    history: History, data: st.DataObject
) -> None:
    size = len(history.events)
    other = History((shuffled(data, history),))
    for projection in projections.load().values():
        for subject in history.people if projection.subject == "person" else FAMILIES:
            one = facts(entries_of(history, subject, size))
            two = facts(entries_of(other, subject, size))
            for as_of_us in edges(history):
                assert projection.fold(subject, one, as_of_us) == projection.fold(
                    subject, two, as_of_us
                )


@tried(80)
@given(history=histories(whens=CLOSE, most=14))
def test_a_retracted_fact_says_as_little_as_one_that_was_never_told(history: History) -> None:
    size = len(history.events)
    voided = history.voided(size)
    for projection in (custody, separation, identity):
        for person in history.people:
            entries = entries_of(history, person, size)
            never_told = [
                (position, entry)
                for position, entry in entries
                if entry.event.event_id not in voided and not entry.event.HasField("retracted")
            ]
            for as_of_us in edges(history):
                assert projection.fold(person, facts(entries), as_of_us) == projection.fold(
                    person, facts(never_told), as_of_us
                )
            first: dict[str, str] = {}
            for _, entry in entries:
                void = entry.event.retracted.retracted_event_id
                first.setdefault(void, entry.event.event_id)
            for fact in facts(entries):
                assert fact.retracted_by == first.get(fact.event.event_id, "")


def finally_true(ledger: Ledger, history: History, as_of_us: int) -> list[object]:
    """What is answered of everybody, without where and when it was recorded."""
    found: list[object] = []
    for ask, question in questions(history, basis(as_of_us)):
        try:
            reply = ask(ledger, question)
        except LedgerError as refusal:
            found.append(refusal.name)
            continue
        reply.ClearField("stamp")
        if isinstance(reply, GetPersonTimelineResponse):
            for one in reply.events:
                one.event.ClearField("position")
                one.event.entry.ClearField("record_time")
        found.append(reply)
    return found


@tried(5)
@given(history=late_histories(INSTANTS), data=st.data())
def test_facts_learned_late_end_in_the_same_answers(
    database_url: str, history: History, data: st.DataObject
) -> None:
    as_of_us = data.draw(st.sampled_from(edges(history)))
    with opened(database_url) as ledger:
        append_all(ledger, history)
        in_order = finally_true(ledger, history, as_of_us)
    with opened(database_url) as ledger:
        for one in shuffled(data, history):
            append(ledger, [one])
        assert finally_true(ledger, history, as_of_us) == in_order


# Families


def linked_by(one: Event) -> set[tuple[str, str]]:
    """The pairs that an event says belong together, each from both sides."""
    match one.WhichOneof("fact"):
        case "relationship_asserted":
            pairs = [(one.relationship_asserted.person_id, one.relationship_asserted.relative_id)]
        case "family_group_formed":
            pairs = list(combinations(one.family_group_formed.member_ids, 2))
        case "separated":
            pairs = [(one.separated.child_id, adult) for adult in one.separated.adult_ids]
        case "reunified":
            pairs = [(one.reunified.child_id, adult) for adult in one.reunified.adult_ids]
        case "released" if one.released.sponsor_id:
            pairs = [(one.released.person_id, one.released.sponsor_id)]
        case _:
            pairs = []
    return {*pairs, *((b, a) for a, b in pairs)}


def reached(links: set[tuple[str, str]], person: str) -> set[str]:
    """Everybody at the end of a chain of links, and the person."""
    found = {person}
    while more := {b for a, b in links if a in found} - found:
        found |= more
    return found


@tried(100)
@given(history=family_histories(), data=st.data())
def test_the_fold_names_every_assertion_of_a_link(history: History, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(history.events)))
    for person in history.people:
        folded = family.fold(person, facts(entries_of(history, person, size)))
        links = present_family(folded).links
        require_every_assertion(links, person, history.events[:size], history.voided(size))
        assert {one.relative_id for one in links} == {
            relative
            for one in history.events[:size]
            for other, relative in linked_by(one)
            if other == person
        }


@tried(6)
@given(history=family_histories(), data=st.data())
def test_a_link_once_asserted_is_in_every_later_answer_whatever_is_recorded(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """From either side, at whatever moment is asked about; a retraction only marks it."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        for size in some_of(data, list(range(1, len(history.events) + 1)), 3):
            told = history.events[:size]
            links = {pair for one in told for pair in linked_by(one)}
            then = basis(data.draw(st.sampled_from(edges(history))), at_size=size)
            for person in history.people:
                if not history.about(person, size):
                    continue
                reply = get_family(ledger, GetFamilyRequest(person_id=person, basis=then))
                members = {one.person_id: one for one in reply.members}
                assert members.keys() == reached(links, person)
                assert {one.person_id for one in reply.members if one.removes == 1} == {
                    relative for one, relative in links if one == person
                }
                herself = get_person(ledger, GetPersonRequest(person_id=person, basis=then))
                assert herself.links == members[person].links
                require_every_assertion(herself.links, person, told, history.voided(size))
            for family_id in FAMILIES:
                recorded = {
                    member
                    for one in told
                    if one.family_group_formed.family_id == family_id
                    for member in one.family_group_formed.member_ids
                }
                if recorded:
                    question = GetFamilyRequest(family_id=family_id, basis=then)
                    reply = get_family(ledger, question)
                    nearest = {one.person_id for one in reply.members if one.removes == 0}
                    assert nearest == recorded
                    assert {one.person_id for one in reply.members} == set().union(
                        *(reached(links, one) for one in recorded)
                    )


def require_every_assertion(
    links: Sequence[FamilyLink], person: str, told: list[Event], voided: set[str]
) -> None:
    """Each assertion is named by one link, which stands while any of its assertions does."""
    for one in told:
        for relative in (b for a, b in linked_by(one) if a == person):
            (link,) = (
                link
                for link in links
                if link.relative_id == relative and one.event_id in link.event_ids
            )
            assert link.status == (
                LinkStatus.LINK_STATUS_RETRACTED
                if set(link.event_ids) <= voided
                else LinkStatus.LINK_STATUS_ASSERTED
            )


# Proof. Nothing of `ledger.merkle` is used here.


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree_hash(leaves[:split]), tree_hash(leaves[split:]))


def is_included(entry: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    at, last, found = index, size - 1, leaf(entry)
    for sibling in path:
        if last == 0:
            return False
        if at % 2 or at == last:
            found = node(sibling, found)
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            found = node(found, sibling)
        at, last = at // 2, last // 2
    return last == 0 and found == root


def has_grown(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """RFC 9162, 2.1.4.2."""
    if first in (0, second):
        return not path and (first == 0 or first_root == second_root)
    hashes = list(path) if first & (first - 1) else [first_root, *path]
    at, last = first - 1, second - 1
    while at % 2:
        at, last = at // 2, last // 2
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            old, new = node(sibling, old), node(sibling, new)
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            new = node(new, sibling)
        at, last = at // 2, last // 2
    return last == 0 and (old, new) == (first_root, second_root)


def kept_bytes(ledger: Ledger) -> list[bytes]:
    """The bytes of every entry, as they are on disk."""
    size = ledger.log.entries.size()
    return [one.data for one in ledger.log.entries.page(DCBQuery(), 0, size, size)]


@tried(5)
@given(history=histories())
def test_every_receipt_proves_that_the_event_was_kept(database_url: str, history: History) -> None:
    with opened(database_url) as ledger:
        for events in history.appends:
            reply = append(ledger, events, prove=True)
            assert [one.event_id for one in reply.receipts] == [one.event_id for one in events]
            for sent, receipt in zip(events, reply.receipts, strict=True):
                kept = get_event(ledger, GetEventRequest(event_id=receipt.event_id))
                entry = Entry.FromString(kept.entry_bytes)
                assert entry.event == sent
                assert entry.record_time == receipt.record_time
                assert kept.event.position == receipt.position
                assert leaf(kept.entry_bytes) == receipt.leaf_hash
                size, root = reply.stamp.size, reply.stamp.root
                path = list(receipt.inclusion_path)
                assert is_included(kept.entry_bytes, receipt.position - 1, size, path, root)
                assert not is_included(
                    kept.entry_bytes + b"\0", receipt.position - 1, size, path, root
                )
        leaves = [leaf(one) for one in kept_bytes(ledger)]
        assert len(leaves) == len(history.events)
        assert tree_hash(leaves) == reply.stamp.root
        for receipt in reply.receipts:
            for size in range(receipt.position, len(leaves) + 1):
                proof = get_inclusion_proof(
                    ledger, GetInclusionProofRequest(event_id=receipt.event_id, size=size)
                )
                path = list(proof.inclusion_path)
                root = tree_hash(leaves[:size])
                assert proof.checkpoint.root == root
                assert is_included(proof.entry_bytes, proof.position - 1, size, path, root)


@tried(3)
@given(counts=st.lists(st.sampled_from([1, 2, 100, 254, 255, 256, 257]), min_size=3, max_size=4))
def test_any_two_checkpoints_are_of_one_log(database_url: str, counts: list[int]) -> None:
    with opened(database_url) as ledger:
        checkpoints = {0: get_checkpoint(ledger, GetCheckpointRequest()).checkpoint.root}
        for count in counts:
            events = [event(PersonRegistered(person_id=id_of(uuid4().hex))) for _ in range(count)]
            append(ledger, events)
            now = get_checkpoint(ledger, GetCheckpointRequest()).checkpoint
            checkpoints[now.size] = now.root
        leaves = [leaf(one) for one in kept_bytes(ledger)]
        assert len(leaves) == sum(counts)
        for size in {1, 2, 3, *range(250, 260), *range(510, 514)} - checkpoints.keys():
            if size <= len(leaves):
                request = GetCheckpointRequest(size=size)
                checkpoints[size] = get_checkpoint(ledger, request).checkpoint.root
        for size, root in checkpoints.items():
            assert root == tree_hash(leaves[:size])
        for first, second in combinations(sorted(checkpoints), 2):
            proof = get_consistency_proof(
                ledger, GetConsistencyProofRequest(first_size=first, second_size=second)
            )
            roots = checkpoints[first], checkpoints[second]
            assert proof.second.root == checkpoints[second]
            assert has_grown(first, second, *roots, list(proof.consistency_path))


# Again, and elsewhere


def without_news(receipt: Receipt) -> Receipt:
    """A receipt but for whether it is the first."""
    plain = Receipt()
    plain.CopyFrom(receipt)
    plain.ClearField("already_recorded")
    return plain


@tried(6)
@given(history=histories(), data=st.data())
def test_appending_again_in_whole_or_in_part_gives_the_first_receipts(
    database_url: str, history: History, data: st.DataObject
) -> None:
    with opened(database_url) as ledger:
        first: dict[str, Receipt] = {}
        for index, events in enumerate(history.appends):
            # Some of what is there already comes along with what is new.
            overlap = data.draw(st.sampled_from([(), *history.appends[:index]]))
            reply = append(ledger, [*overlap, *events])
            for receipt in reply.receipts:
                known = first.setdefault(receipt.event_id, receipt)
                assert without_news(receipt) == without_news(known)
                assert receipt.already_recorded == (known is not receipt)
            assert append(ledger, events).stamp == reply.stamp
        assert [one.position for one in first.values()] == list(range(1, len(first) + 1))
        assert list(first) == [one.event_id for one in history.events]
        start = data.draw(st.integers(0, len(history.events) - 1))
        for again in (history.events, history.events[start:], history.events[: start + 1]):
            repeated = append(ledger, again)
            assert repeated.stamp == reply.stamp
            assert all(one.already_recorded for one in repeated.receipts)
            for receipt in repeated.receipts:
                assert without_news(receipt) == without_news(first[receipt.event_id])
        assert len(kept_bytes(ledger)) == len(first)


@tried(4)
@given(history=histories())
def test_every_store_comes_to_the_same_root(
    postgres_of: Callable[[str], object], tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    found = {}
    for store in ("sqlite", *VERSIONS):
        url = (
            f"sqlite:///{tmp_path_factory.mktemp('agreement') / 'ledger.db'}"
            if store == "sqlite"
            else postgres_of(store).create_database()
        )
        with opened(url, ticking()) as ledger:
            replies = append_all(ledger, history)
            answer = answers(ledger, history, basis(LATER_US))
            found[store] = [one.SerializeToString(deterministic=True) for one in replies], answer
    sealed: dict[str, bytes] = {}
    for events, reply in zip(history.appends, replies, strict=True):
        for one, receipt in zip(events, reply.receipts, strict=True):
            entry = Entry(record_time=receipt.record_time, event=one)
            sealed[one.event_id] = leaf(entry.SerializeToString(deterministic=True))
    assert tree_hash(list(sealed.values())) == replies[-1].stamp.root
    for store, one in found.items():
        assert one == found["sqlite"], store
