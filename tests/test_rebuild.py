"""Rebuilding tables: broken off, resumed, beside others."""

import pytest
from events import event, id_of, place

import projections
from ledger.append import append_events
from ledger.ask.population import list_roster
from ledger.ask.relatives import get_family
from ledger.store.generations import Generations, State
from ledger.v1.custody_pb2 import Apprehended, Placed
from ledger.v1.custody_query_service_pb2 import GetFamilyRequest, ListRosterRequest
from ledger.v1.family_pb2 import RelationshipAsserted, RelationshipKind
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from projections.custody import custody

PEOPLE = 1_200
WITH_TABLES = sorted(name for name, one in projections.load().items() if one.populations)


class PowerCutError(BaseException):
    """Nothing after it is done."""


def append(ledger, events) -> None:
    for start in range(0, len(events), 500):
        request = AppendEventsRequest(events=events[start : start + 500])
        append_events(ledger, request, 60)


def people(ledger) -> None:
    append(
        ledger,
        [
            event(Placed(child_id=id_of(f"p-{i}"), agency="ORR", facility=place("Casa")), 1)
            for i in range(PEOPLE)
        ],
    )
    # A machine that does much else needs longer for so many than a question waits.
    ledger.populations.catch_up()


def count(ledger) -> int:
    return list_roster(ledger, ListRosterRequest(agency="ORR", count_only=True)).total_size


def test_a_rebuild_broken_off_half_way_goes_on_where_it_was(open_ledger) -> None:
    ledger = open_ledger()
    people(ledger)
    assert count(ledger) == PEOPLE

    def cut(done: int, _total: int) -> None:
        if done > PEOPLE // 2:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        ledger.populations.rebuild("custody", cut)
    assert ledger.populations.generations.find("custody", State.MAKING).subject_done > 0
    append(ledger, [event(Apprehended(person_ids=[id_of("late")], agency="ORR"), 2)])
    seen = []
    rebuilt = ledger.populations.rebuild("custody", lambda done, _total: seen.append(done))

    assert rebuilt.differing == []
    assert min(seen) > PEOPLE // 2
    assert count(ledger) == PEOPLE + 1


@pytest.mark.parametrize("step", ["drop", "change_over"])
def test_a_rebuild_broken_off_at_the_end_leaves_nothing_half_served(
    open_ledger, monkeypatch, step
) -> None:
    """Tables that were retired, or have caught up already, are not taken for ones being made."""
    ledger = open_ledger()
    people(ledger)
    assert count(ledger) == PEOPLE

    def cut(*_: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as broken:
        broken.setattr(Generations, step, cut)
        with pytest.raises(PowerCutError):
            ledger.populations.rebuild("custody")
    append(ledger, [event(Apprehended(person_ids=[id_of("late")], agency="ORR"), 2)])
    assert count(ledger) == PEOPLE + 1

    assert ledger.populations.rebuild("custody").differing == []
    assert count(ledger) == PEOPLE + 1
    generations = ledger.populations.generations.all()
    assert [one.projection for one in generations] == WITH_TABLES
    assert {one.state for one in generations} == {State.LIVE}
    assert list(ledger.populations.differences()) == []


def test_answers_stand_while_another_process_rebuilds(database_url, open_ledger) -> None:
    """Two ledgers on one log stand for two processes; SQLite has one that writes."""
    if database_url.startswith("sqlite"):
        one = other = open_ledger(name="shared")
    else:
        one, other = open_ledger(name="shared"), open_ledger(name="shared")
    people(one)

    for number in range(4):
        other.populations.rebuild("custody")
        assert count(one) == PEOPLE + number
        append(one, [event(Apprehended(person_ids=[id_of(f"x-{number}")], agency="ORR"), 2)])

    assert count(one) == count(other) == PEOPLE + 4


def test_more_subjects_in_one_append_than_a_statement_takes(open_ledger, monkeypatch) -> None:
    # The other tables would take as many subjects in the same way, and a minute longer.
    monkeypatch.setattr(projections, "load", lambda: {custody.name: custody})
    ledger = open_ledger()
    append(
        ledger,
        [
            event(Apprehended(person_ids=[id_of(f"{i}-{j}") for j in range(50)], agency="CBP"), 1)
            for i in range(500)
        ],
    )

    ledger.populations.catch_up()
    found = list_roster(ledger, ListRosterRequest(agency="CBP", count_only=True))
    assert found.total_size == 25_000


def test_a_family_too_large_to_show_is_shown_as_far_as_it_goes(open_ledger) -> None:
    ledger = open_ledger()
    mother = id_of("mother")
    append(
        ledger,
        [
            event(
                RelationshipAsserted(
                    person_id=id_of(f"c-{i}"),
                    relative_id=mother,
                    kind=RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT,
                ),
                1,
            )
            for i in range(250)
        ],
    )

    found = get_family(ledger, GetFamilyRequest(person_id=mother))

    assert found.truncated
    assert len(found.members) == 200
    assert {one.removes for one in found.members[1:]} == {1}
