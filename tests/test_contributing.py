"""CONTRIBUTING.md is followed to the letter, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from commands import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What somebody who adds an event and a projection touches, and nothing else (DESIGN 2).
TOUCHED = {
    "protos/ledger/v1/custody.proto",
    "protos/ledger/v1/event.proto",
    "ledger/v1/custody_pb2.py",
    "ledger/v1/custody_pb2.pyi",
    "ledger/v1/event_pb2.py",
    "ledger/v1/event_pb2.pyi",
    "projections/belongings.py",
}

TRY = """
import tempfile, uuid
import projections
from ledger.append import append_events
from ledger.ledger import Ledger
from ledger.pages import Tables, turn_page
from ledger.rpc.strict import check
from ledger.store.examination import examine
from ledger.v1.custody_query_service_pb2 import ListRosterRequest
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.time_pb2 import PRECISION_INSTANT

url = f"sqlite:///{tempfile.mkdtemp()}/ledger.db"
ledger = Ledger(url)
event = Event(event_id=str(uuid.uuid4()))
event.valid_time.time.FromSeconds(1_530_000_000)
event.valid_time.precision, event.valid_time.zone = PRECISION_INSTANT, "UTC"
event.source.system, event.actor.agency = "test", "CBP"
event.belongings_taken.person_id = str(uuid.uuid4())
event.belongings_taken.agency, event.belongings_taken.receipt = "CBP", "B-117"
request = AppendEventsRequest(events=[event])
check(request)
append_events(ledger, request, 30)
belongings = projections.load()["belongings"]
page = turn_page(ledger, ListRosterRequest(), Tables(ledger, belongings, ["belongings:CBP"], bytes))
((person_id, state),) = page.rows
assert person_id == event.belongings_taken.person_id
assert b"B-117" in state
assert ledger.populations.rebuild("belongings").differing == []
ledger.close()
assert examine(url, projections.load()).custody.ok
"""


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_contributing_says_works_and_touches_no_other_file(tmp_path: Path) -> None:
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard")
    for name in listed.split():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    for command in (["init", "--quiet"], ["add", "--all"]):
        run(tmp_path, "git", *command)
    page = (tmp_path / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (_, message), (_, line), (_, command), (_, meaning) = BLOCK.findall(page)[:4]

    custody = tmp_path / "protos" / "ledger" / "v1" / "custody.proto"
    custody.write_text(custody.read_text(encoding="utf-8") + "\n" + message, encoding="utf-8")
    event = custody.with_name("event.proto")
    text = event.read_text(encoding="utf-8")
    before, oneof, after = text.partition("  oneof fact {")
    inside, _, rest = after.partition("\n  }\n")
    event.write_text(f"{before}{oneof}{inside}\n{line}  }}\n{rest}", encoding="utf-8")
    assert command.strip() == "scripts/genproto"
    run(tmp_path, sys.executable, command.strip())
    (tmp_path / "projections" / "belongings.py").write_text(meaning, encoding="utf-8")

    run(tmp_path, sys.executable, "-c", TRY)
    changed = run(tmp_path, "git", "status", "--porcelain", "--untracked-files=all")
    assert {line[3:] for line in changed.splitlines() if line[1] != " "} == TOUCHED
    for command in (["format", "--check", "."], ["check", "."]):
        run(tmp_path, str(Path(sys.executable).parent / "ruff"), *command, "--quiet")
