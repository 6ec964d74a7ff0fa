"""The rules of the house, as tests: a rule that nobody runs is a wish."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from commands import ROOT

import projections
from ledger.store import migrations
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Event
from ledger.v1.options_pb2 import code_list, order, status, subject
from projections.codes import code_lists

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
# Words of others: alembic's and grpc's own names for what is passed to us.
ALLOWED = {"intercept_service", "context_handler"}


def test_every_event_moves_a_projection_or_is_listed_as_moving_none() -> None:
    kinds = {field.message_type.name for field in FACTS}
    moving = set().union(*(one.kinds for one in projections.load().values()))

    assert kinds == moving | MOVES_NONE.keys()
    assert not moving & MOVES_NONE.keys()


def test_every_event_says_whom_it_is_about_and_where_it_stands_among_others() -> None:
    orders = [field.message_type.GetOptions().Extensions[order] for field in FACTS]

    assert len(set(orders)) == len(orders)
    assert all(orders)
    for field in FACTS:
        named = [
            one.name
            for one in field.message_type.fields
            if one.GetOptions().Extensions[subject] in {"person", "family", "transfer"}
        ]
        assert named or field.message_type.name in MOVES_NONE


def test_every_field_that_holds_an_id_is_a_subject_or_an_event() -> None:
    for field in FACTS:
        for one in field.message_type.fields:
            if one.name.endswith(("_id", "_ids")):
                is_subject = one.GetOptions().HasExtension(subject)
                assert is_subject or one.name == "retracted_event_id", one.full_name


def test_every_code_list_that_the_words_name_exists() -> None:
    named = set()

    def visit(message) -> None:
        for one in message.fields:
            if one.GetOptions().HasExtension(code_list):
                named.add(one.GetOptions().Extensions[code_list])
            elif one.message_type and one.message_type.file is message.file:
                visit(one.message_type)

    visit(Event.DESCRIPTOR)
    assert named == code_lists().keys()
    for one in code_lists().values():
        codes = [code.code for code in one.codes]
        assert len(set(codes)) == len(codes) > 0
        assert all(code.meaning for code in one.codes)


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
                assert table in {"head", "generation", "period"}, f"{path}: {table}"


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
