"""The twelve invariants of the domain, each for any history that can be told, on every store.

What is true is said a second time here, by means that share nothing with the product: lists in
memory, sets, hashlib. What else holds of every history stands in `test_laws`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from codes_baseline import BASELINE, in_force
from events import day, event, id_of
from google.protobuf.message import Message
from histories import (
    AGENCIES,
    FACILITIES,
    FAMILIES,
    INSTANTS,
    MONTH,
    PEOPLE,
    History,
    apart_facts,
    body_of,
    family_histories,
    handovers,
    histories,
    merging_facts,
    separations,
)
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    HORIZON_US,
    IN_CUSTODY,
    LATER_US,
    answers,
    append,
    append_all,
    as_kept,
    basis,
    edges,
    facts_of,
    kept_bytes,
    leaf,
    live,
    names,
    node,
    opened,
    questions,
    record_of,
    some_of,
    start_of,
    subjects_of_kind,
    table,
    tree_hash,
    tried,
    wide_questions,
)

import projections
from ledger.ask.person import get_person, get_person_timeline
from ledger.ask.population import list_roster, list_separations
from ledger.ask.queues import list_findings
from ledger.ask.relatives import get_family, locate_relatives
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.prove import get_checkpoint, get_consistency_proof, get_inclusion_proof
from ledger.read import get_event
from ledger.store import making
from ledger.store.tables import period
from ledger.v1 import audit_service_pb2, custody_query_service_pb2, ledger_service_pb2
from ledger.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
)
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_pb2 import AddressChanged, Placed
from ledger.v1.custody_query_service_pb2 import (
    GetFamilyRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    ListFindingsRequest,
    ListRosterRequest,
    ListSeparationsRequest,
    LocateRelativesRequest,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.family_pb2 import RelationshipAsserted, RelationshipKind
from ledger.v1.identity_pb2 import PersonRegistered, PersonsLinkedAsSame, PersonsUnlinked
from ledger.v1.ledger_service_pb2 import GetEventRequest, Receipt
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.view_pb2 import Custody, FamilyLink, LinkStatus, SeparationStatus
from projections.belief import revise
from projections.custody import custody
from projections.custody_view import present as present_custody
from projections.family import family
from projections.family import present as present_family
from projections.findings import findings
from projections.history import Fact
from projections.membership import LONG_US, OPEN, Membership
from projections.projection import Projection
from projections.separation import separation

WITH_TABLES = [one for one in projections.load().values() if one.populations]
DAY_US = 24 * 3_600 * 1_000_000
LONG_AGO_US = -LATER_US


# I-1. No event is removed or rewritten


_CHANGES = re.compile(r"^\s*(UPDATE|DELETE\s+FROM|INSERT\s+OR|REPLACE|TRUNCATE|DROP|ALTER)\s+(\w+)")
_MAY_CHANGE = {"head", "tile", "generation", "period"}
"""What an append moves along, and what is made from the log and can be made again."""


@contextmanager
def changes_of(ledger: Ledger) -> Iterator[list[tuple[str, str]]]:
    """(what is done, to which table) of every statement that is no plain insertion."""
    found: list[tuple[str, str]] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if match := _CHANGES.match(statement):
            found.append((match[1], match[2]))

    sa.event.listen(ledger._database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(ledger._database.engine, "before_cursor_execute", note)


@tried(3)
@given(history=histories(), data=st.data())
def test_i1_no_call_removes_or_rewrites_an_event(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-1: whatever is asked, appended, refused or rebuilt, the bytes that were kept stay."""
    with opened(database_url) as ledger, changes_of(ledger) as changes:
        kept: list[bytes] = []
        for events in history.appends:
            append(ledger, events)
            now = kept_bytes(ledger)
            assert now[: len(kept)] == kept
            kept = now
        taken = Event()
        taken.CopyFrom(data.draw(st.sampled_from(history.events)))
        taken.actor.actor_id = "somebody else"
        with pytest.raises(LedgerError, match="taken"):
            append(ledger, [taken])
        append(ledger, [event(PersonRegistered(person_id=PEOPLE[0]))], validate_only=True)
        answers(ledger, questions(history, basis(LATER_US)))
        for one in WITH_TABLES[:2]:
            ledger.populations.rebuild(one.name)
        assert kept_bytes(ledger) == kept
        assert len(kept) == len(history.events)
    assert {name for _, name in changes} <= _MAY_CHANGE
    assert {("UPDATE", "head"), ("UPDATE", "generation")} <= set(changes)


def test_i1_no_method_is_there_to_remove_or_rewrite() -> None:
    """I-1: the services ask, append and rebuild; nothing in them is named after taking away."""
    files = (ledger_service_pb2, custody_query_service_pb2, audit_service_pb2)
    methods = {
        method.name
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    first_words = {re.match("[A-Z][a-z]+", one)[0] for one in methods}
    assert "AppendEvents" in methods
    assert first_words.isdisjoint(
        {"Delete", "Remove", "Update", "Set", "Replace", "Purge", "Edit", "Patch", "Erase"}
    )


# I-2. Links survive


Pairs = Iterable[tuple[str, str]]


def of_two(body: Any) -> Pairs:
    return [(body.person_id, body.relative_id)]


def of_child(body: Any) -> Pairs:
    return [(body.child_id, adult) for adult in body.adult_ids]


def of_members(body: Any) -> Pairs:
    return combinations(body.member_ids, 2)


def of_carried(body: Any) -> Pairs:
    return [(one.person_id, other) for one in body.links for other in one.relative_ids]


LINKING: dict[str, Callable[[Any], Pairs]] = {
    "relationship_asserted": of_two,
    "link_evidence_attached": of_two,
    "relationship_verified": of_two,
    "relationship_disputed": of_two,
    "relationship_disproved": of_two,
    "family_group_formed": of_members,
    "family_group_reclassified": of_members,
    "match_confirmed": lambda body: [tuple(body.person_ids)],
    "separated": of_child,
    "reunified": of_child,
    "separation_authorized": of_child,
    "reunification_case_opened": of_child,
    "reunification_ruled_out": of_child,
    "reunification_waived": lambda body: [(body.child_id, body.adult_id)],
    "separation_contested": lambda body: [(body.child_id, body.contested_by_id)],
    "communication_occurred": lambda body: [(body.child_id, body.relative_id)],
    "referred_to_orr": lambda body: [(body.child_id, parent) for parent in body.parent_ids],
    "tracing_request_filed": lambda body: [(body.inquirer_id, body.sought_id)],
    "released": lambda body: [(body.person_id, body.sponsor_id)],
    "transfer_departed": of_carried,
    "transfer_arrived": of_carried,
}
"""By kind of event whom it says to belong together."""


def linked_by(one: Event) -> set[tuple[str, str]]:
    """The pairs that an event says belong together, each from both sides."""
    pairs = LINKING.get(one.WhichOneof("fact"), lambda _: ())(body_of(one))
    return {both for a, b in pairs if a and b for both in ((a, b), (b, a))}


def reached(links: set[tuple[str, str]], person: str) -> set[str]:
    """Everybody at the end of a chain of links, and the person."""
    found = {person}
    while more := {b for a, b in links if a in found} - found:
        found |= more
    return found


def same_people(history: History, size: int) -> dict[str, set[str]]:
    """For each record those that are of the same person: what was said last of a pair counts."""
    voided = history.voided(size)
    said = [
        (start_of(one), one.HasField("persons_unlinked"), position, one)
        for position, one in enumerate(history.events[:size], 1)
        if one.event_id not in voided
        and one.WhichOneof("fact") in ("persons_linked_as_same", "persons_unlinked")
    ]
    together: dict[frozenset[str], bool] = {}
    for _, unlinked, _, one in sorted(said, key=lambda of: of[:3]):
        ids = (one.persons_unlinked if unlinked else one.persons_linked_as_same).person_ids
        together |= dict.fromkeys(map(frozenset, combinations(ids, 2)), not unlinked)
    links = {tuple(pair) for pair, stands in together.items() if stands}
    both = links | {(b, a) for a, b in links}
    return {one: reached(both, one) for one in PEOPLE}


@tried(50)
@given(history=family_histories(), data=st.data())
def test_i2_the_fold_names_every_assertion_of_a_link(history: History, data: st.DataObject) -> None:
    """I-2, without a store: each assertion is named by a link of either side, and no other is."""
    size = data.draw(st.integers(1, len(history.events)))
    for person in history.people:
        links = present_family(family.fold(person, facts_of(history, person, size))).links
        require_every_assertion(links, {person}, history.events[:size], history.voided(size))
        assert {one.relative_id for one in links} == {
            relative
            for one in history.events[:size]
            for other, relative in linked_by(one)
            if other == person
        }


@tried(4)
@given(history=family_histories(), data=st.data())
def test_i2_a_link_once_asserted_is_in_every_later_answer(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-2: whatever is recorded after it, from either side, at whatever moment is asked about.

    Reclassifying, separating, disproving and retracting change its status, never whether it is
    there.
    """
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
                nearest = {relative for one, relative in links if one == person}
                assert {one.person_id for one in reply.members if one.removes == 1} == nearest
                herself = get_person(ledger, GetPersonRequest(person_id=person, basis=then))
                assert herself.links == members[person].links
                require_every_assertion(herself.links, {person}, told, history.voided(size))
                located = locate_relatives(
                    ledger, LocateRelativesRequest(person_id=person, basis=then)
                )
                assert {one.person_id for one in located.relatives} == nearest
            require_families(ledger, told, links, then)


def require_families(
    ledger: Ledger, told: list[Event], links: set[tuple[str, str]], then: Basis
) -> None:
    """A recorded family is everybody who was ever recorded in it, and whom links reach from them."""
    for family_id in FAMILIES:
        recorded = {
            member
            for one in told
            for body in (one.family_group_formed, one.family_group_reclassified)
            if body.family_id == family_id
            for member in body.member_ids
        }
        if recorded:
            reply = get_family(ledger, GetFamilyRequest(family_id=family_id, basis=then))
            assert {one.person_id for one in reply.members if one.removes == 0} == recorded
            assert {one.person_id for one in reply.members} == set().union(
                *(reached(links, one) for one in recorded)
            )


@tried(4)
@given(history=family_histories(merging=True), data=st.data())
def test_i2_a_link_survives_merging_and_unmerging(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-2: of a person with several records it is there under each, with a status, for ever."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        for size in some_of(data, list(range(1, len(history.events) + 1)), 3):
            told = history.events[:size]
            same = same_people(history, size)
            then = basis(data.draw(st.sampled_from(edges(history))), at_size=size)
            for person in history.people:
                if not history.about(person, size):
                    continue
                wanted = {
                    relative
                    for one in told
                    for other, relative in linked_by(one)
                    if other in same[person] and relative not in same[person]
                }
                herself = get_person(ledger, GetPersonRequest(person_id=person, basis=then))
                assert {*herself.same_person_ids} == same[person] - {person}
                assert {one.relative_id for one in herself.links} == wanted
                assert all(one.status for one in herself.links)
                require_every_assertion(herself.links, same[person], told, history.voided(size))
                located = locate_relatives(
                    ledger, LocateRelativesRequest(person_id=person, basis=then)
                )
                assert {one.person_id for one in located.relatives} == wanted
                assert all(
                    {*one.same_person_ids} == same[one.person_id] - {one.person_id}
                    for one in located.relatives
                )
                reply = get_family(ledger, GetFamilyRequest(person_id=person, basis=then))
                assert {one.person_id for one in reply.members} >= wanted | {person}


def require_every_assertion(
    links: Sequence[FamilyLink], persons: set[str], told: list[Event], voided: set[str]
) -> None:
    """Each assertion is named by one link, which is as retracted as all its assertions are."""
    for one in told:
        ends = {b for a, b in linked_by(one) if a in persons and b not in persons}
        for relative in ends:
            (link,) = (
                link
                for link in links
                if link.relative_id == relative and one.event_id in link.event_ids
            )
            is_retracted = link.status == LinkStatus.LINK_STATUS_RETRACTED
            assert is_retracted == (set(link.event_ids) <= voided)


# I-3. An answer depends on nothing but what was recorded by then


@tried(3)
@given(history=histories(), data=st.data())
def test_i3_what_was_answered_at_a_size_is_answered_at_that_size_for_ever(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-3: the answer as of T, known at K, is a function of the entries recorded by K alone."""
    as_of_us = data.draw(st.sampled_from(edges(history)))
    stops = some_of(data, history.sizes, 3)
    digests = {}
    with opened(database_url) as ledger:
        given_then = {}
        for events, size in zip(history.appends, history.sizes, strict=True):
            append(ledger, events)
            if size in stops:
                given_then[size] = answers(ledger, questions(history, basis(as_of_us)))
                ledger.populations.catch_up()
                for projection in WITH_TABLES:
                    of = live(ledger, projection.name)
                    digests[projection.name, size] = ledger.populations.periods.digests(of, size)
        assert given_then.keys() == set(stops)
        for size, then in given_then.items():
            assert answers(ledger, questions(history, basis(as_of_us, at_size=size))) == then
        for (name, size), digest in digests.items():
            assert ledger.populations.periods.digests(live(ledger, name), size) == digest


# I-4. Appending again changes nothing


def without_news(receipt: Receipt) -> Receipt:
    """A receipt but for whether it is the first."""
    plain = Receipt()
    plain.CopyFrom(receipt)
    plain.ClearField("already_recorded")
    return plain


@tried(4)
@given(history=histories(), data=st.data())
def test_i4_appending_again_in_whole_or_in_part_gives_the_first_receipts(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-4: an event is appended once by its id, however often it is sent."""
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


# I-5. A separation says why and from whom, or stands in a queue


@tried(5)
@given(history=histories(bodies=separations), data=st.data())
def test_i5_every_separation_has_a_reason_and_an_adult_or_stands_in_a_queue(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-5: one that lacks either is in the queue of that lack, and in no queue otherwise."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        size = data.draw(st.integers(1, len(history.events)))
        voided = history.voided(size)
        told = [
            one
            for one in history.events[:size]
            if one.HasField("separated") and one.event_id not in voided
        ]
        lacking = {
            "SEPARATION_WITHOUT_REASON": {
                one.event_id
                for one in told
                if {*one.separated.reason_codes} <= {"NOT_RECORDED"}
                or ([*one.separated.reason_codes] == ["OTHER"] and not one.separated.reason_text)
            },
            "SEPARATION_WITHOUT_PARENT": {
                one.event_id for one in told if not one.separated.adult_ids
            },
        }
        for rule_code, wanted in lacking.items():
            question = ListFindingsRequest(rule_code=rule_code, basis=basis(LATER_US, at_size=size))
            found = list_findings(ledger, question).findings
            assert {one.event_id for one in found} == wanted
            of = {one.event_id: one.separated.child_id for one in told}
            assert all(one.person_id == of[one.event_id] for one in found)


# I-6. Who departs arrives, is refused, or is looked for


ELSEWHERE = {"booked_in", "placed", "released", "reunified", "died", "removed", "absconded"}
"""What shows of somebody on the way where she is, or that she is in custody no more."""


@dataclass
class OnTheWay:
    """The hand-overs of one person that nothing has matched yet."""

    person: str
    waiting: dict[str, str] = field(default_factory=dict)
    """By transfer the first departure."""
    early: dict[str, int] = field(default_factory=dict)
    """Clocks differ: who is recorded to have arrived up to a day before she left has arrived."""
    excused: set[str] = field(default_factory=set)

    def tell(self, one: Event) -> None:
        kind, body = one.WhichOneof("fact"), body_of(one)
        if self.person in getattr(body, "person_ids", ()):
            if kind == "transfer_departed":
                self.depart(body.transfer_id, one)
            elif kind in ("transfer_arrived", "transfer_refused"):
                self.come(body.transfer_id, one)
            elif kind == "exceptional_circumstance_declared" and body.clock_code == "TRANSFER_24":
                self.excused |= {*self.waiting.values()}
        elif kind in ELSEWHERE and self.person in (
            getattr(body, "person_id", ""),
            getattr(body, "child_id", ""),
        ):
            self.waiting.clear()

    def depart(self, transfer_id: str, one: Event) -> None:
        # What is older than a day is another journey.
        if start_of(one) - self.early.pop(transfer_id, LONG_AGO_US) > DAY_US:
            self.waiting.setdefault(transfer_id, one.event_id)

    def come(self, transfer_id: str, one: Event) -> None:
        if self.waiting.pop(transfer_id, None) is not None:
            return
        if one.HasField("transfer_refused"):
            self.early.pop(transfer_id, None)
        else:
            self.early[transfer_id] = start_of(one)


def dangling(told: list[Event], person: str) -> set[str]:
    """The departures of a person that nothing has matched, of what is told in its order."""
    way = OnTheWay(person)
    for one in told:
        way.tell(one)
    return {*way.waiting.values()} - way.excused


@tried(5)
@given(
    history=histories(
        least=12,
        moves=("assert",) * 6 + ("retract",),
        people=(2, 3),
        whens=INSTANTS,
        distinct=True,
        bodies=handovers,
    ),
    data=st.data(),
)
def test_i6_every_departure_is_matched_or_stands_in_the_queue_of_those_dangling(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-6: a day after it, by an arrival or a refusal, or by what else shows where she is."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        departures = [
            start_of(one) + DAY_US + step
            for one in history.events
            if one.HasField("transfer_departed")
            for step in (0, 1)
        ]
        for as_of_us in some_of(data, [*departures, LATER_US], 4):
            size = data.draw(st.integers(1, len(history.events)))
            voided = history.voided(size)
            told = sorted(
                (
                    one
                    for one in history.events[:size]
                    if one.event_id not in voided and start_of(one) <= as_of_us
                ),
                key=start_of,
            )
            due = {one.event_id for one in told if start_of(one) + DAY_US < as_of_us}
            wanted = {(person, one) for person in PEOPLE for one in dangling(told, person) & due}
            question = ListFindingsRequest(
                rule_code="TRANSFER_DANGLING", basis=basis(as_of_us, at_size=size)
            )
            found = list_findings(ledger, question).findings
            assert {(one.person_id, one.event_id) for one in found} == wanted


# I-7. Tables = fold = rebuilt tables

Row = tuple[Membership, int, int]


def rows_of(
    projection: Projection, subject_id: str, history: History, stops: list[int]
) -> set[Row]:
    """The rows of the table after catching up to each of these sizes in turn."""
    rows: dict[tuple[str, int, int], Row] = {}
    after = 0
    for stop in stops:
        record = record_of(history, subject_id, stop)
        revision = revise([projection], record, after)[projection.name]
        for one, until in revision.closed:
            (key,) = (key for key, row in rows.items() if (row[0], row[2]) == (one, OPEN))
            assert key[2] <= after < until
            rows[key] = (one, key[2], until)
        for belief in revision.added:
            one = belief.membership
            key = (one.population, one.valid_from, belief.known_from)
            assert key not in rows
            rows[key] = tuple(belief)
        after = stop
    return set(rows.values())


@tried(30)
@given(
    history=histories(most=14, people=(2, 3), bodies=merging_facts),
    stops=st.sets(st.integers(1, 20)),
    data=st.data(),
)
def test_i7_what_is_believed_is_what_the_fold_says_at_every_size_and_instant(
    history: History, stops: set[int], data: st.DataObject
) -> None:
    """I-7, without a store: of every projection with tables, merges included.

    Of a person with several records one has the rows of all, and the others none.
    """
    size = len(history.events)
    some = data.draw(st.lists(st.sampled_from(edges(history)), min_size=3, max_size=3))
    for projection in WITH_TABLES:
        for subject in subjects_of_kind(history, projection.subject):
            at_once = rows_of(projection, subject, history, [size])
            assert at_once == rows_of(projection, subject, history, list(range(1, size + 1)))
            until = [one for one in sorted(stops) if one < size]
            assert at_once == rows_of(projection, subject, history, [*until, size])
            for one, _, _ in at_once:
                held_us = one.valid_to - one.valid_from
                assert 0 < held_us <= HORIZON_US or held_us > LONG_US
            ends = {near for one, _, _ in at_once for near in (one.valid_from, one.valid_to)}
            instants = {*some, *(one + step for one in ends for step in (-1, 0) if one != OPEN)}
            for known in some_of(data, list(range(size + 1)), 3):
                at_known = [one for one, since, till in at_once if since <= known < till]
                told = facts_of(history, subject, known)
                if not is_listed(history, subject, known):
                    assert at_known == []
                    continue
                for as_of_us in instants:
                    found = {
                        one.population: one.state
                        for one in at_known
                        if one.valid_from <= as_of_us < one.valid_to
                    }
                    view = projection.fold(subject, told, as_of_us)
                    assert found == shown(projection, view)


def shown(projection: Projection, view: object) -> dict[str, bytes]:
    return {
        name: message.SerializeToString(deterministic=True)
        for name, message in projection.populations(view).items()
    }


def is_listed(history: History, subject: str, size: int) -> bool:
    """Whether this is the record that stands for a person: of those that are the same, the first."""
    if subject not in PEOPLE:
        return True
    same = same_people(history, size)[subject]
    if len(same) == 1:
        return True
    return subject == first_named(history, same)


def first_named(history: History, same: set[str]) -> str:
    """The record that the log names first: in the order of the fields of the first event."""
    for one in history.events:
        text = one.SerializeToString()
        found = [(text.index(person.encode()), person) for person in same if names(one, person)]
        if found:
            return min(found)[1]
    return ""


def test_i7_a_link_of_two_relatives_is_none_once_they_are_one_person() -> None:
    """I-7: facts are told anew, in whatever steps, when those in them turn out to be of one."""
    one, other = PEOPLE[:2]
    parent = RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT
    link = PersonsLinkedAsSame(
        person_ids=[one, other], basis_text="one photograph", approved_by=["somebody", "another"]
    )
    bodies = [
        PersonRegistered(person_id=one, stated_age_years=3),
        Placed(child_id=one, agency="ORR", facility={"name": "Ursula"}),
        RelationshipAsserted(person_id=one, relative_id=other, kind=parent),
        link,
    ]
    history = History((tuple(event(body, 1) for body in bodies),))
    at_once = rows_of(findings, one, history, [4])
    assert at_once == rows_of(findings, one, history, [1, 2, 3, 4])
    unlinked = {(since, till) for of, since, till in at_once if "MINOR_UNLINKED" in of.population}
    assert unlinked == {(2, 3), (4, OPEN)}


@tried(4)
@given(history=histories(most=16, bodies=merging_facts), data=st.data())
def test_i7_the_tables_say_what_a_fold_of_what_was_appended_says(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-7: caught up append by append, at any size and instant, for every projection with tables."""
    with opened(database_url) as ledger:
        for events, size in zip(history.appends, history.sizes, strict=True):
            append(ledger, events)
            assert ledger.populations.catch_up() == size
        for projection in WITH_TABLES:
            rows = table(ledger, live(ledger, projection.name).number)
            for _ in range(2):
                at_size = data.draw(st.integers(0, size))
                as_of_us = data.draw(st.sampled_from(edges(history)))
                assert held_at(rows, as_of_us, at_size) == {
                    (ledger.log.vault.blinded(name), subject): state
                    for subject in subjects_of_kind(history, projection.subject)
                    if is_listed(history, subject, at_size)
                    for name, state in shown(
                        projection,
                        projection.fold(subject, facts_of(history, subject, at_size), as_of_us),
                    ).items()
                }


_COLUMNS = [one.name for one in period.c if one.name not in ("log", "generation")]


def held_at(
    rows: list[tuple[object, ...]], as_of_us: int, size: int
) -> dict[tuple[str, str], bytes]:
    """By population and subject what is shown; by looking at every row of a table."""
    found = {}
    for row in rows:
        one = dict(zip(_COLUMNS, row, strict=True))
        if (
            one["known_from"] <= size < one["known_to"]
            and one["valid_from"] <= as_of_us < one["valid_to"]
        ):
            key = (one["population"], one["subject"])
            assert key not in found
            found[key] = one["state"]
    return found


@tried(4)
@given(history=histories(most=14, bodies=merging_facts), data=st.data())
def test_i7_lists_say_what_a_fold_of_what_was_appended_says(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-7: as they are answered, page by page, and whatever moment is asked about."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        at_size = data.draw(st.integers(0, len(history.events)))
        known = {
            person: facts_of(history, person, at_size)
            for person in history.people
            if is_listed(history, person, at_size)
        }
        as_of_us = data.draw(st.sampled_from(edges(history)))
        for at_us in {*some_of(data, [*turns(known), as_of_us], 6)}:
            require_rosters(ledger, known, at_us, at_size)
        facility = data.draw(st.sampled_from(FACILITIES))
        then = basis(as_of_us, at_size=at_size)
        assert roster_of_facility(ledger, facility, then) == [
            one for one in in_custody(known, as_of_us) if same_place(one[1].facility, facility)
        ]
        require_separations(ledger, known, as_of_us, at_size)


def listed_by(message: Custody) -> list[str]:
    """The agencies on whose rosters a person in custody is: who holds her, and who says so too."""
    return [message.agency, *message.claimed_by]


def in_custody(known: dict[str, list[Fact]], as_of_us: int) -> list[tuple[str, Custody]]:
    """(person, custody) of those whom somebody holds, by the person."""
    folded = (
        (person, present_custody(custody.fold(person, known[person], as_of_us)))
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


@tried(2)
@given(history=histories(bodies=merging_facts), steps=st.lists(st.integers(1, 6), min_size=1))
def test_i7_a_table_that_followed_is_the_one_made_at_once_and_the_one_rebuilt(
    database_url: str, history: History, steps: list[int]
) -> None:
    """I-7: row for row, in whatever steps it followed, for every projection with tables."""
    size = len(history.events)
    with opened(database_url) as ledger:
        ledger._follower.close()  # the tables move when the test says so
        for projection in WITH_TABLES:
            # A rebuild that began when the log was empty will catch up with all of it at once.
            ledger.populations.generations.make(projection.name, projection.version, 0)
        append_all(ledger, history)
        with pytest.MonkeyPatch.context() as patch:
            for step in steps:
                patch.setattr(making, "CATCH_UP_MAX", step)
                ledger.populations.catch_up_some(size)
            assert ledger.populations.catch_up() == size
        for name in (projection.name for projection in WITH_TABLES):
            followed = live(ledger, name)
            rows = table(ledger, followed.number)
            digests = ledger.populations.periods.digests(followed, size)
            for _ in ("caught up at once", "folded subject by subject"):
                before = live(ledger, name).number
                rebuilt = ledger.populations.rebuild(name)
                assert live(ledger, name).number != before
                assert rebuilt.differing == []
                assert rebuilt.size == size
                assert rebuilt.digest == sha256(b"".join(digests)).digest()
                assert table(ledger, live(ledger, name).number) == rows
                assert table(ledger, before) == []
        assert list(ledger.populations.differences()) == []


def test_i7_a_rebuild_names_what_differed_and_puts_it_right(database_url: str) -> None:
    """I-7: and where they are not equal, whose rows differ is found and mended."""
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
                .where(
                    period.c.log == ledger.log.id,
                    period.c.generation == before.number,
                    period.c.subject == everybody[1],
                )
                .values(valid_to=OPEN - 1)
            )
        assert set(ledger.populations.differences()) == {(2, custody.name)}
        rebuilt = ledger.populations.rebuild(custody.name)
        assert rebuilt.differing == [sha256(everybody[1].encode()).digest()[0]]
        assert table(ledger, live(ledger, custody.name).number) == rows
        assert list(ledger.populations.differences()) == []


# I-8. The tree proves what was kept


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


@tried(4)
@given(history=histories())
def test_i8_every_receipt_proves_that_the_event_was_kept(
    database_url: str, history: History
) -> None:
    """I-8: its hash leads to the root that was answered with it, and to every later one."""
    with opened(database_url) as ledger:
        for events in history.appends:
            reply = append(ledger, events, prove=True)
            assert [one.event_id for one in reply.receipts] == [one.event_id for one in events]
            for sent, receipt in zip(events, reply.receipts, strict=True):
                kept = get_event(ledger, GetEventRequest(event_id=receipt.event_id))
                entry = Entry.FromString(kept.entry_bytes)
                assert entry.event == as_kept(history, sent)
                assert kept.event.entry.event == sent
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
def test_i8_any_two_checkpoints_are_of_one_log(database_url: str, counts: list[int]) -> None:
    """I-8: a later one holds every entry of an earlier one, in its place."""
    with opened(database_url) as ledger:
        ledger._follower.close()  # the tables are not looked at
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


# I-9. Heads are counted once


def stock(ledger: Ledger, agency: str, then: Basis) -> set[str]:
    return {
        one.person_id
        for one in list_roster(ledger, ListRosterRequest(agency=agency, basis=then)).people
    }


@tried(4)
@given(history=histories(bodies=merging_facts), data=st.data())
def test_i9_whoever_is_in_custody_is_on_exactly_the_rosters_that_hold_or_claim_her(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-9: the rosters together are those in custody, each person once under one of her records."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        for as_of_us in some_of(data, edges(history), 3):
            size = data.draw(st.integers(1, len(history.events)))
            then = basis(as_of_us, at_size=size)
            on = {agency: stock(ledger, agency, then) for agency in AGENCIES}
            held: dict[str, list[str]] = {}
            for person in history.people:
                if not history.about(person, size):
                    continue
                herself = get_person(ledger, GetPersonRequest(person_id=person, basis=then))
                her_records = {person, *herself.same_person_ids}
                wanted = listed_by(herself.custody) if herself.custody.status in IN_CUSTODY else []
                assert sorted(wanted) == sorted(
                    agency for agency in AGENCIES for _ in on[agency] & her_records
                )
                held[min(her_records)] = wanted
            assert sum(map(len, on.values())) == sum(map(len, held.values()))
            assert len(set().union(*on.values())) == sum(map(bool, held.values()))


@tried(4)
@given(history=histories(bodies=merging_facts), data=st.data())
def test_i9_what_a_roster_gains_between_two_moments_came_and_did_not_go(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-9: stock(t2) - stock(t1) = arrivals - departures, counted from the periods of everybody."""
    with opened(database_url) as ledger:
        append_all(ledger, history)
        size = data.draw(st.integers(1, len(history.events)))
        moves: dict[str, list[tuple[int, int]]] = {agency: [] for agency in AGENCIES}
        for person in history.people:
            if not history.about(person, size) or not is_listed(history, person, size):
                continue
            timeline = get_person_timeline(
                ledger,
                GetPersonTimelineRequest(person_id=person, basis=basis(LATER_US, at_size=size)),
            )
            for agency in AGENCIES:
                was_there = False
                for one in timeline.periods:
                    is_there = one.custody.status in IN_CUSTODY and agency in listed_by(one.custody)
                    if is_there != was_there:
                        step = 1 if is_there else -1
                        moves[agency].append((one.from_time.ToMicroseconds(), step))
                    was_there = is_there
        first, second = sorted(data.draw(st.sampled_from(edges(history))) for _ in range(2))
        for agency in AGENCIES:
            before = stock(ledger, agency, basis(first, at_size=size))
            after = stock(ledger, agency, basis(second, at_size=size))
            between = [step for at_us, step in moves[agency] if first < at_us <= second]
            assert len(after) - len(before) == sum(between)


# I-10. A correction changes no answer given before it


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


@tried(2)
@given(history=histories(most=16), data=st.data())
def test_i10_a_correction_changes_nothing_that_was_known_before_it(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-10: a retraction and the right fact change what is known from then on, and no answer
    that is known at an earlier moment."""
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
        before = [answers(ledger, questions(history, one)) for one in bases]
        assert before[0] == before[1]
        correction = correction_of(data, history)
        append(ledger, correction)
        assert [answers(ledger, questions(history, one)) for one in bases] == before
        # It does change what is known from then on.
        wrong = correction[1].corrects_event_id
        subject = next(one for one in history.people if names(correction[1], one))
        timeline = get_person_timeline(
            ledger, GetPersonTimelineRequest(person_id=subject, basis=basis(LATER_US))
        )
        events = {one.event.entry.event.event_id: one for one in timeline.events}
        assert events[wrong].retracted_by_event_id
        assert correction[1].event_id in events


# I-11. Linking and unlinking two records loses nothing


def without_stamp(ledger: Ledger, asked: list[tuple[Callable[..., Message], Message]]) -> list[str]:
    """What is answered, but for the size and root it was computed from."""
    found = []
    for ask, question in asked:
        try:
            reply = ask(ledger, question)
        except LedgerError as refusal:
            found.append(refusal.name)
            continue
        if "stamp" in reply.DESCRIPTOR.fields_by_name:
            reply.ClearField("stamp")
        for one in ("citation",):
            if one in reply.DESCRIPTOR.fields_by_name:
                getattr(reply, one).ClearField("size")
                getattr(reply, one).ClearField("root")
        found.append(f"{reply.DESCRIPTOR.name}\n{reply}")
    return found


@tried(4)
@given(history=histories(most=16, bodies=apart_facts), data=st.data())
def test_i11_two_records_are_one_while_linked_and_each_its_own_again_afterwards(
    database_url: str, history: History, data: st.DataObject
) -> None:
    """I-11: while linked, either answers for both and one is listed; unlinked, all is as before."""
    one, other = data.draw(
        st.lists(st.sampled_from(PEOPLE[:2] + history.people), min_size=2, max_size=2, unique=True)
    )
    as_of_us = data.draw(st.sampled_from(edges(history)))
    approved_by = ["somebody", "somebody else"]
    found_out = data.draw(st.integers(1, 40))
    with opened(database_url) as ledger:
        append_all(ledger, history)
        size = len(history.events)
        asked = [
            *(
                (ask, kind(person_id=person, basis=basis(as_of_us)))
                for person in PEOPLE
                if history.about(person, size)
                for ask, kind in (
                    (get_person, GetPersonRequest),
                    (get_family, GetFamilyRequest),
                    (locate_relatives, LocateRelativesRequest),
                )
            ),
            *wide_questions(basis(as_of_us)),
        ]
        before = without_stamp(ledger, asked)
        timelines = {person: told_of(ledger, person) for person in history.people}
        link = PersonsLinkedAsSame(
            person_ids=[one, other], basis_text="one photograph", approved_by=approved_by
        )
        append(ledger, [event(link, found_out, event_id=id_of("the link"))])
        require_one_person(ledger, one, other, basis(as_of_us))
        assert told_of(ledger, one) == told_of(ledger, other)
        assert set(told_of(ledger, one)) == {
            *timelines.get(one, ()),
            *timelines.get(other, ()),
            id_of("the link"),
        }
        unlink = PersonsUnlinked(
            person_ids=[one, other], reason_text="two fingerprints", approved_by=approved_by
        )
        append(ledger, [event(unlink, found_out + 1, event_id=id_of("the unlinking"))])
        assert without_stamp(ledger, asked) == before
        acts = {id_of("the link"), id_of("the unlinking")}
        for person, told in timelines.items():
            now = told_of(ledger, person)
            assert [one for one in now if one not in acts] == told
            assert set(now) - {*told} == (acts if person in (one, other) else set())


def test_i11_linking_and_unlinking_move_no_other_fact() -> None:
    """I-11: what is known to the month takes effect when it did, though they are of that month."""
    one, other = PEOPLE[:2]
    changed = AddressChanged(person_id=one, address={"state": "ADDRESS_STATE_BLANK"})
    approved_by = ["somebody", "another"]
    told = [
        event(changed, 1, precision=MONTH),
        event(
            PersonsLinkedAsSame(person_ids=[one, other], basis_text="x", approved_by=approved_by), 9
        ),
        event(
            PersonsUnlinked(person_ids=[one, other], reason_text="y", approved_by=approved_by), 10
        ),
    ]
    before, after = (
        {fact.event.event_id: fact.effective_us for fact in facts_of(history, one, 3)}
        for history in (History((tuple(told[:1]),)), History((tuple(told),)))
    )
    assert before.items() <= after.items()


def told_of(ledger: Ledger, person: str) -> list[str]:
    """The events of a person's timeline, in their order."""
    question = GetPersonTimelineRequest(person_id=person, basis=basis(LATER_US))
    return [one.event.entry.event.event_id for one in get_person_timeline(ledger, question).events]


def require_one_person(ledger: Ledger, one: str, other: str, then: Basis) -> None:
    """Either record answers the same, and only one of them is listed anywhere."""
    herself, as_other = (
        get_person(ledger, GetPersonRequest(person_id=person, basis=then)).SerializeToString()
        for person in (one, other)
    )
    # Ids are of one length, so that one can stand for the other in the bytes.
    assert herself.replace(other.encode(), one.encode()) == as_other.replace(
        other.encode(), one.encode()
    )
    for agency in AGENCIES:
        assert len(stock(ledger, agency, then) & {one, other}) <= 1
    every = ListSeparationsRequest(include_reunified=True, basis=then)
    children = {of.child_id for of in list_separations(ledger, every).separations}
    assert len(children & {one, other}) <= 1
    for rule_code in ("CUSTODY_CONFLICT", "SEPARATION_WITHOUT_PARENT", "MINOR_UNLINKED"):
        question = ListFindingsRequest(rule_code=rule_code, basis=then)
        found = {of.person_id for of in list_findings(ledger, question).findings}
        assert len(found & {one, other}) <= 1


# I-12. Codes stay


def test_i12_no_code_is_lost_or_given_other_dates() -> None:
    """I-12: a list grows; what a code meant for a day in the past it means for that day for ever.

    `codes_baseline.py` adds what is new to the baseline.
    """
    now = in_force()
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    differing = {
        (name, code): (dates, now.get(name, {}).get(code, "lost"))
        for name, codes in baseline.items()
        for code, dates in codes.items()
        if now.get(name, {}).get(code) != dates
    }
    assert differing == {}


def test_i12_every_code_is_in_the_baseline() -> None:
    """I-12: so that it holds of new codes, too. `codes_baseline.py` adds them."""
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    new = {
        (name, code)
        for name, codes in in_force().items()
        for code in codes.keys() - baseline.get(name, {}).keys()
    }
    assert new == set()
