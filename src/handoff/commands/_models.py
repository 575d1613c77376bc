"""What the commands about models have in common: which model is meant."""

from __future__ import annotations

from enum import StrEnum


class ModelOption(StrEnum):
    """Which model."""

    escalation = "escalation"
    routing = "routing"
