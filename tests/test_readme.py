"""The README is executed: every block of commands, in order, as a newcomer would."""

import os
import re
import subprocess
import sys
from pathlib import Path

from commands import ROOT

BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "--- end of block ---"


def command(file: Path, runs: str) -> None:
    """A file that runs something else with the same arguments."""
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\nexec {runs} "$@"\n')
    file.chmod(0o755)


def test_every_block_of_the_readme_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    commands = [text for kind, text in blocks if kind == "sh"]
    command(tmp_path / "scripts" / "demo", f"{ROOT}/scripts/demo")
    command(tmp_path / "bin" / "ledger", f"{sys.executable} -m ledger")

    ran = subprocess.run(
        ["bash"],
        input="set -em\n" + f"\necho '{END}'\n".join(["", *commands, ""]),
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.split(END)[1:]
    assert len(printed) == len(commands) + 1
    number = -1
    for kind, text in blocks:
        if kind == "sh":
            number += 1
            continue
        said = iter(printed[number].splitlines())
        for line in text.splitlines():
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert any(re.fullmatch(rf"{pattern}\s*", one) for one in said), (
                f"{line!r} is not in:\n{printed[number]}"
            )
