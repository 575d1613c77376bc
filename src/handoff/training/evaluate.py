"""Score a model on conversations, beside trivial policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.errors import NotEnoughData
from handoff.models.escalation import EscalationModel
from handoff.models.exam import Model
from handoff.models.routing import RoutingModel
from handoff.training.labels import check_target
from handoff.training.report import EscalationReport, RoutingReport, escalation_report, routing_report
from handoff.training.rows import RoutingTable, Source, Table, TeamOf, routing_table, table
from handoff.training.splits import Split, split
from handoff.training.trivial import trivial_policies
from handoff.transcript import Conversation

Floats = NDArray[np.float64]

SEEN = "the test side of the conversations it was trained on ({how})"
UNSEEN = "conversations other than those it was trained on; the trivial policies are fitted on these very ones"


class Evaluation(msgspec.Struct, frozen=True):
    """A report, and what it was made on: the `scored` conversations, and hours that all of them took to come in.

    `hours` is None where no conversation carries a time; `of` counts the conversations of those hours.
    """

    report: EscalationReport | RoutingReport
    scored: tuple[Source, ...] = ()
    hours: float | None = None
    of: int = 0


def evaluate(
    model: Model, conversations: Iterable[Conversation], seed: int, team_of: TeamOf | None = None
) -> Evaluation:
    """How good `model` is on these conversations; `team_of` names teams to slice by.

    Of the very conversations that it was trained on, only the test side is scored. Raises `NotEnoughData` when they
    hold no label of one kind.
    """
    if isinstance(model, RoutingModel):
        return Evaluation(_evaluate_routing(model, routing_table(conversations), seed))
    rows = table(conversations, check_target(model.manifest.target), model.manifest.within, team_of=team_of)
    report = _evaluate_escalation(model, rows, seed)
    times = [source.started for source in rows.sources if source.started is not None]
    held = _held_out(model, rows)
    scored = tuple(source for source, kept in zip(rows.sources, held, strict=True) if kept)
    return Evaluation(report, scored, (max(times) - min(times)) / 3600 if times else None, len(rows.sources))


def _held_out(model: EscalationModel, rows: Table) -> NDArray[np.bool_]:
    """Which conversations may be scored: the test side of those it was trained on, or else all."""
    if rows.fingerprint != model.manifest.data.fingerprint:
        return np.ones(len(rows.sources), dtype=bool)
    return split(rows.sources, model.manifest.data.seed).test


def evaluate_escalation(
    test: Table,
    probabilities: Floats,
    trivial: dict[str, Floats],
    target: str,
    within: int | None,
    scored_on: str,
    seed: int,
) -> EscalationReport:
    """The report of a model's and the trivial policies' probabilities for the rows of `test`."""
    return escalation_report(test, probabilities, trivial, target=target, within=within, scored_on=scored_on, seed=seed)


def evaluate_routing(model: RoutingModel, rows: RoutingTable, parted: Split, seed: int) -> RoutingReport:
    """The report of a routing model on the test side of `rows`, beside always naming the most common team."""
    learnt = [team for team, test in zip(rows.teams, parted.test, strict=True) if not test] or list(rows.teams)
    return _routing_figures(model, rows, parted.test, learnt, parted.how, seed)


def _evaluate_escalation(model: EscalationModel, rows: Table, seed: int) -> EscalationReport:
    manifest = model.manifest
    scored, fitted_on, scored_on = rows, rows, UNSEEN
    if rows.fingerprint == manifest.data.fingerprint:
        parted = split(rows.sources, manifest.data.seed)
        scored, fitted_on, scored_on = rows.take(parted.test), rows.take(parted.train), SEEN.format(how=parted.how)
    if len(np.unique(scored.y)) < 2:
        raise NotEnoughData(
            f"target {manifest.target!r}: {int(scored.positive.sum())} of {scored.conversations} conversations with "
            f"rows are positive ({rows.read} read); figures need both kinds"
        )
    trivial = trivial_policies(fitted_on, scored)
    probabilities = model.probabilities_of(scored.X, scored.recent)
    return evaluate_escalation(scored, probabilities, trivial, manifest.target, manifest.within, scored_on, seed)


def _evaluate_routing(model: RoutingModel, rows: RoutingTable, seed: int) -> RoutingReport:
    if not rows.teams:
        raise NotEnoughData(f"none of {rows.read} conversations was handed to a known team (outcome.team)")
    if rows.fingerprint == model.manifest.data.fingerprint:
        parted = split(rows.sources, model.manifest.data.seed)
        return evaluate_routing(model, rows, Split(parted.test, SEEN.format(how=parted.how)), seed)
    everything = np.ones(len(rows.teams), dtype=bool)
    return _routing_figures(model, rows, everything, list(rows.teams), UNSEEN, seed)


def _routing_figures(
    model: RoutingModel, rows: RoutingTable, scored: NDArray[np.bool_], learnt: list[str], scored_on: str, seed: int
) -> RoutingReport:
    moments = [moment for moment, keep in zip(rows.moments, scored, strict=True) if keep]
    return routing_report(
        rows,
        scored,
        model.scores(moments),
        model.teams,
        model.manifest.certain_from,
        Counter(learnt).most_common(1)[0][0],
        scored_on=scored_on,
        seed=seed,
    )
