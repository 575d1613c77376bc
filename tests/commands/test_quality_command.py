"""`handoff evaluate --suite public` from the outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff.metrics import Interval
from handoff.quality import suite
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings
from tests.commands.running import run


def _rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    yield Row(
        set="CALLS",
        task="first 4 turns",
        proxy_for="hand-off",
        metric="AUC",
        ours=Interval(0.65, 0.61, 0.69),
        interval=f"seed {settings.seed}",
        aim=0.64,
    )


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(suite, "SETS", {"calls": suite.Part(("calls",), _rows), "chats": suite.Part(("chats",), _rows)})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets" / "calls").mkdir(parents=True)
    (tmp_path / "sets" / "chats").mkdir()
    return tmp_path


def test_it_writes_the_page_and_prints_the_figures(place: Path) -> None:
    done = run("evaluate", "--suite", "public", "--seed", 3, HANDOFF_BENCHMARK_DATA="sets")
    assert done.exit_code == 0, done.output
    assert "0.650" in done.stdout and "0.640 reached" in done.stdout
    written = (place / "benchmarks" / "quality.md").read_text("utf-8")
    assert "`handoff evaluate --suite public`" in written and written.count("| seed 3 |") == 2


def test_a_choice_of_sets_does_not_overwrite_the_page(place: Path) -> None:
    done = run("evaluate", "--suite", "public", "--sets", "calls", "--data", "sets", "--json")
    assert done.exit_code == 0, done.output
    assert [part["name"] for part in json.loads(done.stdout)["parts"]] == ["calls"]
    assert not (place / "benchmarks").exists()


def test_a_run_that_lacks_a_set_does_not_overwrite_the_page(place: Path) -> None:
    (place / "sets" / "chats").rmdir()
    done = run("evaluate", "--suite", "public", "--data", "sets")
    assert done.exit_code == 0 and "chats: skipped" in done.stderr
    assert not (place / "benchmarks").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "--suite public"),
        (["--suite", "private"], 2, "no suite 'private'"),
        (["--suite", "public", "--sets", "cals", "--data", "sets"], 1, "did you mean 'calls'"),
        (["--suite", "public"], 1, "HANDOFF_BENCHMARK_DATA"),
    ],
    ids=["neither data nor suite", "another suite", "another set", "no data"],
)
def test_misuse_says_what_to_do(arguments: list[str], status: int, says: str) -> None:
    done = run("evaluate", *arguments, HANDOFF_BENCHMARK_DATA="nowhere")
    assert done.exit_code == status and says in done.stderr
