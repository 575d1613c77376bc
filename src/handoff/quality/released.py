"""USS by what is released: the model that `handoff train escalation --target dissatisfied_next` fits, as it fits it.

The rows of USS itself are of the benchmark's own recipe, which learns what share of the raters was dissatisfied, from
replies alone. These are what to expect of ratings in real chats: every message is a row, each dialogue weighs one, and
a fifth of the dialogues is held out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from handoff.metrics import figures, intervals
from handoff.quality.row import Row
from handoff.quality.samples import USS_SETS, read_set
from handoff.quality.settings import QualitySettings
from handoff.training.fit_escalation import fit_escalation
from handoff.training.labels import EscalationTarget
from handoff.training.rows import Table, table
from handoff.training.splits import split
from handoff.training.trivial import trivial_policies

TARGET: EscalationTarget = "dissatisfied_next"
# Metric to its name in the table, and whether less of it is better.
METRICS = {"auroc": ("AUC", False), "average_precision": ("average precision", False), "log_loss": ("log loss", True)}


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """All messages of the held-out dialogues, then the replies among them, set by set."""
    for name in USS_SETS:
        known = table(read_set(data / "uss" / f"{name}.txt.gz", "uss"), TARGET)
        parted = split(known.sources, settings.seed)
        yield from _of_set(name, known.take(parted.train), known.take(parted.test), settings)
        settings.step()


def _of_set(name: str, train: Table, test: Table, settings: QualitySettings) -> Iterator[Row]:
    fitted = fit_escalation(train, TARGET, settings.seed, settings.threads)
    policies = {"this": fitted.probabilities(test), **trivial_policies(train, test)}
    for which, kept in (("every message", test.role != ""), ("replies", test.role == "assistant")):
        y, weight, of = test.y[kept], test.weight[kept], test.of[kept]
        ours = intervals(y, policies["this"][kept], weight, of, settings.seed, names=tuple(METRICS))
        others = {other: figures(y, p[kept], weight) for other, p in policies.items() if other != "this"}
        for metric, (title, lower) in METRICS.items():
            yield Row(
                set=f"USS {name}",
                task=f"next rating below 3, by `handoff train`, {which}",
                proxy_for="a customer about to be dissatisfied",
                metric=title,
                ours=ours[metric],
                interval="bootstrap over dialogues",
                trivial={other: value for other, found in others.items() if (value := found[metric]) is not None},
                lower_is_better=lower,
            )
