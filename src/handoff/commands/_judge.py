"""The judge that a command asks: rules and policy from the settings, models from where the options say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.commands._console import stderr
from handoff.decision import Judge
from handoff.errors import BadInput, BadModel
from handoff.models import EscalationModel, RoutingModel, champion, load, load_champion
from handoff.policy import load_policy
from handoff.rules import load_rules
from handoff.settings import read_settings

VersionOption = Annotated[
    Path | None, typer.Option("--model", help="One trained version of the escalation model.", file_okay=False)
]
ChampionsOption = Annotated[
    Path | None, typer.Option("--models", help="The folder of champions; ./models by default.", file_okay=False)
]


def judge_of(model: Path | None, models: Path | None, *, routing: bool = False) -> Judge:
    """The judge with the given model, or else with the champions, or else by rules only, which is said on stderr.

    A version that was asked for by name must hold (`BadModel`); a champion that does not is no reason to fail.
    """
    settings = read_settings()
    rules = load_rules(settings.rules, settings.confidence)
    root = models if models is not None else settings.models
    escalation = named_escalation(model) if model is not None else _escalation(root)
    return Judge(rules, load_policy(settings.policy, rules), escalation, _routing(root) if routing else None)


def named_escalation(folder: Path) -> EscalationModel:
    """The escalation model in that folder. Raises `BadInput` for another, `BadModel` for one that does not hold."""
    loaded = load(folder)
    if not isinstance(loaded, EscalationModel):
        raise BadInput(f"--model: {folder} holds a routing model; name a version of the escalation model")
    return loaded


def _escalation(root: Path) -> EscalationModel | None:
    try:
        loaded = load_champion("escalation", root)
    except BadModel as error:
        _note(f"Rules only: {error}")
        return None
    return loaded if isinstance(loaded, EscalationModel) else None


def _routing(root: Path) -> RoutingModel | None:
    try:
        loaded = load_champion("routing", root) if champion("routing", root) is not None else None
    except BadModel as error:
        _note(f"No routing model: {error}")
        return None
    return loaded if isinstance(loaded, RoutingModel) else None


def _note(message: str) -> None:
    stderr.print(message, markup=False, style="yellow")
