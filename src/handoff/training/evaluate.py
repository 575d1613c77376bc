"""Score a model on conversations, beside trivial policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

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
from handoff.training.splits import Split, learnt_from, split
from handoff.training.trivial import trivial_policies
from handoff.transcript import Conversation

Floats = NDArray[np.float64]

SEEN = "the test side of the conversations it was trained on ({how})"
_FITTED_HERE = "the trivial policies are fitted on these very ones"
UNSEEN = f"conversations other than those it was trained on{{left_out}}; {_FITTED_HERE}"
MAYBE_SEEN = f"conversations that it may have learnt from, which its version does not say; {_FITTED_HERE}"
LEFT_OUT = " ({count:,} that it learnt from, or of customers that it did, are left out)"


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

    No conversation that it learnt from is scored, nor another of the same customer. Raises `NotEnoughData` when what is
    left holds no label of one kind.
    """
    if isinstance(model, RoutingModel):
        return Evaluation(_evaluate_routing(model, routing_table(conversations), seed))
    rows = table(conversations, check_target(model.manifest.target), model.manifest.within, team_of=team_of)
    report = _evaluate_escalation(model, rows, seed)
    times = [source.started for source in rows.sources if source.started is not None]
    held = _scored(model, rows.sources, rows.fingerprint).kept
    scored = tuple(source for source, kept in zip(rows.sources, held, strict=True) if kept)
    return Evaluation(report, scored, (max(times) - min(times)) / 3600 if times else None, len(rows.sources))


class _Scored(msgspec.Struct, frozen=True):
    """The conversations that may be scored, array of shape (n_sources,), and in words which these are."""

    kept: NDArray[np.bool_]
    how: str


def _scored(model: Model, sources: Sequence[Source], fingerprint: str) -> _Scored:
    data = model.manifest.data
    if fingerprint == data.fingerprint:
        parted = split(sources, data.seed)
        return _Scored(parted.test, SEEN.format(how=parted.how))
    if data.learnt_from is None:
        return _Scored(np.ones(len(sources), dtype=bool), MAYBE_SEEN)
    learnt = learnt_from(sources, data.learnt_from)
    count = int(learnt.sum())
    return _Scored(~learnt, UNSEEN.format(left_out=LEFT_OUT.format(count=count) if count else ""))


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
    may = _scored(model, rows.sources, rows.fingerprint)
    scored = rows.take(may.kept)
    fitted_on = rows.take(~may.kept) if rows.fingerprint == manifest.data.fingerprint else scored
    if len(np.unique(scored.y)) < 2:
        raise NotEnoughData(
            f"target {manifest.target!r}: {int(scored.positive.sum())} of {scored.conversations} conversations with "
            f"rows are positive ({rows.read} read, {int((~may.kept).sum())} left out since the model learnt from them "
            "or their customers); figures need both kinds"
        )
    trivial = trivial_policies(fitted_on, scored)
    probabilities = model.probabilities_of(scored.X, scored.recent)
    return evaluate_escalation(scored, probabilities, trivial, manifest.target, manifest.within, may.how, seed)


def _evaluate_routing(model: RoutingModel, rows: RoutingTable, seed: int) -> RoutingReport:
    if not rows.teams:
        raise NotEnoughData(f"none of {rows.read} conversations was handed to a known team (outcome.team)")
    may = _scored(model, rows.sources, rows.fingerprint)
    if not may.kept.any():
        raise NotEnoughData(f"the model learnt from all {len(rows.teams)} hand-offs, or from their customers")
    if rows.fingerprint == model.manifest.data.fingerprint:
        return evaluate_routing(model, rows, Split(may.kept, may.how), seed)
    teams = [team for team, kept in zip(rows.teams, may.kept, strict=True) if kept]
    return _routing_figures(model, rows, may.kept, teams, may.how, seed)


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
