"""The tables of the documentation, and the hidden command that writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from handoff.commands.tables import TABLES, commands_table, filled
from handoff.errors import BadInput
from handoff.features import FEATURE_NAMES
from handoff.policy import load_policy
from handoff.rules import REASONS, load_rules
from tests.commands.running import app

PAGE = "# Page\n\n<!-- table: teams -->\nold\n<!-- end of table -->\n\nText.\n"
runner = CliRunner()


def first_cells(table: str) -> list[str]:
    return [line.split("|")[1].strip().strip("`") for line in table.splitlines()[2:]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("features", list(FEATURE_NAMES)),
        ("rules", [rule.id for rule in load_rules().rules]),
        ("teams", [team.id for team in load_policy().teams]),
        ("reasons", list(REASONS)),
    ],
)
def test_a_table_has_one_row_an_entry(name: str, expected: list[str]) -> None:
    assert first_cells(TABLES[name]()) == expected


@pytest.mark.parametrize("name", TABLES)
def test_every_line_of_a_table_has_as_many_cells(name: str) -> None:
    lines = TABLES[name]().splitlines()
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_hidden_commands_are_not_listed() -> None:
    assert "`handoff train`" in commands_table() and "handoff tables" not in commands_table()


def test_it_writes_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")
    assert runner.invoke(app, ["tables", str(page)]).exit_code == 0
    text = page.read_text("utf-8")
    assert text.startswith("# Page\n\n<!-- table: teams -->\n\n| team |") and text.endswith("\n\nText.\n")
    assert "old" not in text and filled(text, "page.md") == text


def test_check_finds_a_stale_table_and_leaves_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")
    checked = runner.invoke(app, ["tables", str(page), "--check"])
    assert checked.exit_code == 1 and "make docs" in checked.stderr
    assert page.read_text("utf-8") == PAGE
    runner.invoke(app, ["tables", str(page)])
    assert runner.invoke(app, ["tables", str(page), "--check"]).exit_code == 0


def test_an_unknown_table_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(BadInput, match=r"page\.md: unknown table 'teems'; did you mean 'teams'"):
        filled(PAGE.replace("teams", "teems"), "page.md")
