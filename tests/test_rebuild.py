"""Rebuilding tables: broken off, resumed, beside others."""

import copy
from itertools import pairwise

import pytest
import sqlalchemy as sa
from conftest import ticking
from events import event, id_of, place

import projections
from ledger.append import append_events
from ledger.ask.population import list_roster
from ledger.ask.relatives import get_family
from ledger.errors import LedgerError
from ledger.store import generations, making
from ledger.store.folding import Folded, Folder, Task
from ledger.store.generations import Generation, Generations, State
from ledger.store.populations import Populations
from ledger.store.tables import generation, period
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


def answers(populations, name: str, size: int) -> Generation:
    """The tables that answer at a size, now."""
    return populations.ask(name, size, 0, lambda live: live)


def test_an_earlier_version_serves_while_the_later_one_is_made(open_ledger, monkeypatch) -> None:
    """As far as it has come: what is beyond is refused, and not answered without what came after."""
    ledger = open_ledger()
    people(ledger)
    ledger._follower.close()
    monkeypatch.setattr(custody, "version", custody.version + 1)
    found = Populations(ledger._database, ledger.log, projections.load())
    found.prepare()
    append(ledger, [event(Apprehended(person_ids=[id_of("late")], agency="ORR"), 2)])
    size = found.catch_up()

    assert answers(found, "custody", PEOPLE).version == custody.version - 1
    assert answers(found, "separation", size).position == size
    with pytest.raises(LedgerError, match=f"come to size {PEOPLE}, not to {size}"):
        answers(found, "custody", size)
    assert {name for _, name in found.differences()} == set()

    assert found.go_on()
    with pytest.raises(LedgerError, match="come to size"):
        answers(found, "custody", size)
    # Broken off, another process goes on where it was.
    found = Populations(ledger._database, ledger.log, projections.load())
    found.prepare()
    while found.go_on():
        pass

    assert answers(found, "custody", size).version == custody.version
    generations = found.generations.all()
    assert [one.projection for one in generations] == WITH_TABLES
    assert {one.state for one in generations} == {State.LIVE}
    assert count(ledger) == PEOPLE + 1
    assert list(found.differences()) == []


def test_a_log_that_has_no_tables_is_served_at_once_and_gets_them(open_ledger) -> None:
    ledger = open_ledger(name="bare")
    people(ledger)
    ledger.close()
    with ledger._database.writing() as connection:
        for one in (period, generation):
            connection.execute(sa.delete(one).where(one.c.log == ledger.log.id))

    ledger = open_ledger(name="bare")
    ledger.populations.ask("custody", PEOPLE, 60, lambda _: None)

    assert count(ledger) == PEOPLE


def test_two_processes_that_make_the_same_tables_make_them_once(open_ledger, monkeypatch) -> None:
    ledger = open_ledger()
    people(ledger)
    ledger._follower.close()
    monkeypatch.setattr(custody, "version", custody.version + 1)
    one, other = (Populations(ledger._database, ledger.log, projections.load()) for _ in range(2))
    one.prepare()
    other.prepare()
    fold = Folder.fold

    def overtaken(self: Folder, task: Task) -> Folded:
        monkeypatch.setattr(Folder, "fold", fold)
        assert other.go_on()
        return fold(self, task)

    monkeypatch.setattr(Folder, "fold", overtaken)
    while one.go_on():
        pass

    assert len(one.generations.all()) == len(WITH_TABLES)
    assert count(ledger) == PEOPLE
    assert list(one.differences()) == []


def test_how_far_tables_are_behind_is_told_in_entries_and_in_seconds(open_ledger) -> None:
    ledger = open_ledger(clock=ticking(step_us=1_000_000))
    append(
        ledger,
        [event(Apprehended(person_ids=[id_of(f"p-{i}")], agency="ORR"), 2) for i in range(9)],
    )
    first, last = (ledger.log.entries.record_us(one) for one in (3, 9))

    assert ledger.populations.lag_s(3, 9) == (last - first) / 1e6
    assert ledger.populations.lag_s(9, 9) == 0


def test_every_table_is_rebuilt_in_one_pass(open_ledger, monkeypatch) -> None:
    ledger = open_ledger()
    people(ledger)
    tasks = []
    fold = Folder.fold
    monkeypatch.setattr(Folder, "fold", lambda self, task: tasks.append(task) or fold(self, task))

    rebuilt = ledger.populations.rebuild_all()

    assert [one.projection for one in rebuilt] == WITH_TABLES
    assert not any(one.differing for one in rebuilt)
    folded = [one for task in tasks if task.kind == "person" for one in task.subject_ids]
    assert len(folded) == len(set(folded)) == PEOPLE


def edition(ledger, version: int) -> Populations:
    """The tables as an edition has them in which custody is of this version."""
    later = copy.copy(custody)
    object.__setattr__(later, "version", version)
    every = {**projections.load(), custody.name: later}
    return Populations(ledger._database, ledger.log, every)


def apprehended(ledger, prefix: str, number: int = 9) -> None:
    events = [
        event(Apprehended(person_ids=[id_of(f"{prefix}-{i}")], agency="ORR"), 2)
        for i in range(number)
    ]
    append(ledger, events)


def test_an_earlier_edition_makes_nothing_of_a_later_one(open_ledger) -> None:
    ledger = open_ledger()
    ledger._follower.close()
    apprehended(ledger, "a")
    later, earlier = (edition(ledger, custody.version + one) for one in (1, 0))
    later.prepare()
    while later.go_on():
        pass
    # A rebuild by the later edition that was broken off as it began.
    begun = later.generations.make("custody", custody.version + 1, 9)

    assert not earlier.go_on()

    assert later.generations.get(begun.number) == begun


def test_tables_are_made_and_dropped_a_step_a_call(open_ledger, monkeypatch) -> None:
    """Those that are in use move on in between."""
    ledger = open_ledger()
    ledger._follower.close()
    apprehended(ledger, "a")
    ledger.populations.catch_up()
    found = edition(ledger, custody.version + 1)
    found.prepare()
    apprehended(ledger, "b")
    monkeypatch.setattr(making, "CATCH_UP_MAX", 2)
    monkeypatch.setattr(generations, "DELETE_MAX", 2)

    made, left = [], []
    while found.go_on():
        with ledger._database.reading.connect() as connection:
            for one in found.generations.all_on(connection):
                theirs = (period.c.log == ledger.log.id, period.c.generation == one.number)
                rows = sa.select(sa.func.count()).select_from(period).where(*theirs)
                if one.projection == "custody" and one.state == State.MAKING:
                    made.append(one.position)
                elif one.projection == "custody" and one.state == State.RETIRED:
                    left.append(connection.execute(rows).scalar_one())

    assert sorted({*made}) == [9, 11, 13, 15, 17]
    assert len(left) > 2
    assert all(before - after in {0, 2} for before, after in pairwise(left))
    assert answers(found, "custody", 18).version == custody.version + 1


def test_tables_that_another_process_took_less_far_are_taken_all_the_way(
    open_ledger, monkeypatch
) -> None:
    ledger = open_ledger()
    ledger._follower.close()
    apprehended(ledger, "a")
    fold = Folder.fold

    def overtaken(self: Folder, task: Task) -> Folded:
        monkeypatch.setattr(Folder, "fold", fold)
        ledger.populations.catch_up_some(4)
        return fold(self, task)

    monkeypatch.setattr(Folder, "fold", overtaken)

    assert ledger.populations.catch_up() == 9
    assert {one.position for one in ledger.populations.generations.all()} == {9}
