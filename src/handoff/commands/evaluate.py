"""`handoff evaluate`: how good a trained model is on conversations, or the project is on public sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.commands._app import app
from handoff.commands._chosen_policy import write_chosen
from handoff.commands._console import progress
from handoff.commands._early import Wanted, beyond, check_wanted, print_all, print_beyond
from handoff.commands._figures import print_report
from handoff.commands._models import ModelOption
from handoff.commands._quality import BENCHMARK_DATA, Kind, check_data, check_suite, run_public_suite


@app.command("evaluate")
def evaluate_command(
    data: Annotated[
        Path | None, typer.Option("--data", help="Conversations; with --suite, the folder of the sets.", exists=True)
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", help="A version's folder; by default the champion.")] = None,
    name: Annotated[ModelOption, typer.Option("--name", help="Whose champion.")] = ModelOption.escalation,
    models: Annotated[
        Path, typer.Option("--models", envvar="HANDOFF_MODELS", help="The folder of all versions.")
    ] = Path("models"),
    suite: Annotated[str | None, typer.Option("--suite", help="'public': the benchmark on public sets.")] = None,
    sets: Annotated[str | None, typer.Option("--sets", help="Only these sets, separated by commas.")] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="Of the suite: another encoder.")] = None,
    encoders: Annotated[bool, typer.Option("--encoders", help="Of the suite: encoders compared.")] = False,
    ablation: Annotated[bool, typer.Option("--ablation", help="Of the suite: what each family is worth.")] = False,
    benchmark_data: Annotated[
        Path, typer.Option("--benchmark-data", envvar="HANDOFF_BENCHMARK_DATA", hidden=True)
    ] = BENCHMARK_DATA,
    work: Annotated[
        Path, typer.Option("--work", help="Of the suite: what may be kept between runs.", file_okay=False)
    ] = Path("data/processed/quality"),
    out: Annotated[Path | None, typer.Option("--out", help="Of the suite: the page, not benchmarks/….")] = None,
    early: Annotated[
        bool, typer.Option("--early-warning/--no-early-warning", help="Judge alarms, beside trivial policies.")
    ] = True,
    costs: Annotated[
        str | None, typer.Option("--costs", help="A YAML file of prices, or 'shipped': cuts that cost least.")
    ] = None,
    per_hour: Annotated[
        float | None, typer.Option("--per-hour", min=0, help="With --costs: the most hand-offs an hour.")
    ] = None,
    curve: Annotated[
        Path | None, typer.Option("--curve", help="With --costs: draw cost over cut to this PNG.", dir_okay=False)
    ] = None,
    write_policy: Annotated[
        Path | None, typer.Option("--write-policy", help="With --costs: a new folder for HANDOFF_POLICY.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --write-policy: also cuts that cost more than those in use.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the intervals.")] = 7,
    threads: Annotated[int, typer.Option("--threads", help="Of the suite: for fitting.", min=1)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Score a model on conversations with known outcomes, beside trivial policies, by newest role and by slice.

    Of the very conversations that the model was trained on, only those held out at training are scored.

    Alarms are judged by the first in each conversation. `--costs` divides what is scored in two by customer: it
    chooses the cuts on one part and bills every policy on the other. `--write-policy` writes them, unless they cost
    more there than those in use.

    `--suite public` fits and scores the project on public labelled sets instead and writes benchmarks/quality.md.
    The sets lie in ../shared/data, or where HANDOFF_BENCHMARK_DATA says.

    Example: `handoff evaluate --data data/sample`
    """
    if suite is not None:
        from handoff.models.encoder import DEFAULT_KIND, check_kind
        from handoff.quality.settings import QualitySettings

        check_suite(suite)
        folder = data or benchmark_data
        check_data(folder)
        kind = check_kind(encoder or DEFAULT_KIND)
        settings = QualitySettings(work=work, encoder=kind, seed=seed, threads=threads)
        run_public_suite(_kind(encoders, ablation), sets, folder, out, settings, as_json)
        return
    if data is None:
        raise typer.BadParameter(
            "name the conversations, or run the benchmark with --suite public", param_hint="--data"
        )
    from handoff.commands._conversations import counted
    from handoff.models import load, load_champion
    from handoff.training.evaluate import evaluate
    from handoff.training.teams import routing_team

    wanted = Wanted(early, costs, per_hour, curve, write_policy, force, seed)
    check_wanted(wanted)
    loaded = load(model) if model is not None else load_champion(name.value, models)
    with progress("conversations") as step:
        found = evaluate(loaded, counted(data, step), seed, routing_team(models))
        more = beyond(wanted, loaded, found, lambda: counted(data, step))
    if as_json:
        print_all(found.report, more)
    else:
        print_report(found.report, loaded.label)
        if more is not None:
            print_beyond(more, wanted)
    if more is not None and more.costs is not None and more.to_write is not None:
        write_chosen(more.to_write, more.costs)


def _kind(encoders: bool, ablation: bool) -> Kind:
    if encoders and ablation:
        raise typer.BadParameter("one study at a time", param_hint="'--encoders' and '--ablation'")
    return "encoders" if encoders else "ablation" if ablation else "quality"
