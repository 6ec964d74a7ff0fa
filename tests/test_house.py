"""The rules of the house, as tests: a rule that nobody runs is a wish."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from commands import ROOT
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

import projections
from ledger.rpc.methods import METHODS
from ledger.rpc.server import NAMES, SERVICES
from ledger.store import migrations
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Event
from ledger.v1.options_pb2 import code_list, event_since, order, since, status, subject
from ledger.v1.view_pb2 import Severity
from projections import rules
from projections.codes import code_lists, codes_of
from projections.time_limit import OF_THE_START, time_limits

OURS = [
    path
    for folder in ("ledger", "projections")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "v1" not in path.parts
]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in OURS}
FACTS = Event.DESCRIPTOR.oneofs_by_name["fact"].fields

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70

# Events that move no projection by a step of their own, and why.
MOVES_NONE = {"Retracted": "acts through projections.history, on every projection at once"}

BANNED = {"service", "manager", "handler", "factory", "helper", "util", "utils", "base", "impl"}
BANNED |= {"data", "info", "process", "misc", "common"}
# A word of others: what grpc calls on us to find a method.
ALLOWED = {"service"}


def test_every_event_moves_a_projection_or_is_listed_as_moving_none() -> None:
    kinds = {field.message_type.name for field in FACTS}
    moving = set().union(*(one.kinds for one in projections.load().values()))

    assert kinds == moving | MOVES_NONE.keys()
    assert not moving & MOVES_NONE.keys()


SUBJECTS = {"person", "family", "transfer", "case", "request", "list", "number"}


def test_every_event_says_whom_it_is_about_and_where_it_stands_among_others() -> None:
    orders = [field.message_type.GetOptions().Extensions[order] for field in FACTS]

    assert len(set(orders)) == len(orders)
    assert all(orders)
    for field in FACTS:
        named = {
            one.GetOptions().Extensions[subject]
            for one in field.message_type.fields
            if one.GetOptions().HasExtension(subject)
        }
        assert named <= SUBJECTS
        assert named or field.message_type.name in MOVES_NONE


def words(message: Descriptor) -> Iterator[Descriptor]:
    """The message and every message of ours in it."""
    yield message
    for one in message.fields:
        if one.message_type and one.message_type.file.package == "ledger.v1":
            yield from words(one.message_type)


def test_every_field_that_holds_an_id_is_a_subject_or_an_event() -> None:
    """And the other way round, so that nobody is named by a number."""
    for field in FACTS:
        for one in (one for message in words(field.message_type) for one in message.fields):
            is_subject = one.GetOptions().HasExtension(subject)
            if one.name.endswith(("_id", "_ids")):
                assert is_subject != one.name.endswith("_event_id"), one.full_name
            else:
                assert not is_subject, one.full_name


def test_every_edition_of_the_words_is_a_day_and_no_field_is_older_than_its_event() -> None:
    for field in FACTS:
        begun = field.message_type.GetOptions().Extensions[event_since]
        if begun:
            assert date.fromisoformat(begun).isoformat() == begun
        for one in field.message_type.fields:
            added = one.GetOptions().Extensions[since]
            if added:
                assert date.fromisoformat(added).isoformat() == added > begun


# From where an event is known to be needed.
SOURCE = re.compile(r"\b([RI]-\d\d|OIG|GAO|U\.S\.C\.|CFR|P\.L\.|Ms\. L v\. ICE)")


def test_every_event_says_who_records_it_and_why_it_is_there() -> None:
    protos = sorted((ROOT / "protos" / "ledger" / "v1").glob("*.proto"))
    comments = {}
    for text in (path.read_text(encoding="utf-8") for path in protos):
        for comment, name in re.findall(r"((?:^//[^\n]*\n)+)message (\w+) \{", text, re.MULTILINE):
            comments[name] = " ".join(comment.replace("//", " ").split())
    for name in (field.message_type.name for field in FACTS):
        assert re.search(r"\b[Rr]ecorded by\b", comments[name]), f"{name}: by whom?"
        assert SOURCE.search(comments[name]), f"{name}: from which source?"


# Lists that no field of a request or an event takes its codes from, and what does.
NAMED_BY_CODE = {
    "comparison_reason": "ledger/ask/reconciliation.py",
    "sponsor_relationship": "import profiles",
}


def test_every_code_list_that_the_words_name_exists_and_every_list_is_named() -> None:
    pool = descriptor_pool.Default()
    files = sorted((ROOT / "protos" / "ledger" / "v1").glob("*.proto"))
    named = {
        one.GetOptions().Extensions[code_list]
        for path in files
        for message in pool.FindFileByName(f"ledger/v1/{path.name}").message_types_by_name.values()
        for one in message.fields
        if one.GetOptions().HasExtension(code_list)
    }

    assert not named & NAMED_BY_CODE.keys()
    assert named | NAMED_BY_CODE.keys() == code_lists().keys()
    for one in code_lists().values():
        codes = [code.code for code in one.codes]
        assert len(set(codes)) == len(codes) > 0
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", code) for code in codes)
        assert all(code.meaning for code in one.codes)
        assert date.fromisoformat(one.version)
        assert one.title
        assert one.source


def literals(path: str) -> set[str]:
    """The texts in a module that look like codes."""
    found = (node.value for node in ast.walk(TREES[ROOT / path]) if isinstance(node, ast.Constant))
    return {one for one in found if isinstance(one, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", one)}


def test_every_reason_of_a_comparison_is_given_and_listed() -> None:
    assert literals(NAMED_BY_CODE["comparison_reason"]) == codes_of("comparison_reason").keys()
    assert literals("projections/likeness.py") <= codes_of("match_reason").keys()


# Where a rule's findings are made, and which argument of the call is its code.
MADE_IN = ["projections/findings.py", "projections/likewise.py", "ledger/caused.py"]
MADE_IN += ["ledger/ask/queues.py"]
MADE_BY = {"Noted": 0, "_note": 2, "_of_number": 0, "duty": 0, "among": 0}


def constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module gives a name to."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    found[name.id] = value.value
    return found


def codes_made(node: ast.AST, names: dict[str, str]) -> set[str]:
    """The codes of the findings that are made below a node."""
    found = set()
    for call in ast.walk(node):
        name = getattr(getattr(call, "func", None), "id", "")
        if name in MADE_BY and len(call.args) > MADE_BY[name]:
            code = call.args[MADE_BY[name]]
            value = getattr(code, "value", None) or names.get(getattr(code, "id", ""))
            found |= {value} if isinstance(value, str) else set()
    return found


def test_every_finding_is_made_by_a_rule_and_every_rule_makes_a_finding_of_the_list() -> None:
    paths = [ROOT / one for one in MADE_IN] + [one for one in OURS if one.parent.name == "rules"]
    names = {key: value for path in paths for key, value in constants(TREES[path]).items()}
    made = set().union(*(codes_made(TREES[path], names) for path in paths))

    assert made == codes_of("finding").keys()
    # What registers under a code makes findings of that code and no other.
    for path in paths:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.FunctionDef):
                under = set().union(*(codes_made(one, names) for one in node.decorator_list))
                if under:
                    assert set().union(*(codes_made(one, names) for one in node.body)) == under


def test_every_finding_says_how_grave_it_is_and_which_rule_it_keeps() -> None:
    for code in codes_of("finding").values():
        assert rules.severity_of(code.code) != Severity.SEVERITY_UNSPECIFIED
        assert re.fullmatch(r"R-\d\d", code.attributes["rule"]), code.code
        assert code.source, code.code


APPLIES_TO = {"minor", "minor_under_5", "minor_from_5", "anyone", "child"}


def field_of(kind: str, path: tuple[str, ...]) -> FieldDescriptor:
    """The field of an event that a pattern looks at. Raises KeyError where there is none."""
    message = next(one.message_type for one in FACTS if one.message_type.name == kind)
    for name in path[:-1]:
        message = message.fields_by_name[name].message_type
    return message.fields_by_name[path[-1]]


def values_of(field: FieldDescriptor) -> set[str]:
    """What a pattern may ask of a field."""
    if field.enum_type:
        prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
        return {value.name.removeprefix(prefix) for value in field.enum_type.values[1:]}
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true", "false"}
    return set(codes_of(field.GetOptions().Extensions[code_list]))


def test_every_clock_names_events_and_fields_that_there_are() -> None:
    kinds = {field.message_type.name for field in FACTS}
    assert len({limit.code for limit in time_limits()}) == len(time_limits())
    for limit in time_limits():
        assert limit.limit_us > 0
        assert limit.applies_to in APPLIES_TO, limit.code
        assert limit.citation, limit.code
        assert limit.shown_by in {"", *(one.kind for one in limit.stops)}, limit.code
        assert limit.starts, limit.code
        assert limit.stops, limit.code
        for pattern in (*limit.starts, *limit.stops):
            assert pattern.kind in kinds, (limit.code, pattern)
            if pattern.path:
                field = field_of(pattern.kind, pattern.path)
                assert pattern.value in values_of(field), (limit.code, pattern)
        if limit.owner == OF_THE_START:
            for pattern in limit.starts:
                fields = {one.name for one in words_of(pattern.kind)}
                assert fields & {"of_agency", "from_agency", "agency"}, limit.code
        else:
            assert limit.owner in codes_of("agency"), limit.code


def words_of(kind: str) -> list[FieldDescriptor]:
    return list(next(one.message_type for one in FACTS if one.message_type.name == kind).fields)


def test_every_question_of_the_words_is_answered_and_nothing_else() -> None:
    pool = descriptor_pool.Default()
    for service, methods in METHODS.items():
        name = f"ledger.v1.{service}"
        described = pool.FindServiceByName(name)
        assert [one.name for one in described.methods] == list(methods), service
    assert [f"ledger.v1.{one}" for one in METHODS] == NAMES == [one.full_name for one in SERVICES]


def test_every_reason_for_an_error_has_a_status_of_its_own_words() -> None:
    for value in ErrorReason.DESCRIPTOR.values[1:]:
        assert value.GetOptions().Extensions[status] in range(1, 17), value.name


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_idea_and_a_function_fits_a_screen(path: Path) -> None:
    if "versions" in path.parts:
        return  # a migration is one list of tables
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES_MAX
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_the_words_of_the_field(path: Path) -> None:
    names = {path.stem}
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    for name in names - ALLOWED:
        words = set(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().split("_"))
        banned = words & BANNED - ({"data"} if words != {"data"} else set())
        assert not banned or name == "data", f"{name}: {banned}"


def test_nothing_is_updated_or_deleted_but_the_head_the_tiles_and_the_tables() -> None:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in {"update", "delete"} and isinstance(node.func.value, ast.Name):
                if node.func.value.id != "sa":
                    continue
                table = node.args[0].id
                assert table in {"head", "generation", "period", "person_key"}, f"{path}: {table}"


def test_the_latest_tables_are_those_of_the_last_migration() -> None:
    files = sorted((Path(migrations.__file__).parent / "versions").glob("*.py"))

    assert files[-1].name.startswith(f"{migrations.LATEST}_")


def test_the_words_are_as_generated_well_formed_and_still_readable() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "genproto"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_project_speaks_of_itself_alone() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in tracked:
        file = ROOT / name
        if file.suffix in {".py", ".proto", ".md", ".toml", ".sh", ""} and file.is_file():
            text = file.read_text(encoding="utf-8", errors="ignore")
            assert "/wo" + "rk/" not in text, name


def test_every_dependency_says_which_versions_it_was_tried_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for one in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        assert re.search(r"[<=>]=?\d", one), one
