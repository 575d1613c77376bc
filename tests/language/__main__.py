"""Prints how well the triggers do on both halves of the table, in figures only: `python -m tests.language`."""

from __future__ import annotations

import sys

from handoff.quality.language import pooled, score, table
from tests.language import HALVES, marks_of

if __name__ == "__main__":
    for half in HALVES:
        found = marks_of(half)
        parts = [
            f"### {half}: {len({m.case for m in found})} cases, {len(found)} labels",
            table({"all": score(found)}, "pooled"),
            table(pooled(found, lambda m: m.rule), "trigger"),
            table(pooled(found, lambda m: m.about), "about"),
            table(pooled(found, lambda m: m.language), "language"),
        ]
        sys.stdout.write("\n\n".join(parts) + "\n\n")
