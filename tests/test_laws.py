"""Laws: what holds of every history that anybody could tell the ledger, on every store.

What is true is said a second time here, by means that share nothing with the product: lists in
memory, hashlib, and rules of thumb.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import combinations, pairwise
from uuid import uuid4

import pytest
import sqlalchemy as sa
from conftest import STORES, ticking
from eventsourcing.dcb.api import DCBQuery
from events import day, event, id_of
from google.protobuf.message import Message
from histories import (
    AGENCIES,
    FACILITIES,
    FAMILIES,
    HORIZONS,
    INSTANTS,
    History,
    families_and_more,
    histories,
    late_histories,
    plain_histories,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import projections
from ledger.append import append_events
from ledger.ask import get_family, get_person, get_person_timeline, list_roster, list_separations
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.prove import get_checkpoint, get_consistency_proof, get_inclusion_proof
from ledger.read import get_event
from ledger.rpc.strict import check
from ledger.store import populations
from ledger.store.tables import period
from ledger.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
)
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_query_service_pb2 import (
    CustodyStatus,
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    LinkStatus,
    ListRosterRequest,
    ListSeparationsRequest,
    SeparationStatus,
)
from ledger.v1.event_pb2 import Entry, Event, PersonRegistered, Precision, Retracted
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    AppendEventsResponse,
    GetEventRequest,
    Receipt,
)
from projections.belief import OPEN, Membership, revise
from projections.custody import custody
from projections.history import facts
from projections.projection import Projection
from projections.separation import separation

TABLES = [custody, separation]
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


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    """A ledger is closed after each history: its follower is not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.store.log.POLL_S", 0.005)
        yield


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

    @tried(150)
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
            "ten kinds": len(kinds) >= 10,
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
    wanted |= {"retracted twice": 0.05, "separation and reunification": 0.2, "ten kinds": 0.2}
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
                    view = projection.fold(person, told, as_of_us)
                    state = projection.present(view).SerializeToString(deterministic=True)
                    assert sorted(
                        (one.population, one.state)
                        for one in at_known
                        if one.valid_from <= as_of_us < one.valid_to
                    ) == [(name, state) for name in sorted(projection.populations(view))]


@tried(7)
@given(history=histories(), data=st.data())
def test_the_tables_say_what_a_fold_of_what_was_appended_says(
    database_url: str, history: History, data: st.DataObject
) -> None:
    with opened(database_url) as ledger:
        append_all(ledger, history)
        size = len(history.events)
        for as_of_us in some_of(data, edges(history), 4):
            at_size = data.draw(st.integers(0, size) | st.sampled_from([1, size - 1, size]))
            known = {
                person: facts(entries_of(history, person, at_size)) for person in history.people
            }
            views = {person: custody.fold(person, known[person], as_of_us) for person in known}
            held = [
                (person, custody.present(view))
                for person, view in sorted(views.items())
                if view.status
                in (CustodyStatus.CUSTODY_STATUS_HELD, CustodyStatus.CUSTODY_STATUS_IN_TRANSFER)
            ]
            then = basis(as_of_us, at_size=at_size)
            for agency in AGENCIES:
                reply = list_roster(
                    ledger, ListRosterRequest(agency=agency, basis=then, page_size=1_000)
                )
                found = [(one.person_id, one.custody) for one in reply.people]
                assert found == [one for one in held if one[1].agency == agency]
                assert reply.total_size == len(found)
            facility = data.draw(st.sampled_from(FACILITIES))
            found = roster_of_facility(ledger, facility, then)
            assert found == [one for one in held if same_place(one[1].facility, facility)]
            separated = {
                person: separation.fold(person, known[person], as_of_us).separations
                for person in sorted(known)
            }
            for every in (False, True):
                request = ListSeparationsRequest(include_reunified=every, basis=then)
                reply = list_separations(ledger, request)
                wanted = {
                    person: [
                        one.event_id
                        for one in several
                        if every or one.status != SeparationStatus.SEPARATION_STATUS_REUNIFIED
                    ]
                    for person, several in separated.items()
                }
                assert [(one.child_id, one.event_id) for one in reply.separations] == [
                    (person, one) for person, several in wanted.items() for one in several
                ]
                assert reply.total_size == sum(map(bool, wanted.values()))


def roster_of_facility(ledger: Ledger, facility: str, then: Basis) -> list[tuple[str, Message]]:
    """Who is in a facility, page by page; nobody where the ledger has not heard of it."""
    found: list[tuple[str, Message]] = []
    request = ListRosterRequest(facility=facility, basis=then, page_size=2)
    while True:
        try:
            reply = list_roster(ledger, request)
        except LedgerError as refusal:
            assert refusal.name == "FACILITY_NOT_FOUND"
            return []
        found += [(one.person_id, one.custody) for one in reply.people]
        if not reply.next_page_token:
            return found
        request.page_token = reply.next_page_token


def same_place(one: str, other: str) -> bool:
    return one.lower().split() == other.lower().split()


@tried(7)
@given(history=plain_histories(), data=st.data())
def test_the_tables_say_what_a_rule_of_thumb_says(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """The latest fact that stands decides. Nothing of `projections` is used here."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        for as_of_us in some_of(data, edges(history), 4):
            at_size = data.draw(st.integers(0, len(history.events)))
            then = basis(as_of_us, at_size=at_size)
            told = sorted(standing(history, as_of_us, at_size), key=start_of)
            held = dict(sorted(plainly_held(told).items()))
            for agency in AGENCIES:
                reply = list_roster(ledger, ListRosterRequest(agency=agency, basis=then))
                assert {
                    one.person_id: (
                        one.custody.agency,
                        one.custody.facility,
                        one.custody.event_id,
                        one.custody.since_time.ToMicroseconds(),
                    )
                    for one in reply.people
                } == {person: state for person, state in held.items() if state[0] == agency}
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


def standing(history: History, as_of_us: int, size: int) -> list[Event]:
    """What is said of the world up to an instant by the first `size`, and not retracted by them."""
    voided = history.voided(size)
    return [
        one
        for one in history.events[:size]
        if one.event_id not in voided and start_of(one) <= as_of_us
    ]


def plainly_held(told: list[Event]) -> dict[str, tuple[str, str, str, int]]:
    """For each person in custody the agency, the place, the event, and since when."""
    held: dict[str, tuple[str, str, str, int]] = {}
    for one in told:
        since = one.event_id, start_of(one)
        match one.WhichOneof("fact"):
            case "apprehended":
                body = one.apprehended
                held |= dict.fromkeys(body.person_ids, (body.agency, body.place.name, *since))
            case "booked_in":
                body = one.booked_in
                held[body.person_id] = (body.agency, body.facility.name, *since)
            case "placed":
                held[one.placed.child_id] = (one.placed.agency, one.placed.facility.name, *since)
            case "released":
                held.pop(one.released.person_id, None)
            case "reunified":
                held.pop(one.reunified.child_id, None)
    return held


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
    with ledger.populations._database.reading.connect() as connection:
        wanted = sa.select(*columns).where(
            period.c.log == ledger.log.id, period.c.generation == number
        )
        return sorted(tuple(row) for row in connection.execute(wanted))


def live(ledger: Ledger, name: str) -> populations.Generation:
    return next(
        one for one in ledger.populations.generations() if one.live and one.projection == name
    )


@tried(6)
@given(history=histories())
def test_a_table_that_followed_entry_by_entry_is_the_one_made_at_once_and_the_one_rebuilt(
    database_url: str, history: History
) -> None:
    with opened(database_url) as ledger:
        ledger._follower.close()  # the tables move when the test says so
        for projection in TABLES:
            # A rebuild that began when the log was empty will catch up with all of it at once.
            ledger.populations._make(projection.name)
        append_all(ledger, history)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(populations, "CATCH_UP_MAX", 1)
            assert ledger.populations.catch_up() == len(history.events)
        for name in (projection.name for projection in TABLES):
            followed = live(ledger, name)
            rows = table(ledger, followed.number)
            digests = ledger.populations.digests(followed, len(history.events))
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
                event(AppendedPlaced(child_id=one, agency="ORR", facility={"name": "Ursula"}), 2)
                for one in everybody
            ],
        )
        ledger.populations.catch_up()
        before = live(ledger, custody.name)
        rows = table(ledger, before.number)
        with ledger.populations._database.writing() as connection:
            connection.execute(
                sa.update(period)
                .where(period.c.log == ledger.log.id, period.c.subject == everybody[1])
                .values(valid_to=OPEN - 1)
            )
        rebuilt = ledger.populations.rebuild(custody.name)
        assert rebuilt.differing == [sha256(everybody[1].encode()).digest()[0]]
        assert table(ledger, live(ledger, custody.name).number) == rows
