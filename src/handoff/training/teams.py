"""Which team a conversation would go to, to ask how far the escalation model can be trusted for each.

The routing champion names it, at the conversation's last row. The team that took it is no use here: only conversations
that were handed off have one, and of those every row came to pass.
"""

from __future__ import annotations

from pathlib import Path

from handoff.errors import BadModel
from handoff.features import Moment
from handoff.models import RoutingModel, champion, load_champion
from handoff.training.rows import TeamOf


def routing_team(models: Path) -> TeamOf | None:
    """The team by the routing champion in `models`; None without one that holds, for an old one need not stop anybody
    from training another escalation model."""
    if champion("routing", models) is None:
        return None
    try:
        model = load_champion("routing", models)
    except BadModel:
        return None
    return None if not isinstance(model, RoutingModel) else _team_of(model)


def _team_of(model: RoutingModel) -> TeamOf:
    def team(moment: Moment) -> str | None:
        return model.route(moment).team if moment.customer_texts else None

    return team
