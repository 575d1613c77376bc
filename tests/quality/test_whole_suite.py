"""The whole benchmark on a small part of each real set: every set runs to its rows, and every row can be shown.

Figures on so little say nothing. Where the public sets are not there, it says so and is skipped.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from handoff.quality import turn_inputs
from handoff.quality.page import HEADER, cells
from handoff.quality.settings import QualitySettings
from handoff.quality.suite import SETS, run_suite

PUBLIC = Path(os.environ.get("HANDOFF_BENCHMARK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CALLS, DIALOGUES, QUERIES_OF_AN_INTENT = 90, 16, 3


def calls(raw: bytes) -> bytes:
    return json.dumps(json.loads(raw)[:CALLS]).encode()


def chats(raw: bytes) -> bytes:
    lines = raw.splitlines()
    return b"\n".join(lines[:: max(1, len(lines) // DIALOGUES)])


def rated(raw: bytes) -> bytes:
    return b"\n\n".join(raw.split(b"\n\n")[: DIALOGUES * 4]) + b"\n"


def clinc(raw: bytes) -> bytes:
    return json.dumps({split: few(queries) for split, queries in json.loads(raw).items()}).encode()


def few(queries: list[list[str]]) -> list[list[str]]:
    """Some queries of every intent, in their order."""
    seen: dict[str, int] = {}
    kept = []
    for query in queries:
        seen[query[1]] = seen.get(query[1], 0) + 1
        # Out of scope is one intent among 151, and needs a few more to be scored.
        if seen[query[1]] <= QUERIES_OF_AN_INTENT * (10 if query[1] == "oos" else 1):
            kept.append(query)
    return kept


def queries(raw: bytes) -> bytes:
    header, *rows = csv.reader(io.StringIO(raw.decode()))
    out = io.StringIO()
    csv.writer(out).writerows([header, *few(rows)])
    return out.getvalue().encode()


def whole(raw: bytes) -> bytes:
    return raw


SMALLER: dict[str, Callable[[bytes], bytes]] = {
    "betold/*.json.gz": calls,
    "dbdc3/*.jsonl.gz": chats,
    "uss/*.txt.gz": rated,
    "clinc150/data_full.json.gz": clinc,
    "clinc150/domains.json": whole,
    "banking77/*.csv": queries,
    "hint3/*/*": whole,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PUBLIC.is_dir():
        pytest.skip(f"{PUBLIC}: the public sets are not there; name their folder in HANDOFF_BENCHMARK_DATA")
    folder = tmp_path_factory.mktemp("sets")
    for pattern, smaller in SMALLER.items():
        for path in PUBLIC.glob(pattern):
            target = folder / path.relative_to(PUBLIC)
            target.parent.mkdir(parents=True, exist_ok=True)
            packed = path.suffix == ".gz"
            content = smaller(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
            target.write_bytes(gzip.compress(content, 1) if packed else content)
    return folder


@pytest.fixture
def few_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer columns: USS is fitted 320 times, however small it is."""
    monkeypatch.setattr(turn_inputs, "DIRECTIONS", 10)


@pytest.mark.usefixtures("few_directions")
@pytest.mark.parametrize("name", SETS)
def test_a_set_runs_to_rows_that_can_be_shown(name: str, small: Path, trained_models: Path, tmp_path: Path) -> None:
    (tmp_path / "encoders").symlink_to(trained_models / "encoders")
    steps: list[None] = []
    settings = QualitySettings(work=tmp_path, threads=1).stepping(lambda: steps.append(None))
    run = run_suite("Small", "test", {name: SETS[name]}, small, settings, lambda _: None)
    assert run.rows and steps
    for row in run.rows:
        assert row.set and row.task and row.proxy_for and row.metric and row.interval
        assert len(cells(row)) == len(HEADER)
        assert row.ours.value is not None
