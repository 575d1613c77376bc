"""The benchmark's frame: which parts run, what is said of those that cannot, and the page that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff.errors import BadInput
from handoff.metrics import Interval
from handoff.quality.page import HEADER, page, quoted
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings
from handoff.quality.suite import Part, SuiteRun, chosen, run_suite


def row(**given: object) -> Row:
    said = {
        "set": "CALLS",
        "task": "first 4 turns",
        "proxy_for": "hand-off",
        "metric": "AUC",
        "ours": Interval(0.65, 0.61, 0.69),
        "interval": "bootstrap over calls",
    }
    return Row(**{**said, **given})  # type: ignore[arg-type]


def rows_of_calls(data: Path, settings: QualitySettings) -> Iterator[Row]:
    settings.step()
    yield row(aim=0.64, floor=0.604, trivial={"always": 0.5})
    yield row(task="whole call", published=0.797)


PARTS = {"calls": Part(("calls",), rows_of_calls), "chats": Part(("chats", "calls"), rows_of_calls)}


def run(data: Path, said: list[str]) -> SuiteRun:
    clock = iter(range(100))
    settings = QualitySettings(work=data / "work")
    return run_suite("Title", "handoff evaluate", PARTS, data, settings, said.append, lambda: float(next(clock)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    return tmp_path


def test_a_set_whose_data_is_not_there_says_so_and_is_skipped(data: Path) -> None:
    said: list[str] = []
    done = run(data, said)
    assert [(part.name, len(part.rows), part.missing) for part in done.parts] == [
        ("calls", 2, ()),
        ("chats", 0, ("chats",)),
    ]
    assert any(line.startswith("chats: skipped") and "chats not there" in line for line in said)
    assert "Skipped for want of data: chats (no chats)" in page(done)


def test_a_long_part_says_how_far_it_got(data: Path) -> None:
    said: list[str] = []
    clock = iter(range(0, 4000, 40))
    settings = QualitySettings(work=data / "work")
    run_suite("Title", "handoff evaluate", PARTS, data, settings, said.append, lambda: float(next(clock)))
    assert said[1:3] == [
        "calls: 1 figures after 1 min, the last of CALLS, first 4 turns",
        "calls: 2 figures after 1 min, the last of CALLS, whole call",
    ]


def test_where_nothing_is_there_it_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds none of the sets; name their folder with --data"):
        run(tmp_path, [])


def test_an_unknown_set_is_refused_with_the_nearest_name() -> None:
    assert list(chosen(["chats", "calls"], PARTS)) == ["calls", "chats"]
    with pytest.raises(BadInput, match="unknown set 'cals'; did you mean 'calls'"):
        chosen(["cals"], PARTS)


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ({"aim": 0.65}, True),
        ({"aim": 0.66}, False),
        ({"aim": 0.6, "lower_is_better": True}, False),
        ({"aim": 0.7, "lower_is_better": True}, True),
        ({}, None),
        ({"aim": 0.6, "ours": Interval(None, None, None)}, None),
    ],
    ids=["as good as the aim", "worse", "higher where lower is better", "lower is better", "no aim", "no figure"],
)
def test_an_aim_is_reached_or_missed(given: dict[str, object], reached: bool | None) -> None:
    assert row(**given).reached is reached


def test_the_page_names_command_time_and_every_figure(data: Path) -> None:
    text = page(run(data, []))
    assert "`handoff evaluate`, encoder `static`, seed 7: 6 s (calls 4 s)" in text
    assert (
        "| CALLS | first 4 turns | hand-off | AUC | **0.650** [0.610, 0.690] | bootstrap over calls "
        "|  | 0.604 | always 0.500 | 0.640 reached |" in text
    )
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {len(HEADER) + 1}


def test_the_readme_quotes_the_rows_with_an_aim(data: Path) -> None:
    written = data / "quality.md"
    written.write_text(page(run(data, [])), "utf-8")
    lines = quoted(written).splitlines()
    assert lines[0] == "| set | task | metric | ours [95 %] | best published | floor | aim |"
    assert lines[2:] == ["| CALLS | first 4 turns | AUC | **0.650** [0.610, 0.690] |  | 0.604 | 0.640 reached |"]


def test_a_readme_without_a_run_behind_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="run 'make benchmark-quality'"):
        quoted(tmp_path / "quality.md")
    (tmp_path / "quality.md").write_text("| a | b |\n| --- | --- |\n", "utf-8")
    with pytest.raises(BadInput, match="does not hold the benchmark's table"):
        quoted(tmp_path / "quality.md")
