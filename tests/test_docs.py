"""What docs/rules.md and docs/controls.md say is there."""

import ast
import re

import pytest
from commands import ROOT

PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("rules", "controls")
}
TEST = re.compile(r"`(tests/\w+\.py)(?:::(\w+))?`")
FILE = re.compile(r"`((?:ledger|projections|protos|tests)/[\w./]+)`")
ROW = re.compile(r"^\| (R-\d\d|\d) \|.*$", re.MULTILINE)


def test_each_recommendation_and_each_rule_is_kept_somewhere_and_tested() -> None:
    rows = {row[1]: row[0] for row in ROW.finditer(PAGES["rules"])}

    assert list(rows) == [
        *(str(number) for number in range(1, 6)),
        *(f"R-{number:02}" for number in range(1, 30)),
    ]
    for name, row in rows.items():
        assert TEST.search(row), f"{name} has no test"


def test_each_control_is_held_by_a_test() -> None:
    rows = PAGES["controls"].partition("|---|---|---|---|\n")[2].splitlines()

    assert len(rows) > 20
    for row in rows:
        assert TEST.search(row.split(" | ")[-1]), row


@pytest.mark.parametrize("name", PAGES)
def test_every_file_and_test_that_is_named_is_there(name: str) -> None:
    for file in FILE.findall(PAGES[name]):
        assert (ROOT / file).exists(), file
    for file, test in TEST.findall(PAGES[name]):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        assert not test or test in functions, f"{file}::{test}"
