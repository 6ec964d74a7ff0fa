"""Q-01 to Q-28: what investigators, courts and auditors asked, on each store, over gRPC.

docs/questions.md is made of this file by scripts/questions.
"""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from conftest import STORES
from questions import QUESTIONS, question
from sentences import FORMS

from ledger.cli import app
from ledger.rpc.methods import METHODS
from ledger.v1.event_pb2 import Event

ROOT = Path(__file__).parents[1]
FACTS = {one.message_type for one in Event.DESCRIPTOR.oneofs_by_name["fact"].fields}


@pytest.fixture(scope="module", params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database for all questions, once on each store; each has a log of its own in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('questions') / 'ledger.db'}"
    return request.getfixturevalue("postgres_of")(request.param).create_database()


@question(
    "Q-01",
    asked_by="a court, for the class list",
    asks="Which children separated by the day of the order are in ORR's custody, and which did the list of that day have?",
    shows="The list of day 57 and that of day 75 are both right by what was known on each: two more, and one less. Neither replaces the other, and both can be asked for for ever.",
    rpcs=("ListSeparations",),
    commands=(
        "ledger separation list --all --before 2018-06-27 --held-by ORR --as-of 2018-06-26 --known-at 2018-06-26",
        "ledger separation list --all --before 2018-06-27 --held-by ORR --as-of 2018-06-26 --known-at 2018-07-14",
    ),
    table="""
    recorded  valid   event
    day 2     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2     day 1   b: separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 4     day 4   placed c-1 by ORR at casa padre
    day 4     day 4   placed c-2 by ORR at casa padre
    day 4     day 4   placed c-3 by ORR at shelter west
    day 30    day 30  placed c-4 by ORR at shelter west
    day 70    day 3   separated c-3 from unknown by CBP for ZERO_TOLERANCE        # found in a case file
    day 71    day 29  separated c-4 from m-4 by CBP for CRIMINAL_HISTORY_US
    day 75    day 75  retracts b: the adult was found to be no relative of hers

    as of day 57, known at day 57:  separated, before day 58, held by ORR: c-1 and c-2 (2)
    as of day 57, known at day 75:  separated, before day 58, held by ORR: c-1, c-3 and c-4 (3)
    """,
)
def test_q01_the_class_list_as_it_was_known_on_two_days(): ...


@question(
    "Q-02",
    asked_by="a court",
    asks="Which of the separated children were under five: when they were separated, and when the order was made?",
    shows="An age is asked for at a moment, and is a range where only whole years were written down: c-2 can have been four on 26 June, so she is meant, and c-1 had her birthday between.",
    rpcs=("ListSeparations", "GetPerson"),
    commands=(
        "ledger separation list --all --age-below 5 --age-at 2018-05-01",
        "ledger separation list --all --age-below 5 --age-at 2018-06-26",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   registered c-1 born 2013-06-15
    day 1     day 1   registered c-2 aged 4
    day 1     day 1   registered c-3 born 2016-02-00
    day 1     day 1   registered c-4 aged 5
    day 2     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-4 from m-4 by CBP for ZERO_TOLERANCE

    as of day 57:         separated, under 5 at day 1: c-1, c-2 and c-3 (3)
                          separated, under 5 at 2018-06-26: c-2 and c-3 (2)
                          age of c-2: 4 to 5, a minor
                          age of c-3: 2, a minor
    """,
)
def test_q02_under_five_at_the_separation_and_at_the_order(): ...


@question(
    "Q-03",
    asked_by="a court",
    asks="Which children under five were not reunified by 10 July 2018, and which others not by 26 July?",
    shows="The deadline is a clock with the day of the order in it. On its last day a child is not late yet; what was done on the last day was done in time.",
    rpcs=("ListClocks", "GetPerson"),
    commands=(
        "ledger clock list L_09_UNDER_5 --state missed --as-of 2018-07-11",
        "ledger clock list L_09_FROM_5 --state missed --as-of 2018-07-27",
    ),
    table="""
    recorded    valid       event
    day 1       day 1       registered c-1 aged 3
    day 1       day 1       registered c-2 aged 3
    day 1       day 1       registered c-3 aged 9
    day 1       day 1       registered c-4 aged 9
    day 2       day 1       separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2       day 1       separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 2       day 1       separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 2       day 1       separated c-4 from m-4 by CBP for ZERO_TOLERANCE
    2018-07-10  2018-07-10  reunified c-1 with m-1 by ICE
    2018-07-26  2018-07-26  reunified c-3 with m-3 by ICE
    2018-07-30  2018-07-28  reunified c-4 with m-4 by ICE

    as of 2018-07-10:  clock L_09_UNDER_5 is running: c-2 (1)
                       clock L_09_UNDER_5 is missed: nobody (0)
    as of 2018-07-11:  clock L_09_UNDER_5 is missed: c-2 (1)
                       clock L_09_UNDER_5 is met: c-1 (1)
    as of 2018-07-27:  clock L_09_FROM_5 is missed: c-4 (1)
    as of 2018-07-30:  clock L_09_FROM_5 is missed: c-4 (1)        # late, though reunified
                       clocks of c-3: L_01 missed, L_02 missed, L_09_FROM_5 met and L_09_CONTACT missed
    """,
)
def test_q03_not_reunified_by_the_days_of_the_order(): ...


@question(
    "Q-04",
    asked_by="parents and those who help them",
    asks="Where is the mother of this child now, and where is the child of this mother?",
    shows="The link was written down a month after the separation, by another agency, and leads to the mother wherever she is, from either side. Nobody had to hold both in one list.",
    rpcs=("LocateRelatives",),
    commands=("ledger person locate PERSON_ID --as-of 2018-06-09",),
    table="""
    recorded  valid        event
    day 1     day 1        apprehended c-1 by CBP at el paso
    day 1     day 1        apprehended m-1 by CBP at el paso
    day 2     day 2        separated c-1 from unknown by CBP for ZERO_TOLERANCE
    day 3     day 3        departed t-1 with m-1 from CBP to ICE
    day 3     day 3        arrived t-1 with m-1 to ICE at port isabel
    day 4     day 4        placed c-1 by ORR at casa padre
    day 30    day 30       m-1 is biological parent of c-1 by consulate, says ORR
    day 36    day 36       contact of c-1 with m-1 by TELEPHONE through ORR, succeeded
    day 45    day 45       removed m-1 by ICE to Guatemala from brownsville

    as of day 40, known at day 29:  relatives of c-1 are found: not recorded
    as of day 40, known at day 40:  relatives of c-1 are found: m-1 held by ICE at port isabel since day 3, spoke day 36
                                    relatives of m-1 are found: c-1 held by ORR at casa padre since day 4, spoke day 36
    as of day 50:                   relatives of c-1 are found: m-1 removed by ICE since day 45, spoke day 36
                                    address of m-1: Guatemala
    """,
)
def test_q04_where_the_mother_is_and_where_the_child(): ...


@question(
    "Q-05",
    asked_by="the Inspector General of DHS",
    asks="Which separations have no recorded reason, OTHER without a word of what, or a reason that was not in force on that day?",
    shows="The rule is that of the day of the separation: ZERO_TOLERANCE is good on 26 June and no more on 27 June. A correction empties the queue from the day on which it is known.",
    rpcs=("ListFindings",),
    commands=(
        "ledger queue show SEPARATION_WITHOUT_REASON",
        "ledger queue show REASON_NOT_IN_FORCE",
    ),
    table="""
    recorded    valid       event
    day 2       day 1       a: separated c-1 from m-1 by CBP for NOT_RECORDED
    day 2       day 1       separated c-2 from m-2 by CBP for OTHER
    day 2       day 1       separated c-3 from m-3 by CBP for OTHER (the mother was at a hospital)
    2018-06-26  2018-06-26  separated c-4 from m-4 by CBP for ZERO_TOLERANCE
    2018-06-27  2018-06-27  separated c-5 from m-5 by CBP for ZERO_TOLERANCE
    2018-07-20  2018-07-20  retracts a: the file was found
    +           day 1       separated c-1 from m-1 by CBP for CRIMINAL_HISTORY_FOREIGN

    as of 2018-06-30, known at 2018-06-30:  queue SEPARATION_WITHOUT_REASON: c-1 and c-2 (2)
                                            queue REASON_NOT_IN_FORCE: c-5 (1)
                                            REASON_NOT_IN_FORCE of c-5 knows ZERO_TOLERANCE; on 2018-06-27
    as of 2018-06-30, known at 2018-07-20:  queue SEPARATION_WITHOUT_REASON: c-2 (1)
    """,
)
def test_q05_no_reason_or_one_that_was_not_in_force(): ...


@question(
    "Q-06",
    asked_by="the Inspector General of DHS",
    asks="Which separations name no parent?",
    shows="The whole published list of 3,108 children fails this. That a child was handed to somebody since does not say from whom she was taken.",
    rpcs=("ListFindings", "ListQueues"),
    commands=("ledger queue list", "ledger queue show SEPARATION_WITHOUT_PARENT"),
    table="""
    recorded  valid   event
    day 2     day 1   a: in words of 2018-05-01, separated c-1 from unknown by CBP for ZERO_TOLERANCE
    day 2     day 1   in words of 2018-05-01, separated c-2 from unknown by CBP for ZERO_TOLERANCE
                      causes SEPARATION_WITHOUT_PARENT of c-2
    day 2     day 1   in words of 2018-05-01, separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 9     day 9   reunified c-2 with unknown by ORR
    day 20    day 20  retracts a: the mother was found
    +         day 1   in words of 2018-05-01, separated c-1 from m-1 by CBP for ZERO_TOLERANCE

    as of day 20, known at day 19:  queue SEPARATION_WITHOUT_PARENT: c-1 and c-2 (2)
    as of day 20, known at day 20:  queue SEPARATION_WITHOUT_PARENT: c-2 (1)
                                    queues: CLOCK_RUN_OUT 3 and SEPARATION_WITHOUT_PARENT 1
    """,
)
def test_q06_separated_from_nobody_knows_whom(): ...


@question(
    "Q-07",
    asked_by="the Inspector General of DHS",
    asks="Whose link to a relative was removed or changed: by whom, when, from what to what?",
    shows="What the software of 2018 did by deleting the family is here a retraction: it is in the log with whoever made it, and the link stays, marked. What took its place stands beside it.",
    rpcs=("ListFindings", "ReadEvents", "GetPerson", "GetPersonTimeline"),
    commands=(
        "ledger queue show LINK_TAKEN_BACK",
        "ledger watch --finite --type Retracted",
        "ledger person timeline PERSON_ID",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   a: family-1 formed of c-1 and m-1 under number FMU-7, says CBP
    day 1     day 1   b: m-1 is biological parent of c-1 by statement of adult, says CBP
    day 3     day 3   c: retracts a: processed as single adult and unaccompanied child, says CBP
    day 5     day 5   reclassified c-1 of family-1 as UNACCOMPANIED_CHILD, says CBP
    day 9     day 9   d: retracts b: the wrong child of the group, says ICE
    +         day 1   e: g-1 is aunt or uncle of c-1 by document, says ICE

    as of day 9, known at day 2:  queue LINK_TAKEN_BACK: nobody (0)
                                  relatives of c-1: m-1 is biological parent of c-1; m-1 by FamilyGroupFormed
    as of day 9, known at day 9:  queue LINK_TAKEN_BACK: c-1 and m-1 (2)
                                  relatives of c-1: m-1 is biological parent of c-1 (retracted);
                                      g-1 is aunt or uncle of c-1;
                                      m-1 by FamilyGroupFormed (retracted)
                                  events of c-1: relationship asserted day 1 (retracted by d);
                                      relationship asserted day 1;
                                      family group formed day 1 (retracted by c);
                                      retracted day 3;
                                      family group reclassified day 5;
                                      retracted day 9
    as of day 9:                  events of kind Retracted: c day 3 by CBP about c-1, family-1 and m-1;
                                      d day 9 by ICE about c-1 and m-1
    """,
)
def test_q07_whose_link_was_removed_by_whom(): ...


@question(
    "Q-08",
    asked_by="the Inspector General of DHS (136 and 1,233 children found by hand)",
    asks="Who looks like a family and has no link?",
    shows="An adult and a minor of one nationality, found in one minute at one place. It is a reason to look and no link; whoever has looked says so, and the pair is not shown again.",
    rpcs=("ListLikelyFamilies", "ListFindings"),
    commands=("ledger likely list", "ledger queue show LIKELY_FAMILY"),
    table="""
    recorded  valid        event
    day 1     day 1        registered m-1 aged 28 from Guatemala
    day 1     day 1        registered c-1 aged 6 from Guatemala
    day 1     day 1        registered m-2 aged 40 from Honduras
    day 1     day 1        registered c-2 aged 15 from Honduras
    day 1     day 1 14:05  apprehended m-1 and m-2 by CBP at rio grande
    day 1     day 1 14:05  apprehended c-1 and c-2 by CBP at rio grande, unknown
    day 30    day 30       proposed match of m-1 and c-1 for SAME_MINUTE and AGE_GAP_15_OR_MORE
    day 31    day 31       confirmed match of m-1 and c-1: both name the same village and grandmother
    day 31    day 31       rejected match of m-2 and c-2: her aunt was with her, and is in the file

    as of day 29, known at day 29:  likely families: c-2 and m-2 at rio grande day 1 14:05, 25 years apart;
                                        c-1 and m-1 at rio grande day 1 14:05, 22 years apart
                                    likely family of c-1 because ADULT_AND_MINOR, SAME_MINUTE, SAME_PLACE,
                                        SAME_NATIONALITY and AGE_GAP_15_OR_MORE
                                    queue LIKELY_FAMILY: c-1 and c-2 (2)
                                    relatives of c-1: not recorded
    as of day 31, known at day 31:  likely families: none
                                    relatives of c-1: m-1 by MatchConfirmed
                                    relatives of c-2: not recorded
    """,
)
def test_q08_who_looks_like_a_family(): ...


@question(
    "Q-09",
    asked_by="the Government Accountability Office",
    asks="What was published for a month then, what now, and what does it come to when it is computed again?",
    shows="A number published twice stands twice. One that this ledger computed is computed again: it was honest then, and comes to one more now, and the ledger says who.",
    rpcs=("GetNumber", "ListNumbers", "VerifyCitation"),
    commands=(
        "ledger number list --revised",
        "ledger number show NUMBER_ID --known-at 2018-07-20",
        "ledger audit citation EVENT_ID",
    ),
    table="""
    recorded  valid    event
    day 3     day 2    separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 9     day 8    separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 40    month 1  published n-1 by CBP: 9485 family members apprehended in May 2018 (June release)
    day 41    month 1  b: published n-2 by CBP: 2 children separated in May 2018 (June release),
                           citing separated, since day 1, before day 32 as of day 31
    day 90    month 1  published n-1 by CBP: 9431 family members apprehended in May 2018 (release of the year)
    day 95    day 20   separated c-3 from m-3 by CBP for ZERO_TOLERANCE

    as of day 80, known at day 80:  number n-1: 9485 by CBP (June release)
                                    numbers that were revised: none
    as of day 90, known at day 90:  number n-1: 9485 by CBP (June release); 9431 by CBP (release of the year)
                                    numbers that were revised: n-1
    as of day 95:                   citation of b: comes out the same, 2 then and 3 now, with c-3
    """,
)
def test_q09_published_then_and_recomputed_now(): ...


@question(
    "Q-10",
    asked_by="the Inspector General of DHS (OIG-18-84)",
    asks="Which children were held by CBP for longer than 72 hours, and who will be in the next six?",
    shows="A day in hospital neither stops the clock nor starts it anew. Where only the day of the apprehension is known, it may be too early to tell.",
    rpcs=("ListClocks", "GetPerson"),
    commands=("ledger clock list L_03 --within-hours 6", "ledger clock list L_03 --state missed"),
    table="""
    recorded  valid        event
    day 1     day 1        registered c-1 aged 8
    day 1     day 1        registered c-2 aged 8
    day 1     day 1        registered c-3 aged 8
    day 1     day 1 10:00  a: apprehended c-1 and c-2 by CBP at mcallen, alone
    day 1     day 1        b: apprehended c-3 by CBP at mcallen, alone
    day 2     day 2 08:00  hospitalized c-1 by CBP at valley medical
    day 3     day 3 09:00  returned c-1 by CBP to mcallen
    day 3     day 3 12:00  placed c-2 by ORR at casa padre

    as of day 2 12:00:  c-1 held by CBP at mcallen, at valley medical for hospital
    as of day 4 05:00:  clock L_03 of c-1: running, due day 4 10:00
                        clock L_03 runs out within 6 hours: c-1 (1)
                        clock L_03 is met: c-2 (1)
                        clock L_03 is indeterminate: c-3 (1)
    as of day 4 10:01:  clock L_03 is missed: c-1 (1)
    as of day 5:        clock L_03 is missed: c-1 and c-3 (2)
                        findings of c-1: CLOCK_RUN_OUT, CLOCK_RUN_OUT, CLOCK_RUN_OUT and MINOR_UNLINKED
    """,
)
def test_q10_longer_than_72_hours(): ...


@question(
    "Q-11",
    asked_by="the Inspector General of HHS",
    asks="Which separated children were received, and released, before anybody counted?",
    shows="History that is imported late is as of its own days. On the day of the order nobody knew of the two; asked of that day now, one was in care and one had been let go.",
    rpcs=("ListSeparations", "GetPerson"),
    commands=(
        "ledger separation list --all --before 2018-05-05 --as-of 2018-06-26",
        "ledger separation list --all --before 2018-05-05 --as-of 2018-06-26 --held-by ORR",
    ),
    table="""
    recorded    valid       event
    2018-10-01  2017-08-03  in words of 2018-05-01, separated c-1 from m-1 by CBP for PROSECUTION_UNSPECIFIED
    2018-10-01  2017-08-06  in words of 2018-05-01, placed c-1 by ORR at casa padre
    2018-10-01  2018-02-11  in words of 2018-05-01, released c-1 by ORR to g-1 for SPONSOR_CLOSE_RELATIVE
    2018-10-01  2018-04-20  in words of 2018-05-01, separated c-2 from m-2 by CBP for PROSECUTION_UNSPECIFIED
    2018-10-01  2018-04-22  in words of 2018-05-01, placed c-2 by ORR at casa padre

    as of 2018-06-26, known at 2018-09-30:  separated, before 2018-05-05: nobody (0)
    as of 2018-06-26, known at 2018-10-01:  separated, before 2018-05-05: c-1 and c-2 (2)
                                            separated, before 2018-05-05, held by ORR: c-2 (1)
                                            c-1 released by ORR
                                            c-1 separated from m-1, open
    as of 2018-01-01, known at 2018-10-01:  separated, before 2018-05-05, held by ORR: c-1 (1)
    """,
)
def test_q11_received_and_released_before_anybody_counted(): ...


@question(
    "Q-12",
    asked_by="Congress (P.L. 116-94, section 235)",
    asks="Each month: how many children were separated, of which ages, in which sector, and for which cause as it was reported when each was referred?",
    shows="The cause at the referral stays what was reported then, though the reason of the separation was corrected since. Both can be counted.",
    rpcs=("CountSeparations",),
    commands=(
        "ledger separation count --by month --by place --by referral-reason --since 2018-05-01 --before 2018-06-01",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   registered c-1 aged 3
    day 1     day 1   registered c-2 aged 9
    day 2     day 1   a: separated c-1 from m-1 by CBP at yuma for CRIMINAL_HISTORY_UNSPECIFIED
    day 2     day 2   referred c-1 to ORR by CBP for CRIMINAL_HISTORY_UNSPECIFIED
    day 5     day 5   separated c-2 from m-2 by CBP at el paso for ZERO_TOLERANCE
    day 6     day 6   referred c-2 to ORR by CBP for ZERO_TOLERANCE
    day 60    day 60  retracts a: there was no criminal history
    +         day 1   b corrects a: separated c-1 from m-1 by CBP at yuma for ZERO_TOLERANCE

    as of day 60:  separations counted by month, place and referral reason since day 1 before day 32: 2018-05, el paso, ZERO_TOLERANCE: 1;
                       2018-05, yuma, CRIMINAL_HISTORY_UNSPECIFIED: 1 (of 2)
                   separations counted by reason: ZERO_TOLERANCE: 2 (of 2)
                   separations counted by month and age: 2018-05, 5 to 12: 1; 2018-05, under 5: 1 (of 2)
    """,
)
def test_q12_the_cause_as_reported_at_the_referral(): ...


@question(
    "Q-13",
    asked_by="Congress (H.R. 6470, section 236)",
    asks="How long did each separation last, where do the efforts to end it stand, and was the family then held together?",
    shows="A separation without an end has a length so far. Reunified and held in a family facility is reunified, and still in custody.",
    rpcs=("GetPerson", "CountSeparations"),
    commands=("ledger person show PERSON_ID", "ledger separation count --by status"),
    table="""
    recorded  valid   event
    day 2     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 20    day 20  opened k-2 for c-2 with m-2 by ICE
    day 21    day 21  step PARENT_LOCATED of k-2 for c-2 by ICE
    day 40    day 40  reunified c-1 with m-1 by ICE at dilley
    day 41    day 41  reunified c-3 with m-3 by ORR

    as of day 45:  c-1 separated from m-1, reunified day 40
                   c-1 apart for 39 days
                   c-1 held by ICE at dilley
                   c-2 separated from m-2, still apart
                   c-2 apart for 44 days so far
                   steps of c-2 met: PARENT_LOCATED (ICE)
                   steps of c-2 missed: CHILD_LOCATED (ORR), PARENT_INFORMED (ICE), CONTACT_MADE (ORR),
                       PARENTAGE_VERIFIED (ORR), FITNESS_DETERMINED (ORR), PARENT_DECIDED (ICE),
                       PLACE_AGREED (ICE) and CHILD_HANDED_OVER (ORR)
                   c-3 released by ORR
                   separations counted by status: reunified: 2; still apart: 1 (of 3)
    """,
)
def test_q13_how_long_and_how_it_stands(): ...


@question(
    "Q-14",
    asked_by="ORR, every week",
    asks="Where does the list of an agency differ from the ledger, and why?",
    shows="Each row is compared and each difference has its reason; what came of it is itself recorded, against a root that can be checked.",
    rpcs=("ReconcileList", "GetList", "VerifyCitation"),
    commands=("ledger list reconcile FILE --agency ORR", "ledger list show LIST_ID"),
    table="""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre
    day 1     day 1   placed c-2 by ORR at casa padre
    day 1     day 1   numbered c-2 A_NUMBER A12345678
    day 1     day 1   placed c-3 by ORR at shelter west
    day 1     day 1   placed c-4 by ORR at shelter west
    day 5     day 5   released c-4 by ORR for SPONSOR_CLOSE_RELATIVE, address complete
    day 7     day 7   r: reconciled l-1 of ORR as children in care:
                          1 matched, 2 missing, 1 extra, 1 different, citing roster of ORR as of day 6

    as of day 6:  list of ORR with c-1, A_NUMBER 012345678 at shelter west, c-4 and A_NUMBER 099999999 compared: c-1 matched;
                      c-2 different OTHER_FACILITY;
                      c-4 missing CUSTODY_ENDED;
                      row 4 missing UNKNOWN_IDENTIFIER;
                      c-3 extra NOT_LISTED
    as of day 7:  list l-1: compared: 1 matched, 2 missing, 1 extra, 1 different
                  citation of r: comes out the same, 3 then and 3 now
    """,
)
def test_q14_two_lists_compared(): ...


@question(
    "Q-15",
    asked_by="the Family Reunification Task Force",
    asks="Of which separated children is there no record of a reunification, and which are known not to be reunified?",
    shows="Four answers, and none of them is another: reunified, no record, recorded as still apart, and not to be reunified (waived, or ruled out).",
    rpcs=("ListSeparations", "CountSeparations"),
    commands=(
        "ledger separation list --status open",
        "ledger separation list --status still-apart",
        "ledger separation count --by status",
    ),
    table="""
    recorded  valid   event
    day 2     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-4 from m-4 by CBP for ZERO_TOLERANCE
    day 2     day 1   separated c-5 from m-5 by CBP for ZERO_TOLERANCE
    day 40    day 40  reunified c-1 with m-1 by ORR
    day 41    day 41  placed c-2 by ORR at casa padre
    day 42    day 42  released c-2 by ORR to g-2 for SPONSOR_CLOSE_RELATIVE       # to an aunt: no reunification
    day 43    day 43  opened k-3 for c-3 with m-3 by ICE
    day 44    day 44  m-4 waives reunification with c-4 before ICE in mam, counsel present
    day 45    day 45  ruled out reunification of c-5 with m-5 by ORR: conviction for harming a child

    as of day 45:  separated, reunified: c-1 (1)
                   separated, open: c-2 (1)
                   separated, still apart: c-3 (1)
                   separated, waived: c-4 (1)
                   separated, ruled out: c-5 (1)
                   still separated: c-2, c-3, c-4 and c-5 (4)
                   separations counted by status: open: 1;
                       reunified: 1;
                       ruled out: 1;
                       still apart: 1;
                       waived: 1 (of 5)
    """,
)
def test_q15_no_record_is_not_no(): ...


@question(
    "Q-16",
    asked_by="a court",
    asks="Which parents were removed from the country without their child, who was in custody?",
    shows="It is said when the removal is planned, so that who asks to be stopped is stopped; the removal itself is kept, as every fact is. What became of the child afterwards does not undo it. A parent who waived, and one whose child was free then, are not meant.",
    rpcs=("ListFindings", "AppendEvents"),
    commands=(
        "ledger append FILE --dry-run --strict error",
        "ledger queue show REMOVAL_WITH_CHILD_IN_CUSTODY",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   m-1 is biological parent of c-1
    day 1     day 1   m-2 is biological parent of c-2
    day 1     day 1   m-3 is biological parent of c-3
    day 2     day 2   placed c-1 by ORR at casa padre
    day 2     day 2   placed c-2 by ORR at casa padre
    day 2     day 2   placed c-4 by ORR at casa padre
    day 2     day 2   separated c-4 from m-4 by CBP for ZERO_TOLERANCE, notice given in es    # and no other link
    day 2     day 2   separated c-2 from m-2 by CBP for ZERO_TOLERANCE, notice given in es
    day 8     day 8   m-2 waives reunification with c-2 before ICE in es, counsel present
    day 9     day 9   planned to remove m-1 by ICE on 2018-05-12
                      is refused at error: REMOVAL_WITH_CHILD_IN_CUSTODY
                      causes REMOVAL_WITH_CHILD_IN_CUSTODY of m-1
    day 12    day 12  removed m-1 by ICE to Guatemala
    day 12    day 12  removed m-2 by ICE to Guatemala
    day 12    day 12  removed m-3 by ICE to Guatemala
    day 12    day 12  removed m-4 by ICE to Honduras
    day 20    day 20  released c-1 by ORR to s-1 for SPONSOR_CLOSE_RELATIVE, address complete
    day 25    day 25  apprehended c-3 by CBP at el paso, alone

    as of day 12:  queue REMOVAL_WITH_CHILD_IN_CUSTODY: m-1 and m-4 (2)
                   REMOVAL_WITH_CHILD_IN_CUSTODY of m-1 knows c-1
                   c-1 held by ORR at casa padre
    as of day 25:  queue REMOVAL_WITH_CHILD_IN_CUSTODY: m-1 and m-4 (2)
    """,
)
def test_q16_removed_without_the_child(): ...


@question(
    "Q-17",
    asked_by="the Marshals and the Border Patrol",
    asks="An adult is back from court: is her child still at the station, and if not, where did it go, and when?",
    shows="Whoever records the return is told at once, in the answer to it.",
    rpcs=("AppendEvents", "LocateRelatives", "ListFindings", "GetPerson"),
    commands=(
        "ledger append FILE",
        "ledger person locate PERSON_ID",
        "ledger queue show CHILD_MOVED_MEANWHILE",
    ),
    table="""
    recorded     valid        event
    day 1 09:30  day 1 09:00  apprehended c-1 and m-1 by CBP at mcallen, with parent
    +            day 1 09:00  m-1 is biological parent of c-1 by statement of adult
    day 2 06:10  day 2 06:00  referred m-1 for prosecution under US_8_1325 by CBP
    day 2 06:20  day 2 06:15  departed t-1 with m-1 from CBP at mcallen to USMS
    day 2 07:00  day 2 06:50  arrived t-1 with m-1 to USMS at mcallen court
    day 2 14:30  day 2 14:00  p: placed c-1 by ORR at casa padre
    day 2 18:40  day 2 18:30  r: returned m-1 from prosecution to CBP at mcallen: time served
                              causes CHILD_MOVED_MEANWHILE of m-1

    as of day 2 12:00:  relatives of m-1 are found: c-1 held by CBP at mcallen since day 1 09:00
    as of day 2 18:40:  relatives of m-1 are found: c-1 held by ORR at casa padre since day 2 14:00
                        queue CHILD_MOVED_MEANWHILE: m-1 (1)
                        CHILD_MOVED_MEANWHILE of m-1 knows c-1; held by ORR; event p
                        m-1 held by CBP at mcallen
    """,
)
def test_q17_moved_while_the_mother_was_at_court(): ...


@question(
    "Q-18",
    asked_by="an auditor",
    asks="Who has looked at this child's record?",
    shows="Every answer that tells of a person, and every refusal of what could be answered, is an entry of a second log, with a tree of its own, before it leaves: who asked, what, when, and for which purpose. Here everybody asks on the machine of the ledger; over the network it is the agency of a certificate and the person of a token.",
    rpcs=("GetPerson", "ListAccesses"),
    commands=(
        "ledger access list PERSON_ID",
        "ledger access list PERSON_ID --since 2018-05-01 --before 2018-06-01",
    ),
    table="""
    recorded     valid        event
    day 1 10:00  day 1 09:00  apprehended c-1 and m-1 by CBP at mcallen, with parent
    day 4 10:00  day 4 09:00  booked in c-1 by CBP at ursula

    as of day 2, known at day 2 15:00:  c-1 held by CBP at mcallen
    as of day 3, known at day 3 15:00:  c-2 unknown                   # nobody has heard of her
    as of day 5, known at day 5 15:00:  c-1 held by CBP at ursula     # on day 5 all of this is asked again
    as of day 6:                        accesses to c-1: GetPerson by this machine for OVERSIGHT day 2 15:00;
                                            GetPerson by this machine for OVERSIGHT day 5 15:00;
                                            GetPerson by this machine for OVERSIGHT day 5 15:00;
                                            GetPerson by this machine for OVERSIGHT day 5 15:00
                                        accesses to c-2: GetPerson by this machine for OVERSIGHT day 3 15:00, refused: SUBJECT_NOT_FOUND;
                                            GetPerson by this machine for OVERSIGHT day 5 15:00, refused: SUBJECT_NOT_FOUND
                                        accesses to m-1: not recorded
    """,
)
def test_q18_who_has_looked_at_this_record(): ...


@question(
    "Q-19",
    asked_by="an auditor",
    asks="Was the answer given on that day honest, and what has changed it since?",
    shows="Asked again on the same size of the log, it comes out the same to the bit; asked on all that is known now, it differs, and the events recorded since say why.",
    rpcs=("Cite", "VerifyCitation", "GetPersonTimeline"),
    commands=(
        "ledger separation list --as-of 2018-05-09 --cite | ledger list certify TITLE --agency ORR",
        "ledger audit citation EVENT_ID",
        "ledger person timeline PERSON_ID",
    ),
    table="""
    recorded  valid   event
    day 2     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 2     day 1   b: separated c-2 from m-2 by CBP for ZERO_TOLERANCE
    day 9     day 9   l: certified l-1 by ORR as children separated and not reunified,
                          citing still separated as of day 9
    day 20    day 5   separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 25    day 25  d: retracts b: another child was meant

    as of day 9, known at day 9:  still separated: c-1 and c-2 (2)
    as of day 9:                  still separated: c-1 and c-3 (2)      # the same count, another list
                                  list l-1: certified by ORR with 2
                                  citation of l: comes out the same, 2 then and 2 now, with c-3, without c-2
    as of day 25:                 events of c-2 recorded after day 9: retracted day 25
                                  events of c-2: separated day 1 (retracted by d); retracted day 25
    """,
)
def test_q19_the_answer_of_that_day_and_what_changed_it(): ...


@question(
    "Q-20",
    asked_by="an auditor",
    asks="Do the tables that answer say what the log says, no more and no less?",
    shows="Every table is made again from the first entry on and compared with the one in use, row by row, after late news, a correction, and two records that turned out to be of one child.",
    rpcs=(),
    commands=("ledger projection rebuild custody", "ledger audit verify"),
    table="""
    recorded  valid        event
    day 1     day 1 10:00  apprehended c-1 and m-1 by CBP at mcallen, with parent
    day 2     day 2        a: separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 3     day 3        departed t-1 with c-1 from CBP to ORR, stating m-1 of c-1
    day 4     day 4        arrived t-1 with c-1 to ORR at casa padre, repeating m-1 of c-1
    day 9     day 4        placed c-2 by ORR at casa padre
    day 10    day 10       linked as same c-1 and c-2 by officer 7 and officer 9: one set of prints
    day 12    day 12       retracts a: another day
    +         day 1        b corrects a: separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 20    day 20       reunified c-1 with m-1 by ORR

    as of day 20:  tables made again are the same
                   roster of ORR: nobody (0)
    as of day 19:  roster of ORR: c-1 (1)
                   same as c-2: c-1
                   c-2 held by ORR at casa padre
    """,
)
def test_q20_every_table_made_again(): ...


@question(
    "Q-21",
    asked_by="an investigator",
    asks="What was known about this child, and when?",
    shows="The same day of her life, asked as known on three others. What was recorded later is not in the earlier answers, and what was taken back is not gone from the later ones.",
    rpcs=("GetPerson", "GetPersonTimeline"),
    commands=(
        "ledger person show PERSON_ID --known-at 2018-05-10",
        "ledger person timeline PERSON_ID --known-at 2018-05-10",
    ),
    table="""
    recorded  valid        event
    day 1     day 1 09:00  apprehended c-1 and m-1 by CBP at mcallen, with parent
    day 2     day 2        separated c-1 from m-1 by CBP for ZERO_TOLERANCE, notice not given
    day 8     day 3        a: placed c-1 by ORR at casa padre
    day 15    day 1        registered c-1 aged 7 from Honduras
    day 15    day 1        need DEAF of c-1: signs
    day 20    day 20       d: retracts a: it was her brother
    +         day 3        b corrects a: placed c-1 by ORR at shelter west

    as of day 5, known at day 1:   c-1 held by CBP at mcallen
                                   c-1 separated from not recorded
    as of day 5, known at day 10:  c-1 held by ORR at casa padre
                                   needs of c-1: not recorded
                                   findings of c-1: NOTICE_NOT_GIVEN, SEPARATION_NOT_AUTHORIZED and TAKEN_WITHOUT_HANDOVER
    as of day 5, known at day 20:  c-1 held by ORR at shelter west
                                   needs of c-1: DEAF
                                   claims about c-1: aged 7 from Honduras
                                   events of c-1: person registered day 1;
                                       apprehended day 1 09:00;
                                       special need recorded day 1 09:00;
                                       separated day 2;
                                       placed day 3 (retracted by d);
                                       placed day 3
    """,
)
def test_q21_what_was_known_and_when(): ...


@question(
    "Q-22",
    asked_by="those who look after children",
    asks="Which siblings are both in custody and not together?",
    shows="Half-siblings count, whoever said so and of whichever of the two.",
    rpcs=("ListFindings", "LocateRelatives"),
    commands=("ledger queue show SIBLINGS_APART",),
    table="""
    recorded  valid   event
    day 1     day 1   c-2 is sibling of c-1
    day 1     day 1   c-3 is half sibling of c-1
    day 2     day 2   placed c-1 by ORR at casa padre
    day 2     day 2   placed c-2 by ORR at Casa Padre            # the same, in capitals
    day 3     day 3   placed c-3 by ORR at shelter west
    day 9     day 9   placed c-3 by ORR at casa padre

    as of day 5:  queue SIBLINGS_APART: c-1 and c-3 (2)
                  SIBLINGS_APART of c-1 knows c-3
                  relatives of c-1 are found: c-2 held by ORR at Casa Padre since day 2;
                      c-3 held by ORR at shelter west since day 3
    as of day 9:  queue SIBLINGS_APART: nobody (0)
    """,
)
def test_q22_siblings_apart(): ...


@question(
    "Q-23",
    asked_by="the Inspector General of DHS (OIG-24-46)",
    asks="Which released children have no address that anybody could go to, who ran away, and who was not reached since?",
    shows="What the form of the day had no field for is not held against it: c-4 was released in the words of 2018, and is in no queue for lack of an address.",
    rpcs=("ListFindings", "GetPerson"),
    commands=(
        "ledger queue show RELEASE_WITHOUT_ADDRESS",
        "ledger queue show ABSCONDED",
        "ledger queue show NOT_REACHED",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre
    day 1     day 1   placed c-2 by ORR at casa padre
    day 1     day 1   placed c-3 by ORR at casa padre
    day 1     day 1   placed c-4 by ORR at casa padre
    day 5     day 5   released c-1 by ORR to s-1 for SPONSOR_OTHER_ADULT, address blank
                      causes RELEASE_WITHOUT_ADDRESS of c-1
    day 5     day 5   released c-2 by ORR to s-2 for SPONSOR_CLOSE_RELATIVE, address complete in USA
    day 5     day 5   in words of 2018-05-01, released c-4 by ORR to s-4 for SPONSOR_CLOSE_RELATIVE
    day 6     day 6   absconded c-3 from ORR at casa padre
    day 30    day 30  called c-2 by ORR, not reached
    day 50    day 50  address of c-1 complete in USA
    day 51    day 51  called c-2 by ORR, reached

    as of day 40:  queue RELEASE_WITHOUT_ADDRESS: c-1 (1)
                   queue ABSCONDED: c-3 (1)
                   queue NOT_REACHED: c-2 (1)
                   address of c-1: blank
                   address of c-4: not recorded
    as of day 51:  queue RELEASE_WITHOUT_ADDRESS: nobody (0)
                   queue NOT_REACHED: nobody (0)
    """,
)
def test_q23_released_and_not_to_be_found(): ...


@question(
    "Q-24",
    asked_by="anyone",
    asks="Who departed for another custodian and has not arrived?",
    shows="Until she arrives the sender answers for her, and she stays on its roster. After a day it is a finding; an arrival heard of late ends it, for later answers.",
    rpcs=("ListFindings", "GetTransfer", "ListRoster"),
    commands=("ledger queue show TRANSFER_DANGLING", "ledger transfer show TRANSFER_ID"),
    table="""
    recorded  valid        event
    day 1     day 1 08:00  apprehended c-1 and c-2 by CBP at mcallen, alone
    day 2     day 2 08:00  departed t-1 with c-1 and c-2 from CBP at mcallen to ORR at casa padre,
                                  stating no relative of c-1: asked at the station; no relative of c-2: asked at the station
    day 2     day 2 15:00  arrived t-1 with c-2 to ORR at casa padre, repeating no relative of c-2: asked at the station
    day 9     day 2 16:00  arrived t-1 with c-1 to ORR at shelter west

    as of day 3 07:00, known at day 8:  queue TRANSFER_DANGLING: nobody (0)
    as of day 3 08:01, known at day 8:  queue TRANSFER_DANGLING: c-1 (1)
                                        transfer t-1: c-1 and c-2 from CBP to ORR, partly arrived
                                        c-1 in transfer from CBP to ORR
                                        roster of CBP: c-1 (1)
    as of day 3 08:01, known at day 9:  queue TRANSFER_DANGLING: nobody (0)
                                        transfer t-1: c-1 and c-2 from CBP to ORR, arrived, of c-1 something else was repeated
    """,
)
def test_q24_departed_and_not_arrived(): ...


@question(
    "Q-25",
    asked_by="whoever looks after the data",
    asks="Who has more than one A-number, which A-number is claimed for two persons, and who is held by two agencies at once?",
    shows="A number is asked for in any spelling, and answered with everybody who has it: the ledger never picks. Two agencies that claim one child both list her.",
    rpcs=("ResolveIdentifier", "ListFindings", "ListRoster"),
    commands=(
        "ledger identifier resolve A_NUMBER A12345678",
        "ledger queue show IDENTIFIER_CONFLICT",
        "ledger queue show SEVERAL_NUMBERS",
        "ledger queue show CUSTODY_CONFLICT",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   numbered c-1 A_NUMBER 012345678
    day 1     day 1   numbered c-1 A_NUMBER 087654321
                      causes SEVERAL_NUMBERS of c-1
    day 2     day 2   b: numbered c-2 A_NUMBER A12345678
                      causes IDENTIFIER_CONFLICT of c-2
    day 3     day 3   placed c-3 by ORR at casa padre
    day 4     day 4   apprehended c-3 by CBP at mcallen, alone
                      causes CUSTODY_CONFLICT of c-3
    day 9     day 9   retracts b: a digit was misread

    as of day 4, known at day 4:  A_NUMBER A-012-345-678 is the number of: c-1 (conflict) and c-2 (conflict)
                                  queue IDENTIFIER_CONFLICT: c-1 and c-2 (2)
                                  queue SEVERAL_NUMBERS: c-1 (1)
                                  queue CUSTODY_CONFLICT: c-3 (1)
                                  roster of CBP: c-3 (1)
                                  roster of ORR: c-3 (1)
    as of day 9, known at day 9:  A_NUMBER A12345678 is the number of: c-1 (active) and c-2 (retracted)
                                  queue IDENTIFIER_CONFLICT: nobody (0)
    """,
)
def test_q25_numbers_and_persons_that_do_not_fit(): ...


@question(
    "Q-26",
    asked_by="a court, under the settlement",
    asks="Which separations since the settlement have no permitted reason, and of which was the parent not told?",
    shows="The same reason is no finding before the settlement and one after it. That nobody recorded a notice is not that none was given.",
    rpcs=("ListFindings",),
    commands=(
        "ledger queue show REASON_NOT_PERMITTED",
        "ledger queue show NOTICE_NOT_GIVEN",
        "ledger queue show NOTICE_NOT_RECORDED",
    ),
    table="""
    recorded    valid       event
    2023-12-01  2023-12-01  separated c-1 from m-1 by CBP for PROSECUTION_ILLEGAL_ENTRY_1325, notice given in es
    2024-01-15  2024-01-15  separated c-2 from m-2 by CBP for PROSECUTION_ILLEGAL_ENTRY_1325, notice given in es
    2024-01-16  2024-01-16  separated c-3 from m-3 by CBP for ACTIVE_WARRANT,
                                notice not given because she was in hospital
    2024-01-17  2024-01-17  authorized separation of c-4 from m-4 by CBP for DANGER_TO_CHILD,
                                officer 7 approved by officer 9
    2024-01-17  2024-01-17  separated c-4 from m-4 by CBP for DANGER_TO_CHILD
                            causes NOTICE_NOT_RECORDED of c-4

    as of 2024-02-01:  queue REASON_NOT_PERMITTED: c-2 (1)
                       REASON_NOT_PERMITTED of c-2 knows PROSECUTION_ILLEGAL_ENTRY_1325
                       queue NOTICE_NOT_GIVEN: c-3 (1)
                       queue NOTICE_NOT_RECORDED: c-4 (1)
                       queue SEPARATION_NOT_AUTHORIZED: c-1, c-2 and c-3 (3)
    """,
)
def test_q26_since_the_settlement(): ...


@question(
    "Q-27",
    asked_by="the public",
    asks="How many children were separated, by month and sector, in numbers that give nobody away?",
    shows="A cell that counts too few is not told, and neither is the smallest other one, nor the total: from these it could be told. Here fewer than three are too few; to publish, fewer than eleven.",
    rpcs=("CountSeparations",),
    commands=("ledger separation count --by month --by place --suppress-below 11",),
    table="""
    recorded  valid   event
    day 2     day 1   separated c-1 from m-1 by CBP at el paso for ZERO_TOLERANCE
    day 2     day 1   separated c-2 from m-2 by CBP at el paso for ZERO_TOLERANCE
    day 2     day 1   separated c-3 from m-3 by CBP at el paso for ZERO_TOLERANCE
    day 2     day 1   separated c-4 from m-4 by CBP at el paso for ZERO_TOLERANCE
    day 2     day 1   separated c-5 from m-5 by CBP at yuma for ZERO_TOLERANCE
    day 2     day 1   separated c-6 from m-6 by CBP at yuma for ZERO_TOLERANCE
    day 2     day 1   separated c-7 from m-7 by CBP at yuma for ZERO_TOLERANCE
    day 2     day 1   separated c-8 from m-8 by CBP at del rio for ZERO_TOLERANCE

    as of day 40:  separations counted by month and place: 2018-05, del rio: 1;
                       2018-05, el paso: 4;
                       2018-05, yuma: 3 (of 8)
                   separations counted by month and place, none below 3: 2018-05, del rio: not told;
                       2018-05, el paso: 4;
                       2018-05, yuma: not told (of not told)
    """,
)
def test_q27_numbers_that_give_nobody_away(): ...


@question(
    "Q-28",
    asked_by="a historian",
    asks="Who is this child's family, by the narrow definition of DHS, and by all links that are recorded?",
    shows="The definition is part of the question and of nothing that is stored: a grandmother is nobody by the one, and by the other whom the child came with.",
    rpcs=("GetFamily",),
    commands=(
        "ledger family show PERSON_ID --definition family-unit",
        "ledger family show PERSON_ID --definition all-relatives",
    ),
    table="""
    recorded  valid   event
    day 1     day 1   registered c-1 aged 7
    day 1     day 1   registered c-2 aged 12
    day 1     day 1   registered c-3 aged 19
    day 1     day 1   m-1 is biological parent of c-1
    day 1     day 1   m-1 is biological parent of c-2
    day 1     day 1   m-1 is biological parent of c-3
    day 1     day 1   g-1 is grandparent of c-1
    day 1     day 1   f-1 is spouse of m-1

    as of day 2:  family of c-1 by the definition family unit: c-1; then m-1; then c-2
                  family of c-1 by the definition all relatives: c-1; then g-1 and m-1; then c-2, c-3 and f-1
                  family of g-1 by the definition family unit: g-1
    """,
)
def test_q28_the_same_family_under_two_definitions(): ...


# What holds of all of them.


def test_there_are_28_questions_in_order():
    assert [one.id for one in QUESTIONS] == [f"Q-{number:02}" for number in range(1, 29)]


def test_every_method_that_is_named_exists():
    known = {name for service in METHODS.values() for name in service}
    assert {name for one in QUESTIONS for name in one.rpcs} <= known


def test_every_command_is_one_that_ledger_takes():
    stands_for = {"FILE": str(ROOT / "README.md")}
    for line in (
        one for asked in QUESTIONS for command in asked.commands for one in command.split("|")
    ):
        name, *rest = shlex.split(line)
        assert name == "ledger"
        command = typer.main.get_command(app)
        while subcommands := getattr(command, "commands", None):
            command = subcommands[rest.pop(0)]
        command.make_context(line, [stands_for.get(one, one) for one in rest])


def test_every_kind_of_event_has_a_form():
    missing = FACTS - {message.DESCRIPTOR for message, _ in FORMS}
    assert sorted(one.name for one in missing) == []


def test_the_page_is_what_the_questions_say():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "questions", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
