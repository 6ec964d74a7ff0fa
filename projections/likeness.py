"""Which of the people of one minute and place look like a family and have no link, and why (R-08).

What it says is a reason to look, never a finding that they are one.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from ledger.v1.view_pb2 import LikelyFamily, LikelyMember
from projections.age import ADULT_YEARS

PARENT_YEARS = 15
"""So many years lie between most parents and their children."""


def likely_families(members: Iterable[LikelyMember]) -> Iterator[LikelyFamily]:
    """The likely families among people who were apprehended together, by nationality.

    A family is likely where an adult and a minor of one nationality have no link with each other
    and nobody has found that they are none.
    """
    by_nationality: dict[str, list[LikelyMember]] = {}
    for one in members:
        nationality = " ".join(one.nationality_text.split()).casefold()
        by_nationality.setdefault(nationality, []).append(one)
    for nationality, people in sorted(by_nationality.items()):
        family = _family(people, nationality)
        if family is not None:
            yield family


def _family(people: Iterable[LikelyMember], nationality: str) -> LikelyFamily | None:
    known = sorted((one for one in people if one.HasField("years_min")), key=_by_age)
    adults = [one for one in known if one.years_min >= ADULT_YEARS]
    minors = [one for one in known if one.years_max < ADULT_YEARS]
    open_pairs = [
        (adult, minor)
        for adult, minor in product(adults, minors)
        if minor.person_id not in adult.settled_ids and adult.person_id not in minor.settled_ids
    ]
    if not open_pairs:
        return None
    years = max(adult.years_max - minor.years_min for adult, minor in open_pairs)
    reasons = ["ADULT_AND_MINOR", "SAME_MINUTE", "SAME_PLACE"]
    if nationality:
        reasons.append("SAME_NATIONALITY")
    reasons.append("AGE_GAP_15_OR_MORE" if years >= PARENT_YEARS else "AGE_GAP_UNDER_15")
    return LikelyFamily(
        adults=adults,
        minors=minors,
        reason_codes=reasons,
        years_between=years,
        apprehended_time=known[0].apprehended_time,
        place=known[0].place,
    )


def _by_age(one: LikelyMember) -> tuple[int, str]:
    return (-one.years_max, one.person_id)
