"""Nobody widens its own reach, guards are undone by who put them up, and few are told by nothing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from canaries import dump, files_of, filled_events, found_in, values_of
from events import MINUTE, event, id_of, place
from examples import CHILD, PARENT
from google.type.date_pb2 import Date
from guarded import Caller, Guarded
from test_access import GET_PERSON, held, kinds_in, of, outcome, registered, related, status_of
from test_access import sealing as sealed
from test_access import unsealing as unsealed

import ledger.append
import projections
from ledger.access import limits
from ledger.access.caller import Caller as Known
from ledger.access.limits import PEOPLE_OF_ONE_MAX, Limits
from ledger.access.policy import rules
from ledger.append import append_events
from ledger.ask.counts import count_separations
from ledger.entry import FORMAT, kind_of
from ledger.errors import LedgerError, StartupError
from ledger.keys import sealing
from ledger.keys.keyring import Keyring
from ledger.ledger import Ledger
from ledger.store.batch import Append, LedgerEvent
from ledger.store.examination import examine
from ledger.v1.audit_service_pb2 import ListAccessesRequest
from ledger.v1.custody_pb2 import Apprehended, TransferArrived
from ledger.v1.custody_query_service_pb2 import (
    CiteRequest,
    CountSeparationsRequest,
    GetPersonRequest,
    ListQueuesRequest,
    ListRosterRequest,
    LocateRelativesRequest,
    SeparationDimension,
)
from ledger.v1.event_pb2 import Approval, Entry, Event
from ledger.v1.family_pb2 import RelationshipDisputed
from ledger.v1.identity_pb2 import (
    PersonRegistered,
    PersonsLinkedAsSame,
    SpecialNeedRecorded,
)
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    EventFilter,
    GetEventRequest,
    Precondition,
    ReadEventsRequest,
)
from ledger.v1.options_pb2 import Role
from ledger.v1.oversight_pb2 import NumberPublished, Retracted
from ledger.v1.protection_pb2 import (
    ConfidentialityDeclared,
    EmergencyAccessOpened,
    LegalHoldLifted,
    LegalHoldPlaced,
    PersonalFieldsErased,
    RecordSealed,
)
from ledger.v1.separation_pb2 import ReunificationCaseOpened, Separated
from projections.subjects import people_of, subjects_of

LOCATE = "CustodyQueryService/LocateRelatives"
GET_EVENT = "LedgerService/GetEvent"
CITE = "CustodyQueryService/Cite"
UNSEEN = "SUBJECT_NOT_FOUND"
WAIT_S = 30


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarding")
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
        yield running


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def alone(url: str) -> Iterator[Ledger]:
    """A ledger of which nobody else knows."""
    ledger = Ledger(url)
    yield ledger
    ledger.close()


def tell(ledger: Ledger, *events: Event) -> None:
    append_events(ledger, AppendEventsRequest(events=events), WAIT_S)


def supervisor(guarded: Guarded, agency: str = "cbp") -> Caller:
    return guarded.person(f"{agency}-agency-supervisor", "s-1")


def moved(name: str, agency: str) -> Event:
    """That somebody has come to an agency."""
    transfer = id_of(f"transfer of {name}")
    body = TransferArrived(transfer_id=transfer, person_ids=[id_of(name)], agency=agency)
    return event(body, 2, agency=agency)


def appended(ledger: Ledger, entry: Entry) -> None:
    """Put an entry into the log as it stands, past everything that judges what is appended."""
    made = LedgerEvent(
        kind_of(entry.event),
        entry.SerializeToString(deterministic=True),
        subjects_of(entry.event),
        UUID(entry.event.event_id).bytes,
        event=entry.event,
    )
    ledger.log.append_group([Append([made])])


# Erasure.


def erasing(name: str) -> Event:
    body = PersonalFieldsErased(person_id=id_of(name), order_reference="19")
    return of(event(body, event_id=id_of(f"{name} erased")), "s-1")


def placing(name: str, on: Any = 1, agency: str = "CBP", **more: Any) -> Event:
    body = LegalHoldPlaced(person_id=id_of(name), hold_reference=f"hold on {name}")
    return event(body, on, agency=agency, **more)


def erased(guarded: Guarded, name: str) -> str:
    """What becomes of an erasure that two agencies approve."""
    one = erasing(name)
    return outcome(supervisor(guarded), one, guarded.approval("ORR", "s-2", one))


def test_a_number_with_the_id_of_a_person_leaves_nothing_of_hers_in_plain(
    alone: Ledger, url: str
) -> None:
    events = filled_events(but={"PersonalFieldsErased"})
    numbers = [
        event(NumberPublished(number_id=one, agency="CBP", title="held", value=1))
        for one in (CHILD, PARENT)
    ]
    size = alone.log.entries.size()
    # In one append, so that they are caught up with together.
    tell(alone, *events, *numbers)
    alone.populations.catch_up()
    assert alone.log.entries.size() == size + len(events) + 2
    values = values_of(events)

    assert values
    assert not found_in(dump(url), values)
    for path, content in files_of(url).items():
        assert not found_in(content, values), path


def test_nothing_is_erased_while_a_hold_stands_on_somebody_in_a_text_with_her(
    guarded: Guarded,
) -> None:
    both = RelationshipDisputed(
        person_id=id_of("g 1"), relative_id=id_of("g beside"), reason_text="no mother of hers"
    )
    guarded.tell(*held("g 1", "CBP"), *held("g beside", "ICE"), event(both))
    guarded.tell(placing("g beside"))

    assert erased(guarded, "g 1") == "LEGAL_HOLD"
    lifted = LegalHoldLifted(person_id=id_of("g beside"), hold_reference="hold on g beside")
    guarded.tell(event(lifted, 2))
    assert erased(guarded, "g 1") == "OK"


def test_nothing_is_erased_in_one_append_with_a_hold(guarded: Guarded) -> None:
    guarded.tell(*held("g 2", "CBP"))
    one = erasing("g 2")

    with pytest.raises(LedgerError) as refused:
        supervisor(guarded).append(
            one, of(placing("g 2"), "s-1"), approvals=[guarded.approval("ORR", "s-2", one)]
        )
    assert refused.value.name == "LEGAL_HOLD"
    assert erased(guarded, "g 2") == "OK"


def test_a_hold_counts_though_a_clock_that_is_ahead_says_that_it_begins_later(
    guarded: Guarded,
) -> None:
    soon = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=4)
    guarded.tell(*held("g 3", "CBP"), placing("g 3", soon, precision=MINUTE))

    assert erased(guarded, "g 3") == "LEGAL_HOLD"


def test_a_hold_that_comes_between_the_look_and_the_write_is_not_overtaken(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.tell(*held("g 4", "CBP"))
    sought = ledger.append.causes

    def overtaken(*about: Any) -> Any:
        monkeypatch.undo()
        guarded.tell(placing("g 4"))
        return sought(*about)

    monkeypatch.setattr(ledger.append, "causes", overtaken)
    assert erased(guarded, "g 4") == "LEGAL_HOLD"


def test_an_erasure_sent_again_under_a_later_hold_gets_its_first_receipt(guarded: Guarded) -> None:
    guarded.tell(*held("g 5", "CBP"))
    one, sender = erasing("g 5"), supervisor(guarded)
    statements = [guarded.approval("ORR", "s-2", one)]
    (first,) = sender.append(one, approvals=statements).receipts
    guarded.tell(placing("g 5"))

    (again,) = sender.append(one, approvals=statements).receipts
    assert again.already_recorded
    assert (again.position, again.leaf_hash) == (first.position, first.leaf_hash)


def test_an_old_wrapping_key_is_forgotten_though_it_failed_the_first_time(
    alone: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = registered("k 1")
    one.person_registered.birth_date.CopyFrom(Date(year=2012, month=3, day=4))
    tell(alone, one)
    ring = alone.log.vault.keyring
    old = dict(ring.wrapping)

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(ring, "forget_all_but", full)
    with pytest.raises(OSError, match="no space"):
        alone.log.vault.destroy([id_of("k 1")])
    assert old.items() <= ring.wrapping.items()
    monkeypatch.undo()

    alone.log.vault.destroy([id_of("k 1")])
    assert len(ring.wrapping) == 1
    assert not old.items() & ring.wrapping.items()
    kept = json.loads(ring.path.read_text(encoding="utf-8"))["wrapping"]
    assert {int(number) for number in kept} == set(ring.wrapping)


def test_what_an_earlier_format_holds_in_plain_is_shown_to_no_auditor_and_bars_an_erasure(
    guarded: Guarded,
) -> None:
    body = PersonRegistered(person_id=id_of("f 0"), birth_date=Date(year=2011, month=2, day=3))
    one = event(body, event_id=id_of("f 0 registered"))
    appended(guarded.ledger, Entry(event=one))
    auditor = guarded.caller("gao-auditor")
    about = EventFilter(items=[EventFilter.Item(subjects=[f"person:{id_of('f 0')}"])])
    plain = body.birth_date.SerializeToString()

    (batch,) = auditor.ask("LedgerService/ReadEvents", ReadEventsRequest(filter=about))
    by_id = GetEventRequest(event_id=one.event_id)
    told = auditor.ask(GET_EVENT, by_id)
    for found in (batch.events[0], told.event):
        assert found.entry.event.person_registered.person_id == id_of("f 0")
        assert not found.entry.event.person_registered.HasField("birth_date")
    for answer in (batch, told):
        assert plain not in answer.SerializeToString()
    # Who may read it does, and proves it.
    whole = guarded.caller("oig-investigator").ask(GET_EVENT, by_id)
    assert whole.event.entry.event == one
    assert plain in whole.entry_bytes

    assert erased(guarded, "f 0") == "NOT_ERASABLE"


# By whom guards are put up and undone.


def test_a_record_is_sealed_by_who_sees_it_and_erased_by_who_has_a_part_in_it(
    guarded: Guarded,
) -> None:
    guarded.tell(*held("w 1", "ICE"))
    seal = of(sealed("w 1"), "s-1")

    assert outcome(supervisor(guarded), seal, guarded.approval("CBP", "s-2", seal)) == UNSEEN
    assert erased(guarded, "w 1") == UNSEEN
    guarded.tell(registered("w 1", "ORR"))
    assert erased(guarded, "w 1") == "OK"


def test_a_seal_is_undone_with_the_word_of_the_agency_that_sealed(guarded: Guarded) -> None:
    guarded.tell(*held("u 1", "CBP"), sealed("u 1", agency="ORR"))
    one = of(unsealed("u 1"), "s-1")
    own = [guarded.approval("CBP", who, one) for who in ("s-2", "s-3")]

    assert outcome(supervisor(guarded), one, *own) == "APPROVAL_MISSING"
    assert status_of(guarded.caller("cbp-field-agent"), "u 1") == UNSEEN
    assert outcome(supervisor(guarded), one, guarded.approval("ORR", "o-1", one)) == "OK"
    assert status_of(guarded.caller("cbp-field-agent"), "u 1") == "OK"


def test_a_hold_is_lifted_with_the_word_of_the_agency_that_placed_it(guarded: Guarded) -> None:
    guarded.tell(*held("u 2", "CBP"), placing("u 2", agency="ORR"), placing("u 3"))
    lifted = LegalHoldLifted(person_id=id_of("u 2"), hold_reference="hold on u 2")
    one = of(event(lifted, 2), "s-1")
    own = [guarded.approval("CBP", who, one) for who in ("s-2", "s-3")]

    assert outcome(supervisor(guarded), one, *own) == "APPROVAL_MISSING"
    assert erased(guarded, "u 2") == "LEGAL_HOLD"
    # Nor is one lifted that nobody placed.
    other = of(event(LegalHoldLifted(person_id=id_of("u 2"), hold_reference="1"), 2), "s-1")
    both = [guarded.approval(agency, "x-1", other) for agency in ("ORR", "CBP")]
    assert outcome(supervisor(guarded), other, *both) == "APPROVAL_MISSING"
    assert outcome(supervisor(guarded), one, guarded.approval("ORR", "o-1", one)) == "OK"
    assert erased(guarded, "u 2") == "OK"


@pytest.mark.parametrize(("first", "opened", "again"), [(5, 5, 5), (5, 6, 5), (6, 7, 3)])
def test_what_is_sealed_unsealed_and_sealed_again_is_sealed(
    guarded: Guarded, first: int, opened: int, again: int
) -> None:
    """On one day of which nobody knows the hours, and where the last order is dated before."""
    name = f"sealed {first} {opened} {again}"
    guarded.tell(*held(name, "CBP"))
    agent = guarded.caller("cbp-field-agent")
    for told, expected in (
        (sealed(name, on=first), UNSEEN),
        (unsealed(name, on=opened), "OK"),
        (sealed(name, on=again), UNSEEN),
    ):
        guarded.tell(told)
        assert status_of(agent, name) == expected


def emergency(name: str, actor_id: str) -> Event:
    body = EmergencyAccessOpened(person_id=id_of(name), reason_text="a fever")
    body.until_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    return of(event(body), actor_id)


def test_an_emergency_is_a_persons_and_no_programs(guarded: Guarded) -> None:
    guarded.tell(*held("e 1", "ICE"), *held("e 2", "ICE"))
    program = guarded.caller("cbp-field-agent", purpose="EMERGENCY")
    for actor_id in ("", "f-1"):
        one = emergency("e 1", actor_id)
        approved = [guarded.approval("CBP", who, one) for who in ("s-1", "s-2")]
        assert outcome(program, one, *approved) == "ACTOR_NOT_CALLER"
    one = emergency("e 1", "f-1")
    agent = guarded.person("cbp-field-agent", "f-1", purpose="EMERGENCY")
    agent.append(one, approvals=[guarded.approval("CBP", who, one) for who in ("s-1", "s-2")])
    # As it could be recorded once.
    guarded.tell(emergency("e 2", ""))

    assert status_of(agent, "e 1") == "OK"
    assert {status_of(program, name) for name in ("e 1", "e 2")} == {UNSEEN}


# Whom an agency reaches.


def test_who_holds_a_child_finds_her_confidential_mother(guarded: Guarded) -> None:
    taken = Apprehended(person_ids=[id_of("m mother")], agency="ICE", place=place("Port Isabel"))
    declared = ConfidentialityDeclared(person_id=id_of("m mother"), ground_code="ASYLUM_208_6")
    guarded.tell(
        *held("m child", "ORR"),
        event(taken, agency="ICE", event_id=id_of("m taken")),
        event(declared, agency="ICE", event_id=id_of("m declared")),
        related("m child", "m mother", agency="CBP"),
    )
    request = LocateRelativesRequest(person_id=id_of("m child"))
    agent, investigator = guarded.caller("orr-field-agent"), guarded.caller("oig-investigator")

    (found,) = agent.ask(LOCATE, request).relatives
    assert (found.custody.agency, found.custody.facility) == ("ICE", "Port Isabel")
    assert status_of(agent, "m mother") == "OK"
    assert status_of(guarded.caller("cbp-field-agent"), "m mother") == UNSEEN
    # And who investigates sees her, but neither that she is confidential nor why.
    told = investigator.ask(GET_PERSON, GetPersonRequest(person_id=id_of("m mother")))
    assert told.custody.agency == "ICE"
    declaration = GetEventRequest(event_id=id_of("m declared"))
    for one in (agent, investigator):
        told = one.ask(GET_PERSON, GetPersonRequest(person_id=id_of("m mother")))
        assert not told.protection.confidential
        assert "confidentiality_declared" not in kinds_in(one, "m mother")
        assert one.refused(GET_EVENT, declaration).name == "EVENT_NOT_FOUND"


def test_nobody_reaches_a_stranger_by_a_link_of_its_own(guarded: Guarded) -> None:
    guarded.tell(*held("r 1", "CBP"), *held("r stranger", "ICE"))
    agent = guarded.caller("cbp-field-agent")

    for name, relative in (("r 1", "r stranger"), ("r stranger", "r 1")):
        assert outcome(agent, related(name, relative, agency="CBP")) == "OK"
        assert status_of(agent, "r stranger") == UNSEEN
    (found, *_) = agent.ask(LOCATE, LocateRelativesRequest(person_id=id_of("r 1"))).relatives
    assert (found.person_id, found.custody.agency) == (id_of("r stranger"), "")
    assert status_of(agent, "r 1") == "OK"
    guarded.tell(related("r 1", "r stranger", agency="ORR"))
    assert status_of(agent, "r stranger") == "OK"


def test_a_link_that_another_agency_has_taken_back_reaches_nobody(guarded: Guarded) -> None:
    """Though the agency's own assertion of the same link stands."""
    guarded.tell(*held("r 4", "CBP"), *held("r 5", "ICE"))
    guarded.tell(related("r 4", "r 5", event_id=id_of("r 4 link")))
    guarded.tell(related("r 4", "r 5", agency="CBP"))
    agent = guarded.caller("cbp-field-agent")
    assert status_of(agent, "r 5") == "OK"

    taken_back = Retracted(retracted_event_id=id_of("r 4 link"), reason_text="another child")
    guarded.tell(event(taken_back, agency="ORR"))
    assert status_of(agent, "r 5") == UNSEEN


def test_a_link_of_an_agencys_own_reaches_whom_it_held_once(guarded: Guarded) -> None:
    guarded.tell(*held("r 2", "CBP"), *held("r once", "CBP"), moved("r once", "ICE"))
    agent = guarded.caller("cbp-field-agent")
    assert status_of(agent, "r once") == UNSEEN

    guarded.tell(related("r 2", "r once", agency="CBP"))
    assert status_of(agent, "r once") == "OK"


def test_who_records_something_of_a_stranger_does_not_see_her(guarded: Guarded) -> None:
    guarded.tell(*held("r 3", "ICE"))
    need = SpecialNeedRecorded(person_id=id_of("r 3"), need_code="DEAF")
    writer = guarded.caller("cbp-agency-supervisor")

    assert outcome(writer, event(need)) == "OK"
    guarded.settle()
    assert status_of(writer, "r 3") == UNSEEN
    roster = writer.ask("CustodyQueryService/ListRoster", ListRosterRequest(agency="ICE"))
    assert id_of("r 3") not in {one.person_id for one in roster.people}


def test_a_case_reaches_nobody_whom_the_agency_that_leads_it_never_held(guarded: Guarded) -> None:
    guarded.tell(
        *held("c once", "ORR"),
        moved("c once", "ICE"),
        *held("c another's", "ORR"),
        moved("c another's", "ICE"),
        *held("c stranger", "ICE"),
        *(
            event(
                ReunificationCaseOpened(
                    case_id=id_of(f"case of {name}"), child_id=id_of(name), agency=agency
                ),
                agency=agency,
            )
            for name, agency in (("c once", "ORR"), ("c another's", "CBP"), ("c stranger", "ORR"))
        ),
    )
    names = ("c once", "c another's", "c stranger")
    cases = [id_of(f"case of {name}") for name in names]
    manager = guarded.person("orr-case-manager", "c-7", case_ids=cases)

    assert [status_of(manager, name) for name in names] == ["OK", UNSEEN, UNSEEN]
    guarded.settle()
    roster = manager.ask("CustodyQueryService/ListRoster", ListRosterRequest(agency="ICE"))
    listed = {one.person_id for one in roster.people}
    assert listed & {id_of(name) for name in names} == {id_of("c once")}


def test_a_strangers_record_is_joined_with_the_word_of_another_agency(guarded: Guarded) -> None:
    guarded.tell(*held("j 1", "CBP"), *held("j stranger", "ICE"), *held("j 2", "CBP"))

    def joining(other: str, approver: str) -> Event:
        body = PersonsLinkedAsSame(
            person_ids=[id_of("j 1"), id_of(other)],
            basis_text="prints",
            approved_by=["s-1", approver],
        )
        return of(event(body), "s-1")

    sender, one = supervisor(guarded), joining("j stranger", "s-2")
    own = [guarded.approval("CBP", who, one) for who in ("s-2", "s-3")]
    assert outcome(sender, one, *own) == "APPROVAL_MISSING"
    assert status_of(sender, "j stranger") == UNSEEN
    assert status_of(sender, "j 1") == "OK"
    theirs = joining("j stranger", "i-1")
    assert outcome(sender, theirs, guarded.approval("ICE", "i-1", theirs)) == "OK"
    hers = joining("j 2", "s-2")
    assert outcome(sender, hers, guarded.approval("CBP", "s-2", hers)) == "OK"


# What few are told by.


def test_a_limit_is_filled_with_what_the_caller_sees(guarded: Guarded) -> None:
    guarded.tell(*held("v hidden", "ICE"), *held("v hidden 2", "ICE"), *held("v seen", "CBP"))
    wanted = ReadEventsRequest(limit=1)
    for name in ("v hidden", "v hidden 2", "v seen"):
        wanted.filter.items.add(subjects=[f"person:{id_of(name)}"])

    found = guarded.caller("cbp-agency-supervisor").ask("LedgerService/ReadEvents", wanted)
    told = [people_of(one.entry.event) for batch in found for one in batch.events]
    assert told == [[id_of("v seen")]]


def test_few_are_not_told_by_what_is_cited_counted_or_not_found(guarded: Guarded) -> None:
    taken = Apprehended(person_ids=[id_of("q")], agency="CBP", place=place("Lone Post"))
    apart = Separated(
        child_id=id_of("q"),
        adult_unknown_reason="not asked",
        reason_codes=["ZERO_TOLERANCE"],
        agency="CBP",
        place=place("Lone Post"),
    )
    guarded.tell(event(taken), event(apart), sealed("q"))
    guarded.settle()
    one = guarded.caller("cbp-agency-supervisor")
    roster = ListRosterRequest(agency="CBP", facility="Lone Post")

    cited = one.ask(CITE, CiteRequest(list_roster=roster)).citation
    assert (cited.count, cited.sha256) == (0, sha256(b"").digest())
    refused = one.refused("CustodyQueryService/ListRoster", roster)
    never = ListRosterRequest(agency="CBP", facility="No Such Post")
    assert refused.name == "FACILITY_NOT_FOUND"
    assert str(refused) == str(one.refused("CustodyQueryService/ListRoster", never))
    # Who sees everybody is told as ever.
    whole = guarded.caller("gao-auditor").ask(CITE, CiteRequest(list_roster=roster)).citation
    assert (whole.count, whole.sha256) == (1, sha256(f"{id_of('q')}\n".encode()).digest())

    by_place = CountSeparationsRequest(by=[SeparationDimension.SEPARATION_DIMENSION_PLACE])
    told = one.ask("CustodyQueryService/CountSeparations", by_place)
    assert [list(cell.of) for cell in told.cells] == [["Lone Post"]]
    assert not told.cells[0].HasField("count")
    assert not told.HasField("total")
    here = count_separations(guarded.ledger, by_place)
    assert [cell.count for cell in here.cells] == [here.total] == [1]


def test_an_access_that_names_nobody_is_told_to_its_agency_and_to_auditors(
    guarded: Guarded,
) -> None:
    roster = ListRosterRequest(agency="ORR", facility="Nobody Is Here")
    guarded.caller("orr-agency-supervisor").ask(CITE, CiteRequest(list_roster=roster))
    guarded.caller("orr-field-agent").ask("CustodyQueryService/ListQueues", ListQueuesRequest())
    wanted = ListAccessesRequest(agency="ORR", page_size=1_000)

    def told(name: str) -> set[str]:
        found = guarded.caller(name).ask("AuditService/ListAccesses", wanted).accesses
        return {one.entry.access.method for one in found if not one.entry.access.person_ids}

    asked = {CITE, "CustodyQueryService/ListQueues"}
    assert not told("cbp-agency-supervisor")
    assert asked <= told("orr-agency-supervisor")
    assert asked <= told("gao-auditor")


def test_what_hidden_events_fail_is_still_failed_by_a_later_one_that_is_seen(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.tell(*held("p hidden", "ICE"), *held("p own", "CBP"))
    size = guarded.ledger.log.entries.size()
    unless = Precondition(after_position=size)
    for name in ("p hidden", "p own"):
        unless.no_events_match.items.add(subjects=[f"person:{id_of(name)}"])
    guarded.tell(registered("p hidden", "ICE"))
    agent = guarded.caller("cbp-field-agent")
    assert outcome(agent, registered("p own"), preconditions=[unless], validate_only=True) == "OK"
    submit, tries = guarded.ledger.writer.submit, count(1)

    def overtaken(append: Append) -> Any:
        # The first was failed by what is hidden; before it is tried again, something comes.
        if next(tries) == 2:
            monkeypatch.undo()
            guarded.tell(registered("p own"))
        return submit(append)

    monkeypatch.setattr(guarded.ledger.writer, "submit", overtaken)
    refused = outcome(agent, registered("p own"), preconditions=[unless])
    assert refused == "PRECONDITION_FAILED"


# Keys, limits, audits.


def test_a_keyring_that_is_gone_is_missed_and_none_is_made_in_its_place(url: str) -> None:
    ledger = Ledger(url)
    one = registered("k 2")
    one.person_registered.birth_date.CopyFrom(Date(year=2012, month=3, day=4))
    tell(ledger, one)
    path = ledger.log.vault.keyring.path
    ledger.close()
    kept = path.with_name("elsewhere.keys")
    path.rename(kept)

    for _ in range(2):
        with pytest.raises(StartupError, match="is missing"):
            Ledger(url)
        assert not path.exists()
    kept.rename(path)
    Ledger(url).close()


def test_those_for_whom_one_program_speaks_learn_together_no_more_than_ten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role, most = Role.ROLE_FIELD_AGENT, 4
    few = {role: replace(rules()[role], persons_per_hour=most)}
    monkeypatch.setattr(limits, "rules", lambda: few)
    used, numbers = Limits(lambda: 1_000.0), count()

    def learns(actor_id: str, program: str) -> int:
        """How many new persons somebody learns of until she may learn of no more."""
        caller = Known(spiffe_id=program, agency="CBP", role=role, actor_id=actor_id)

        def is_refused(person_id: str) -> bool:
            try:
                used.learn(caller, [person_id])
            except LedgerError as refusal:
                return refusal.name == "QUOTA_EXHAUSTED"
            return False

        return next(learned for learned in count() if is_refused(f"p-{next(numbers)}"))

    each = [learns(f"f-{one}", "spiffe://one") for one in range(5)]
    assert each == [most] * 5
    more = [learns(f"f-{one}", "spiffe://one") for one in range(5, 20)]
    assert sum(each) + sum(more) == PEOPLE_OF_ONE_MAX * most
    assert learns("", "spiffe://other") == most
    # Nor by bringing other names for its people.
    assert learns("f-21", "spiffe://one") == 0


def test_an_audit_misses_approvals_that_a_kind_of_event_needs(alone: Ledger, url: str) -> None:
    program = "spiffe://custody.example/agency/CBP"
    whose = [
        Approval(agency=agency, actor_id=actor, role=Role.ROLE_AGENCY_SUPERVISOR)
        for agency, actor in (("CBP", "s-1"), ("CBP", "s-2"), ("ORR", "s-2"))
    ]
    seal = RecordSealed(person_id=id_of("a 1"), order_reference="17")
    erasure = PersonalFieldsErased(person_id=id_of("a 2"), order_reference="17")
    told = [
        (seal, program, [], False),
        (seal, program, whose[:1], False),
        (seal, program, [whose[0], whose[0]], False),
        (seal, program, whose[:2], True),
        # What comes over loopback is taken at its word; and nothing is erased so.
        (seal, "", [], True),
        (erasure, "", [], False),
        (erasure, program, whose[:2], False),
        (erasure, program, whose[1:], True),
        (PersonRegistered(person_id=id_of("a 1")), program, [], True),
    ]
    for body, recorded_by, approvals, _ in told:
        made = event(body)
        appended(
            alone,
            Entry(event=made, format=FORMAT, approvals=approvals, recorded_by=recorded_by),
        )
    alone.populations.catch_up()
    alone.close()

    problems = examine(url, projections.load()).custody.problems
    lacking = [one.position for one in problems if "is not approved" in one.what]
    assert lacking == [at for at, (*_, is_enough) in enumerate(told, 1) if not is_enough]


def test_of_an_answer_about_who_was_erased_no_guess_is_confirmed(guarded: Guarded) -> None:
    one = registered("h 1")
    one.person_registered.birth_date.CopyFrom(Date(year=2012, month=3, day=4))
    guarded.tell(*held("h 1", "CBP"), one)
    request = GetPersonRequest(person_id=id_of("h 1"))
    answer = guarded.caller("cbp-field-agent").ask(GET_PERSON, request)
    wanted = ListAccessesRequest(person_id=id_of("h 1"))
    found = guarded.caller("gao-auditor").ask("AuditService/ListAccesses", wanted).accesses
    (access,) = (each.entry.access for each in found if each.entry.access.method == GET_PERSON)
    told = [
        (access.question_hmac, request.SerializeToString(deterministic=True)),
        (access.answer_hmac, answer.SerializeToString(deterministic=True)),
    ]
    vault = guarded.ledger.log.vault
    people = access.person_ids

    # With her key it is the answer that she gave; with the key of the index alone, none.
    for made, guess in told:
        assert vault.digest(people, access.access_id, guess) == made
        assert sealing.digest([vault.keyring.index], access.access_id, guess) != made
    assert erased(guarded, "h 1") == "OK"
    for made, guess in told:
        assert vault.digest(people, access.access_id, guess) != made


def test_the_name_of_what_tables_count_is_not_to_be_guessed_without_the_keyring(
    alone: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guessed = sha256(b"A_NUMBER 123456789").hexdigest()
    vault = alone.log.vault
    first = vault.blinded(f"numbered:{guessed}")
    monkeypatch.setattr(vault, "keyring", Keyring(tmp_path / "another.keys"))
    other = vault.blinded(f"numbered:{guessed}")

    assert first.startswith("numbered:")
    assert guessed not in first + other
    assert first != other
    assert vault.blinded("agency:CBP") == "agency:CBP"
