"""Separated children counted by month, place, cause and age, to be published (P.L. 116-94, 235)."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

from ledger.ask.population import separated
from ledger.ledger import Ledger
from ledger.v1.custody_query_service_pb2 import (
    CountSeparationsRequest,
    CountSeparationsResponse,
    ListSeparationsRequest,
    SeparationCount,
    SeparationDimension,
)
from ledger.v1.view_pb2 import Separation, SeparationStatus
from projections.age import born_of

NOT_RECORDED = "not recorded"
BETWEEN = "cannot be told"
TOLD_MIN = 5
AGES = ((5, "under 5"), (13, "5 to 12"), (18, "13 to 17"))


def count_separations(ledger: Ledger, request: CountSeparationsRequest) -> CountSeparationsResponse:
    """How many children were separated, by each kind of separation. Raises PROJECTION_BEHIND.

    A child whose separation has two causes counts under each, and `total` counts her once; so does
    one whose separation two agencies recorded.
    """
    moment = ledger.moment(request.basis)
    wanted = ListSeparationsRequest(include_reunified=True)
    if request.HasField("since_time"):
        wanted.since_time.CopyFrom(request.since_time)
    if request.HasField("before_time"):
        wanted.before_time.CopyFrom(request.before_time)
    found = separated(ledger, wanted, moment)
    cells = Counter(of for _, some in found for of in _kinds(some, request.by))
    # Cells of one would tell of somebody whom the caller may not see.
    floor = 0 if ledger.sight.sees_everybody() else TOLD_MIN
    hidden = suppressed(cells, max(request.suppress_below, floor))
    return CountSeparationsResponse(
        cells=[
            SeparationCount(of=of, count=None if of in hidden else count)
            for of, count in sorted(cells.items())
        ],
        total=None if hidden else len(found),
        stamp=ledger.stamp(moment.size, moment.as_of_us),
    )


def _kinds(
    some: Sequence[Separation], dimensions: Sequence[SeparationDimension.ValueType]
) -> set[tuple[str, ...]]:
    """What the separations of one child are, in the dimensions asked for."""
    return {of for one in some for of in product(*(_DIMENSIONS[by](one) for by in dimensions))}


def suppressed(cells: Counter[tuple[str, ...]], below: int) -> set[tuple[str, ...]]:
    """The cells that are not told: those that count too few, and what would give them away.

    The sum of a line (all cells, or those alike but in one dimension: a row, a column) less what is
    told of it is what its hidden cells come to. So in each line the next smallest is hidden with
    them until there are two and they come to as many as a cell must. The total is not told where
    anything is hidden: with it, the order in which cells are hidden could tell the rest.
    """
    hidden = {of for of, count in cells.items() if count < below}
    lines: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
    for of in sorted(cells, key=lambda of: (cells[of], of)):
        lines.setdefault((), []).append(of)
        for place in range(len(of)):
            lines.setdefault((place, *of[:place], *of[place + 1 :]), []).append(of)
    is_settled = False
    while not is_settled:
        is_settled = True
        for line in lines.values():
            unsafe = [of for of in line if of in hidden]
            others = [of for of in line if of not in hidden]
            is_told = len(unsafe) == 1 or sum(cells[of] for of in unsafe) < below
            if unsafe and others and is_told:
                hidden.add(others[0])
                is_settled = False
    return hidden


def _month(one: Separation) -> list[str]:
    return [f"{one.since_time.ToDatetime():%Y-%m}"]


def _age(one: Separation) -> list[str]:
    if not one.HasField("child_born"):
        return [NOT_RECORDED]
    fewest, most = born_of(one.child_born).years(one.since_time.ToMicroseconds())
    names = {
        next((name for bound, name in AGES if years < bound), "18 and over")
        for years in (fewest, most)
    }
    return [names.pop() if len(names) == 1 else BETWEEN]


def _status(one: Separation) -> list[str]:
    name = SeparationStatus.Name(one.status).removeprefix("SEPARATION_STATUS_")
    return [name.replace("_", " ").lower()]


_DIMENSIONS: dict[int, Callable[[Separation], list[str]]] = {
    SeparationDimension.SEPARATION_DIMENSION_MONTH: _month,
    SeparationDimension.SEPARATION_DIMENSION_PLACE: lambda one: [one.place or NOT_RECORDED],
    SeparationDimension.SEPARATION_DIMENSION_REFERRAL_REASON: lambda one: (
        list(one.referral_reason_codes) or [NOT_RECORDED]
    ),
    SeparationDimension.SEPARATION_DIMENSION_REASON: lambda one: (
        list(one.reason_codes) or [NOT_RECORDED]
    ),
    SeparationDimension.SEPARATION_DIMENSION_AGE: _age,
    SeparationDimension.SEPARATION_DIMENSION_STATUS: _status,
    SeparationDimension.SEPARATION_DIMENSION_AGENCY: lambda one: [one.agency],
}
