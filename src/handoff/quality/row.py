"""One line of the benchmark: what was measured on which set, and what it is to be held against."""

from __future__ import annotations

import msgspec

from handoff.metrics import Interval


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A figure on a public set, its interval, and its yardsticks. None of a yardstick means that there is none.

    `proxy_for` says what the label stands for here, since no public set records hand-offs of chats. `interval` says
    how the range was made ("bootstrap over dialogues", "10 folds"). `published` is the best published figure, `floor`
    an untuned TF-IDF and logistic regression, `aim` what was set out for, `trivial` the same metric of policies too
    simple to be worth a model, by name.
    """

    set: str
    task: str
    proxy_for: str
    metric: str
    ours: Interval
    interval: str
    published: float | None = None
    floor: float | None = None
    aim: float | None = None
    trivial: dict[str, float] = {}
    lower_is_better: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the figure is at least as good as the aim; None without an aim or a figure."""
        if self.aim is None or self.ours.value is None:
            return None
        return self.ours.value <= self.aim if self.lower_is_better else self.ours.value >= self.aim
