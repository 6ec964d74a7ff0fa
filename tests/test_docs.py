"""What docs/rules.md says is there."""

import ast
import re

from commands import ROOT

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
TEST = re.compile(r"`(tests/\w+\.py)::(\w+)`")
FILE = re.compile(r"`((?:ledger|projections|protos|tests)/[\w./]+)`")
ROW = re.compile(r"^\| (R-\d\d|\d) \|.*$", re.MULTILINE)


def test_each_recommendation_and_each_rule_is_kept_somewhere_and_tested() -> None:
    rows = {row[1]: row[0] for row in ROW.finditer(PAGE)}

    assert list(rows) == [
        *(str(number) for number in range(1, 6)),
        *(f"R-{number:02}" for number in range(1, 30)),
    ]
    for name, row in rows.items():
        assert TEST.search(row), f"{name} has no test"


def test_every_file_and_test_that_is_named_is_there() -> None:
    for name in FILE.findall(PAGE):
        assert (ROOT / name).exists(), name
    for file, name in TEST.findall(PAGE):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        assert name in functions, f"{file}::{name}"
