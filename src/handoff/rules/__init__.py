"""Deterministic rules over the features: what guarantees a hand-off, whatever a model believes."""

from handoff.rules.book import Rule, RuleBook, Urgency, load_rules
from handoff.rules.reasons import REASONS
from handoff.rules.watch import Fired, Watch, fired_at_the_end, name_facts

__all__ = ["REASONS", "Fired", "Rule", "RuleBook", "Urgency", "Watch", "fired_at_the_end", "load_rules", "name_facts"]
