"""Who belongs together. A link, once asserted, survives everything."""

from scenario import scenario

# What makes a link.


@scenario("""
    recorded  valid   event
    day 1     day 1   m-1 is biological parent of c-1
    day 1     day 1   c-2 is sibling of c-1

    as of day 1:  relatives of c-1: m-1 is biological parent of c-1; c-2 is sibling of c-1
                  relatives of m-1: m-1 is biological parent of c-1
                  relatives of c-2: c-2 is sibling of c-1
""")
def test_a_relationship_is_seen_from_both_sides(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   family-1 formed of c-1, c-2 and m-1

    as of day 1:  relatives of c-1: c-2 by FamilyGroupFormed; m-1 by FamilyGroupFormed
                  relatives of m-1: c-1 by FamilyGroupFormed; c-2 by FamilyGroupFormed
                  family of family-1: c-1, c-2 and m-1
                  family of family-2: unknown
""")
def test_the_members_of_a_family_are_each_others_relatives(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 and m-2 by CBP for ZERO_TOLERANCE

    as of day 1:  relatives of c-1: m-1 by Separated; m-2 by Separated
                  relatives of m-1: c-1 by Separated          # not m-2: nobody said that they are related
                  relatives of m-2: c-1 by Separated
""")
def test_a_separation_says_that_they_had_been_together(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   reunified c-1 with m-1 by ORR
    day 1     day 1   reunified c-2 with unknown by ORR

    as of day 1:  relatives of c-1: m-1 by Reunified
                  relatives of m-1: c-1 by Reunified
                  relatives of c-2: not recorded
""")
def test_a_reunification_says_that_they_are_together(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 and x-1 by CBP at mcallen
    day 2     day 2   departed t-1 with c-1 and x-1 from CBP to ICE

    as of day 2:  relatives of c-1: not recorded
                  family of c-1: c-1
""")
def test_strangers_who_were_arrested_and_moved_together_are_not_relatives(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: m-1 is putative parent of c-1
    day 4     day 4   b: m-1 is biological parent of c-1
    day 5     day 5   c: m-1 is putative parent of c-1
    day 6     day 6   c-1 is child of m-1

    as of day 6:  relatives of c-1: m-1 is putative parent of c-1; m-1 is biological parent of c-1; c-1 is child of m-1
                  relatives of m-1: m-1 is putative parent of c-1; m-1 is biological parent of c-1; c-1 is child of m-1
""")
def test_one_link_is_told_once_and_another_kind_beside_it(): ...


@scenario("""
    recorded  valid   event
    day 5     day 3   family-1 formed of c-1 and m-1

    as of day 3, known at day 4:  c-1 unknown
                                  family of c-1: unknown
                                  family of family-1: unknown
    as of day 3, known at day 5:  family of c-1: c-1; then m-1
    as of day 2, known at day 5:  relatives of c-1: m-1 by FamilyGroupFormed
                                  family of c-1: c-1; then m-1
""")
def test_a_link_is_known_from_when_it_was_recorded_and_shown_for_every_moment():
    """Who belongs together does not begin on the day that somebody wrote it down."""


# How far it reaches.


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 1     day 1   family-1 formed of m-1 and c-2
    day 1     day 1   g-1 is biological parent of m-1
    day 1     day 1   reunified c-3 with g-1 by ORR
    day 1     day 1   c-9 is sibling of m-9                      # of another family

    as of day 1:  family of c-1: c-1; then m-1; then c-2 and g-1; then c-3
                  family of c-3: c-3; then g-1; then m-1; then c-1 and c-2
                  family of c-9: c-9; then m-9
                  family of family-1: c-2 and m-1; then c-1 and g-1; then c-3
""")
def test_a_family_is_everyone_whom_links_reach_at_any_remove(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   m-1 is biological parent of c-1
    day 1     day 1   m-1 is biological parent of c-2
    day 1     day 1   c-1 is sibling of c-2
    day 1     day 1   f-1 is spouse of m-1
    day 1     day 1   f-1 is biological parent of c-2

    as of day 1:  family of c-1: c-1; then c-2 and m-1; then f-1
""")
def test_a_family_that_is_linked_in_a_ring_has_each_member_once_at_the_nearest_remove(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: family-1 formed of c-1 and m-1
    day 4     day 4   b: family-1 formed of m-1 and c-2

    as of day 1, known at day 1:  family of family-1: c-1 and m-1
    as of day 4:                  family of family-1: c-1, c-2 and m-1
                                  family of c-2: c-2; then m-1; then c-1
""")
def test_a_family_recorded_again_with_others_keeps_those_it_had(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1, m-1 and m-2 by CBP at mcallen
    day 1     day 1   separated c-1 from m-1 and m-2 by CBP for ZERO_TOLERANCE
    day 1     day 1   g-1 is biological parent of m-1
    day 3     day 3   placed c-1 by ORR at casa padre
    day 4     day 4   booked in m-1 by ICE at port isabel
    day 6     day 6   released m-2 by CBP for PAROLED

    as of day 3:  family of c-1 is found: c-1 held by ORR at casa padre; m-1 held by CBP at mcallen; m-2 held by CBP at mcallen; g-1 not recorded
    as of day 6, known at day 4:  family of m-1 is found: m-1 held by ICE at port isabel; c-1 held by ORR at casa padre; g-1 not recorded; m-2 held by CBP at mcallen
    as of day 6, known at day 6:  family of m-1 is found: m-1 held by ICE at port isabel; c-1 held by ORR at casa padre; g-1 not recorded; m-2 released by CBP
""")
def test_a_family_shows_where_each_of_its_members_is(): ...


# What it survives.


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 and m-1 by CBP at mcallen
    day 1     day 1   family-1 formed of c-1 and m-1
    day 2     day 2   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 3     day 3   departed t-1 with m-1 from CBP to USMS
    day 4     day 4   arrived t-1 with m-1 to USMS at laredo
    day 5     day 5   placed c-1 by ORR at casa padre
    day 6     day 6   released m-1 by USMS for REMOVED
    day 7     day 7   released c-1 by ORR to s-1 for SPONSOR_OTHER_ADULT

    as of day 7:    relatives of c-1: m-1 by FamilyGroupFormed; m-1 by Separated; s-1 by Released
                    relatives of m-1: c-1 by FamilyGroupFormed; c-1 by Separated
                    family of family-1: c-1 and m-1; then s-1
                    family of c-1 is found: c-1 released by ORR; m-1 released by USMS; s-1 not recorded
    as of day 400:  relatives of c-1: m-1 by FamilyGroupFormed; m-1 by Separated; s-1 by Released
""")
def test_a_link_outlives_separation_transfer_removal_and_release(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 5     day 5   retracts a: they were never apart

    as of day 5, known at day 4:  relatives of c-1: m-1 by Separated
    as of day 5, known at day 5:  relatives of c-1: m-1 by Separated (retracted)
                                  relatives of m-1: c-1 by Separated (retracted)
                                  family of c-1: c-1; then m-1
                                  c-1 separated from not recorded
""")
def test_a_separation_that_is_retracted_leaves_the_link_in_sight(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: m-1 is biological parent of c-1
    day 1     day 1   b: family-1 formed of c-1, m-1 and m-2
    day 5     day 5   retracts a: the test says no
    day 6     day 6   retracts b: they only met on the way

    as of day 6, known at day 5:  relatives of c-1: m-1 is biological parent of c-1 (retracted); m-1 by FamilyGroupFormed; m-2 by FamilyGroupFormed
    as of day 6, known at day 6:  relatives of m-1: m-1 is biological parent of c-1 (retracted); c-1 by FamilyGroupFormed (retracted); m-2 by FamilyGroupFormed (retracted)
                                  family of m-2: m-2; then c-1 and m-1
                                  family of family-1: c-1, m-1 and m-2
""")
def test_a_link_that_is_retracted_is_marked_and_still_leads_to_the_relative(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: m-1 is biological parent of c-1
    day 2     day 2   b: m-1 is biological parent of c-1
    day 3     day 3   c: m-1 is biological parent of c-1
    day 5     day 5   retracts a: the form was another's
    day 6     day 6   retracts c: and so was this one
    day 7     day 7   retracts b: and so were they all
    day 9     day 9   d: m-1 is biological parent of c-1

    as of day 9, known at day 3:  relatives of c-1: m-1 is biological parent of c-1
    as of day 9, known at day 5:  relatives of c-1: m-1 is biological parent of c-1
    as of day 9, known at day 6:  relatives of c-1: m-1 is biological parent of c-1
    as of day 9, known at day 7:  relatives of c-1: m-1 is biological parent of c-1 (retracted)
    as of day 9, known at day 9:  relatives of c-1: m-1 is biological parent of c-1
                                  relatives of m-1: m-1 is biological parent of c-1
""")
def test_a_link_stands_as_long_as_one_assertion_of_it_does(): ...
