"""All that one person's entries come to, side by side: what the rules of findings look at."""

from dataclasses import dataclass
from typing import Any

from projections.age import ADULT_YEARS
from projections.casework import Casework, casework
from projections.clocks import Clocks, clocks
from projections.custody import custody
from projections.custody_view import Custody
from projections.evolve import replace
from projections.family import Family, family
from projections.identity import Identity
from projections.projection import Projection
from projections.separation import Separations, separation


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a step saw and that no view keeps: the rule, the event, the field."""

    rule_code: str
    event_id: str
    field: str = ""
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One person."""

    person_id: str
    custody: Custody = Custody("")  # noqa: RUF009  # frozen, as the others
    family: Family = Family("")  # noqa: RUF009
    separation: Separations = Separations("")  # noqa: RUF009
    at_us: int = 0
    """The instant that she is looked at."""
    noted: tuple[Noted, ...] = ()
    departures: tuple[tuple[str, tuple[str, frozenset[str] | None]], ...] = ()
    """By transfer: (event id, the relatives that were stated of her; None: nothing was)."""
    unaccompanied_event_ids: tuple[str, ...] = ()
    """Of apprehensions that do not say with whom a minor was found."""
    removal_event_id: str = ""
    removed_us: int | None = None
    """When she was removed; None: it is planned, if anything."""
    returned_event_id: str = ""
    """Of her return from prosecution."""
    unreached_event_id: str = ""
    missed_hearing_event_id: str = ""

    @property
    def identity(self) -> Identity:
        """Who she is."""
        return self.separation.child

    @property
    def is_minor(self) -> bool:
        """Whether she can be under 18, or is of unknown age and treated as a child."""
        born = self.identity.born
        if born is None:
            return self.identity.treated_as_child
        fewest, _ = born.years(self.at_us)
        return fewest < ADULT_YEARS


def at(view: Record, at_us: int) -> Record:
    """The person at an instant."""
    return replace(view, at_us=at_us)


def may_be_same(one: Record, other: Record) -> bool:
    """Whether nothing that is claimed of two persons tells them apart: birth, nationality, sex."""
    mine, theirs = one.identity, other.identity
    if other.person_id in mine.distinct_ids:
        return False
    if mine.born and theirs.born and mine.born.meet(theirs.born) is None:
        return False
    return all(
        not said_of_one or not said_of_other or bool(said_of_one & said_of_other)
        for said_of_one, said_of_other in zip(_claimed(mine), _claimed(theirs), strict=True)
    )


def _claimed(identity: Identity) -> tuple[set[str], set[str]]:
    bodies = [body for _, body in identity.claims]
    nationalities = {" ".join(body.nationality_text.split()).casefold() for body in bodies}
    return nationalities - {""}, {str(body.sex) for body in bodies if body.sex}


PARTS: dict[str, Projection[Any]] = {
    "custody": custody,
    "family": family,
    "separation": separation,
}


@dataclass(frozen=True, slots=True)
class Duties:
    """What is owed to one person by a certain time, and what agencies do about her."""

    person_id: str
    clocks: Clocks = Clocks("")  # noqa: RUF009
    casework: Casework = Casework("")  # noqa: RUF009


DUTY_PARTS: dict[str, Projection[Any]] = {"clocks": clocks, "casework": casework}
