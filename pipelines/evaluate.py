"""How good a trained version is on conversations with known outcomes, as a JSON report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from handoff.commands._models import ModelOption
from handoff.commands._script import ForceOption, run_script, tell
from handoff.files import write_atomically
from handoff.formats import read_conversations
from handoff.models import load, load_champion
from handoff.models.champion import CHAMPION_FILE, champion
from handoff.steps import Done, Result, Step


def main(
    name: Annotated[ModelOption, typer.Argument(help="escalation or routing.")],
    data: Annotated[Path, typer.Option(help="A file or folder of conversations.", exists=True)] = Path("data/sample"),
    model: Annotated[Path | None, typer.Option(help="A version's folder; by default the champion.")] = None,
    models: Annotated[Path, typer.Option(help="The folder of all versions.")] = Path("models"),
    out: Annotated[Path | None, typer.Option(help="Default: data/processed/evaluation-NAME.json.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 7,
    force: ForceOption = False,
) -> Result:
    """Score a version beside trivial policies; of the data it was trained on, only what was held out.

    Example: `python pipelines/evaluate.py escalation --data data/sample --out data/processed/evaluation.json`
    """
    report_file = out or Path(f"data/processed/evaluation-{name.value}.json")
    step = Step(
        stamp=report_file.with_name(f".{report_file.name}.step.json"),
        reads=(data, model or models / name.value / CHAMPION_FILE),
        arguments={"name": name.value, "out": report_file, "seed": seed, "teams": champion("routing", models)},
    )

    def work() -> Done:
        from handoff.training.evaluate import evaluate
        from handoff.training.headline import headline
        from handoff.training.teams import routing_team

        loaded = load(model) if model else load_champion(name.value, models)
        report = evaluate(loaded, read_conversations(data), seed, routing_team(models)).report
        write_atomically(report_file, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        return Done(f"{loaded.label}: {headline(report)}\nReport: {report_file}", (str(report_file),))

    result = step.run(work, force=force)
    tell(result)
    return result


if __name__ == "__main__":
    run_script(main)
