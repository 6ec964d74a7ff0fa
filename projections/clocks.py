"""Legal time limits, judged for one person at the precision that the record has (R-10).

A clock runs from the first start; what does not stop it does not begin it anew. A start or stop
that is known to the day lies anywhere in it: where that makes a difference, the answer is that it
cannot be told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from google.protobuf.message import Message

from ledger.v1.custody_pb2 import ExceptionalCircumstanceDeclared
from ledger.v1.identity_pb2 import Truth
from ledger.v1.view_pb2 import Clock as ClockMessage
from ledger.v1.view_pb2 import ClockState, PersonClocks
from projections import age
from projections.age import Born
from projections.evolve import replace
from projections.history import Fact
from projections.identity import Identity, identity
from projections.projection import Projection
from projections.subjects import principals
from projections.time_limit import TimeLimit, messages, starts, stops, time_limits

RUNNING = ClockState.CLOCK_STATE_RUNNING
MET = ClockState.CLOCK_STATE_MET
MISSED = ClockState.CLOCK_STATE_MISSED
INDETERMINATE = ClockState.CLOCK_STATE_INDETERMINATE

# Where one of these is recorded before the start, what the clock waits for is there already.
_ARRIVALS = frozenset({"Placed", "TransferArrived", "ReferredToOrr"})
LIMITS = {one.code: one for one in time_limits()}


@dataclass(frozen=True, slots=True)
class Stop:
    """What stopped a clock, and the first and, exclusive, the last moment at which it can have."""

    event_id: str
    kind: str
    from_us: int
    to_us: int


# Without slots, so that what follows from it is kept with it: it stays the same in many views.
@dataclass(frozen=True)
class Clock:
    """One clock of a person; see ledger.v1.Clock for each field."""

    code: str
    key: str
    owner_agency: str
    start_event_id: str
    from_us: int
    to_us: int
    """The first moment after those at which it can have started."""
    stop: Stop | None = None
    place: str = ""
    exceptional_event_ids: tuple[str, ...] = ()
    state: ClockState.ValueType = RUNNING

    @property
    def limit(self) -> TimeLimit:
        """Its rule."""
        return LIMITS[self.code]

    @cached_property
    def due_us(self) -> int:
        """The last moment at which it has certainly not run out."""
        return self.from_us + self.limit.limit_us

    @cached_property
    def latest_due_us(self) -> int:
        """The first moment at which it has certainly run out."""
        return self.to_us + self.limit.limit_us

    @cached_property
    def message(self) -> ClockMessage:
        """In the words, without the person and the citation; to be copied, not changed."""
        message = ClockMessage(
            clock_code=self.code,
            edition=self.limit.edition,
            state=self.state,
            start_event_id=self.start_event_id,
            owner_agency=self.owner_agency,
            exceptional_event_ids=self.exceptional_event_ids,
            place=self.place,
        )
        message.start_time.FromMicroseconds(self.from_us)
        message.latest_start_time.FromMicroseconds(self.to_us - 1)
        message.due_time.FromMicroseconds(self.due_us)
        message.latest_due_time.FromMicroseconds(self.latest_due_us - 1)
        if self.stop:
            message.stop_event_id = self.stop.event_id
            message.stop_time.FromMicroseconds(self.stop.from_us)
        return message

    def at(self, at_us: int) -> "Clock":
        """The clock with its state at an instant. One that was stopped stands as it did then."""
        if self.stop:
            return self
        if at_us <= self.due_us:
            return self if self.state == RUNNING else replace(self, state=RUNNING)
        return self._missed if at_us >= self.latest_due_us else self._indeterminate

    @cached_property
    def _missed(self) -> "Clock":
        return replace(self, state=MISSED)

    @cached_property
    def _indeterminate(self) -> "Clock":
        return replace(self, state=INDETERMINATE)

    def stopped(self, stop: Stop | None) -> "Clock":
        """The clock after a stop."""
        if stop is None:
            return self
        last = stop.to_us - 1
        if last <= self.due_us:
            state = MET
        else:
            state = MISSED if stop.from_us >= self.latest_due_us else INDETERMINATE
        return replace(self, stop=stop, state=state)


@dataclass(frozen=True)
class Clocks:
    """The clocks of one person, in the order in which they started."""

    person_id: str
    child: Identity = Identity("")  # noqa: RUF009  # frozen
    clocks: tuple[Clock, ...] = ()
    arrived: tuple[tuple[tuple[str, str], Stop], ...] = ()
    """For clocks that do not run what would have stopped them."""
    declared: tuple[tuple[str, str, int], ...] = ()
    """(clock, event id, the first moment after it) of what was declared exceptional."""

    @cached_property
    def meant(self) -> list[Clock]:
        """The clocks that are for somebody like her."""
        return [one for one in self.clocks if self._is_meant(one)]

    def turns(self) -> Iterator[int]:
        """The instants at which one of them begins or runs out."""
        for one in self.meant:
            if one.limit.not_before_us:
                yield one.from_us
            if one.stop is None:
                yield from (one.due_us + 1, one.latest_due_us)

    def at(self, at_us: int) -> "Clocks":
        """The clocks that are for somebody like her and have begun, as they stand at an instant."""
        stand = [one.at(at_us) for one in self.meant if one.from_us <= at_us]
        # Written out, as in `Clock`.
        return Clocks(self.person_id, self.child, tuple(stand), self.arrived, self.declared)

    def _is_meant(self, one: Clock) -> bool:
        applies_to = one.limit.applies_to
        return applies_to in ("anyone", "child") or _is_for(
            applies_to, self.child.born, one.from_us, treated_as_child=self.child.treated_as_child
        )


@lru_cache(maxsize=4096)
def _is_for(applies_to: str, born: Born | None, at_us: int, *, treated_as_child: bool) -> bool:
    """Whether a rule for minors, or for some of them, is for somebody born then."""
    minor = born.is_below(age.ADULT_YEARS, at_us) if born else Truth.TRUTH_UNSPECIFIED
    if not treated_as_child and minor != Truth.TRUTH_YES:
        return False
    # Who can have been under five is owed what is owed under five.
    can_be_tender = born is not None and (born.is_below(age.TENDER_YEARS, at_us) != Truth.TRUTH_NO)
    return {"minor_under_5": can_be_tender, "minor_from_5": not can_be_tender}.get(applies_to, True)


def populations(view: Clocks) -> dict[str, Message]:
    """Those of whom a clock stands in one way."""
    found: dict[str, PersonClocks] = {}
    for one in view.clocks:
        if one.limit.applies_to != "child":
            name = by_state(one.code, one.state)
            found.setdefault(name, PersonClocks()).clocks.append(present(view.person_id, one))
    return dict(found)


@cache
def by_state(code: str, state: ClockState.ValueType) -> str:
    """The population of persons of whom a clock stands so."""
    return f"clock:{code}:{ClockState.Name(state).removeprefix('CLOCK_STATE_').lower()}"


def present(person_id: str, one: Clock) -> ClockMessage:
    """A clock in the words, without the citation of its rule."""
    message = ClockMessage(person_id=person_id)
    message.MergeFrom(one.message)
    return message


clocks = Projection("clocks", Clocks, subject="person", version=2, parts={"child": identity})


def _tick(view: Clocks, body: Message, fact: Fact) -> Clocks:
    """Start and stop what the event starts and stops."""
    if view.person_id not in principals(body) | {str(getattr(body, "relative_id", ""))}:
        return view
    running, arrived = list(view.clocks), dict(view.arrived)
    stop = Stop(fact.event.event_id, fact.kind, fact.start_us, fact.end_us)
    for limit in stops(fact.kind):
        if any(pattern.fits(body) for pattern in limit.stops):
            _stop(limit, _key(limit, body), stop, running, arrived)
    for limit in starts(fact.kind):
        key = _key(limit, body)
        is_running = any(
            (one.code, one.key, one.stop) == (limit.code, key, None) for one in running
        )
        if (
            not is_running
            and any(pattern.fits(body) for pattern in limit.starts)
            and limit.is_in_force(fact.start_us)
            and limit.can_be_told(fact.edition)
        ):
            started = Clock(
                code=limit.code,
                key=key,
                owner_agency=limit.owner_of(body),
                start_event_id=fact.event.event_id,
                from_us=max(fact.start_us, limit.not_before_us),
                to_us=max(fact.end_us, limit.not_before_us + 1),
                place=_place(body),
                # Of one day, the declaration comes before what it is about, by its kind.
                exceptional_event_ids=tuple(
                    event_id
                    for code, event_id, end_us in view.declared
                    if code == limit.code and end_us > fact.start_us
                ),
            )
            stopped = arrived.pop((limit.code, key), None)
            # Two records of one journey may contradict each other by a day or two; what is older
            # than the limit is another journey.
            is_of_it = stopped is not None and stopped.to_us >= started.from_us - limit.limit_us
            running.append(started.stopped(stopped if is_of_it else None))
    return replace(view, clocks=tuple(running), arrived=tuple(arrived.items()))


def _place(body: Message) -> str:
    """Where the event was, as far as it says."""
    for name in ("facility", "place", "from_facility"):
        if (where := getattr(body, name, None)) is not None:
            return str(where.name or where.code)
    return ""


def _stop(
    limit: TimeLimit,
    key: str,
    stop: Stop,
    running: list[Clock],
    arrived: dict[tuple[str, str], Stop],
) -> None:
    """Stop the clocks of a limit that run; note what would have stopped one that does not."""
    has_stopped = False
    for index, one in enumerate(running):
        if one.code == limit.code and one.stop is None and key in ("", one.key):
            running[index] = one.stopped(stop)
            has_stopped = True
    if not has_stopped and stop.kind in _ARRIVALS:
        arrived[limit.code, key] = stop
    elif not has_stopped:
        arrived.pop((limit.code, key), None)


def _key(limit: TimeLimit, body: Message) -> str:
    return str(getattr(body, limit.key, "")) if limit.key else ""


clocks.on(*messages())(_tick)


@clocks.on(ExceptionalCircumstanceDeclared)
def _(view: Clocks, body: ExceptionalCircumstanceDeclared, fact: Fact) -> Clocks:
    declared = tuple(
        replace(one, exceptional_event_ids=(*one.exceptional_event_ids, fact.event.event_id))
        if one.code == body.clock_code
        else one
        for one in view.clocks
    )
    one = (body.clock_code, fact.event.event_id, fact.end_us)
    return replace(view, clocks=declared, declared=(*view.declared, one))
