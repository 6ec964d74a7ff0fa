"""The tables can say everything: every kind of event, in every form, and every claim."""

import re
from pathlib import Path

import pytest
from claims import TOPICS
from events import event
from scenario import EDITION, History, scenario
from sentences import FORMS, fact

from ledger.rpc.strict import check
from ledger.v1.event_pb2 import Event

FACTS = {one.message_type.name for one in Event.DESCRIPTOR.oneofs_by_name["fact"].fields}

SENTENCES = """
registered c-1 born 2013-06-00 sex female from Honduras
numbered c-1 BAND 17 issued by mcallen
need DEAF of c-1: signs
disputed age of c-1: she says that she is fourteen
determined age of c-1 by CONSULATE as minor, born 2004-01-01
linked as same c-1 and c-2 by officer 7 and officer 9 with score 912: one set of prints
unlinked c-1 and c-2 by officer 7 and officer 9: twins
declared distinct c-1 and c-2: other prints
c-1 asks to amend a: she was never there
amendment a for c-1 not granted: she was
m-1 is legal guardian of c-1 by document, confidence high
family-1 formed of c-1 and m-1 under number FMU-7
reclassified c-1 of family-1 as UNACCOMPANIED_CHILD: her mother is prosecuted
evidence BAND 17 of c-1 with m-1, hash of the band's photograph
checked m-1 as relative of c-1 by dna: inconclusive
disputed m-1 as relative of c-1: other name
disproved m-1 as relative of c-1 by dna: laboratory 7
m-1 seeks child c-1 in r-1
proposed match of c-1 and m-1 for SAME_MINUTE and SAME_PLACE in r-1
confirmed match of c-1 and m-1: one village
rejected match of c-1 and m-1: other village
apprehended c-1 and m-1 by CBP at el paso, with unrelated adult
booked in c-1 by ICE at dilley, kind FAMILY
booked out c-1 by ICE from dilley: twenty days
referred m-1 for prosecution under US_8_1325 by CBP: illegal entry
returned m-1 from prosecution to CBP at el paso: time served
hospitalized c-1 by CBP at valley medical
taken m-1 by CBP to court mcallen
returned c-1 by CBP to el paso
referred c-1 to ORR by CBP at el paso for ZERO_TOLERANCE (as told), parents m-1 at port isabel
referred c-1 to ORR by CBP, parents unknown: nobody asked
designated c-1 by ORR for casa padre
proposed t-1 with c-1 and c-2 from CBP to ORR at casa padre for CAPACITY
departed t-1 with c-1 and c-2 from CBP at el paso to ORR at casa padre, stating m-1 and f-1 of c-1; no relative of c-2: asked twice, escorted by escort 4
arrived t-1 with c-1 to ORR at casa padre, repeating m-1 and f-1 of c-1
refused t-1 with c-2 by ORR: no bed
placed c-1 by ORR at casa padre, outcome went to her aunt
seen c-1 by ORR at casa padre
MEAL for c-1 by CBP: warm
released c-1 by ORR to s-1 for SPONSOR_OTHER_ADULT (a friend), address incomplete in USA
absconded c-1 from ORR at casa padre
died c-1 with CBP at el paso
planned to remove m-1 by ICE on 2018-07-01
removed m-1 by ICE to Honduras from brownsville
address of c-1 undeliverable in USA
called c-1 by ORR, not reached
hearing of c-1, not appeared
clock L_03 exceptional for c-1 and c-2 by CBP: hurricane
authorized separation of c-1 from m-1 by CBP for DANGER_TO_CHILD (as seen), officer 7 approved by officer 9
separated c-1 from m-1 and f-1 by CBP at el paso for OTHER and PARENT_MEDICAL (fever), notice given in mam, child to casa padre, adult to valley medical, authorized by a
separated c-1 from unknown by CBP for ZERO_TOLERANCE, notice not given because she had been moved
contested separation a of c-1 by m-1: she is no danger
contact of c-1 with m-1 by VIDEO through ORR, not succeeded
opened k-1 for c-1 with m-1 by ICE
step CONTACT_MADE of k-1 for c-1 by ORR under 3rd edition
m-1 waives reunification with c-1 before ICE in es, counsel not present
ruled out reunification of c-1 with m-1 by ORR: conviction
reunified c-1 with m-1 by ICE at dilley, identified by dna and document
reunified c-1 with unknown by ORR
retracts a: another child
ORR asks CBP about c-1 in r-2: who came with her?
CBP answers r-2 about c-1: her aunt
c-1 not included in MS_L_2018 under July 2018: her aunt is no parent
certified l-1 by ORR as in care, citing roster of ORR as of day 3
reconciled l-1 of ORR as in care: 3 matched, 0 missing, 1 extra, 0 different, citing roster of ORR as of day 3
published n-1 by CBP: -3 change since May (June release), citing ever separated as of day 3
declared c-1 confidential for ASYLUM_208_6
sealed record of c-1 under order 17-432
unsealed record of c-1 under order 18-001
placed legal hold 18-cv-00428 on c-1
lifted legal hold 18-cv-00428 on c-1
erased personal fields of c-1 under order 17-432
opened record of c-1 in an emergency until day 3 14h: she has stopped breathing
""".strip().splitlines()


@pytest.mark.parametrize("told", SENTENCES)
def test_a_sentence_is_an_event(told):
    body = fact(told)
    # What is cited is asked for when it is appended, and is not there yet.
    if "citation" not in body.DESCRIPTOR.fields_by_name:
        check(event(body, vocabulary=EDITION))


def test_every_kind_of_event_is_told():
    assert {fact(told).DESCRIPTOR.name for told in SENTENCES} == FACTS
    assert {message.DESCRIPTOR.name for message, _ in FORMS} == FACTS | {"CarriedLinks"}


def test_every_claim_is_made_somewhere():
    tables = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    lines = (
        re.sub(r"^\s*(as of .*?:\s+)?", "", line.partition("  #")[0]).strip()
        for line in tables.splitlines()
    )
    claims = set(lines)
    never = [topic for topic in TOPICS if not any(re.fullmatch(topic, one) for one in claims)]
    assert never == []


def test_what_fills_a_field_is_read_off_the_words():
    told = fact(
        "departed t-1 with c-1 from CBP to ORR, stating m-1 and f-1 of c-1; no relative of c-2: asked"
    )
    assert [len(one.relative_ids) for one in told.links] == [2, 0]
    assert told.links[1].no_known_relative_text == "asked"
    assert not fact("called c-1 by ORR, not reached").reached
    assert not fact("m-1 waives reunification with c-1 before ICE").HasField("counsel_present")
    assert len(fact("evidence BAND of c-1 with m-1, hash of a photograph").sha256) == 32


@scenario("""
    recorded  valid        event
    day 1     day 1 09:00  apprehended c-1, c-2 and m-1 by CBP at mcallen, with parent
    day 2     day 2        in words of 2018-05-01, separated c-1 from m-1 by CBP for ZERO_TOLERANCE
                           would cause SEPARATION_WITHOUT_REASON of c-1 ...     # the last line says: not so
    as of day 2:  c-1 held by CBP at mcallen
""")
def would_cause_something_else(): ...


def test_what_comes_of_an_append_is_compared(tmp_path_factory):
    with pytest.raises(AssertionError, match="would cause SEPARATION_WITHOUT_REASON of c-1"):
        would_cause_something_else(tmp_path_factory)


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from unknown by CBP for OTHER
                      would cause SEPARATION_WITHOUT_PARENT of c-1 ...
                      is refused at error: SEPARATION_WITHOUT_PARENT and SEPARATION_WITHOUT_REASON
                      causes SEPARATION_WITHOUT_PARENT of c-1, SEPARATION_WITHOUT_REASON of c-1, NOTICE_NOT_RECORDED of c-1 and SEPARATION_NOT_AUTHORIZED of c-1
    day 2     day 1   in words of 2018-05-01, separated c-2 from m-2 by CBP for ZERO_TOLERANCE
                      causes nothing

    as of day 1, known at day 1:  ever separated: c-1 (1)
    as of day 1, known at day 2:  ever separated: c-1 and c-2 (2)
                                  findings of c-2: nothing
""")
def test_an_append_says_what_it_causes_in_the_words_of_its_time(): ...


@scenario("""
    recorded  valid        event
    day 1     day 1        registered c-1 aged 2
    day 1     day 1 09:00  apprehended c-1 by CBP at mcallen, alone
    day 1     day 1        family-1 formed of c-1 and m-1
    day 1     day 1        reclassified c-1 of family-1 as UNACCOMPANIED_CHILD
    day 2     day 2        separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2     day 2        referred c-1 to ORR by CBP for OTHER
    day 2     day 2        designated c-1 by ORR for casa padre
    day 2     day 2 23:00  reclassified c-1 of family-1 as UNACCOMPANIED_CHILD: again
    day 3     day 3        need PRE_VERBAL of c-1
    day 3     day 3 12:00  departed t-1 with c-1 from CBP at mcallen to ORR at casa padre, stating m-1 of c-1
    day 3     day 3 13:00  arrived t-1 with c-1 to ORR at casa padre, repeating m-1 of c-1
    day 4     day 4        seen c-1 by ORR at casa padre
    day 4     day 4        ORR asks CBP about c-1 in r-1: who came with her?
    day 5     day 5        CBP answers r-1 about c-1: her mother
    day 5     day 5        opened k-1 for c-1 with m-1 by ICE
    day 5     day 5        contact of c-1 with m-1 by TELEPHONE through ORR, not succeeded
    day 6     day 6        contact of c-1 with m-1 by TELEPHONE through ORR, succeeded
    day 6     day 6        c-1 included in MS_L_2018 under July 2018
    day 6     day 6        c-2 not included in MS_L_2018 under July 2018: not separated
    day 6     day 6        numbered c-1 UAC_ID 4711
    day 7     day 7        declared distinct c-1 and c-2: other prints
    day 8     day 8        a: apprehended c-1 by CBP at el paso, unknown
    day 9     day 9        checked m-1 as relative of c-1 by dna: confirmed
    day 9     day 9        clock L_03 exceptional for c-1 by CBP: hurricane

    as of day 2:  c-1 designated for casa padre
                  c-1 referred for OTHER
                  c-1 processed as UNACCOMPANIED_CHILD
    as of day 4:  c-1 seen at casa padre day 4
                  requests about c-1: ORR asked CBP day 4, not answered
                  needs that went with t-1: c-1 PRE_VERBAL
    as of day 9:  c-1 speaks for herself: no
                  needs of c-1: PRE_VERBAL
                  requests about c-1: ORR asked CBP day 4, answered
                  cases of c-1: k-1 by ICE
                  contacts of c-1: m-1 by TELEPHONE day 5, in vain; m-1 by TELEPHONE day 6
                  classes of c-1: MS_L_2018 under July 2018
                  of class MS_L_2018: c-1 (1)
                  not of class MS_L_2018: c-2 (1)
                  numbers of c-1: UAC_ID 4711
                  distinct from c-1: c-2
                  c-1 claimed by CBP
                  c-1 held by ORR at casa padre, against a
                  relatives of c-1: m-1 by FamilyGroupFormed (verified); m-1 by Separated (verified); m-1 by TransferDeparted (verified); m-1 by TransferArrived (verified); m-1 by ReunificationCaseOpened (verified); m-1 by CommunicationOccurred (verified); m-1 by RelationshipVerified (verified)
""")
def test_what_is_known_of_one_child_is_told_in_the_words_of_the_table(): ...


def test_a_play_ends_with_the_ledger_closed(tmp_path):
    table = """
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre

    as of day 1:  c-1 held by ORR at shelter west
    """
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    for name in ("once", "again"):  # the second waits for the lock of the first, were it held
        with pytest.raises(AssertionError, match="shelter west"):
            History(table, url, name).play()
