"""What an evaluation found, as frozen objects: for the screen, for `--json`, for the card and for MLflow."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.metrics import Interval, figures, intervals, share
from handoff.training.fit_routing import CERTAIN_PRECISION
from handoff.training.rows import RoutingTable, Source, Table

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SLICED_BY = ("team", "plan", "region", "language", "channel", "length")
# Of these the reliability is drawn, value by value.
DRAWN_BY = ("team", "plan", "region")
# Messages read of a conversation, up to its hand-off: the most that a short and a medium one have.
SHORT, MEDIUM = 4, 10
SLICE_METRICS = ("auroc", "log_loss", "calibration_error")
SLICE_RESAMPLES = 200
# Smaller slices are listed without being called the weakest: their figures are chance.
LEAST_IN_SLICE, LEAST_POSITIVES_IN_SLICE = 30, 5


class Slice(msgspec.Struct, frozen=True):
    """The figures of one part of the scored conversations, such as plan = professional.

    `intervals` holds the main figures with theirs, where there is enough to weigh; else it is empty.
    """

    by: str
    value: str
    conversations: int
    positive_conversations: int
    figures: dict[str, float | None]
    intervals: dict[str, Interval] = {}

    @property
    def weighable(self) -> bool:
        """Whether it holds enough, of both kinds, to be compared."""
        return (
            self.conversations >= LEAST_IN_SLICE
            and self.positive_conversations >= LEAST_POSITIVES_IN_SLICE
            and self.figures.get("auroc") is not None
        )


class EscalationReport(msgspec.Struct, frozen=True, kw_only=True):
    """How good an escalation model is on conversations it has not seen, beside trivial policies.

    Figures are over messages; each conversation weighs one. `by_role` parts them by who wrote the newest message.
    """

    target: str
    within: int | None
    scored_on: str
    conversations: int
    positive_conversations: int
    messages: int
    base_rate: float
    model: dict[str, Interval]
    trivial: dict[str, dict[str, Interval]]
    by_role: tuple[Slice, ...]
    slices: tuple[Slice, ...]
    weakest: Slice | None


class TeamFigures(msgspec.Struct, frozen=True):
    """One team: how many hand-offs were its own, and how well they were told from the others'."""

    team: str
    hand_offs: int
    precision: float | None
    recall: float | None


class RoutingReport(msgspec.Struct, frozen=True, kw_only=True):
    """How good a routing model is on hand-offs it has not seen. `certain` parts cover `certain_share` of them."""

    scored_on: str
    hand_offs: int
    accuracy: Interval
    certain_from: float | None
    certain_share: float
    certain_accuracy: Interval
    log_loss: float
    trivial: dict[str, Interval]
    teams: tuple[TeamFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    target_precision: float = CERTAIN_PRECISION


def escalation_report(
    table: Table,
    probabilities: Floats,
    trivial: dict[str, Floats],
    *,
    target: str,
    within: int | None,
    scored_on: str,
    seed: int,
) -> EscalationReport:
    """Every figure of the rows in `table`, given the model's and the trivial policies' probabilities for them."""
    slices = tuple(s for by in SLICED_BY for s in _slices(table, probabilities, by, slice_values(table, by), seed))
    weighable = [s for s in slices if s.weighable]
    return EscalationReport(
        target=target,
        within=within,
        scored_on=scored_on,
        conversations=table.conversations,
        positive_conversations=int(table.positive.sum()),
        messages=len(table),
        base_rate=float(np.average(table.y, weights=table.weight)),
        model=intervals(table.y, probabilities, table.weight, table.of, seed),
        trivial={name: intervals(table.y, p, table.weight, table.of, seed) for name, p in trivial.items()},
        by_role=_slices(table, probabilities, "newest message by", table.role, seed),
        slices=slices,
        weakest=min(weighable, key=lambda s: s.figures["auroc"] or 0.0, default=None),
    )


def routing_report(
    table: RoutingTable,
    scored: NDArray[np.bool_],
    probabilities: Floats,
    teams: Sequence[str],
    certain_from: float | None,
    most_common: str,
    *,
    scored_on: str,
    seed: int,
) -> RoutingReport:
    """Every figure of the entries in `scored`; a team that the model does not know counts as a mistake."""
    actual = [team for team, keep in zip(table.teams, scored, strict=True) if keep]
    names = [*teams, *sorted(set(actual) - set(teams))]
    y = np.array([names.index(team) for team in actual], dtype=np.int64)
    called, top = probabilities.argmax(axis=1), probabilities.max(axis=1)
    certain = top >= certain_from if certain_from is not None else np.zeros(len(y), dtype=bool)
    group = np.arange(len(y))
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(confusion, (y, called), 1)
    given = np.where(y < len(teams), probabilities[group, np.minimum(y, len(teams) - 1)], 0.0)
    return RoutingReport(
        scored_on=scored_on,
        hand_offs=len(y),
        accuracy=share(called == y, group, seed),
        certain_from=certain_from,
        certain_share=float(certain.mean()) if len(y) else 0.0,
        certain_accuracy=share((called == y)[certain], group[certain], seed),
        log_loss=float(-np.log(np.clip(given, 1e-6, 1)).mean()) if len(y) else 0.0,
        trivial={f"always {most_common}": share(np.array([team == most_common for team in actual]), group, seed)},
        teams=tuple(_team(names, confusion, position) for position in range(len(names))),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def _team(names: Sequence[str], confusion: Integers, position: int) -> TeamFigures:
    hit, own, called = confusion[position, position], confusion[position].sum(), confusion[:, position].sum()
    return TeamFigures(
        team=names[position],
        hand_offs=int(own),
        precision=float(hit / called) if called else None,
        recall=float(hit / own) if own else None,
    )


def slice_values(table: Table, by: str) -> NDArray[np.str_]:
    """The value of each row's conversation, "unknown" where missing."""
    if by == "length":
        return _lengths(table)
    values = np.array([_source_value(source, by) for source in table.sources] or [""])
    found: NDArray[np.str_] = values[table.of]
    return found


def _source_value(source: Source, by: str) -> str:
    value = source.locale if by == "language" else getattr(source, by)
    known = str(value or "unknown")
    return known.replace("_", "-").partition("-")[0].lower() if by == "language" else known


def _lengths(table: Table) -> NDArray[np.str_]:
    """Whether each row's conversation is short, medium or long, by its rows."""
    rows = np.bincount(table.of, minlength=len(table.sources))[table.of]
    names = (f"short (to {SHORT} messages)", f"medium (to {MEDIUM})", f"long (over {MEDIUM})")
    found: NDArray[np.str_] = np.array(names)[np.searchsorted((SHORT, MEDIUM), rows, side="left")]
    return found


def _slices(table: Table, p: Floats, by: str, values: NDArray[np.str_], seed: int) -> tuple[Slice, ...]:
    """Figures by value, the most frequent first; none where all rows share one value."""
    names, count = np.unique(values, return_counts=True)
    if len(names) < 2:
        return ()
    return tuple(
        _with_intervals(_slice(table, p, by, str(names[i]), values == names[i]), table, p, values == names[i], seed)
        for i in np.argsort(-count, kind="stable")
    )


def _with_intervals(part: Slice, table: Table, p: Floats, rows: NDArray[np.bool_], seed: int) -> Slice:
    if not part.weighable:
        return part
    y, weight, of = table.y[rows], table.weight[rows], table.of[rows]
    found = intervals(y, p[rows], weight, of, seed, SLICE_RESAMPLES, SLICE_METRICS)
    return msgspec.structs.replace(part, intervals=found)


def _slice(table: Table, p: Floats, by: str, value: str, rows: NDArray[np.bool_]) -> Slice:
    return Slice(
        by=by,
        value=value,
        conversations=len(np.unique(table.of[rows])),
        positive_conversations=len(np.unique(table.of[rows & (table.y == 1)])),
        figures=figures(table.y[rows], p[rows], table.weight[rows]),
    )
