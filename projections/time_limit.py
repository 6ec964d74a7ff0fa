"""A time limit as data: which events start and stop it, for whom, how long it may run.

The lists `clock` and `reunification_step` hold them; `clock.toml` says how they are written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property, lru_cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import Code
from ledger.v1.options_pb2 import event_since
from projections.codes import code_lists, codes_of, is_in_force
from projections.valid_time import from_us, to_us

HOUR_US = 3_600 * 1_000_000
OF_THE_START = "of the start"
STEPS = "reunification_step"

_PATTERN = re.compile(r"(\w+)(?:\[([\w.]+)(!?=)(\w+)\])?")
_FACTS = {
    one.message_type.name: one.message_type
    for one in Event.DESCRIPTOR.oneofs_by_name["fact"].fields
    if one.message_type
}
# Where an event names the agency that has to do something about it.
_OWNERS = ("of_agency", "from_agency", "agency")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Events of a kind, where a field is, or is not, as stated."""

    kind: str
    path: tuple[str, ...] = ()
    value: str = ""
    is_equal: bool = True

    def fits(self, body: Message) -> bool:
        """Whether an event is meant."""
        if body.DESCRIPTOR.name != self.kind:
            return False
        return not self.path or (_text(body, self.path) == self.value) == self.is_equal


@dataclass(frozen=True)
class TimeLimit:
    """One limit."""

    code: str
    edition: str
    starts: tuple[Pattern, ...]
    stops: tuple[Pattern, ...]
    limit_us: int
    applies_to: str
    owner: str
    citation: str
    not_before_us: int
    shown_by: str
    """The kind of event that shows that it was met, where the first words did not have it."""
    of: Code

    @cached_property
    def key(self) -> str:
        """The field that tells two hand-overs, requests or cases of one person apart, if any."""
        return _key(self.starts[0].kind)

    def is_in_force(self, start_us: int) -> bool:
        """Whether it was in force on the day, UTC, of an instant."""
        return _is_in_force(self.code, start_us // (24 * HOUR_US))

    def can_be_told(self, edition: str) -> bool:
        """Whether words of an edition had a place for what meets it: otherwise nobody can say."""
        return not self.shown_by or edition >= _since(self.shown_by)

    def owner_of(self, start: Message) -> str:
        """The agency that has to meet it, after the event that started it."""
        if self.owner != OF_THE_START:
            return self.owner
        names = (str(getattr(start, one, "")) for one in _OWNERS)
        return next((one for one in names if one), "")


@lru_cache(maxsize=4096)
def _is_in_force(code: str, day: int) -> bool:
    """Whether a limit was in force so many days after 1970-01-01."""
    (limit,) = (one for one in time_limits() if one.code == code)
    return is_in_force(limit.of, from_us(day * 24 * HOUR_US).date())


@cache
def _since(kind: str) -> str:
    """The edition of the words that first had a kind of event."""
    return str(_FACTS[kind].GetOptions().Extensions[event_since])


@cache
def _key(kind: str) -> str:
    fields = _FACTS[kind].fields_by_name
    return next((one for one in ("transfer_id", "request_id", "case_id") if one in fields), "")


@cache
def time_limits() -> tuple[TimeLimit, ...]:
    """Every limit: clocks, then the steps of a reunification."""
    return (*_clocks(), *_steps())


@cache
def starts(kind: str) -> tuple[TimeLimit, ...]:
    """The limits that an event of a kind may start."""
    return tuple(one for one in time_limits() if any(p.kind == kind for p in one.starts))


@cache
def stops(kind: str) -> tuple[TimeLimit, ...]:
    """The limits that an event of a kind may stop."""
    return tuple(one for one in time_limits() if any(p.kind == kind for p in one.stops))


def messages() -> list[type[Message]]:
    """The messages of the events that start or stop any limit."""
    found = {p.kind for one in time_limits() for p in (*one.starts, *one.stops)}
    return [GetMessageClass(_FACTS[kind]) for kind in sorted(found)]


def _clocks() -> Iterator[TimeLimit]:
    for code in codes_of("clock").values():
        yield _limit(
            code,
            code_lists()["clock"].version,
            _patterns(code.attributes["start"]),
            _patterns(code.attributes["stop"]),
            code.attributes["applies_to"],
        )


def _steps() -> Iterator[TimeLimit]:
    for code in codes_of(STEPS).values():
        yield _limit(
            code,
            code_lists()[STEPS].version,
            (Pattern("ReunificationCaseOpened"),),
            (
                Pattern("ReunificationStepCompleted", ("step_code",), code.code),
                Pattern("Reunified"),
                Pattern("ReunificationWaived"),
                Pattern("ReunificationRuledOut"),
            ),
            "child",
        )


def _limit(
    code: Code,
    edition: str,
    starts: tuple[Pattern, ...],
    stops: tuple[Pattern, ...],
    applies_to: str,
) -> TimeLimit:
    attributes = dict(code.attributes)
    earliest = attributes.get("not_before")
    return TimeLimit(
        code=code.code,
        edition=edition,
        starts=starts,
        stops=stops,
        # To the last microsecond of the last day, where it is counted from a day.
        limit_us=int(attributes["limit_hours"]) * HOUR_US - bool(earliest),
        applies_to=applies_to,
        owner=attributes["owner"],
        citation=code.source or code_lists()[STEPS].source,
        not_before_us=_midnight(date.fromisoformat(earliest)) if earliest else 0,
        shown_by=attributes.get("shown_by", ""),
        of=code,
    )


def _midnight(day: date) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _patterns(text: str) -> tuple[Pattern, ...]:
    """Patterns as the list writes them: Kind, or Kind[field=VALUE], separated by " | "."""
    found = []
    for one in text.split(" | "):
        match = _PATTERN.fullmatch(one)
        assert match, f"not a pattern of events: {one}"  # noqa: S101
        kind, path, sign, value = match.groups()
        found.append(
            Pattern(kind, tuple(path.split(".")) if path else (), value or "", sign != "!=")
        )
    return tuple(found)


def _text(body: Any, path: tuple[str, ...]) -> str:
    """A field as a list writes it: enums without their prefix, booleans as true and false."""
    *way, last = path
    for name in way:
        body = getattr(body, name)
    value = getattr(body, last)
    field: FieldDescriptor = body.DESCRIPTOR.fields_by_name[last]
    if field.enum_type:
        prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
        return str(field.enum_type.values_by_number[value].name.removeprefix(prefix))
    return str(value).lower() if isinstance(value, bool) else str(value)
