"""The rows of entries, page by page as they are read: of many only a few are in memory."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from ledger import merkle
from ledger.errors import TamperedError
from ledger.recompute.columns import event_row, subject_rows
from ledger.store.entries import Entries, Stored, query_of
from ledger.v1.event_pb2 import Entry
from ledger.v1.ledger_service_pb2 import EventFilter

PAGE = 2_000


def to_csv(
    entries: Entries, first: int, last: int, events: Path, subjects: Path
) -> Iterator[tuple[list[bytes], int]]:
    """Write the rows of the entries from one position to another to two CSV files.

    Gives the leaf hashes of each page, and how many rows of subjects it has. Raises TamperedError
    where an entry is missing or cannot be read.
    """
    with (
        events.open("w", encoding="utf-8", newline="") as one,
        subjects.open("w", encoding="utf-8", newline="") as other,
    ):
        # Quoted, so that no text is taken for one that is not there.
        to_events = csv.writer(one, quoting=csv.QUOTE_ALL)
        to_subjects = csv.writer(other, quoting=csv.QUOTE_ALL)
        for page in _pages(entries, first, last):
            made = [(stored.position, _read(stored)) for stored in page]
            hashes = [merkle.leaf_hash(stored.data) for stored in page]
            to_events.writerows(
                event_row(*one, leaf) for one, leaf in zip(made, hashes, strict=True)
            )
            named = [row for one in made for row in subject_rows(*one)]
            to_subjects.writerows(named)
            yield hashes, len(named)


def _pages(entries: Entries, first: int, last: int) -> Iterator[Sequence[Stored]]:
    after, everything = first - 1, query_of(EventFilter())
    while after < last:
        page = entries.page(everything, after, last, PAGE)
        positions = [one.position for one in page]
        if not page or positions != list(range(after + 1, after + 1 + len(page))):
            raise TamperedError(f"an entry is missing behind position {after}")
        after = positions[-1]
        yield page


def _read(stored: Stored) -> Entry:
    try:
        return Entry.FromString(stored.data)
    except DecodeError:
        raise TamperedError(f"the entry at position {stored.position} cannot be read") from None
