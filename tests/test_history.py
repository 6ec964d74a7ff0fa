"""The two clocks: what was true, and what was known of it."""

import pytest
from scenario import History, scenario


@scenario("""
    recorded  valid   event
    day 20    day 1   apprehended c-1 by CBP at mcallen
    day 21    day 3   placed c-1 by ORR at casa padre      # heard late

    as of day 5, known at day 19:  c-1 unknown
    as of day 5, known at day 20:  c-1 held by CBP at mcallen
                                   roster of CBP: c-1 (1)
                                   roster of ORR: nobody (0)
    as of day 5, known at day 21:  c-1 held by ORR at casa padre
                                   roster of CBP: nobody (0)
                                   roster of ORR: c-1 (1)
    as of day 2, known at day 21:  c-1 held by CBP at mcallen
                                   roster of CBP: c-1 (1)
                                   roster of ORR: nobody (0)
""")
def test_late_news_changes_the_past_only_once_known(): ...


@scenario("""
    recorded  valid   event
    day 20    day 9   placed c-1 by ORR at casa padre
    day 21    day 2   booked in c-1 by CBP at ursula
    day 22    day 1   apprehended c-1 by CBP at mcallen

    as of day 1:  c-1 held by CBP at mcallen
    as of day 2:  c-1 held by CBP at ursula
    as of day 8:  c-1 held by CBP at ursula
    as of day 9:  c-1 held by ORR at casa padre
                  stays of c-1: day 1 to day 2 held by CBP at mcallen; day 2 to day 9 held by CBP at ursula; day 9 on held by ORR at casa padre
""")
def test_what_happened_first_comes_first_though_it_is_heard_last(): ...


@scenario("""
    recorded      valid   event
    day 20 09:00  day 1   apprehended c-1 by CBP at mcallen
    day 20 17:00  day 3   placed c-1 by ORR at casa padre

    as of day 5, known at day 20 08:59:  c-1 unknown
    as of day 5, known at day 20 09:00:  c-1 held by CBP at mcallen
    as of day 5, known at day 20 16:59:  c-1 held by CBP at mcallen
    as of day 5, known at day 20 17:00:  c-1 held by ORR at casa padre
""")
def test_what_is_recorded_at_an_instant_is_known_at_it(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 9     day 4   registered c-2

    as of day 9, known at day 1:  c-2 unknown            # nobody has heard of her
    as of day 3, known at day 9:  c-2 not recorded       # heard of, not yet then
    as of day 9, known at day 9:  c-2 not recorded       # heard of, and of no custody
                                  c-2 separated from not recorded
                                  relatives of c-2: not recorded
                                  claims about c-2: no particulars
    as of day 3, known at day 9:  claims about c-2: not recorded
""")
def test_no_record_is_not_an_answer_of_no(): ...


# Corrections.


@scenario("""
    recorded  valid   event
    day 1     day 1   a: apprehended c-1 by CBP at mcallen
    day 9     day 9   retracts a: another station made the arrest
    +         day 2   b corrects a: apprehended c-1 by CBP at el paso

    as of day 5, known at day 8:  c-1 held by CBP at mcallen
                                  roster of CBP at mcallen: c-1 (1)
                                  roster of el paso: unknown
    as of day 5, known at day 9:  c-1 held by CBP at el paso
                                  roster of mcallen: nobody (0)
                                  roster of CBP at el paso: c-1 (1)
                                  roster of CBP: c-1 (1)
    as of day 1, known at day 9:  c-1 not recorded
                                  roster of CBP: nobody (0)
""")
def test_a_correction_leaves_what_was_known_before_it_as_it_was(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: apprehended c-1 by CBP at mcallen
    day 3     day 3   b: placed c-1 by ORR at casa padre
    day 9     day 8   c: retracts b: another child was meant

    as of day 5, known at day 8:  c-1 held by ORR at casa padre
    as of day 5, known at day 9:  c-1 held by CBP at mcallen     # from the first, not from day 8 on
                                  roster of ORR: nobody (0)
                                  events of c-1: apprehended day 1; placed day 3 (retracted by c)
                                  stays of c-1: day 1 on held by CBP at mcallen
    as of day 9, known at day 9:  events of c-1: apprehended day 1; placed day 3 (retracted by c); retracted day 8
""")
def test_what_is_retracted_was_never_so_and_stays_readable(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: apprehended c-1 by CBP at mcallen
    day 3     day 3   b: retracts a: another child was meant
    day 4     day 4   c: retracts a: said once more

    as of day 5, known at day 2:  c-1 held by CBP at mcallen
    as of day 5, known at day 3:  c-1 not recorded
    as of day 5, known at day 4:  c-1 not recorded
                                  events of c-1: apprehended day 1 (retracted by b); retracted day 3; retracted day 4
                                  roster of CBP: nobody (0)
""")
def test_a_second_retraction_says_the_same_again(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: apprehended c-1 by CBP at mcallen
    day 3     day 3   retracts a: another child was meant
    day 4     day 1   b: apprehended c-1 by CBP at mcallen      # it was this child after all

    as of day 2, known at day 2:  c-1 held by CBP at mcallen
    as of day 2, known at day 3:  c-1 not recorded
                                  roster of mcallen: nobody (0)
    as of day 2, known at day 4:  c-1 held by CBP at mcallen
                                  roster of mcallen: c-1 (1)
""")
def test_what_was_retracted_can_be_asserted_again(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: apprehended c-1 and c-2 by CBP at mcallen
    day 3     day 3   retracts a: c-2 was never there
    +         day 1   b corrects a: apprehended c-1 by CBP at mcallen

    as of day 2, known at day 2:  roster of CBP: c-1 and c-2 (2)
    as of day 2, known at day 3:  roster of CBP: c-1 (1)
                                  c-1 held by CBP at mcallen
                                  c-2 not recorded
                                  events of c-2: apprehended day 1 (retracted by retracts a: c-2 was never there)
""")
def test_a_correction_of_several_persons_concerns_each(): ...


# The order of one day.


@scenario("""
    recorded  valid   event
    day 5     day 3   released c-1 by ORR for SPONSOR_CLOSE_RELATIVE
    day 6     day 3   placed c-1 by ORR at casa padre
    day 7     day 3   apprehended c-1 by CBP at mcallen

    as of day 2:  c-1 not recorded
    as of day 3:  c-1 released by ORR
                  events of c-1: apprehended day 3; placed day 3; released day 3
                  stays of c-1: day 3 on released by ORR
                  roster of ORR: nobody (0)
                  roster of CBP: nobody (0)
""")
def test_on_one_day_a_person_is_apprehended_before_she_is_placed_and_placed_before_released(): ...


@scenario("""
    recorded  valid   event
    day 9     day 3   released m-1 by ICE for PAROLED
    day 9     day 3   arrived t-1 with m-1 to ICE at port isabel
    day 9     day 3   departed t-1 with m-1 from CBP to ICE
    day 9     day 3   booked out m-1 by CBP from ursula
    day 9     day 3   booked in m-1 by CBP at ursula
    day 9     day 3   apprehended m-1 by CBP at mcallen
    day 9     day 3   registered m-1

    as of day 3:  events of m-1: person registered day 3; apprehended day 3; booked in day 3; booked out day 3; transfer departed day 3; transfer arrived day 3; released day 3
                  m-1 released by ICE
""")
def test_the_kinds_of_event_have_an_order_whatever_the_order_of_the_log(): ...


@scenario("""
    recorded  valid        event
    day 5     day 3        placed c-1 by ORR at casa padre
    day 6     day 3 14:00  apprehended c-1 by CBP at mcallen

    as of day 3 13:59, known at day 5:  c-1 held by ORR at casa padre
    as of day 3 10:00, known at day 6:  c-1 not recorded
    as of day 3 13:59, known at day 6:  c-1 not recorded
                                        roster of ORR: nobody (0)
    as of day 3 14:00, known at day 6:  c-1 held by ORR at casa padre
    as of day 3 15:00, known at day 6:  c-1 held by ORR at casa padre
                                        c-1 in this custody since day 3 14:00
                                        roster of ORR: c-1 (1)
                                        events of c-1: apprehended day 3 14:00; placed day 3 14:00
""")
def test_what_is_known_to_the_day_comes_behind_a_finer_fact_that_comes_first_by_kind(): ...


@scenario("""
    recorded  valid        event
    day 5     day 3        apprehended c-1 by CBP at mcallen
    day 5     day 3 14:00  placed c-1 by ORR at casa padre

    as of day 3 00:00:  c-1 held by CBP at mcallen
    as of day 3 13:59:  c-1 held by CBP at mcallen
    as of day 3 14:00:  c-1 held by ORR at casa padre
    as of day 4:        c-1 held by ORR at casa padre
""")
def test_what_is_known_to_the_day_stays_ahead_of_a_finer_fact_that_comes_later_by_kind(): ...


@scenario("""
    recorded  valid        event
    day 5     day 3 09:00  apprehended c-1 by CBP at mcallen
    day 5     day 3 12h    booked in c-1 by CBP at ursula
    day 5     day 3 12:20  departed t-1 with c-1 from CBP to ORR
    day 5     day 3        placed c-1 by ORR at casa padre

    as of day 3 11:59:  c-1 held by CBP at mcallen
    as of day 3 12:00:  c-1 held by CBP at ursula
    as of day 3 12:19:  c-1 held by CBP at ursula
    as of day 3 12:20:  c-1 held by ORR at casa padre
""")
def test_a_day_is_behind_an_hour_and_an_hour_ahead_of_a_minute(): ...


@scenario("""
    recorded  valid        event
    day 5     day 3 12h    booked in c-1 by CBP at ursula
    day 5     day 3 12:40  apprehended c-1 by CBP at mcallen
    day 5     day 3 13:00  registered c-1

    as of day 3 12:39:  c-1 not recorded
    as of day 3 12:40:  c-1 held by CBP at ursula
""")
def test_what_is_known_to_the_hour_comes_behind_a_minute_of_that_hour(): ...


@scenario("""
    recorded  valid    event
    day 70    month 1  released c-1 by ORR for SPONSOR_UNSPECIFIED
    day 71    day 12   placed c-1 by ORR at casa padre
    day 72    day 40   registered c-1

    as of day 1, known at day 70:   c-1 released by ORR
    as of day 11, known at day 71:  c-1 not recorded
    as of day 12, known at day 71:  c-1 released by ORR
                                    c-1 in this custody since day 12
                                    roster of ORR: nobody (0)
""")
def test_what_is_known_to_the_month_comes_behind_the_days_of_that_month(): ...


@scenario("""
    recorded  valid    event
    day 70    month 1  released c-1 by ORR for SPONSOR_UNSPECIFIED
    day 70    day 32   placed c-1 by ORR at casa padre          # 1 June

    as of day 31:  c-1 released by ORR
                   c-1 in this custody since day 1
    as of day 32:  c-1 held by ORR at casa padre
""")
def test_the_first_day_of_the_next_month_is_not_of_the_month(): ...


@scenario("""
    recorded  valid        event
    day 5     day 3        placed c-1 by ORR at casa padre
    day 5     day 3 14:00  a: apprehended c-1 by CBP at mcallen
    day 6     day 6        retracts a: another child was meant

    as of day 3 13:00, known at day 5:  c-1 not recorded
    as of day 3 13:00, known at day 6:  c-1 held by ORR at casa padre
                                        roster of ORR: c-1 (1)
""")
def test_a_retracted_fact_moves_nothing(): ...


@scenario("""
    recorded  valid        event
    day 5     day 2        placed c-1 by ORR at casa padre
    day 5     day 3 00:00  apprehended c-1 by CBP at mcallen

    as of day 2:  c-1 held by ORR at casa padre
                  c-1 in this custody since day 2
""")
def test_the_first_moment_of_the_next_day_is_not_of_the_day(): ...


# Zones. In May, Los Angeles is seven hours behind UTC.


@scenario("""
    recorded  valid                      event
    day 5     day 3 America/Los_Angeles  apprehended c-1 by CBP at san ysidro

    as of day 2:        c-1 not recorded
    as of day 3 06:59:  c-1 not recorded
                        roster of CBP: nobody (0)
    as of day 3 07:00:  c-1 held by CBP at san ysidro
                        roster of CBP: c-1 (1)
""")
def test_a_day_begins_at_midnight_of_its_own_zone(): ...


@scenario("""
    recorded  valid                            event
    day 5     day 3 America/Los_Angeles        placed c-1 by ORR at casa padre
    day 5     day 3 23:30 America/Los_Angeles  apprehended c-1 by CBP at san ysidro

    as of day 3:        c-1 not recorded
    as of day 4 06:29:  c-1 not recorded
    as of day 4 06:30:  c-1 held by ORR at casa padre       # 23:30 there is still day 3
""")
def test_a_day_ends_at_midnight_of_its_own_zone(): ...


@scenario("""
    recorded  valid                              event
    day 190   day 188 America/Los_Angeles        placed c-1 by ORR at casa padre
    day 190   day 188 23:30 America/Los_Angeles  apprehended c-1 by CBP at san ysidro

    as of day 189 07:29:  c-1 not recorded
    as of day 189 07:30:  c-1 held by ORR at casa padre
""")
def test_the_day_on_which_clocks_are_put_back_has_twenty_five_hours():
    """Day 188 is 4 November 2018: 23:30 is more than 24 hours after its midnight."""


@scenario("""
    recorded  valid                          event
    day 5     day 3 America/Los_Angeles      apprehended m-1 by CBP at san ysidro      # from 07:00 UTC
    day 5     day 3 America/New_York         released m-1 by CBP for PAROLED           # from 04:00 UTC

    as of day 4:  m-1 released by CBP
                  roster of CBP: nobody (0)
                  events of m-1: apprehended day 3 07:00; released day 3 07:00
""")
def test_one_day_written_in_two_zones_is_one_day():
    """Headquarters and stations date the same day by different clocks."""


@scenario("""
    recorded  valid                      event
    day 5     day 3 America/Chicago      arrived t-1 with c-1 to ORR at casa padre
    day 6     day 3 America/Los_Angeles  departed t-1 with c-1 from CBP at san ysidro to ORR

    as of day 4:  c-1 held by ORR at casa padre
                  roster of ORR: c-1 (1)
                  roster of CBP: nobody (0)
""")
def test_who_arrives_on_the_day_of_departure_is_there_whatever_the_zones(): ...


@scenario("""
    recorded  valid                      event
    day 6     day 3 America/New_York     released m-1 by CBP for VOLUNTARY_RETURN
    day 6     day 5 America/Los_Angeles  apprehended m-1 by CBP at san ysidro

    as of day 4:  m-1 released by CBP
                  m-1 in this custody since day 3 04:00
    as of day 5:  m-1 held by CBP at san ysidro
""")
def test_two_days_in_two_zones_stay_two_days(): ...


@scenario("""
    recorded  valid                        event
    day 40    month 1 America/Los_Angeles  apprehended m-1 by CBP at san ysidro
    day 40    month 1 America/New_York     released m-1 by CBP for VOLUNTARY_RETURN

    as of day 31:  m-1 released by CBP
""")
def test_one_month_written_in_two_zones_is_one_month(): ...


# Timelines.


@scenario("""
    recorded  valid   event
    day 9     day 1   registered c-1
    day 9     day 2   apprehended c-1 by CBP at mcallen
    day 9     day 4   placed c-1 by ORR at casa padre
    day 9     day 6   released c-1 by ORR for SPONSOR_UNSPECIFIED

    as of day 1:  stays of c-1: not recorded
                  events of c-1: person registered day 1
    as of day 5:  stays of c-1: day 2 to day 4 held by CBP at mcallen; day 4 on held by ORR at casa padre
                  events of c-1: person registered day 1; apprehended day 2; placed day 4
    as of day 6:  stays of c-1: day 2 to day 4 held by CBP at mcallen; day 4 to day 6 held by ORR at casa padre; day 6 on released by ORR
""")
def test_a_timeline_ends_at_the_moment_that_is_asked_about(): ...


# Claims of who somebody is.


@scenario("""
    recorded  valid   event
    day 1     day 1   registered c-1 aged 6 sex female from Honduras
    day 1     day 1   numbered c-1 A_NUMBER 012345678
    day 4     day 3   a: registered c-1 born 2012-03-00
    day 4     day 3   b: numbered c-1 UAC_ID 77
    day 9     day 9   retracts a: the certificate is another child's
    day 9     day 9   c: retracts b: mistyped
    +         day 3   d corrects b: numbered c-1 UAC_ID 71

    as of day 3, known at day 1:  claims about c-1: aged 6 sex female from Honduras
                                  numbers of c-1: A_NUMBER 012345678
    as of day 2, known at day 4:  claims about c-1: aged 6 sex female from Honduras
                                  numbers of c-1: A_NUMBER 012345678
    as of day 3, known at day 4:  claims about c-1: aged 6 sex female from Honduras; born 2012-03-00
                                  numbers of c-1: A_NUMBER 012345678; UAC_ID 77
    as of day 3, known at day 9:  claims about c-1: aged 6 sex female from Honduras
                                  numbers of c-1: A_NUMBER 012345678; UAC_ID 71
""")
def test_claims_stand_beside_one_another_until_they_are_retracted(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   numbered c-1 A_NUMBER 012345678
    day 1     day 1   numbered c-2 A_NUMBER 012345678
    day 1     day 1   registered c-1 aged 6
    day 2     day 2   registered c-1 aged 8

    as of day 2:  numbers of c-1: A_NUMBER 012345678
                  numbers of c-2: A_NUMBER 012345678
                  claims about c-1: aged 6; aged 8
                  claims about c-2: not recorded
""")
def test_claims_that_conflict_are_all_kept(): ...


# The tables themselves.

TABLE = """
    recorded  valid   event
    day 2     day 1   apprehended c-1 by CBP at mcallen

    as of day 1, known at day 2:  c-1 held by CBP at mcallen
"""


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("held by CBP", "held by ORR", "the ledger says: held by CBP at mcallen"),
        ("at mcallen\n\n", "at el paso\n\n", "the ledger says: held by CBP at el paso"),
        ("known at day 2", "known at day 1", "the ledger says: unknown"),
        ("as of day 1", "as of noon", "no such time: noon"),
        ("apprehended", "arrested", "no such event: arrested c-1 by CBP at mcallen"),
        ("held by", "kept by", "no such claim: c-1 kept by CBP at mcallen"),
        ("recorded  valid", "valid  recorded", "no heading"),
    ],
)
def test_a_table_that_is_wrong_or_has_an_unknown_word_fails(tmp_path, right, wrong, complaint):
    def play(table: str, name: str) -> None:
        History(table, f"sqlite:///{tmp_path}/ledger.db", name).play()

    play(TABLE, "right")
    assert right in TABLE
    with pytest.raises(AssertionError, match=complaint):
        play(TABLE.replace(right, wrong), "wrong")
