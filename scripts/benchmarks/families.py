"""Events for appends: a child and two adults, six events that name three persons on average.

As the peers have them too: about 400 bytes an event, and a tag for each subject. Two of the six
have a text that the ledger seals.
"""

import uuid
from collections.abc import Iterator
from functools import cache
from itertools import count
from random import Random

from invented.days import DAY_S, midnight_s
from invented.days import day_of as date_of
from invented.framing import request_of
from invented.template import SOME_TIME, Template, of_seconds, place

from ledger.v1.event_pb2 import Event
from ledger.v1.time_pb2 import PRECISION_DAY, PRECISION_MINUTE
from projections.subjects import subjects_of

ZONE = "America/Chicago"
FIRST_DAY = 17_532  # of 2018, since 1970
A_DAY, DAYS = 10, 2_000  # families; then over again, since nothing may be valid in the future
FACTS = 6
CHILD, *ADULTS = PEOPLE = [place("child"), place("mother"), place("father")]


def _told(day: bool, **fact: object) -> Template:
    return Template(
        Event(
            event_id=place("event"),
            valid_time={
                "time": SOME_TIME,
                "precision": PRECISION_DAY if day else PRECISION_MINUTE,
                "zone": ZONE,
            },
            source={"system": "UAC Portal", "record_reference": place("record", 12)},
            actor={"agency": "CBP", "actor_id": place("officer", 9)},
            correlation_id=place("incident"),
            **fact,
        ),
        by_day=day,
    )


@cache
def facts() -> list[tuple[int, Template]]:
    """(days after the first, event), in the order in which they are told."""
    people, family = PEOPLE, {"child_id": CHILD, "adult_ids": ADULTS}
    moved = {"transfer_id": place("transfer"), "person_ids": people}
    apart = {"agency": "ICE", "reason_codes": ["ZERO_TOLERANCE"], "reason_text": "8 USC 1325"}
    shelter = {"name": place("shelter", 12), "kind": "ORR_SHELTER"}
    formed = {"family_id": place("family"), "member_ids": people}
    met = {"person_ids": people, "agency": "CBP", "place": {"name": "RGV"}}
    together = {"agency": "ORR", "outcome_text": "Reunified by ORR"}
    return [
        (0, _told(False, apprehended=met)),
        (0, _told(True, family_group_formed=formed)),
        (1, _told(True, transfer_departed={**moved, "from_agency": "CBP", "to_agency": "ICE"})),
        (2, _told(True, separated=family | apart)),
        (3, _told(True, placed={"child_id": CHILD, "agency": "ORR", "facility": shelter})),
        (30, _told(True, reunified=family | together)),
    ]


class Families:
    """Families without end, each new to the ledger; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311
        self._events = self._told()

    def events(self, number: int) -> list[bytes]:
        """The next events, serialized."""
        return [next(self._events) for _ in range(number)]

    def batches(self, number: int, size: int) -> list[list[bytes]]:
        """The next batches."""
        return [self.events(size) for _ in range(number)]

    def _told(self) -> Iterator[bytes]:
        random = self._random
        names = (b"child", b"mother", b"father", b"family", b"transfer", b"incident")
        for number in count():
            values = {name: _id(random, number) for name in names}
            values |= {
                b"shelter": b"Shelter %04d" % (number % 4),
                b"officer": b"officer%02d" % (number % 100),
                b"record": b"R-%010d" % number,
            }
            first = (FIRST_DAY + number // A_DAY % DAYS) * DAY_S + random.randrange(8, 24) * 3_600
            for days, fact in facts():
                second = first + days * DAY_S
                if fact.by_day:
                    second = midnight_s(date_of(second // DAY_S), ZONE)
                values |= {b"event": _id(random, number), b"time": of_seconds(second)}
                yield fact.first(values)


def _id(random: Random, number: int) -> bytes:
    """A UUIDv7 (RFC 9562, 5.7), as clients are asked to send them."""
    prefix = (1_750_000_000_000 + number) << 80 | 7 << 76 | 2 << 62
    return str(uuid.UUID(int=prefix | random.getrandbits(62))).encode()


def as_request(events: list[bytes]) -> bytes:
    """The bytes of an AppendEventsRequest, and of an AppendEventBatchesRequest."""
    return request_of(events)


def tagged(data: bytes) -> tuple[uuid.UUID, str, list[str]]:
    """(id, kind, tags) of an event, as a store without our words is told them."""
    event = Event.FromString(data)
    return uuid.UUID(event.event_id), str(event.WhichOneof("fact")), subjects_of(event)
