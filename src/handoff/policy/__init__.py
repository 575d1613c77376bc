"""From belief to action: one decision, one route, one message to the customer."""

from handoff.policy.decide import Decision, decide, level, may_alarm, model_action, plain_action, rule_action, trend
from handoff.policy.route import Routing, route
from handoff.policy.settings import ACTIONS, PLAIN_CUTS, Action, Policy, Team, TriggerSettings, load_policy

__all__ = [
    "ACTIONS", "PLAIN_CUTS", "Action", "Decision", "Policy", "Routing", "Team", "TriggerSettings", "decide", "level",
    "load_policy", "may_alarm", "model_action", "plain_action", "route", "rule_action", "trend",
]  # fmt: skip
