"""`handoff promote`: which version serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from handoff.commands._app import app
from handoff.commands._console import console, print_json, stderr
from handoff.commands._models import ModelOption


class Promoted(msgspec.Struct, frozen=True):
    """What serves now, and what did before. `registered`: the number in MLflow's registry, None where unknown."""

    name: str
    version: str
    before: str | None
    registered: str | None


@app.command("promote")
def promote_command(
    name: Annotated[ModelOption, typer.Argument(help="escalation or routing.")],
    version: Annotated[str | None, typer.Option("--version", help="A version's number; by default latest.")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the champion before this one.")] = False,
    models: Annotated[
        Path, typer.Option("--models", envvar="HANDOFF_MODELS", help="The folder of all versions.")
    ] = Path("models"),
    as_json: Annotated[bool, typer.Option("--json", help="Print what serves now as JSON.")] = False,
) -> None:
    """Make a version the champion, once it has passed its exam; the service changes over by itself.

    Writes MODELS/NAME/champion in one step and moves the alias `champion` in MLflow's registry. The exam asks whether
    the version answers as when it was trained; that its test did not show it better than a trivial policy is said, and
    no reason to refuse.

    Example: `handoff promote escalation --version latest`
    """
    if rollback and version is not None:
        raise typer.BadParameter("--rollback goes to the champion before; it takes no --version")
    from handoff import models as trained

    before = trained.champion(name.value, models)
    crowned = (
        trained.rollback(name.value, models) if rollback else trained.promote(name.value, version or "latest", models)
    )
    from handoff.training import tracking

    registered = tracking.set_champion(name.value, crowned.version)
    doubt = trained.read_manifest(models / name.value / crowned.version).doubt
    if doubt is not None:
        stderr.print(f"Mind that {name.value}/{crowned.version} is {doubt}", markup=False, style="yellow")
    promoted = Promoted(name.value, crowned.version, before.version if before else None, registered)
    print_json(promoted) if as_json else _print(promoted)


def _print(promoted: Promoted) -> None:
    was = f" (before: {promoted.before})" if promoted.before not in (None, promoted.version) else ""
    console.print(f"{promoted.name}/{promoted.version} is the champion now{was}", markup=False)
    if promoted.registered is None:
        console.print("MLflow's registry knows no such version; only the champion file was written", markup=False)
