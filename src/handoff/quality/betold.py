"""BETOLD: will this call to a booking bot end with the customer hanging up or being forwarded to a human?

Calls are cut at the label, so a whole call tells its own end ("the bot spoke last"). Figures are therefore taken
after the first 4, 8, 12 and 16 messages, and without the last exchange: what the customer said last, and all after
it. Fitted on the valid file and scored on the test file; the way of fitting is chosen by cross-validation on valid.
(Qian et al., "Toward Building a Breakdown Expectation Dataset for Task-Oriented Long Dialogs", 2022.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.features.follower import follow
from handoff.formats.betold import read_betold
from handoff.formats.record import Found
from handoff.metrics import Interval, auroc, macro_f1, resampled_interval
from handoff.quality.calls import WAYS, Call, Prefix, before_last_exchange, choose, score
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SET, PROXY = "BETOLD", "a hand-off or hang-up late in the call"
INTERVAL = "bootstrap over calls"
# Untuned TF-IDF and logistic regression, and the aims (the data's README, issue 3).
PREFIXES = {4: (0.604, 0.64), 8: (0.615, 0.66), 12: (0.590, 0.66), 16: (0.641, 0.70)}
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """What is seen of a call, and what the figures are held against: AUC and macro-F1."""

    name: str
    see: Callable[[Call], int]
    floor: tuple[float | None, float | None] = (None, None)
    aim: tuple[float | None, float | None] = (None, None)
    published_f1: float | None = None


def first(messages: int) -> Callable[[Call], int]:
    """So many messages, or all of a call that has fewer."""
    return lambda call: min(messages, len(call.turns))


def without_last_exchange(call: Call) -> int:
    """All before the customer's last words, so that every such call ends with the bot."""
    return before_last_exchange(call.roles)


def whole(call: Call) -> int:
    """Everything, the end included: only ever shown beside the rule that looks at the end alone."""
    return len(call.turns)


TASKS = (
    *(Task(f"first {n} messages", first(n), (floor, None), (aim, None)) for n, (floor, aim) in PREFIXES.items()),
    Task("last exchange removed", without_last_exchange, (0.777, 0.678), (0.82, 0.73)),
)
WHOLE = Task("whole call (tells its own end)", whole, (None, 0.832), published_f1=0.826)


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """Every task, with the test calls that equal a valid one left out too, and the whole call beside its trap."""
    folder = data / "betold"
    valid = read_calls(folder / "BETOLD_valid.json.gz")
    test = read_calls(folder / "BETOLD_test.json.gz")
    for task in (*TASKS, WHOLE):
        yield from _rows(task, valid, test, settings)


def read_calls(path: Path) -> list[Call]:
    """The calls of one file, with the project's features after every message."""
    return [_call(record) for record in read_betold(path) if isinstance(record, Found)]


def _call(record: Found) -> Call:
    conversation = record.conversation
    outcome = conversation.outcome
    return Call(
        turns=tuple(message.text for message in conversation.messages),
        roles=tuple(message.role for message in conversation.messages),
        features=np.array([moment.row for moment in follow(conversation)]),
        y=int(outcome is not None and outcome.escalated is True),
    )


def _rows(task: Task, valid: Sequence[Call], test: Sequence[Call], settings: QualitySettings) -> Iterator[Row]:
    held = prefixes(test, task.see)
    y = np.array([prefix.y for prefix in held])
    p, cut = predict(task, valid, held, settings)
    going_on = np.array([prefix.seen < len(prefix.call.turns) for prefix in held])
    parts = {"": np.ones(len(y), dtype=bool), ", without calls that valid holds too": ~in_both(test, valid)}
    if not going_on.all() and going_on.any():
        parts[", only calls that go on"] = going_on
    for name, kept in parts.items():
        yield from _figures(task, name, y[kept], p[kept], cut, _trivial(held, kept), settings.seed)


def predict(
    task: Task, valid: Sequence[Call], held: Sequence[Prefix], settings: QualitySettings
) -> tuple[Floats, float]:
    """Probabilities of what is held out, array of shape (n_held,), and the one from which a call counts as lost.

    The way of fitting and the cut come from folds of valid alone.
    """
    learn = prefixes(valid, task.see)
    way, cut = choose(learn, WAYS, FOLDS, settings)
    p = score(way, learn, held, settings)
    settings.step()
    return p, cut


def in_both(calls: Sequence[Call], others: Sequence[Call]) -> NDArray[np.bool_]:
    """Which of the calls are the same as one of the others: array of shape (n_calls,)."""
    contents = {call.content for call in others}
    return np.array([call.content in contents for call in calls])


def prefixes(calls: Sequence[Call], see: Callable[[Call], int]) -> list[Prefix]:
    """What is seen of every call."""
    return [Prefix(call, see(call)) for call in calls]


def _figures(
    task: Task, part: str, y: Integers, p: Floats, cut: float, trivial: dict[str, Floats], seed: int
) -> Iterator[Row]:
    alone = np.arange(len(y))
    auc = resampled_interval(lambda w: auroc(y, p, w), alone, seed)
    f1 = resampled_interval(lambda w: macro_f1(y, p >= cut, w), alone, seed)
    ones, main = np.ones(len(y)), not part
    simple = {name: auroc(y, values, ones) for name, values in trivial.items()}
    called = {name: macro_f1(y, values >= 0.5, ones) for name, values in trivial.items() if _is_a_rule(values)}
    yield _row(task, part, "AUC", auc, simple, task.floor[0] if main else None, task.aim[0] if main else None, None)
    if task.floor[1] is not None:
        aim, published = (task.aim[1], task.published_f1) if main else (None, None)
        yield _row(task, part, "macro-F1", f1, called, task.floor[1] if main else None, aim, published)


def _row(
    task: Task,
    part: str,
    metric: str,
    ours: Interval,
    trivial: dict[str, float],
    floor: float | None,
    aim: float | None,
    published: float | None,
) -> Row:
    return Row(
        set=SET,
        task=task.name + part,
        proxy_for=PROXY,
        metric=metric,
        ours=ours,
        interval=INTERVAL,
        published=published,
        floor=floor,
        aim=aim,
        trivial=trivial,
    )


def _trivial(held: Sequence[Prefix], kept: NDArray[np.bool_]) -> dict[str, Floats]:
    """Policies that look at one thing: nothing, who spoke last, how much was said."""
    last = np.array([float(prefix.call.roles[prefix.seen - 1] == "assistant") for prefix in held])[kept]
    length = np.array([float(prefix.seen) for prefix in held])[kept]
    return {"never": np.zeros(len(last)), "the bot spoke last": last, "messages so far": length}


def _is_a_rule(values: Floats) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())
