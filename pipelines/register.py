"""A trained version becomes the champion: in MLflow's registry by its alias, for the service by the champion file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.commands._models import ModelOption
from handoff.commands._script import ForceOption, run_script, tell
from handoff.models import champion, promote, read_manifest
from handoff.models.champion import CHAMPION_FILE
from handoff.steps import Done, Result, Step


def main(
    name: Annotated[ModelOption, typer.Argument(help="escalation or routing.")],
    version: Annotated[str, typer.Option(help="A version's number, or latest.")] = "latest",
    models: Annotated[Path, typer.Option(help="The folder of all versions.")] = Path("models"),
    force: ForceOption = False,
) -> Result:
    """Let a version sit its exam and make it the champion; a running service takes it up by itself.

    Example: `python pipelines/register.py escalation --version latest`
    """
    from handoff.training.tracking import registry_exists, set_champion, tracking_uri

    folder = models / name.value
    step = Step(
        stamp=models / f".register_{name.value}.step.json",
        reads=tuple(path for path in sorted(folder.glob("*")) if path.name != CHAMPION_FILE),
        arguments={"version": version, "models": models, "mlflow": tracking_uri()},
        holds=registry_exists,
    )

    def work() -> Done:
        before = champion(name.value, models)
        crowned = promote(name.value, version, models)
        registered = set_champion(name.value, crowned.version)
        was = f", instead of version {before.version}" if before and before.version != crowned.version else ""
        known = f"version {registered} in MLflow's registry" if registered else "not known to MLflow's registry"
        doubt = read_manifest(folder / crowned.version).doubt
        mind = f"\nMind that it is {doubt}" if doubt else ""
        says = f"{name.value}/{crowned.version} ({known}) is the champion{was}{mind}"
        return Done(says, (str(folder / CHAMPION_FILE),))

    result = step.run(work, force=force)
    tell(result)
    return result


if __name__ == "__main__":
    run_script(main)
