"""The codes of every list with the dates on which each is in force, as they were once committed.

Run it to add new codes to `codes_baseline.json`; it changes and removes nothing.
"""

import json
from pathlib import Path

from google.type.date_pb2 import Date

from projections.codes import code_lists

BASELINE = Path(__file__).with_suffix(".json")

InForce = dict[str, dict[str, list[str]]]


def in_force() -> InForce:
    """By list and code the first and the last day in force; "": no bound is given."""
    return {
        name: {
            one.code: [_day(one, "in_force_from_date"), _day(one, "in_force_to_date")]
            for one in code_list.codes
        }
        for name, code_list in sorted(code_lists().items())
    }


def _day(code: object, field: str) -> str:
    if not code.HasField(field):
        return ""
    day: Date = getattr(code, field)
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


def main() -> None:
    known: InForce = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
    now = in_force()
    for name, codes in now.items():
        known[name] = {**codes, **known.get(name, {})}
    text = json.dumps(known, indent=1, sort_keys=True)
    # One code a line, so that a difference shows what was added.
    BASELINE.write_text(
        text.replace("[\n   ", "[").replace(",\n   ", ", ").replace("\n  ]", "]") + "\n"
    )


if __name__ == "__main__":
    main()
