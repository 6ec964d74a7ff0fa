"""Laws: what holds of every history that anybody could tell the ledger, on every store.

The invariants that the domain states are in `test_invariants`; here is what holds beside them.

What is true is said a second time here, by means that share nothing with the product: lists in
memory, hashlib, and rules of thumb.
"""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise

from google.protobuf.message import Message
from histories import (
    AGENCIES,
    CLOSE,
    INSTANTS,
    History,
    apart_facts,
    body_of,
    histories,
    late_histories,
    merging_facts,
    plain_histories,
)
from histories import facts as facts_told
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    IN_CUSTODY,
    LATER_US,
    append,
    append_all,
    as_kept,
    basis,
    edges,
    entries_of,
    facts_of,
    opened,
    questions,
    some_of,
    start_of,
    subjects_of_kind,
    tried,
)

import projections
from ledger.ask.citation import cite
from ledger.ask.person import get_person
from ledger.ask.population import list_numbers, list_roster, list_separations
from ledger.ask.publication import get_number
from ledger.ask.queues import list_findings
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.read import get_event
from ledger.rpc.strict import check
from ledger.v1.custody_query_service_pb2 import (
    GetPersonRequest,
    GetPersonResponse,
    GetPersonTimelineResponse,
    ListFindingsRequest,
    ListRosterRequest,
    ListSeparationsRequest,
    ReconcileListResponse,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, GetEventRequest
from ledger.v1.place_pb2 import Place
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import Custody, Finding, SeparationStatus
from projections.custody import custody
from projections.custody_view import present as present_custody
from projections.history import facts
from projections.projection import Projection
from projections.separation import separation

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


def test_every_kind_of_event_is_told() -> None:
    """None is left out: a retraction is a move of its own, nearly every other kind is a fact."""
    seen = Counter[str]()

    @tried(90)
    @given(bodies=st.lists(facts_told(5), min_size=80, max_size=80))
    def look(bodies: list[Message]) -> None:
        seen.update(one.DESCRIPTOR.name for one in bodies)

    look()
    fields = Event.DESCRIPTOR.oneofs_by_name["fact"].fields
    # Over loopback, where nobody is identified, nothing is erased.
    assert {one.message_type.name for one in fields} - seen.keys() == {
        "Retracted",
        "PersonalFieldsErased",
    }


# The tables, by a rule of thumb


@tried(5)
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


@tried(150)
@given(history=plain_histories(), data=st.data())
def test_the_fold_says_what_a_rule_of_thumb_says(history: History, data: st.DataObject) -> None:
    """The same without a store, and so at every instant of many more histories."""
    size = data.draw(st.integers(1, len(history.events)))
    for as_of_us in edges(history):
        told = sorted(standing(history, as_of_us, size), key=start_of)
        held = {}
        apart = {}
        for person in history.people:
            known = facts_of(history, person, size)
            view = custody.fold(person, known, as_of_us)
            if view.status in IN_CUSTODY:
                held[person] = Held.said_by(present_custody(view))
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
    claimed_at: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def said_by(cls, message: Custody) -> "Held":
        since_us = message.since_time.ToMicroseconds()
        claimed_by = tuple(message.claimed_by)
        return cls(message.agency, message.facility, message.event_id, since_us, claimed_by)


def plainly_held(told: list[Event]) -> dict[str, Held]:
    """Those in custody: the latest fact decides, unless it comes from where she is not."""
    held: dict[str, Held] = {}
    for one in told:
        for person in those_moved(one):
            if after := moved(held.pop(person, None), one):
                held[person] = after
    return held


def those_moved(one: Event) -> list[str]:
    match one.WhichOneof("fact"):
        case "apprehended":
            return list(one.apprehended.person_ids)
        case "booked_in" | "released":
            return [body_of(one).person_id]
        case "placed" | "reunified":
            return [body_of(one).child_id]
    return []


def moved(now: Held | None, one: Event) -> Held | None:
    match one.WhichOneof("fact"):
        case "apprehended":
            return apprehended(now, one)
        case "booked_in":
            return begun(now, one, one.booked_in.facility)
        case "placed":
            return begun(now, one, one.placed.facility)
    if now is None:
        return None
    agency = one.released.agency or now.agency  # a reunification ends it whoever says so
    # Nobody releases whom another holds; a claim is taken back.
    return left_by(now, one) if agency == now.agency else without(now, agency)


def begun(now: Held | None, one: Event, at: Place) -> Held:
    """Whoever receives her ends the claims of others; whoever has her already does not."""
    agency = body_of(one).agency
    begins = Held(agency, at.name, one.event_id, start_of(one))
    if now is None or now.agency != agency:
        return begins
    return replace(begins, claimed_by=now.claimed_by, claimed_at=now.claimed_at)


def left_by(now: Held, one: Event) -> Held | None:
    """Whoever claimed her first has her, once the one that held her does not."""
    if not now.claimed_by:
        return None
    first = Held(now.claimed_by[0], now.claimed_at[0], one.event_id, start_of(one))
    return replace(first, claimed_by=now.claimed_by[1:], claimed_at=now.claimed_at[1:])


def without(now: Held, agency: str) -> Held:
    kept = [one for one in zip(now.claimed_by, now.claimed_at, strict=True) if one[0] != agency]
    return replace(
        now,
        claimed_by=tuple(claimant for claimant, _ in kept),
        claimed_at=tuple(facility for _, facility in kept),
    )


def apprehended(now: Held | None, one: Event) -> Held:
    agency, place = one.apprehended.agency, one.apprehended.place
    if now is None or now.agency == agency:
        return begun(now, one, place)
    # Nobody is apprehended out of another's hands: both list her.
    others = without(now, agency)
    return replace(
        others,
        claimed_by=(*others.claimed_by, agency),
        claimed_at=(*others.claimed_at, place.name),
    )


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


# The log as it was


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
                entry = Entry.FromString(kept.entry_bytes)
                assert entry.event == as_kept(history, kept.event.entry.event)
                entry.event.CopyFrom(kept.event.entry.event)
                assert entry == kept.event.entry
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


# What is said in the order of the log, by its meaning: what was said of a number first, what was
# known as a departure was recorded, which of two records that are alike is the older,
# whether a court sealed a record last or opened it.
IN_THE_ORDER_OF_THE_LOG = {
    "guard": ("is_sealed", "sealed_at"),
    "number": ("said", "of_us"),
    "transfer": ("departed_position",),
    "likewise": ("position",),
}


def meaning(projection: Projection, view: object) -> object:
    """A view without what depends on the order of the log."""
    apart = IN_THE_ORDER_OF_THE_LOG.get(projection.name, ())
    start = projection.begin("")
    return replace(view, **{name: getattr(start, name) for name in apart})


@tried(60)
@given(history=late_histories(CLOSE, most=12, bodies=merging_facts), data=st.data())
def test_the_order_in_which_facts_are_learned_does_not_change_what_they_mean(
    history: History, data: st.DataObject
) -> None:
    """Of every projection, and of persons with several records, too."""
    size = len(history.events)
    other = History((shuffled(data, history),))
    instants = some_of(data, edges(history), 12)
    for projection in projections.load().values():
        for subject in subjects_of_kind(history, projection.subject):
            one, two = (facts_of(told, subject, size) for told in (history, other))
            for as_of_us in instants:
                assert meaning(projection, projection.fold(subject, one, as_of_us)) == meaning(
                    projection, projection.fold(subject, two, as_of_us)
                )


@tried(50)
@given(history=histories(whens=CLOSE, most=14, bodies=merging_facts), data=st.data())
def test_a_retracted_fact_says_as_little_as_one_that_was_never_told(
    history: History, data: st.DataObject
) -> None:
    """To every projection that does not show what was taken back."""
    size = len(history.events)
    voided = history.voided(size)
    kept = (
        one
        for one in history.events
        if one.event_id not in voided and not one.HasField("retracted")
    )
    standing_only = History((tuple(kept),))
    instants = some_of(data, edges(history), 12)
    for projection in projections.load().values():
        if projection.name in SHOWS_RETRACTED:
            continue
        for subject in subjects_of_kind(history, projection.subject):
            entries = entries_of(history, subject, size)
            told = {one.event_id for _, one in standing_only.record_of(subject, size)}
            never_told = [one for one in entries if one[1].event.event_id in told]
            one, two = facts(entries, subject), facts(never_told, subject)
            for as_of_us in instants:
                assert projection.fold(subject, one, as_of_us) == projection.fold(
                    subject, two, as_of_us
                )
            first: dict[str, str] = {}
            for _, entry in entries:
                void = entry.event.retracted.retracted_event_id
                first.setdefault(void, entry.event.event_id)
            for fact in one:
                assert fact.retracted_by == first.get(fact.event.event_id, "")


SHOWS_RETRACTED = {"family", "family_group", "holders", "findings", "encounter"}
"""A link and a number stay visible when they are taken back; the last two have links in them."""


def finally_true(ledger: Ledger, history: History, as_of_us: int) -> list[object]:
    """What is answered of everybody, without where and when it was recorded.

    Nor with what follows from when: whether a record is sealed, for how long an emergency opens it.
    What is committed to is so under keys of each ledger.
    """
    found: list[object] = []
    asked = questions(history, basis(as_of_us))
    # What was said of a number is told in the order in which it was said; a citation names a size.
    for ask, question in (one for one in asked if one[0] not in (get_number, list_numbers, cite)):
        try:
            reply = ask(ledger, question)
        except LedgerError as refusal:
            found.append(refusal.name)
            continue
        reply.ClearField("stamp")
        if isinstance(reply, ReconcileListResponse):
            reply.ClearField("citation")
        if isinstance(reply, GetPersonTimelineResponse):
            for one in reply.events:
                one.event.ClearField("position")
                one.event.entry.ClearField("record_time")
                for commitment in one.event.entry.commitments:
                    commitment.ClearField("hash")
        if isinstance(reply, GetPersonResponse):
            reply.protection.ClearField("sealed")
            reply.protection.emergency_accesses.sort(key=lambda one: one.event_id)
            for one in reply.protection.emergency_accesses:
                one.ClearField("since_time")
                one.ClearField("until_time")
        found.append(reply)
    return found


@tried(4)
@given(history=late_histories(INSTANTS, bodies=apart_facts), data=st.data())
def test_facts_learned_late_end_in_the_same_answers(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """Without merges: under which of her records a person is listed is the order of the log."""
    as_of_us = data.draw(st.sampled_from(edges(history)))
    with opened(database_url) as ledger:
        append_all(ledger, history)
        in_order = finally_true(ledger, history, as_of_us)
    with opened(database_url) as ledger:
        for one in shuffled(data, history):
            append(ledger, [one])
        assert finally_true(ledger, history, as_of_us) == in_order


# Findings


Key = tuple[str, str, str, tuple[str, ...]]

SEVERAL = {"IDENTIFIER_CONFLICT", "UNKNOWN_EVENT", "CITATION_NOT_REPRODUCED"}
"""Found by an append and not by a look at one person."""


def keys(found: Iterable[Finding]) -> set[Key]:
    return {
        (one.rule_code, one.person_id, one.event_id, tuple(one.known))
        for one in found
        if one.rule_code not in SEVERAL
    }


def stands(ledger: Ledger, people: list[str]) -> set[Key]:
    """The findings of these, as they are answered one by one."""
    found: set[Key] = set()
    for person in people:
        # Before the first event about her nobody knows her.
        with suppress(LedgerError):
            found |= keys(get_person(ledger, GetPersonRequest(person_id=person)).findings)
    return found


def one_person(ledger: Ledger, people: list[str]) -> dict[str, str]:
    """For each of these the first of the records that are of her."""
    found = {}
    for person in people:
        with suppress(LedgerError):
            answer = get_person(ledger, GetPersonRequest(person_id=person))
            found[person] = min([person, *answer.same_person_ids])
    return found


def of_person(key: Key, same: dict[str, str]) -> Key:
    rule_code, person_id, event_id, known = key
    known = tuple(same.get(one, one) for one in known)
    return (rule_code, same.get(person_id, person_id), event_id, known)


def conflicts(ledger: Ledger) -> set[str]:
    question = ListFindingsRequest(rule_code="IDENTIFIER_CONFLICT")
    return {one.person_id for one in list_findings(ledger, question).findings}


@tried(5)
@given(
    history=histories(
        moves=("assert",) * 6 + ("retract", "correct", "repeat"), bodies=merging_facts
    )
)
def test_the_findings_of_an_append_are_those_that_stand_after_it_and_did_not_before(
    database_url: str, history: History
) -> None:
    """And the same in a dry run before it, and when the events are sent again after it."""
    with opened(database_url) as ledger:
        before: set[Key] = set()
        for index, events in enumerate(history.appends):
            concerned = concerned_by(history, events)
            before = stands(ledger, concerned)
            in_dry_run = append(ledger, events, validate_only=True)
            assert stands(ledger, concerned) == before
            reply = append(ledger, events)
            assert reply.findings == in_dry_run.findings
            assert append(ledger, events).findings == reply.findings
            after = stands(ledger, concerned)
            # Of records that are of one person by then the same is said once, whichever it stood at.
            same = one_person(ledger, concerned)
            caused = {of_person(one, same) for one in keys(reply.findings)}
            assert caused == {of_person(one, same) for one in after} - {
                of_person(one, same) for one in before
            }, index
            numbers = {
                one.person_id for one in reply.findings if one.rule_code == "IDENTIFIER_CONFLICT"
            }
            assert numbers <= conflicts(ledger)


def concerned_by(history: History, events: Iterable[Event]) -> list[str]:
    """Those whom events, or what they retract, name, and everybody ever linked with them."""
    ids = {one.event_id for one in events}
    ids |= {one.retracted.retracted_event_id for one in events}
    size = max(position for position, one in enumerate(history.events, 1) if one.event_id in ids)
    return [
        person
        for person in history.people
        if ids & {one.event_id for _, one in history.record_of(person, size)}
    ]


# Elsewhere
