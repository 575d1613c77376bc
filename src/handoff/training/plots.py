"""The pictures of a training run. Drawn on figures of their own: pyplot's global state is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from handoff.analytics.levels import CutCost
from handoff.files import whole
from handoff.metrics import reliability
from handoff.training.card import slice_figure
from handoff.training.report import EscalationReport, slice_values
from handoff.training.rows import Table

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A part of the test side fills fewer bins than the whole.
SLICE_BINS = 5
# The policy's cuts between levels.
LEVELS = {"low": 0.0, "medium": 0.30, "high": 0.60, "critical": 0.80}


def calibration_curve(y: Integers, p: Floats, weight: Floats) -> Figure:
    """What the model said against what happened, in ten bins of equal weight."""
    predicted, observed, _ = reliability(y, p, weight)
    figure, axes = _figure("Calibration", "predicted probability", "observed share")
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="as said")
    axes.plot(predicted, observed, marker="o", label="this model")
    axes.legend()
    return figure


def reliability_by(by: str, table: Table, p: Floats, report: EscalationReport) -> Figure:
    """What the model said against what happened, a line for each value of `by` that holds enough to be weighed, with
    its calibration error and interval."""
    figure, axes = _figure(f"Calibration by {by}", "predicted probability", "observed share")
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="as said")
    values = slice_values(table, by)
    for part in report.slices:
        if part.by == by and part.weighable:
            rows = values == part.value
            predicted, observed, _ = reliability(table.y[rows], p[rows], table.weight[rows], SLICE_BINS)
            label = f"{part.value}: {slice_figure(part, 'calibration_error')}"
            axes.plot(predicted, observed, marker="o", label=label)
    axes.legend(title="calibration error", fontsize="small")
    return figure


def precision_recall(y: Integers, scores: Mapping[str, Floats], weight: Floats) -> Figure:
    """Precision at every recall, beside the trivial policies."""
    figure, axes = _figure("Precision and recall", "recall", "precision")
    for name, p in scores.items():
        order = np.argsort(-p, kind="stable")
        found, called = np.cumsum((weight * y)[order]), np.cumsum(weight[order])
        last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)  # ties are called together
        axes.plot(found[last] / max(found[-1], 1e-12), found[last] / called[last], label=name)
    axes.set_ylim(0, 1.02)
    axes.legend()
    return figure


def importance(gains: Mapping[str, float], most: int = 25) -> Figure:
    """How much loss each feature saved, the most important ones."""
    names = list(gains)[:most][::-1]
    figure, axes = _figure("Importance", "loss saved (gain)", "", height=0.28 * max(len(names), 4) + 1)
    axes.barh(names, [gains[name] for name in names])
    return figure


def levels_confusion(y: Integers, p: Floats, weight: Floats) -> Figure:
    """How much of each outcome falls into each of the policy's levels."""
    cuts = list(LEVELS.values())
    level = np.searchsorted(cuts, p, side="right") - 1
    counts = np.zeros((2, len(cuts)))
    np.add.at(counts, (y, level), weight)
    return confusion(counts, ("no", "yes"), tuple(LEVELS), "level", "came to pass")


def confusion(
    counts: Floats, rows: Sequence[str], columns: Sequence[str], called: str = "called", actual: str = "actual"
) -> Figure:
    """Counts in cells, shaded by their share of the row."""
    figure, axes = _figure("Confusion", called, actual, height=0.6 * len(rows) + 2)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=30)
    axes.set_yticks(range(len(rows)), rows)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column,
            row,
            f"{count:.0f}",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.6 else "black",
        )
    return figure


def cost_curve(points: Sequence[CutCost], marks: Mapping[str, float]) -> Figure:
    """Cost for every 100 conversations at each cut that calls a human, and what makes it up; `marks` are cuts to point
    out."""
    figure, axes = _figure("Cost by cut", "cut that calls a human", "cost per 100 conversations")
    cuts = [point.cut for point in points]
    per_100 = [100 / max(point.bill.conversations, 1) for point in points]
    axes.plot(cuts, [p.total * n for p, n in zip(points, per_100, strict=True)], color="black", label="all")
    parts = {"needless": "needless_cost", "missed": "missed_cost", "late": "late_cost", "waiting": "waiting_cost"}
    for name, field in parts.items():
        axes.plot(cuts, [getattr(p.bill, field) * n for p, n in zip(points, per_100, strict=True)], label=name)
    for (name, cut), style in zip(marks.items(), (":", "--"), strict=False):
        axes.axvline(cut, color="grey", linestyle=style, label=name)
    axes.legend()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the picture as PNG, whole or not at all."""
    with whole(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _figure(title: str, x: str, y: str, height: float = 4.5) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, height), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=x, ylabel=y)
    return figure, axes
