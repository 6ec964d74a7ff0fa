"""The two clocks: what was true, and what was known of it."""

from scenario import scenario


@scenario("""
    recorded  valid   event
    day 20    day 1   apprehended c-1 by CBP at mcallen
    day 21    day 3   placed c-1 by ORR at casa padre      # heard late

    as of day 5, known at day 19:  c-1 unknown
    as of day 5, known at day 20:  c-1 held by CBP at mcallen
    as of day 5, known at day 21:  c-1 held by ORR at casa padre
    as of day 2, known at day 21:  c-1 held by CBP at mcallen
""")
def test_late_news_changes_the_past_only_once_known(): ...
