"""`handoff backtest`: rules tried on stored conversations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from handoff.analytics.backtest import backtest
from handoff.commands._app import app
from handoff.commands._backtest_view import print_backtest
from handoff.commands._console import print_json, progress
from handoff.commands._conversations import counted
from handoff.policy import load_policy
from handoff.rules import load_rules
from handoff.settings import read_settings


class AgainstOption(StrEnum):
    """Which label a rule should have fired on."""

    escalated = "escalated"
    escalation_needed = "escalation_needed"


@app.command("backtest")
def backtest_command(
    rules: Annotated[Path, typer.Option("--rules", help="The rules to try, a YAML file.", dir_okay=False, exists=True)],
    data: Annotated[Path, typer.Option("--data", help="A file or folder of conversations.", exists=True)],
    against: Annotated[AgainstOption, typer.Option("--against", help="The label.")] = AgainstOption.escalated,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
) -> None:
    """For every rule: how often it fired, precision, recall, median lead; and what changes against the current file.

    The current file is the one that ships with handoff, or HANDOFF_RULES. Only what fires before the hand-off
    counts, in the episode that was handed off. Conversations abandoned before anybody took over have no label under
    `escalated`; those where it was not recorded have none under `escalation_needed`. Rules on trial are counted too.

    Example: `handoff backtest --rules my-rules.yaml --data data/sample`
    """
    settings = read_settings()
    new, current = (load_rules(path, settings.confidence) for path in (rules, settings.rules))
    policy = load_policy(settings.policy, new)
    with progress("conversations") as step:
        result = backtest(counted(data, step), new, current, against=against.value, policy=policy)
    print_json(result) if as_json else print_backtest(result, str(rules), str(settings.rules or "the shipped rules"))
