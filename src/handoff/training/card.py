"""The model card of a trained version, in Markdown."""

from __future__ import annotations

from handoff.metrics import Interval
from handoff.models.manifest import Manifest
from handoff.models.slots import WORDING_NAMES
from handoff.training.labels import check_target, is_about_hand_offs
from handoff.training.report import EscalationReport, RoutingReport, Slice

TITLES = {
    "log_loss": "Log loss (lower is better)",
    "brier": "Brier score (lower is better)",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "calibration_error": "Calibration error (lower is better)",
}
NO_TEAMS = (
    "No slices by team: no routing champion was there to name them. `handoff evaluate` has them once there is one."
)
TARGETS = {
    "escalated": "the episode will still be handed to a human",
    "needed_human": "the episode needs a human: handed off, abandoned, or left unresolved and dissatisfied",
    "label": "the message is labelled 1",
    "dissatisfied_next": "the customer's next rated message is rated below 3",
}


def escalation_card(manifest: Manifest, report: EscalationReport, suspicious: dict[str, float]) -> str:
    """Data, target, split, figures beside trivial policies, slices, limits."""
    return "\n".join(
        [
            f"# {manifest.label}",
            "",
            f"The probability, after every message of a customer or the assistant, that {_target(report)}.",
            "",
            *_data(manifest, report.scored_on),
            f"Tested on {report.conversations} conversations ({report.positive_conversations} positive), "
            f"{report.messages} messages; each conversation weighs one. Base rate {report.base_rate:.1%}.",
            "",
            "## Figures on the test side",
            "",
            "Brackets: 95 % interval, from resampling conversations.",
            "",
            *_figures(report),
            "",
            "## Slices",
            "",
            *_slices((*report.by_role, *report.slices), report.weakest),
            "",
            "## Limits",
            "",
            *_limits(manifest, report, suspicious),
            "",
        ]
    )


def routing_card(manifest: Manifest, report: RoutingReport, left_out: tuple[str, ...]) -> str:
    """Data, split, accuracy beside the trivial policy, the "unsure" cut, teams, limits."""
    cut = "never" if report.certain_from is None else f"from a probability of {report.certain_from:.2f}"
    lines = [
        f"# {manifest.label}",
        "",
        "Which team takes a conversation that is handed to a human, from what the customer wrote and the account.",
        "",
        *_data(manifest, report.scored_on),
        f"Tested on {report.hand_offs} hand-offs.",
        "",
        "## Figures on the test side",
        "",
        "| | accuracy |",
        "| --- | --- |",
        f"| this model | {shown(report.accuracy)} |",
        *(f"| {name} | {shown(figure)} |" for name, figure in report.trivial.items()),
        f"| this model where certain ({report.certain_share:.0%} of hand-offs) | {shown(report.certain_accuracy)} |",
        "",
        f"It says that it is certain {cut}: the lowest cut with {report.target_precision:.0%} right among "
        "out-of-fold scores of the training side. Below it the answer is `general`, `certain: false`.",
        "",
        "| team | hand-offs | precision | recall |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {t.team} | {t.hand_offs} | {_number(t.precision)} | {_number(t.recall)} |" for t in report.teams),
        "",
        "## Limits",
        "",
        *_doubt(manifest),
        "- It learns who took such conversations, not who should have.",
        "- English sentences are what its encoder knows; other languages are routed by the features and by chance.",
    ]
    if left_out:
        lines.append(f"- Too few hand-offs to learn: {', '.join(left_out)}.")
    return "\n".join([*lines, ""])


def shown(figure: Interval) -> str:
    """A figure with its interval: "0.812 [0.790, 0.834]"; "–" where it is not defined."""
    if figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def named(part: Slice) -> str:
    """A slice in words: "plan professional"."""
    return f"{part.by} {part.value}"


def slice_figure(part: Slice, metric: str) -> str:
    """A slice's figure, with its interval where there is enough to weigh."""
    return shown(part.intervals[metric]) if metric in part.intervals else _number(part.figures[metric])


def _target(report: EscalationReport) -> str:
    horizon = f", within {report.within} messages" if report.within is not None else ""
    return TARGETS[report.target] + horizon


def _data(manifest: Manifest, scored_on: str) -> list[str]:
    return [
        f"Trained {manifest.created:%Y-%m-%d} on {manifest.data.conversations} conversations, "
        f"{manifest.data.rows} rows (fingerprint `{manifest.data.fingerprint}`), {len(manifest.features)} features "
        f"(version `{manifest.features_version}`). Split {scored_on}.",
        "",
    ]


def _figures(report: EscalationReport) -> list[str]:
    names = list(report.trivial)
    return [
        f"| | this model | {' | '.join(names)} |",
        f"| --- | --- | {' | '.join('---' for _ in names)} |",
        *(
            f"| {TITLES[metric]} | {shown(report.model[metric])} | "
            f"{' | '.join(shown(report.trivial[name][metric]) for name in names)} |"
            for metric in TITLES
        ),
    ]


def _slices(parts: tuple[Slice, ...], weakest: Slice | None) -> list[str]:
    if not parts:
        return ["The data tells no slices apart (no team, plan, region, language, channel or length)."]
    weak = (
        f"Weakest: {named(weakest)}, AUROC {_number(weakest.figures['auroc'])}."
        if weakest
        else "None is large enough to compare."
    )
    return [
        "| slice | conversations | positive | AUROC | log loss | calibration error |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {named(s)} | {s.conversations} | {s.positive_conversations} | {slice_figure(s, 'auroc')} | "
            f"{slice_figure(s, 'log_loss')} | {slice_figure(s, 'calibration_error')} |"
            for s in parts
        ),
        "",
        weak,
        *([] if any(s.by == "team" for s in parts) else ["", NO_TEAMS]),
    ]


def _limits(manifest: Manifest, report: EscalationReport, suspicious: dict[str, float]) -> list[str]:
    lines = [
        *_doubt(manifest),
        "- It learns what was done, not what should have been: a desk that escalates too late teaches it to.",
        f"- {report.positive_conversations} positive conversations are behind the figures above; mind the intervals.",
    ]
    if WORDING_NAMES[0] in manifest.features:
        lines.append("- It reads words as they are written: other words for the same thing are lost on it.")
    if is_about_hand_offs(check_target(report.target), report.within):
        lines.append(
            "- It was also taught made-up rows in which the customer plainly asks for a human, labelled 1; no figure "
            "counts them."
        )
    if report.target == "escalated":
        lines.append("- Abandoned conversations are left out: nobody knows whether they would have been handed off.")
    if manifest.calibration is not None and manifest.calibration.method == "sigmoid":
        lines.append("- Calibrated with two numbers; on other data check the calibration curve before trusting a cut.")
    lines += [
        f"- `{name}` alone reaches an AUROC of {figure:.3f}: has it seen the future?"
        for name, figure in suspicious.items()
    ]
    return lines


def _doubt(manifest: Manifest) -> list[str]:
    return [f"- **It is {manifest.doubt}.**"] if manifest.doubt else []


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
