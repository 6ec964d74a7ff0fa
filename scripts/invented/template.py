"""Events as bytes with places to be filled: ten times as fast as a message for each.

Whatever differs from event to event is of a fixed width, so that no length changes when it is
filled in: an id has 36 letters, seconds of these years are five bytes, and a day of birth is seven.
"""

import re
from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ledger.v1.event_pb2 import Event

OTHER = {"CBP": "ICE", "ICE": "CBP", "ORR": "ICE", "USMS": "CBP"}
"""Who else keeps a list in which the same fact stands."""
SYSTEM = {"CBP": "e3", "ICE": "EID", "ORR": "UAC Portal", "USMS": "Capture"}

Values = Mapping[bytes, bytes]


def place(name: str, width: int = 36) -> str:
    """Stands in a text of an event for the value of this name, of so many letters."""
    return f"<{name}>".ljust(width, ".")


def of_seconds(seconds: int) -> bytes:
    """Seconds since 1970 as a field of Timestamp has them: five bytes from 1978 to 3058."""
    return bytes(
        (
            seconds & 127 | 128,
            seconds >> 7 & 127 | 128,
            seconds >> 14 & 127 | 128,
            seconds >> 21 & 127 | 128,
            seconds >> 28,
        )
    )


def of_birth(year: int, month: int, day: int) -> bytes:
    """A serialized Date."""
    return bytes((8, year & 127 | 128, year >> 7, 16, month, 24, day))


SOME_TIME, SOME_BIRTH = Timestamp(seconds=1_234_567_891), Date(year=1666, month=12, day=31)
"""Stand in an event for its valid time, and for a date of birth."""
_PLACE = re.compile(rb"<([a-z_0-9]+)>\.*")


class Template:
    """One event. Its places: `event`, `time`, and those that it was written with."""

    def __init__(self, event: Event, *, by_day: bool) -> None:
        """`event` is valid at SOME_TIME, which is known to the day or to the minute."""
        self._event = event
        self.by_day = by_day
        self.agency = event.actor.agency
        self._first = _compiled(event)
        self._again: bytes | None = None
        self._corrected: bytes | None = None

    def first(self, values: Values) -> bytes:
        """The event."""
        return self._first % values

    def again(self, values: Values) -> bytes:
        """The same fact, as another agency has it."""
        if self._again is None:
            twin = Event.FromString(self._event.SerializeToString())
            twin.actor.agency = OTHER[self.agency]
            twin.source.system = SYSTEM[twin.actor.agency]
            self._again = _compiled(twin)
        return self._again % values

    def corrected(self, values: Values) -> bytes:
        """The event in the place of an earlier one, `wrong`."""
        if self._corrected is None:
            right = Event.FromString(self._event.SerializeToString())
            right.corrects_event_id = place("wrong")
            self._corrected = _compiled(right)
        return self._corrected % values


def _compiled(event: Event) -> bytes:
    """A format for `%` of bytes, with a name for each place."""
    data = event.SerializeToString(deterministic=True).replace(b"%", b"%%")
    data = data.replace(of_seconds(SOME_TIME.seconds), b"%(time)b")
    data = data.replace(SOME_BIRTH.SerializeToString(), b"%(birth)b")
    return _PLACE.sub(rb"%(\1)b", data)
