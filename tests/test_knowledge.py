"""What is learned entry by entry is what all entries together say."""

from histories import History, histories, merging_facts
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import entries_of, subjects_of_kind

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


def said(fact) -> tuple[object, ...]:
    """A fact, whatever object its event is."""
    event = fact.event.SerializeToString(deterministic=True)
    return fact.position, fact.effective_us, fact.retracted_by, fact.kind, event
