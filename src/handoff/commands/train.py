"""`handoff train`: a model from conversations, tested on held-out ones, tracked in MLflow."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handoff.commands._app import app
from handoff.commands._console import console, print_json, progress
from handoff.commands._figures import print_report
from handoff.commands._models import ModelOption

if TYPE_CHECKING:
    from handoff.training.train import Trained


class TargetOption(StrEnum):
    """What an escalation model predicts."""

    escalated = "escalated"
    needed_human = "needed_human"
    label = "label"
    dissatisfied_next = "dissatisfied_next"


class EncoderOption(StrEnum):
    """What turns texts into vectors."""

    static = "static"
    minilm = "minilm"


@app.command("train")
def train_command(
    context: typer.Context,
    model: Annotated[ModelOption, typer.Argument(help="escalation or routing.")],
    data: Annotated[Path, typer.Option("--data", help="A file or folder of conversations.", exists=True)],
    target: Annotated[
        TargetOption | None, typer.Option("--target", help="What escalation predicts; by default escalated.")
    ] = None,
    within: Annotated[
        int | None, typer.Option("--within", min=1, metavar="K", help="Count only what comes within K messages.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the version to this folder and do not register it.")
    ] = None,
    models: Annotated[
        Path, typer.Option("--models", envvar="HANDOFF_MODELS", help="The folder of all versions.")
    ] = Path("models"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of split and fit.")] = 7,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of LightGBM.")] = 2,
    encoder: Annotated[
        EncoderOption | None,
        typer.Option("--encoder", envvar="HANDOFF_ENCODER", help="Routing: how texts become vectors."),
    ] = None,
    wording: Annotated[
        bool,
        typer.Option("--wording/--no-wording", help="Escalation: learn from the words, or from features alone."),
    ] = True,
    promote: Annotated[
        bool | None, typer.Option("--promote/--no-promote", help="By default only when nothing serves yet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a model, test it on conversations held out by customer and time, and track it in MLflow.

    Without --out it becomes the next version in MODELS and in MLflow's registry; the first one also becomes the
    champion, which is what the service loads. MLflow writes to `sqlite:///mlflow.db` in this folder unless
    HANDOFF_MLFLOW_URI says otherwise.

    Example: `handoff train escalation --data data/sample`
    """
    if model is ModelOption.routing and (target is not None or within is not None):
        raise typer.BadParameter("routing learns outcome.team; --target and --within are for escalation")
    if model is ModelOption.escalation and _was_typed(context, "encoder"):
        raise typer.BadParameter(
            "escalation reads n-grams and needs no encoder; leave it out, or train routing", param_hint="--encoder"
        )
    if out is not None and promote:
        raise typer.BadParameter("a version written with --out is not registered and cannot be promoted")
    # Imported here: the other commands need neither LightGBM nor scikit-learn nor MLflow.
    from handoff.commands._conversations import counted
    from handoff.models.encoder import DEFAULT_KIND, check_kind
    from handoff.training.labels import check_target
    from handoff.training.train import Settings, train_escalation, train_routing

    settings = Settings(
        models=models,
        out=out,
        target=check_target((target or TargetOption.escalated).value),
        within=within,
        seed=seed,
        threads=threads,
        promote=promote,
        encoder=check_kind(encoder.value if encoder else DEFAULT_KIND),
        wording=wording,
    )
    with progress("conversations") as step:
        train = train_escalation if model is ModelOption.escalation else train_routing
        trained = train(counted(data, step), settings)
    print_json(trained) if as_json else _print(trained, model, models)


def _was_typed(context: typer.Context, option: str) -> bool:
    """Whether the option stands on the command line; HANDOFF_ENCODER may be set for routing's sake."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _print(trained: Trained, model: ModelOption, models: Path) -> None:
    """The figures, where everything is, and what to do next."""
    print_report(trained.report, trained.label)
    for feature, figure in trained.suspicious.items():
        console.print(
            f"Look at {feature}: alone it reaches an AUROC of {figure:.3f}. Has it seen the future?",
            style="yellow",
            markup=False,
        )
    if trained.doubt is not None:
        console.print(f"{trained.label} is {trained.doubt}", style="yellow", markup=False)
    console.print(f"{trained.label}: {trained.folder} (model card: {trained.folder}/card.md)", markup=False)
    registered = f"version {trained.registered} of '{model.value}'" if trained.registered else "not registered"
    console.print(f"MLflow: run {trained.run_id}, {registered}, at {trained.tracking_uri}", markup=False)
    for line in _next(trained, model, models):
        console.print(line, markup=False)


def _next(trained: Trained, model: ModelOption, models: Path) -> list[str]:
    where = "" if models == Path("models") else f" --models {models}"
    look = f"  mlflow ui --backend-store-uri {trained.tracking_uri}"
    if trained.promoted:
        return ["It is the champion now. Next:", "  handoff serve", look]
    if trained.registered is None:
        predict = (
            [f"  handoff predict CONVERSATIONS --model {trained.folder}"] if model is ModelOption.escalation else []
        )
        return ["Next:", *predict, look]
    version = trained.label.partition("/")[2]
    return ["Next:", f"  handoff promote {model.value} --version {version}{where}", look]
