"""Erasures: what the log says of them, the keys follow.

An erasure is an event first and a destroyed key after it. Whoever stopped in between goes on where
it was: the log is looked at when the ledger opens, and by every process as it grows.
"""

from collections.abc import Sequence

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from ledger.store.batch import ERASED
from ledger.store.log import Log
from ledger.store.reading import PAGE_MAX
from ledger.v1.event_pb2 import Entry
from projections.subjects import subjects_of


def erased_between(log: Log, after: int, up_to: int) -> list[str]:
    """The persons whom entries with after < position <= up_to erase, each once."""
    query = DCBQuery([DCBQueryItem([ERASED], [])])
    found: list[str] = []
    while page := log.entries.page(query, after, up_to, PAGE_MAX):
        after = page[-1].position
        found += (Entry.FromString(one.data).event.personal_fields_erased.person_id for one in page)
    return list(dict.fromkeys(found))


def beside(log: Log, person_ids: Sequence[str], up_to: int) -> set[str]:
    """The subjects of every entry about these persons, themselves among them."""
    about = log.entries.about([f"person:{one}" for one in person_ids], up_to)
    return {*about} | {
        name
        for stored in about.values()
        for one in stored
        for name in subjects_of(Entry.FromString(one.data).event)
    }


def obey(log: Log, after: int = 0) -> int:
    """Destroy the keys of everybody whom entries after a position erase, and know them no more.

    Returns the size up to which that is done.
    """
    size = log.entries.size()
    log.vault.destroy(erased_between(log, after, size))
    return size
