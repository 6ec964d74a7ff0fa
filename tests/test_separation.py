"""Which children were taken apart from whom, and which of them are together again."""

from scenario import scenario


@scenario("""
    recorded  valid   event
    day 1     day 1   apprehended c-1 and m-1 by CBP at mcallen
    day 3     day 2   separated c-1 from m-1 by CBP for ZERO_TOLERANCE and PROSECUTION_UNSPECIFIED

    as of day 2, known at day 2:  c-1 separated from not recorded
                                  still separated: nobody (0)
    as of day 1, known at day 3:  c-1 separated from not recorded
                                  ever separated: nobody (0)
    as of day 2, known at day 3:  c-1 separated from m-1, open
                                  c-1 separated for ZERO_TOLERANCE and PROSECUTION_UNSPECIFIED
                                  c-1 separated since day 2
                                  still separated: c-1 (1)
                                  ever separated: c-1 (1)
                                  m-1 separated from not recorded       # the child's, not the adult's
                                  c-1 held by CBP at mcallen            # and it moves nobody
""")
def test_a_separation_is_open_from_its_day_on(): ...


@scenario("""
    recorded  valid        event
    day 1     day 1        separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 1     day 1 16:00  apprehended c-1 and m-1 by CBP at mcallen

    as of day 1 15:59:  c-1 separated from not recorded
    as of day 1 16:00:  c-1 separated from m-1, open
                        c-1 separated since day 1 16:00
""")
def test_they_are_separated_after_they_are_apprehended(): ...


# Reunified.


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 9     day 8   reunified c-1 with m-1 by ORR

    as of day 8, known at day 8:  c-1 separated from m-1, open
                                  still separated: c-1 (1)
    as of day 7, known at day 9:  c-1 separated from m-1, open
                                  still separated: c-1 (1)
    as of day 8, known at day 9:  c-1 separated from m-1, reunified day 8
                                  still separated: nobody (0)
                                  ever separated: c-1 (1)
""")
def test_a_reunification_ends_a_separation(): ...


@scenario("""
    recorded  valid   event
    day 9     day 8   reunified c-1 with m-1 by ORR
    day 10    day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE     # heard last

    as of day 9:  c-1 separated from m-1, reunified day 8
                  still separated: nobody (0)
""")
def test_a_separation_heard_of_after_the_reunification_is_ended_by_it(): ...


@scenario("""
    recorded  valid   event
    day 9     day 8   reunified c-1 with m-1 by ORR
    day 9     day 8   separated c-1 from m-1 by CBP for ZERO_TOLERANCE

    as of day 8:  c-1 separated from m-1, reunified day 8
                  still separated: nobody (0)
""")
def test_who_was_separated_and_reunified_on_one_day_is_reunified(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 and m-2 by CBP for ZERO_TOLERANCE
    day 5     day 5   reunified c-1 with m-2 by ORR
    day 9     day 9   reunified c-1 with m-1 by ORR

    as of day 5:  c-1 separated from m-1 and m-2, partly reunified with m-2
                  still separated: c-1 (1)
    as of day 9:  c-1 separated from m-1 and m-2, reunified day 9
                  still separated: nobody (0)
""")
def test_reunified_with_one_of_two_adults_is_partly_reunified(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 and m-2 by CBP for ZERO_TOLERANCE
    day 5     day 5   a: reunified c-1 with m-2 by ORR
    day 9     day 9   b: reunified c-1 with m-2 by ORR

    as of day 9:  c-1 separated from m-1 and m-2, partly reunified with m-2
                  still separated: c-1 (1)
""")
def test_reunified_twice_with_one_adult_is_not_reunified_with_the_other(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 5     day 5   reunified c-1 with m-1 and m-2 by ORR
    day 9     day 9   reunified c-1 with m-1 by ICE

    as of day 9:  c-1 separated from m-1, reunified day 5
                  still separated: nobody (0)
""")
def test_a_reunification_told_again_keeps_the_day_of_the_first(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 5     day 5   reunified c-1 with g-1 by ORR

    as of day 5:  c-1 separated from m-1, open
                  still separated: c-1 (1)
""")
def test_reunified_with_another_adult_is_still_separated_from_the_first(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 1     day 1   placed c-1 by ORR at casa padre
    day 5     day 5   released c-1 by ORR to s-1 for SPONSOR_CLOSE_RELATIVE

    as of day 5:  c-1 released by ORR
                  c-1 separated from m-1, open
                  still separated: c-1 (1)
""")
def test_a_child_released_to_somebody_else_is_still_separated(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 1     day 1   separated c-2 from m-1 by CBP for ZERO_TOLERANCE
    day 1     day 1   separated c-3 from m-3 by CBP for ZERO_TOLERANCE
    day 5     day 5   reunified c-1 with m-1 by ORR

    as of day 5:  c-1 separated from m-1, reunified day 5
                  c-2 separated from m-1, open
                  still separated: c-2 and c-3 (2)
                  ever separated: c-1, c-2 and c-3 (3)
""")
def test_the_reunification_of_one_child_is_not_that_of_her_brother(): ...


@scenario("""
    recorded  valid   event
    day 5     day 5   reunified c-1 with m-1 by ORR

    as of day 5:  c-1 separated from not recorded
                  ever separated: nobody (0)
""")
def test_a_reunification_alone_makes_no_separation(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from unknown by CBP for ZERO_TOLERANCE      # 16, and a mother
    day 1     day 1   separated c-2 from c-1 by CBP for NOT_PARENT_OTHER_RELATIVE
    day 5     day 5   reunified c-2 with c-1 by ORR

    as of day 1:  still separated: c-1 and c-2 (2)
    as of day 5:  c-2 separated from c-1, reunified day 5
                  c-1 separated from unknown, open
                  still separated: c-1 (1)
""")
def test_a_young_mother_who_has_her_child_again_is_still_separated_from_her_own_mother(): ...


# Nobody named.


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from unknown by CBP for ZERO_TOLERANCE

    as of day 1:  c-1 separated from unknown, open
                  still separated: c-1 (1)
""")
def test_a_separation_from_an_adult_whom_nobody_named_is_open(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from unknown by CBP for ZERO_TOLERANCE
    day 1     day 1   separated c-2 from unknown by CBP for ZERO_TOLERANCE
    day 5     day 5   reunified c-1 with unknown by ORR
    day 5     day 5   reunified c-2 with m-2 by ORR

    as of day 4:  still separated: c-1 and c-2 (2)
    as of day 5:  c-1 separated from unknown, reunified day 5
                  c-2 separated from unknown, reunified day 5
                  still separated: nobody (0)
                  ever separated: c-1 and c-2 (2)
""")
def test_who_was_separated_from_somebody_unnamed_is_reunified_with_whomever(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 5     day 5   reunified c-1 with unknown by ORR

    as of day 5:  c-1 separated from m-1, reunified day 5
                  still separated: nobody (0)
""")
def test_a_reunification_that_names_nobody_is_with_the_adult_of_the_separation(): ...


# More than one separation.


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 9     day 9   reunified c-1 with m-1 by ORR
    day 20    day 20  a: separated c-1 from m-1 by ICE for CRIMINAL_HISTORY_UNSPECIFIED

    as of day 9:   still separated: nobody (0)
    as of day 20:  c-1 separated from m-1, reunified day 9; m-1, open
                   c-1 separated for ZERO_TOLERANCE; CRIMINAL_HISTORY_UNSPECIFIED
                   c-1 separated since day 1; day 20
                   still separated: c-1 (1)
                   ever separated: c-1 (1)
""")
def test_a_child_separated_again_is_separated_again(): ...


@scenario("""
    recorded  valid   event
    day 4     day 4   separated c-1 from m-2 by ICE for PARENT_MEDICAL
    day 5     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 9     day 9   reunified c-1 with m-2 by ORR

    as of day 4:  c-1 separated from m-1, open; m-2, open      # in the order in which they took effect
    as of day 9:  c-1 separated from m-1, open; m-2, reunified day 9
                  still separated: c-1 (1)
""")
def test_each_of_two_separations_ends_by_itself(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 3     day 2   b: separated c-1 from m-1 by ICE for ZERO_TOLERANCE       # each has its record
    day 9     day 9   reunified c-1 with m-1 by ORR

    as of day 8:  c-1 separated from m-1, open; m-1, open
                  still separated: c-1 (1)
    as of day 9:  c-1 separated from m-1, reunified day 9; m-1, reunified day 9
                  still separated: nobody (0)
""")
def test_one_reunification_ends_every_record_of_the_separation(): ...


# Corrections.


@scenario("""
    recorded  valid   event
    day 1     day 1   a: separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 5     day 5   retracts a: another child was meant
    +         day 1   separated c-2 from m-1 by CBP for ZERO_TOLERANCE

    as of day 2, known at day 4:  still separated: c-1 (1)
    as of day 2, known at day 5:  c-1 separated from not recorded
                                  still separated: c-2 (1)
                                  ever separated: c-2 (1)
""")
def test_a_retracted_separation_was_none(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   separated c-1 from m-1 by CBP for ZERO_TOLERANCE
    day 5     day 5   a: reunified c-1 with m-1 by ORR
    day 7     day 7   retracts a: she was handed to another woman

    as of day 5, known at day 6:  c-1 separated from m-1, reunified day 5
                                  c-1 released by ORR
                                  still separated: nobody (0)
    as of day 5, known at day 7:  c-1 separated from m-1, open
                                  c-1 not recorded
                                  still separated: c-1 (1)
""")
def test_a_child_whose_reunification_is_retracted_is_separated_again(): ...


@scenario("""
    recorded  valid   event
    day 1     day 1   a: separated c-1 from unknown by CBP for NOT_RECORDED
    day 8     day 8   retracts a: the mother was found
    +         day 1   b corrects a: separated c-1 from m-1 by CBP for ZERO_TOLERANCE

    as of day 1, known at day 7:  c-1 separated from unknown, open
                                  c-1 separated for NOT_RECORDED
                                  relatives of c-1: not recorded
    as of day 1, known at day 8:  c-1 separated from m-1, open
                                  c-1 separated for ZERO_TOLERANCE
                                  relatives of c-1: m-1 by Separated
""")
def test_the_adult_of_a_separation_can_be_named_later(): ...
