"""The real lists, read by other means than the ledger's: by the csv module, without a profile."""

import csv
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import SHARED

from ledger.rpc.status import received
from ledger.v1.error_pb2 import ErrorReason

SEPARATIONS = SHARED / "sep_orr_2018_2019" / "separation_data_set.raw.csv"
APPREHENSIONS = SHARED / "usbp_blw_spw_apprehensions" / "USBP-BLW-SPW-Apprehensions.csv"
COUNTS = SHARED / "cbp_as_published_overlaps" / "apprehensions_overlap_daily_comparison.csv"

# Published with the list; see its README.
IN_CARE = {
    "2018-05-05": 244,
    "2018-06-20": 2577,
    "2018-06-26": 2623,
    "2018-07-10": 2434,
    "2018-07-26": 649,
    "2018-12-31": 202,
    "2019-03-31": 196,
}
EVENTS = 18_453  # 3,108 children with five events each, and 2,913 ends of stays
CATCH_UP_MAX_S = 300

Child = dict[str, str]


def needs(*files: Path) -> pytest.MarkDecorator:
    """Skips, saying so, where one of these lists is not there."""
    missing = [str(file) for file in files if not file.exists()]
    return pytest.mark.skipif(bool(missing), reason=f"the real list is not at {', '.join(missing)}")


def plain(file: Path, *, title_lines: int = 0, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a list, each by column."""
    with file.open(encoding="utf-8", newline="") as lines:
        for _ in range(title_lines):
            next(lines)
        return list(csv.DictReader(lines, delimiter=delimiter))


@cache
def children() -> dict[int, Child]:
    """The rows of the separation list by their number, without the page headers among them."""
    numbered = enumerate(plain(SEPARATIONS), 1)
    return {number: row for number, row in numbered if row["AGE"] != "A"}


def day_of(child: Child, column: str) -> datetime | None:
    """A day of a row; None where the cell is blank."""
    text = child[column].strip()
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC) if text else None


def days_between(child: Child, first: str, last: str) -> int:
    """How many days lie between two that the row has."""
    found = day_of(child, last), day_of(child, first)
    return (found[0] - found[1]).days


def end_of(day: str) -> datetime:
    """The last microsecond of a day, UTC."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1, microseconds=-1)


def in_care(children: dict[int, Child], day: str) -> set[int]:
    """The rows that were in ORR's care at the end of a day: approved by then, and not discharged."""
    on = end_of(day)
    held = set()
    for number, child in children.items():
        left = day_of(child, "Date Discharged")
        if day_of(child, "DATE_ORR_APPROVED") <= on and (left is None or left > on):
            held.add(number)
    return held


def ask(method: Callable[[Any], Any], request: Any) -> Any:
    """The answer, once the tables have come to the size that is asked for."""
    deadline = time.monotonic() + CATCH_UP_MAX_S
    while True:
        try:
            return method(request)
        except grpc.RpcError as error:
            refusal = received(error)
            is_behind = refusal.reason == ErrorReason.ERROR_REASON_PROJECTION_BEHIND
            if not is_behind or time.monotonic() > deadline:
                raise refusal from None
