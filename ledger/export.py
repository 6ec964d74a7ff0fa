"""Exports: events fit to be handed out, by the option that each personal field carries.

Every id is a pseudonym of the one export: what is equal in it is equal, and no two exports can be
joined by it. Records that are sealed or confidential are in none.
"""

import hmac
import re
import secrets
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from ledger.ledger import Ledger
from ledger.prove import checkpoint
from ledger.read import recorded, require_reach
from ledger.store.entries import query_of
from ledger.v1.audit_service_pb2 import ExportEventsRequest, ExportEventsResponse, ExportKind
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.options_pb2 import Personal, personal
from ledger.v1.protection_pb2 import DESCRIPTOR as PROTECTION
from projections.subjects import body_of, people_of

BATCH = 200
_PSEUDONYM_HEX = 16
# The fields that name somebody who works there: by whom, and whoever escorts.
_OFFICER = re.compile(r"^(actor_id|escort|\w+_by)$")
# An id may stand within a text too, as in the question that a citation cites.
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RESEARCH = ExportKind.EXPORT_KIND_RESEARCH


def export_events(ledger: Ledger, request: ExportEventsRequest) -> Iterator[ExportEventsResponse]:
    """The events of a filter up to the size of the log now, in batches.

    Raises SIZE_OUT_OF_RANGE, UNKNOWN_EVENT_TYPE.
    """
    size = require_reach(ledger, request)
    export = _Export(ledger, request.kind)
    query, after = query_of(request.filter), request.after_position
    while page := ledger.log.entries.page(query, after, size, BATCH):
        after = page[-1].position
        events = [one.entry for one in recorded(ledger, page) if export.may_have(one.entry)]
        # A message without any would tell that there are some.
        if events:
            yield export.made(events, size)


class _Export:
    """One export, with a key of its own."""

    def __init__(self, ledger: Ledger, kind: ExportKind.ValueType) -> None:
        self._ledger = ledger
        self._is_research = kind == RESEARCH
        self._key = secrets.token_bytes(32)

    def may_have(self, entry: Entry) -> bool:
        """Whether an event may be handed out at all."""
        if body_of(entry.event).DESCRIPTOR.file.name == PROTECTION.name:
            return False
        guards = self._ledger.guards.of(people_of(entry.event), self._ledger.clock())
        return not any(one.is_sealed or one.is_confidential for one in guards.values())

    def made(self, entries: list[Entry], size: int) -> ExportEventsResponse:
        """Some events as they are handed out."""
        response = ExportEventsResponse(checkpoint=checkpoint(self._ledger.log, size))
        redacted: set[str] = set()
        for entry in entries:
            event = Event.FromString(entry.event.SerializeToString())
            event.ClearField("source")
            redacted |= set(self._redacted(event, ""))
            response.events.append(event)
        response.redacted_fields.extend(sorted(redacted))
        return response

    def _redacted(self, message: Message, path: str) -> Iterator[str]:
        """Make a message fit, and give the paths of what was left out of it."""
        for field, value in message.ListFields():
            where = f"{path}{field.name}"
            wanted = field.GetOptions().Extensions[personal]
            if wanted:
                if not self._kept(message, field, value, wanted):
                    message.ClearField(field.name)
                    yield where
            elif field.message_type:
                for one in value if field.is_repeated else [value]:
                    yield from self._redacted(one, f"{where}.")
            elif field.type == FieldDescriptor.TYPE_STRING:
                self._rename(message, field, value)

    def _kept(self, message: Any, field: FieldDescriptor, value: Any, wanted: int) -> bool:
        """Put into a personal field what research may have of it; False: nothing."""
        if self._is_research and wanted == Personal.PERSONAL_YEAR:
            getattr(message, field.name).CopyFrom(Date(year=value.year))
        elif self._is_research and wanted == Personal.PERSONAL_PSEUDONYM:
            setattr(message, field.name, self._pseudonym(value))
        else:
            return False
        return True

    def _rename(self, message: Any, field: FieldDescriptor, value: Any) -> None:
        """Put pseudonyms in the place of ids, of persons, events and officers alike."""
        if field.is_repeated:
            value[:] = [self._named(field, one) for one in value]
        else:
            setattr(message, field.name, self._named(field, value))

    def _named(self, field: FieldDescriptor, value: str) -> str:
        if value and _OFFICER.match(field.name):
            return self._pseudonym(value)
        return _ID.sub(lambda one: str(UUID(bytes=self._digest(one[0])[:16], version=4)), value)

    def _pseudonym(self, value: str) -> str:
        return self._digest(value).hex()[:_PSEUDONYM_HEX]

    def _digest(self, value: str) -> bytes:
        return hmac.digest(self._key, value.encode(), sha256)
