"""The quick judge: what it says yes to is in order, and what is in order it says yes to."""

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from events import event, id_of
from examples import every_kind
from fuzzing import EXAMPLES, METHODS, any_method, example, mutated
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from ledger.entry import _codes, _control_characters
from ledger.rpc import strict
from ledger.shape import UnknownRuleError, is_plain, judges_of
from ledger.v1.custody_pb2 import BookedIn
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.place_pb2 import Place
from projections.codes import codes_of


def is_found_faulty(message: Message) -> bool:
    """Whether anything is found by those who look closely."""
    return bool(
        strict._too_many(message)
        or list(strict._no_times(message, ""))
        or strict._validator.collect_violations(message)
        or list(_control_characters(message, ""))
        or [code for _, code, name in _codes(message, "") if code and code not in codes_of(name)]
    )


def sent_by_anybody(random: Random, number: int) -> Iterator[Message]:
    """Requests as the fuzzer makes them; half of them append."""
    for _ in range(number):
        method: Any = any_method(random)
        if random.random() < 0.5 or not EXAMPLES[method.full_name]:
            method = next(one for one in METHODS if one.name == "AppendEvents")
        request = GetMessageClass(method.input_type)()
        data = mutated(random, method, example(random, method).SerializeToString())
        with contextlib.suppress(DecodeError):
            request.ParseFromString(data)
            yield request


def test_a_quick_yes_is_a_yes() -> None:
    judged = [(is_plain(one), one) for one in sent_by_anybody(Random(5), 4_000)]
    assert not [one for is_quick, one in judged if is_quick and is_found_faulty(one)]
    # Both happen often, or nothing was tried.
    yes = sum(is_quick for is_quick, _ in judged)
    assert min(yes, len(judged) - yes) > 200


def test_what_is_in_order_is_said_quickly() -> None:
    for body in every_kind():
        assert is_plain(event(body)), type(body).__name__
    for examples in EXAMPLES.values():
        for one in examples:
            assert is_plain(one) or is_found_faulty(one), one


def test_every_rule_of_a_request_is_known() -> None:
    """Where this fails, protos/ use a rule that ledger/shape.py is to be taught."""
    for message in within(*(method.input_type for method in METHODS), Event.DESCRIPTOR):
        list(judges_of(message))  # raises UnknownRuleError


def within(*messages: Descriptor) -> set[Descriptor]:
    """The types of these messages and of what they hold."""
    found: set[Descriptor] = set()
    rest = list(messages)
    while rest:
        if (one := rest.pop()) not in found:
            found.add(one)
            rest += [field.message_type for field in one.fields if field.message_type]
    return found


BOOKED = BookedIn(person_id=id_of("p-1"), agency="CBP", facility=Place(name="Station"))


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (BOOKED, {"person_id": BOOKED.person_id.upper()}),
        (BOOKED, {"person_id": BOOKED.person_id + "\n"}),
        (BOOKED, {"person_id": ""}),
        (BOOKED, {"agency": "XXX"}),
        (BOOKED, {"facility": Place(name="a" * 1_000)}),
        (BOOKED, {"facility": Place(name="a\x07")}),
        (BOOKED, {"facility": Place(name="a\u2028")}),
    ],
)
def test_each_kind_of_fault_is_looked_at(body: Message, changes: dict[str, Any]) -> None:
    faulty = type(body)()
    faulty.CopyFrom(body)
    for name, value in changes.items():
        if isinstance(value, Message):
            getattr(faulty, name).CopyFrom(value)
        else:
            setattr(faulty, name, value)
    assert is_plain(event(body))
    assert not is_plain(event(faulty))


def test_no_event_is_without_a_fact_a_time_or_a_precision() -> None:
    good = event(BOOKED)
    assert is_plain(AppendEventsRequest(events=[good]))
    for path in ("booked_in", "valid_time", "event_id", "source", "actor"):
        bare = Event.FromString(good.SerializeToString())
        bare.ClearField(path)
        assert not is_plain(bare)
    for name, value in (("precision", 0), ("precision", 99), ("zone", "")):
        bare = Event.FromString(good.SerializeToString())
        setattr(bare.valid_time, name, value)
        assert not is_plain(bare)
    for seconds, nanos in ((7_258_118_400, 0), (-2_208_988_801, 0), (0, 1_000_000_000), (0, -1)):
        bare = Event.FromString(good.SerializeToString())
        bare.valid_time.time.seconds, bare.valid_time.time.nanos = seconds, nanos
        assert not is_plain(bare)
    for events in ([], [good] * 501):
        assert not is_plain(AppendEventsRequest(events=events))


def test_line_ends_are_part_of_what_people_write() -> None:
    assert is_plain(Place(name="one\n\ttwo"))


def test_a_required_choice_of_one_is_never_a_quick_yes() -> None:
    file = text_format.Parse(
        """name: "shape_test_choice.proto" package: "shape_test_choice" syntax: "proto3"
        dependency: "buf/validate/validate.proto"
        message_type { name: "M" field { name: "text" number: 1 type: TYPE_STRING
            label: LABEL_OPTIONAL oneof_index: 0 }
            oneof_decl { name: "one" options { [buf.validate.oneof] { required: true } } } }""",
        FileDescriptorProto(),
    )
    Default().Add(file)
    made = Default().FindMessageTypeByName("shape_test_choice.M")
    assert not is_plain(GetMessageClass(made)())


@pytest.mark.parametrize(
    "rule",
    [
        'string: { contains: "x" }',
        "ignore: IGNORE_ALWAYS",
        'cel: { id: "x" expression: "true" }',
    ],
)
def test_a_rule_that_is_not_known_is_never_a_quick_yes(rule: str) -> None:
    name = f"shape_test_{abs(hash(rule))}"
    file = text_format.Parse(
        f"""name: "{name}.proto" package: "{name}" syntax: "proto3"
        dependency: "buf/validate/validate.proto"
        message_type {{ name: "M" field {{ name: "text" number: 1 type: TYPE_STRING
            label: LABEL_OPTIONAL options {{ [buf.validate.field] {{ {rule} }} }} }} }}""",
        FileDescriptorProto(),
    )
    Default().Add(file)
    made = Default().FindMessageTypeByName(f"{name}.M")
    with pytest.raises(UnknownRuleError):
        list(judges_of(made))
    assert not is_plain(GetMessageClass(made)(text="x"))
