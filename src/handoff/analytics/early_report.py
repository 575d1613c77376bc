"""The early-warning report: what every policy would have alarmed at, how soon, and what the trigger's settings do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from handoff.analytics.backtest import ALARMS, Against
from handoff.analytics.early_warning import METRICS, AtPrefix, AtRecall, Figure, at_prefix, figures, workload_at_recall
from handoff.analytics.early_warning.course import Integers
from handoff.analytics.early_warning.figure import RESAMPLES, ratio, with_intervals
from handoff.analytics.policies import POLICIES, AlarmPolicy, Raised, WatchedAll, watch_all
from handoff.decision import Judge, Verdict
from handoff.policy import ACTIONS, PLAIN_CUTS, Action, Policy, TriggerSettings, decide
from handoff.transcript import Conversation

# Messages after which scores are judged, and recalls at which the work saved is: IBM's ticket model has .874.
PREFIXES = (1, 2, 4, 6, 8, 12)
RECALLS = (0.8, 0.874, 0.95)


EFFECTS = ("prepare", "model", "served")


class PolicyFigures(msgspec.Struct, frozen=True):
    """One policy, judged by its first alarm in each conversation; names and meaning as in `METRICS`."""

    name: str
    title: str
    figures: dict[str, Figure]


class TriggerEffect(msgspec.Struct, frozen=True):
    """What one setting of the trigger does to `of`: that the model alone has a specialist prepared or more
    (`prepare`), that it alone calls a human (`model`), that rules and model do (`served`).

    `alarms`: conversations with one, of all; `flips`: how often the alarm went up or came down, a conversation;
    precision, recall and the lead in messages are of the first alarm.
    """

    setting: str
    of: str
    alarms: Figure
    flips: Figure
    precision: Figure
    recall: Figure
    lead_messages: Figure


class EarlyWarning(msgspec.Struct, frozen=True):
    """All early-warning figures of the watched conversations. Without a model there are no scores to judge."""

    against: Against
    conversations: int
    needed: int
    without_label: int
    policies: tuple[PolicyFigures, ...]
    triggers: tuple[TriggerEffect, ...]
    prefixes: tuple[AtPrefix, ...]
    workload: tuple[AtRecall, ...]


def trigger_settings(shipped: TriggerSettings) -> tuple[tuple[str, TriggerSettings], ...]:
    """From plain cuts to the settings in use, one added after the other."""
    row = msgspec.structs.replace(PLAIN_CUTS, in_a_row=shipped.in_a_row)
    at_once = msgspec.structs.replace(row, highest_at_once=shipped.highest_at_once)
    return (
        ("plain cuts", PLAIN_CUTS),
        (f"{shipped.in_a_row} in a row", row),
        ("or one over the highest cut" if shipped.highest_at_once else "none at once", at_once),
        (f"falling back {shipped.fall_back:.2f} below: in use", shipped),
    )


def trigger_policies(shipped: TriggerSettings) -> tuple[AlarmPolicy, ...]:
    """The model alone, and with the rules, under each setting of the trigger."""
    return tuple(
        AlarmPolicy(f"{of}/{title}", title, Under(settings, of == "served", ACTIONS[2:] if of == "prepare" else ALARMS))
        for of in EFFECTS
        for title, settings in trigger_settings(shipped)
    )


def early_warning(
    judge: Judge,
    conversations: Iterable[Conversation],
    against: Against = "escalated",
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> EarlyWarning:
    """Watch the conversations under every policy. Intervals are by drawing conversations; 0 `resamples`: none."""
    extra = trigger_policies(judge.policy.trigger) if judge.escalation is not None else ()
    shown = tuple(policy for policy in POLICIES if judge.escalation is not None or policy.name != "model")
    watched = watch_all(judge, conversations, against, (*shown, *extra))
    return EarlyWarning(
        against=against,
        conversations=len(watched.courses),
        needed=sum(course.label for course in watched.courses),
        without_label=watched.without_label,
        policies=tuple(
            PolicyFigures(policy.name, policy.title, figures(watched.alarms(policy.name), seed, resamples))
            for policy in shown
        ),
        triggers=tuple(_effect(watched, policy, seed, resamples) for policy in extra),
        prefixes=_prefixes(watched, seed, resamples) if judge.escalation is not None else (),
        workload=_workload(watched, seed, resamples) if judge.escalation is not None else (),
    )


def flips(raised: Sequence[Raised]) -> list[int]:
    """How often the alarm of each conversation went up or came down; one that is up at first has gone up."""
    return [sum(now != before for before, now in zip((False, *states), states, strict=False)) for states in raised]


class Under(msgspec.Struct, frozen=True):
    """The alarms under another setting of the trigger."""

    settings: TriggerSettings
    rules: bool
    counted: tuple[Action, ...]

    def __call__(self, verdicts: Sequence[Verdict], policy: Policy) -> Raised:
        changed = msgspec.structs.replace(policy, trigger=self.settings)
        return tuple(
            decide(v.probability, v.fired if self.rules else (), v.moment.owner, changed, scores=v.scores).action
            in self.counted
            for v in verdicts
        )


def _effect(watched: WatchedAll, policy: AlarmPolicy, seed: int, resamples: int) -> TriggerEffect:
    alarms = watched.alarms(policy.name)
    turned = flips(watched.raised[policy.name])
    counted = {
        "alarms": ratio(int(alarms.alarmed.sum()), len(alarms)),
        "flips": ratio(sum(turned), len(alarms)),
    }

    def drawn(rows: Integers) -> dict[str, float | None]:
        return {
            "alarms": float(alarms.alarmed[rows].mean()),
            "flips": sum(turned[int(row)] for row in rows) / len(rows),
        }

    found = with_intervals(drawn, counted, len(alarms), seed, resamples)
    wanted = tuple(metric for metric in METRICS if metric.name in ("precision", "recall", "lead_messages"))
    rest = figures(alarms, seed, resamples, wanted)
    of = policy.name.partition("/")[0]
    return TriggerEffect(
        policy.title, of, found["alarms"], found["flips"], rest["precision"], rest["recall"], rest["lead_messages"]
    )


def _prefixes(watched: WatchedAll, seed: int, resamples: int) -> tuple[AtPrefix, ...]:
    found = (at_prefix(watched.courses, messages, seed, resamples) for messages in PREFIXES)
    return tuple(each for each in found if each.conversations)


def _workload(watched: WatchedAll, seed: int, resamples: int) -> tuple[AtRecall, ...]:
    return tuple(workload_at_recall(watched.courses, asked, seed, resamples) for asked in RECALLS)
