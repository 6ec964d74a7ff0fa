"""Who holds each person, where, and since when."""

from scenario import scenario

# Taken into custody.


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 and m-1 by CBP at mcallen
    day 1     day 1   apprehended m-2 by ICE                       # the place is not recorded

    as of day 1:  c-1 held by CBP at mcallen
                  m-1 held by CBP at mcallen
                  m-2 held by ICE
                  c-1 in this custody since day 1
                  roster of CBP: c-1 and m-1 (2)
                  roster of CBP at mcallen: c-1 and m-1 (2)
                  roster of mcallen: c-1 and m-1 (2)
                  roster of ICE: m-2 (1)
                  roster of ICE at mcallen: unknown
                  roster of ORR: nobody (0)
""")
def test_those_apprehended_together_are_each_held_by_the_agency(): ...


@scenario("""
    recorded  valid        event
    day 1     day 1 14:00  apprehended m-1 by CBP at mcallen
    day 2     day 2        booked in m-1 by CBP at ursula

    as of day 1 13:59:  m-1 not recorded
    as of day 1:        m-1 held by CBP at mcallen
                        m-1 in this custody since day 1 14:00
    as of day 2:        m-1 held by CBP at ursula
                        m-1 in this custody since day 2
                        roster of mcallen: nobody (0)
                        roster of ursula: m-1 (1)
                        stays of m-1: day 1 14:00 to day 2 held by CBP at mcallen; day 2 on held by CBP at ursula
""")
def test_a_person_is_where_she_was_booked_in_last(): ...


@scenario("""
    recorded  valid   event
    day 4     day 3   booked in m-1 by ICE at port isabel

    as of day 2:  m-1 not recorded
    as of day 3:  m-1 held by ICE at port isabel
                  roster of ICE: m-1 (1)
""")
def test_a_booking_without_an_apprehension_still_says_that_somebody_is_held(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by ICE at Port Isabel
    day 1     day 1   booked in m-2 by ICE at PORT ISABEL
    day 1     day 1   booked in m-3 by CBP at port isabel

    as of day 1:  roster of ICE at port isabel: m-1 and m-2 (2)
                  roster of port isabel: m-1, m-2 and m-3 (3)
                  roster of CBP at PORT ISABEL: m-3 (1)
                  m-1 held by ICE at Port Isabel
""")
def test_a_facility_is_found_however_its_name_is_written(): ...


# Booked out.


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by ICE at port isabel
    day 3     day 3   booked out m-1 by ICE from port isabel

    as of day 2:  roster of port isabel: m-1 (1)
    as of day 3:  m-1 held by ICE
                  roster of port isabel: nobody (0)
                  roster of ICE: m-1 (1)
""")
def test_who_is_booked_out_is_still_held_somewhere_by_the_agency(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by CBP at ursula
    day 3     day 3   booked in m-1 by ICE at port isabel
    day 4     day 3   booked out m-1 by CBP from ursula           # the older stay's end

    as of day 3, known at day 3:  m-1 held by ICE at port isabel
    as of day 3, known at day 4:  m-1 held by ICE at port isabel
                                  m-1 in this custody since day 3
                                  roster of ICE at port isabel: m-1 (1)
                                  roster of CBP: nobody (0)
""")
def test_the_end_of_the_older_stay_does_not_put_her_out_of_the_newer_one_of_that_day(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by ICE at port isabel
    day 3     day 3   booked in m-1 by ICE at el valle
    day 4     day 3   booked out m-1 by ICE from port isabel

    as of day 3:  m-1 held by ICE at el valle
                  roster of el valle: m-1 (1)
                  roster of port isabel: nobody (0)
""")
def test_moving_to_another_facility_of_the_agency_in_one_day_ends_in_the_newer_one(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by ICE at port isabel
    day 3     day 3   booked out m-1 by ICE from PORT ISABEL

    as of day 3:  m-1 held by ICE
                  roster of port isabel: nobody (0)
""")
def test_who_is_booked_out_is_gone_from_the_facility_however_its_name_is_written():
    """The roster takes both spellings for one facility, so the end of the stay has to as well."""


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 1     day 1   referred c-1 to ORR by CBP
    day 1     day 1   booked in c-1 by CBP at ursula
    day 2     day 2   booked out c-1 by CBP from ursula

    as of day 1:  c-1 held by CBP at ursula, awaited by ORR
    as of day 2:  c-1 held by CBP, awaited by ORR
""")
def test_who_is_booked_out_is_awaited_as_before(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 2     day 2   released c-1 by CBP for PAROLED
    day 3     day 3   booked out c-1 by CBP from mcallen

    as of day 3:  c-1 released by CBP
                  roster of CBP: nobody (0)
""")
def test_a_booking_out_after_a_release_takes_nobody_into_custody_again(): ...


# Transfers.


@scenario("""
    recorded  valid        event
    day 1     day 1        apprehended m-1 and m-2 by CBP at mcallen
    day 3     day 3 08:00  departed t-1 with m-1 and m-2 from CBP at mcallen to ICE at port isabel
    day 4     day 4 17:00  arrived t-1 with m-1 to ICE at port isabel

    as of day 2:        roster of CBP at mcallen: m-1 and m-2 (2)
    as of day 3:        m-1 in transfer from CBP to ICE
                        m-1 in this custody since day 3 08:00
                        roster of CBP: m-1 and m-2 (2)       # the sender's, until they arrive
                        roster of mcallen: nobody (0)
                        roster of ICE: nobody (0)
    as of day 4 17:00:  m-1 held by ICE at port isabel
                        roster of ICE: m-1 (1)
    as of day 30:       m-2 in transfer from CBP to ICE      # never arrived: nobody is in between
                        roster of CBP: m-2 (1)
                        roster of ICE: m-1 (1)
                        stays of m-2: day 1 to day 3 08:00 held by CBP at mcallen; day 3 08:00 on in transfer from CBP to ICE
""")
def test_who_has_departed_is_the_senders_until_she_arrives(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended m-1 by CBP at mcallen
    day 4     day 3   arrived t-1 with m-1 to ICE at port isabel

    as of day 3, known at day 3:  m-1 held by CBP at mcallen
    as of day 3, known at day 4:  m-1 held by ICE at port isabel
                                  roster of CBP: nobody (0)
""")
def test_an_arrival_needs_no_departure(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended m-1 by CBP at mcallen
    day 3     day 3   arrived t-1 with m-1 to ICE at port isabel
    day 4     day 3   departed t-1 with m-1 from CBP to ICE at port isabel

    as of day 3:  m-1 held by ICE at port isabel
                  roster of ICE: m-1 (1)
                  roster of CBP: nobody (0)
""")
def test_who_departed_and_arrived_on_one_day_has_arrived(): ...


@scenario("""
    recorded  valid        event
    day 1     day 1        apprehended m-1 by CBP at mcallen
    day 3     day 3        arrived t-1 with m-1 to ICE
    day 4     day 3 14:00  departed t-1 with m-1 from CBP to ICE

    as of day 3 13:59, known at day 4:  m-1 held by CBP at mcallen
    as of day 3, known at day 4:        m-1 held by ICE
                                        m-1 in this custody since day 3 14:00
""")
def test_an_arrival_known_to_the_day_is_behind_a_departure_known_to_the_minute(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended m-1 by CBP at mcallen
    day 2     day 2   departed t-1 with m-1 from CBP to ICE
    day 3     day 3   arrived t-2 with m-1 to USMS at laredo

    as of day 3:  m-1 held by USMS at laredo, awaited by ICE
                  roster of USMS: m-1 (1)
                  roster of CBP: nobody (0)
""")
def test_who_arrives_elsewhere_is_still_awaited_where_she_was_bound_for(): ...


# To the Office of Refugee Resettlement.


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 2     day 2   referred c-1 to ORR by CBP
    day 6     day 5   placed c-1 by ORR at casa padre

    as of day 1:  c-1 held by CBP at mcallen
    as of day 4:  c-1 held by CBP at mcallen, awaited by ORR
                  c-1 in this custody since day 1
                  roster of CBP: c-1 (1)
                  roster of ORR: nobody (0)
    as of day 5:  c-1 held by ORR at casa padre
                  roster of CBP: nobody (0)
                  roster of ORR: c-1 (1)
                  roster of ORR at casa padre: c-1 (1)
                  stays of c-1: day 1 to day 2 held by CBP at mcallen; day 2 to day 5 held by CBP at mcallen, awaited by ORR; day 5 on held by ORR at casa padre
""")
def test_a_referral_moves_nobody_until_the_child_is_placed(): ...


@scenario("""
    recorded  valid   event
    day 3     day 3   referred c-1 to ORR by CBP

    as of day 3:  c-1 not recorded, awaited by ORR
                  roster of CBP: nobody (0)
                  roster of ORR: nobody (0)
""")
def test_a_referral_of_a_child_whom_nobody_recorded_shows_that_she_is_awaited(): ...


@scenario("""
    recorded  valid   event
    day 2     day 2   placed c-1 by ORR at casa padre
    day 3     day 3   referred c-1 to ORR by CBP       # the paper is late

    as of day 3:  c-1 held by ORR at casa padre
""")
def test_a_referral_of_a_child_who_is_there_already_awaits_nobody(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 1     day 1   referred c-1 to ORR by CBP
    day 2     day 2   booked in c-1 by ICE at karnes
    day 3     day 3   booked in c-1 by ORR at casa padre

    as of day 1:  c-1 held by CBP at mcallen, awaited by ORR
    as of day 2:  c-1 held by ICE at karnes, awaited by ORR
    as of day 3:  c-1 held by ORR at casa padre
""")
def test_a_child_is_awaited_until_she_reaches_the_agency_that_awaits_her(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 1     day 1   referred c-1 to ORR by CBP
    day 2     day 2   departed t-1 with c-1 from CBP to ICE
    day 3     day 3   arrived t-1 with c-1 to ICE at karnes

    as of day 2:  c-1 in transfer from CBP to ICE
    as of day 3:  c-1 held by ICE at karnes, awaited by ORR
""")
def test_a_transfer_to_somebody_else_does_not_settle_a_referral():
    """`awaited_by` is "the agency that she is referred or on her way to, until she arrives"."""


@scenario("""
    recorded  valid   event
    day 1     day 1   referred c-1 to ORR by CBP
    day 2     day 2   released c-1 by CBP for ADULT_RELATIVE
    day 9     day 9   apprehended c-1 by CBP at mcallen
    day 12    day 12  placed c-1 by ORR at casa padre
    day 20    day 20  released c-1 by ORR for SPONSOR_UNSPECIFIED
    day 30    day 30  a: referred c-1 to ORR by ICE

    as of day 1:   c-1 not recorded, awaited by ORR
    as of day 2:   c-1 released by CBP
    as of day 9:   c-1 held by CBP at mcallen
    as of day 20:  c-1 released by ORR
    as of day 30:  c-1 released by ORR, awaited by ORR
""")
def test_nobody_awaits_a_child_who_was_released_until_she_is_referred_again(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre, outcome reunified
    day 9     day 9   placed c-1 by ORR at southwest key

    as of day 5:  c-1 held by ORR at casa padre, outcome reunified
                  roster of casa padre: c-1 (1)
    as of day 9:  c-1 held by ORR at southwest key
                  roster of casa padre: nobody (0)
""")
def test_an_outcome_without_a_date_leaves_the_child_in_care_and_is_shown(): ...


@scenario("""
    recorded  valid   event
    day 3     day 1   placed c-1 by ORR at casa padre
    day 4     day 2   a: apprehended c-1 by CBP at mcallen     # one of the two dates is wrong

    as of day 2, known at day 3:  c-1 held by ORR at casa padre
    as of day 2, known at day 4:  c-1 held by ORR at casa padre, against a
                                  c-1 in this custody since day 1
                                  roster of ORR: c-1 (1)
                                  roster of CBP: c-1 (1)                          # who claims to hold her lists her
""")
def test_a_child_apprehended_after_she_was_placed_stays_placed_and_both_are_shown(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended m-1 by CBP at mcallen
    day 3     day 3   a: apprehended m-1 by CBP at el paso
    day 5     day 5   departed t-1 with m-1 from CBP to ICE
    day 6     day 6   b: apprehended m-1 by USMS at laredo
    day 7     day 7   arrived t-1 with m-1 to ICE

    as of day 3:  m-1 held by CBP at el paso
    as of day 6:  m-1 in transfer from CBP to ICE, against b
    as of day 7:  m-1 held by ICE
""")
def test_what_contradicted_a_state_is_shown_as_long_as_the_state_lasts(): ...


# The end of custody.


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by ICE at port isabel
    day 9     day 8   released m-1 by ICE for BONDED_OUT

    as of day 8, known at day 8:  m-1 held by ICE at port isabel
                                  roster of ICE: m-1 (1)
    as of day 7, known at day 9:  m-1 held by ICE at port isabel
    as of day 8, known at day 9:  m-1 released by ICE
                                  m-1 in this custody since day 8
                                  roster of ICE: nobody (0)
                                  roster of port isabel: nobody (0)
                                  stays of m-1: day 1 to day 8 held by ICE at port isabel; day 8 on released by ICE
""")
def test_a_release_ends_custody_from_its_day_on(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in m-1 by ICE at port isabel
    day 8     day 8   released m-1 by ICE for PAROLED
    day 20    day 20  apprehended m-1 by CBP at mcallen

    as of day 19:  m-1 released by ICE
    as of day 20:  m-1 held by CBP at mcallen
                   roster of CBP: m-1 (1)
""")
def test_who_was_released_can_be_apprehended_again(): ...


@scenario("""
    recorded  valid   event
    day 8     day 8   released m-1 by ICE for PAROLED

    as of day 7:  m-1 not recorded
    as of day 8:  m-1 released by ICE
""")
def test_recorded_as_ended_is_not_the_same_as_not_recorded(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in s-1 by ICE at port isabel
    day 1     day 1   placed c-1 by ORR at casa padre
    day 5     day 5   released c-1 by ORR to s-1 for SPONSOR_CLOSE_RELATIVE

    as of day 5:  c-1 released by ORR
                  s-1 held by ICE at port isabel
                  roster of ICE: s-1 (1)
                  roster of ORR: nobody (0)
                  events of s-1: booked in day 1; released day 5
""")
def test_the_release_of_a_child_does_not_end_the_custody_of_her_sponsor(): ...


@scenario("""
    recorded  valid   event
    day 5     day 5   released c-1 by ORR to s-1 for SPONSOR_CLOSE_RELATIVE

    as of day 5:  c-1 released by ORR
                  s-1 not recorded
""")
def test_a_sponsor_of_whom_nothing_else_is_known_was_not_released(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre
    day 1     day 1   booked in m-1 by ICE at port isabel
    day 1     day 1   booked in m-2 by ICE at port isabel
    day 4     day 4   released m-2 by ICE for PAROLED
    day 9     day 9   reunified c-1 with m-1 and m-2 by ORR

    as of day 8:  c-1 held by ORR at casa padre
    as of day 9:  c-1 released by ORR
                  m-1 held by ICE at port isabel       # her own release is not recorded
                  m-2 released by ICE
                  roster of ORR: nobody (0)
                  roster of ICE: m-1 (1)
""")
def test_a_reunification_in_freedom_ends_the_custody_of_the_child_alone(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre
    day 1     day 1   booked in m-1 by USMS at laredo
    day 9     day 9   reunified c-1 with m-1 by ICE at dilley

    as of day 9:  c-1 held by ICE at dilley
                  m-1 held by ICE at dilley
                  roster of ICE at dilley: c-1 and m-1 (2)
                  roster of ORR: nobody (0)
                  roster of USMS: nobody (0)
""")
def test_a_reunification_in_detention_holds_them_together(): ...


# Rosters over time.


@scenario("""
    recorded  valid    event
    day 2     day 2    booked in m-1 by ICE at port isabel
    day 3     day 3    booked in m-2 by ICE at port isabel
    day 200   day 199  released m-1 by ICE for PAROLED

    as of day 1:    roster of port isabel: nobody (0)
    as of day 2:    roster of port isabel: m-1 (1)
    as of day 33:   roster of port isabel: m-1 and m-2 (2)
    as of day 64:   roster of port isabel: m-1 and m-2 (2)
    as of day 100:  roster of port isabel: m-1 and m-2 (2)
    as of day 198:  roster of port isabel: m-1 and m-2 (2)
    as of day 199:  roster of port isabel: m-2 (1)
    as of day 300:  roster of port isabel: m-2 (1)
    as of day 198, known at day 199:  roster of port isabel: m-1 and m-2 (2)
    as of day 199, known at day 199:  roster of port isabel: m-1 and m-2 (2)
""")
def test_who_is_held_for_long_is_on_the_roster_on_every_day_of_it(): ...


@scenario("""
    recorded  valid        event
    day 2     day 1        booked in m-1 by ICE at port isabel
    day 2     day 2 10:00  released m-1 by ICE for PAROLED
    day 5     day 2 12:00  apprehended m-1 by ICE at harlingen
    day 6     day 4        departed t-1 with m-1 from ICE to BOP
    +         day 5        arrived t-1 with m-1 to BOP at bastrop

    as of day 2 09:59, known at day 6:  roster of ICE: m-1 (1)
    as of day 2 10:00, known at day 6:  roster of ICE: nobody (0)
    as of day 2 11:59, known at day 6:  roster of ICE: nobody (0)
    as of day 2 12:00, known at day 2:  roster of ICE: nobody (0)
    as of day 2 12:00, known at day 6:  roster of ICE: m-1 (1)
                                        roster of harlingen: m-1 (1)
                                        roster of port isabel: nobody (0)
    as of day 4, known at day 5:        roster of harlingen: m-1 (1)
    as of day 4, known at day 6:        roster of ICE: m-1 (1)
                                        roster of harlingen: nobody (0)
    as of day 5, known at day 6:        roster of ICE: nobody (0)
                                        roster of BOP at bastrop: m-1 (1)
    as of day 5, known at day 5:        roster of BOP: nobody (0)
                                        roster of bastrop: unknown
""")
def test_a_roster_follows_every_stay_as_it_was_known(): ...


# Nobody is lost by what others say of her.


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 2     day 2   placed c-1 by ORR at casa padre
    day 3     day 3   x: released c-1 by CBP for OTHER

    as of day 3:  c-1 held by ORR at casa padre, against x
                  roster of ORR: c-1 (1)
""")
def test_an_agency_cannot_release_whom_another_holds(): ...


@scenario("""
    recorded  valid    event
    day 1     day 1    placed c-1 by ORR at casa padre
    day 400   day 400  x: apprehended c-1 by CBP at mcallen
    day 401   day 401  booked in c-1 by CBP at mcallen

    as of day 400:  roster of ORR: c-1 (1)
                    roster of CBP: c-1 (1)
    as of day 401:  c-1 held by CBP at mcallen
                    roster of ORR: nobody (0)
""")
def test_whoever_claims_to_hold_her_lists_her_until_one_receives_her(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 4     day 3   arrived t-1 with c-1 to ORR at casa padre
    day 5     day 4   departed t-1 with c-1 from CBP to ORR

    as of day 5:  c-1 held by ORR at casa padre
""")
def test_who_arrived_before_she_left_has_arrived():
    """Two agencies, two clocks."""


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 3     day 3   apprehended c-1 by ICE at karnes
    day 5     day 5   released c-1 by CBP for OTHER

    as of day 3:  c-1 held by CBP at mcallen, against apprehended c-1 by ICE at karnes
                  roster of ICE at karnes: c-1 (1)
    as of day 5:  c-1 held by ICE at karnes, against apprehended c-1 by ICE at karnes
                  roster of ICE: c-1 (1)
                  roster of CBP: nobody (0)
""")
def test_whom_one_agency_releases_the_other_that_claims_her_still_has(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 by CBP at mcallen
    day 3     day 3   apprehended c-1 by ICE at karnes
    day 5     day 5   released c-1 by ICE for OTHER

    as of day 5:  c-1 held by CBP at mcallen
                  roster of CBP: c-1 (1)
                  roster of ICE: nobody (0)
                  queue CUSTODY_CONFLICT: nobody (0)
""")
def test_an_agency_takes_its_own_claim_back(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   booked in c-1 by CBP at mcallen
    day 2     day 2   apprehended c-1 by ICE at karnes
    day 3     day 3   booked out c-1 by CBP from mcallen
    day 4     day 4   booked in c-1 by CBP at ursula
    day 5     day 5   departed t-1 with c-1 from CBP to ORR
    day 6     day 6   refused t-1 with c-1 by ORR: no bed

    as of day 3:  c-1 held by CBP, against apprehended c-1 by ICE at karnes
                  roster of ICE at karnes: c-1 (1)
    as of day 4:  roster of ICE at karnes: c-1 (1)
                  roster of CBP at ursula: c-1 (1)
    as of day 5:  roster of ICE at karnes: c-1 (1)
                  roster of CBP: c-1 (1)
    as of day 6:  roster of ICE at karnes: c-1 (1)
                  queue CUSTODY_CONFLICT: c-1 (1)
""")
def test_what_the_agency_that_holds_her_says_of_itself_takes_no_claim_from_another(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre
    day 2     day 2   departed t-1 with c-1 from ICE to CBP

    as of day 2:  c-1 held by ORR at casa padre, against departed t-1 with c-1 from ICE to CBP
                  roster of ORR: c-1 (1)
                  queue CUSTODY_CONFLICT: c-1 (1)
""")
def test_nobody_sends_away_whom_another_agency_holds(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   placed c-1 by ORR at casa padre
    day 2     day 2   booked in c-2 by ICE at karnes
    day 5     day 5   released c-2 by ICE for OTHER
    day 8     day 8   linked as same c-1 and c-2 by u-1 and u-2: one print

    as of day 9, known at day 7:  roster of ORR: c-1 (1)
                                  queue TAKEN_WITHOUT_HANDOVER: nobody (0)
    as of day 9, known at day 8:  c-1 released by ICE
                                  queue TAKEN_WITHOUT_HANDOVER: c-1 (1)
""")
def test_a_link_of_two_records_that_disagree_on_who_holds_her_is_pointed_at(): ...
