"""`handoff reasons` as an analyst calls it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.commands.chats import write
from tests.commands.running import run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_shares_bars_and_agreement(data: Path) -> None:
    result = run("reasons", data, columns=120)
    shown = squeezed(result.stdout)
    assert result.exit_code == 0
    for expected in (
        "3 escalations in 6 conversations",
        "not counted: 2 not escalated, 1 abandoned before anybody took over",
        "AI uncertainty ██████████████ 33.3% 1 of 3 – 0",
        "Billing dispute or refund 0.0% 0 of 3 – 1",
        "decided by: rule 2, nothing 1; versions: no model",
        "the primary reason 33.3% 1 of 3 6% to 79%",
    ):
        assert expected in shown, expected


def test_groups_by_team_and_week(data: Path) -> None:
    shown = squeezed(run("reasons", data, "--by", "team,week").stdout)
    assert "billing · 2026-W10 33.3% 1 of 3 Customer asked for a human ██████████████ 100.0% 1 of 1" in shown
    assert "technical · 2026-W10 66.7% 2 of 3" in shown


def test_a_week_without_escalations_is_0_of_0(data: Path) -> None:
    shown = squeezed(run("reasons", data, "--by", "week", "--from", "2026-02-23", "--to", "2026-03-09").stdout)
    assert "2026-W09 0.0% 0 of 3 no escalations 0 of 0 – 2026-W10 100.0% 3 of 3" in shown


def test_csv_adds_up(data: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("reasons", data, "--by", "team", "--csv").stdout)))
    assert [row["team"] for row in rows if row["reason"] == "unexplained"] == ["technical"]
    assert sum(int(row["count"]) for row in rows) == 3
    assert {row["conversations"] for row in rows if row["count"] == "1"} == {"asks", "unsure", "silent"}


def test_csv_keeps_a_week_without_escalations(data: Path) -> None:
    result = run("reasons", data, "--by", "week", "--from", "2026-02-16", "--to", "2026-03-09", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["reason"], row["count"], row["of"]) for row in rows if row["week"] == "2026-W08"] == [("", "0", "0")]


def test_json_holds_the_conversations(data: Path) -> None:
    found = json.loads(run("reasons", data, "--by", "team", "--json").stdout)
    assert found["escalations"] == 3
    (billing, technical) = found["groups"]
    assert billing["values"] == {"team": "billing"}
    assert {c["reason"]: c["conversations"] for c in technical["reasons"] if c["conversations"]} == {
        "ai_uncertainty": ["unsure"],
        "unexplained": ["silent"],
    }


def test_the_conversations_of_a_reason(data: Path) -> None:
    assert run("reasons", data, "--show", "unexplained").stdout == "silent\n"
    assert run("reasons", data, "--show", "unexplained", "--by", "team").stdout == "silent\ttechnical\n"
    shown = json.loads(run("reasons", data, "--show", "unexplained", "--by", "team", "--json").stdout)
    assert shown == [{"conversation_id": "silent", "team": "technical"}]


BAD = {
    "a misspelt group": (["--by", "taem"], 1, "--by: unknown 'taem'; did you mean 'team'?"),
    "a misspelt reason": (["--show", "ai_uncertain"], 1, "did you mean 'ai_uncertainty'?"),
    "no date": (["--from", "March"], 1, "--from: 'March' is no date"),
    "beyond": (["--to", "0001-01-01T00:00:00+14:00"], 1, "--to: '0001-01-01T00:00:00+14:00' is no date"),
    "an empty period": (["--from", "2026-03-02", "--to", "2026-03-02"], 1, "no time between them"),
    "two forms at once": (["--csv", "--json"], 2, "choose one"),
}


@pytest.mark.parametrize(("options", "status", "message"), BAD.values(), ids=BAD)
def test_misuse_is_named(data: Path, options: list[str], status: int, message: str) -> None:
    result = run("reasons", data, *options, columns=200)
    assert result.exit_code == status
    assert message in result.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal(data: Path, columns: int) -> None:
    shown = run("reasons", data, "--by", "team,week", columns=columns).stdout
    assert max(cell_len(line) for line in shown.splitlines()) <= columns
    assert "\x1b" not in shown


def test_with_a_model_its_own_reason_stands_beside(data: Path, trained_models: Path) -> None:
    found = json.loads(run("reasons", data, "--models", trained_models, "--json").stdout)
    assert [a["computed"] for a in found["agreement"]] == ["primary", "by_rules", "by_model"]
    assert sum(c["by_model"] for c in found["overall"]["reasons"]) == 3


def test_help_has_an_example() -> None:
    assert "handoff reasons data/sample --by team,week" in run("reasons", "--help").stdout
