"""The policy's settings: cuts, urgencies, teams and messages, read from the YAML files in this folder."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
import yaml

from handoff.errors import BadPolicy, nearest
from handoff.policy.trigger import WINDOW, Trigger
from handoff.rules import REASONS, RuleBook

Action = Literal["none", "monitor", "prepare_specialist", "proactive_escalation", "escalate_now"]
ACTIONS: tuple[Action, ...] = get_args(Action)  # weakest first

FILES = ("policy.yaml", "teams.yaml", "messages.yaml")
FALLBACK_TEAM = "general"


class Team(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team that takes conversations over; `tier` 1 to 4."""

    id: str
    title: str
    tier: int


class Cuts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Least probability of each action, weakest first."""

    monitor: float
    prepare_specialist: float
    proactive_escalation: float
    escalate_now: float


class TriggerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the model alone may raise an alarm, from `prepare_specialist` up: so many messages `in_a_row` over the cut,
    or one over the highest cut where `highest_at_once`; it comes down more than `fall_back` below the cut."""

    in_a_row: Annotated[int, msgspec.Meta(ge=1, le=WINDOW)] = 2
    highest_at_once: bool = True
    fall_back: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.10


# One message over the cut is enough, and the first below it ends the alarm.
PLAIN_CUTS = TriggerSettings(in_a_row=1, highest_at_once=False, fall_back=0.0)


class Within(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds within which a human should take over, by urgency."""

    immediate: int
    rapid: int
    scheduled: int


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cuts: Cuts
    within_seconds: Within
    only_prepare: tuple[str, ...]
    trend_band: Annotated[float, msgspec.Meta(ge=0, le=1)]
    routing_cut: Annotated[float, msgspec.Meta(ge=0, le=1)]
    trigger: TriggerSettings = TriggerSettings()


class Policy(msgspec.Struct, frozen=True):
    """All that turns belief into action. `version` is a digest of the files (twelve hexadecimal digits)."""

    cuts: Cuts
    within_seconds: Within
    only_prepare: frozenset[str]
    trend_band: float
    routing_cut: float
    teams: tuple[Team, ...]
    messages: dict[str, str]
    version: str
    trigger: TriggerSettings = TriggerSettings()

    @property
    def triggers(self) -> tuple[tuple[Action, Trigger], ...]:
        """How the model's scores raise each action above `monitor`, weakest first."""
        return triggers(self.cuts, self.trigger)

    def team(self, team_id: str) -> Team:
        """The team of that id. Raises `BadPolicy` for one that teams.yaml does not list."""
        for team in self.teams:
            if team.id == team_id:
                return team
        raise BadPolicy(f"teams.yaml: no team '{team_id}'{nearest(team_id, [t.id for t in self.teams])}")


@cache
def triggers(cuts: Cuts, settings: TriggerSettings) -> tuple[tuple[Action, Trigger], ...]:
    """A trigger for each action above `monitor`, weakest first."""
    at_once = cuts.escalate_now if settings.highest_at_once else None
    return tuple(
        (
            action,
            Trigger(
                cut=getattr(cuts, action), in_a_row=settings.in_a_row, at_once=at_once, fall_back=settings.fall_back
            ),
        )
        for action in ACTIONS[2:]
    )


def load_policy(folder: Path | None = None, rules: RuleBook | None = None) -> Policy:
    """The policy in `folder` (policy.yaml, teams.yaml, messages.yaml), or the one that ships with the package.

    A file that `folder` does not hold is taken from the package. With `rules`, their teams are checked too.
    Raises `BadPolicy` naming file and field.
    """
    if folder is not None and not folder.is_dir():
        raise BadPolicy(f"{folder}: no such folder; expected one with any of {', '.join(FILES)}")
    texts = {name: _text(folder, name) for name in FILES}
    settings = _convert("policy.yaml", texts["policy.yaml"], _Settings)
    teams = _convert("teams.yaml", texts["teams.yaml"], tuple[Team, ...])
    messages = _convert("messages.yaml", texts["messages.yaml"], dict[str, str])
    checked_cuts(settings.cuts, "policy.yaml, cuts")
    _check_messages(messages)
    policy = Policy(
        settings.cuts, settings.within_seconds, frozenset(settings.only_prepare), settings.trend_band,
        settings.routing_cut, teams, messages, hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:12],
        settings.trigger,
    )  # fmt: skip
    _check_teams(policy, rules)
    return policy


def checked_cuts(cuts: Cuts, place: str) -> Cuts:
    """The same cuts. Raises `BadPolicy` naming the place where they fall or are no probabilities."""
    values = list(msgspec.structs.astuple(cuts))
    # Written so that what is no number fails, too.
    if not (all(0 < value <= 1 for value in values) and values == sorted(values)):
        raise BadPolicy(f"{place}: {values}; expected rising probabilities over 0 and up to 1")
    return cuts


def _text(folder: Path | None, name: str) -> str:
    path = folder / name if folder else None
    if path is not None and path.exists():
        return path.read_text("utf-8")
    return resources.files("handoff.policy").joinpath(name).read_text("utf-8")


def _convert(name: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(yaml.safe_load(text), kind)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise BadPolicy(f"{name}: {' '.join(str(error).split())}") from None


def _check_messages(messages: dict[str, str]) -> None:
    for reason in messages:
        if reason not in REASONS:
            raise BadPolicy(f"messages.yaml: unknown reason '{reason}'{nearest(reason, REASONS)}")
    for reason in REASONS:
        if not messages.get(reason, "").strip():
            raise BadPolicy(f"messages.yaml: no text for '{reason}'; whoever is handed over must be told")


def _check_teams(policy: Policy, rules: RuleBook | None) -> None:
    policy.team(FALLBACK_TEAM)
    for rule in rules.rules if rules else ():
        if rule.team is not None and rule.team not in {team.id for team in policy.teams}:
            raise BadPolicy(
                f"rule '{rule.id}': unknown team '{rule.team}'{nearest(rule.team, [t.id for t in policy.teams])}"
            )
