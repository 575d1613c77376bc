"""A policy folder with other cuts: it loads, says where it came from, and never replaces one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from handoff.errors import BadInput, BadPolicy
from handoff.policy import load_policy
from handoff.policy.settings import Cuts
from handoff.policy.write import write_policy

POLICY = load_policy()
CUTS = Cuts(0.2, 0.4, 0.5, 0.9)


def test_what_is_written_differs_in_the_cuts_alone(tmp_path: Path) -> None:
    file = write_policy(tmp_path / "new", POLICY, CUTS, "Chosen\nfrom costs")
    again = load_policy(tmp_path / "new")
    assert msgspec.structs.replace(again, cuts=POLICY.cuts, version=POLICY.version) == POLICY
    assert again.cuts == CUTS
    assert file.read_text("utf-8").startswith("# Chosen\n# from costs\ncuts:")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_teams_of_the_folder_in_use_come_along(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "teams.yaml").write_text("- {id: general, title: All, tier: 1}\n", "utf-8")
    current = load_policy(tmp_path / "old")
    write_policy(tmp_path / "new", current, CUTS, "x", tmp_path / "old")
    assert load_policy(tmp_path / "new").teams == current.teams


def test_a_policy_that_is_there_stays(tmp_path: Path) -> None:
    write_policy(tmp_path, POLICY, CUTS, "first")
    with pytest.raises(BadInput, match="is there already"):
        write_policy(tmp_path, POLICY, POLICY.cuts, "second")
    assert load_policy(tmp_path).cuts == CUTS


def test_cuts_that_do_not_hold_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy):
        write_policy(tmp_path / "new", POLICY, Cuts(0.9, 0.4, 0.5, 0.2), "falling")
    assert list(tmp_path.iterdir()) == []
