"""What is learned entry by entry is what all entries together say."""

from datetime import UTC, datetime

from events import event, id_of, place
from histories import History, histories, merging_facts
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import entries_of, subjects_of_kind

from ledger.v1.custody_pb2 import Apprehended, Placed
from ledger.v1.event_pb2 import Entry
from ledger.v1.time_pb2 import Precision
from projections.history import facts
from projections.knowledge import Knowledge
from projections.membership import OPEN
from projections.sameness import about, is_listed, linked_ids


@settings(max_examples=40)
@given(history=histories(most=20, people=(2, 3), bodies=merging_facts), data=st.data())
def test_facts_learned_one_by_one_are_the_facts_of_all(
    history: History, data: st.DataObject
) -> None:
    subject_id = data.draw(st.sampled_from(subjects_of_kind(history, "person")))
    entries = entries_of(history, subject_id, len(history.events))
    known = Knowledge(subject_id, entries)
    before = []
    for count in range(1, len(entries) + 1):
        kept, from_us = known.learn()

        told = entries[:count]
        if linked_ids(entries) and not linked_ids(told):
            told = about({subject_id}, told)
        wanted = facts(told, subject_id) if is_listed(subject_id, told) else []
        assert list(map(said, known.facts)) == list(map(said, wanted))
        assert list(map(said, known.facts[:kept])) == before[:kept]
        if from_us == OPEN:
            assert list(map(said, known.facts)) == before
        earlier = [one for one in before if one[1] < from_us]
        assert [one for one in map(said, known.facts) if one[1] < from_us] == earlier
        before = list(map(said, known.facts))


def test_a_month_is_moved_by_what_comes_first_late_in_it() -> None:
    child = id_of("child")
    bodies = [
        (Placed(child_id=child, agency="ORR", facility=place("One")), 1, Precision.PRECISION_MONTH),
        (
            Placed(child_id=child, agency="ORR", facility=place("Two")),
            2,
            Precision.PRECISION_MINUTE,
        ),
        (Apprehended(person_ids=[child], agency="CBP"), 20, Precision.PRECISION_MINUTE),
    ]
    entries = [
        (number, Entry(event=event(body, datetime(2018, 5, day, tzinfo=UTC), precision=precision)))
        for number, (body, day, precision) in enumerate(bodies, 1)
    ]
    known = Knowledge(child, entries)
    for _ in entries:
        known.learn()

    assert [one.position for one in known.facts] == [2, 3, 1]
    assert list(map(said, known.facts)) == list(map(said, facts(entries, child)))


def said(fact) -> tuple[object, ...]:
    """A fact, whatever object its event is."""
    event = fact.event.SerializeToString(deterministic=True)
    return fact.position, fact.effective_us, fact.retracted_by, fact.kind, event
