"""`handoff replay`: one conversation again, turn by turn, in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handoff.analytics.reading import one_of
from handoff.analytics.replay import replay
from handoff.commands._app import app
from handoff.commands._console import print_json
from handoff.commands._judge import ChampionsOption, VersionOption, judge_of
from handoff.commands._replay_view import print_replay
from handoff.commands._stored import one_stored
from handoff.commands._what_if import Changes, print_what_if, run, source


@app.command("replay")
def replay_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A .json, .jsonl(.gz) or .parquet file, or a folder.", exists=True),
    ] = None,
    conversation_id: Annotated[
        str | None, typer.Option("--conversation", help="Which one, where FILE or the store holds several.")
    ] = None,
    model: VersionOption = None,
    models: ChampionsOption = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Decide all conversations again by a changed system.")
    ] = False,
    store: Annotated[
        str | None, typer.Option("--store", help="Instead of FILE: conversations of this database URL.")
    ] = None,
    new_rules: Annotated[
        Path | None, typer.Option("--new-rules", help="What if: this file of rules.", exists=True)
    ] = None,
    new_confidence: Annotated[
        Path | None, typer.Option("--new-confidence", help="What if: this file of 'handoff calibrate'.", exists=True)
    ] = None,
    new_policy: Annotated[
        Path | None, typer.Option("--new-policy", help="What if: this policy folder.", exists=True, file_okay=False)
    ] = None,
    new_cuts: Annotated[
        str | None, typer.Option("--new-cuts", help="What if: four cuts, such as 0.3,0.6,0.8,0.9.")
    ] = None,
    new_trigger: Annotated[
        str | None, typer.Option("--new-trigger", help="What if: trigger settings, such as '{in_a_row: 1}'.")
    ] = None,
    new_model: Annotated[
        Path | None, typer.Option("--new-model", help="What if: this version of the model.", file_okay=False)
    ] = None,
    costs: Annotated[
        Path | None, typer.Option("--costs", help="What if: prices of the bills; else placeholders.", exists=True)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
) -> None:
    """Play a conversation again: the probability as a curve, the rules as they fire, the decision as it changes.

    Personal data is masked. Each message is seen with what was known then; the outcome, where there is one, is
    compared at the end.

    With `--what-if` all conversations are decided by the system in use and by a changed one: which decisions flip,
    by direction and reason, and cost, lead and load before and after. Conversations that the model was trained on
    flatter both; take others where you can.

    Example: `handoff replay data/samples/frustrated.json`

    Or: `handoff replay --store sqlite:///handoff.sqlite --conversation c-1042`

    Or: `handoff replay data/sample --what-if --new-cuts 0.2,0.4,0.6,0.9`
    """
    changes = Changes(new_rules, new_confidence, new_policy, new_cuts, new_trigger, new_model, costs)
    if what_if:
        if conversation_id is not None:
            raise typer.BadParameter(
                "--what-if decides all conversations; leave one of the two out", param_hint="--conversation"
            )
        found = run(judge_of(model, models), changes, source(file, store))
        print_json(found) if as_json else print_what_if(found, costs is None)
        return
    if costs is not None or not changes.nothing:
        raise typer.BadParameter("the options of a changed system need --what-if", param_hint="--what-if")
    if (file is None) == (store is None):
        raise typer.BadParameter("name either FILE or --store URL", param_hint="FILE")
    one = one_of(file, conversation_id) if file is not None else one_stored(str(store), conversation_id)
    played = replay(judge_of(model, models), one)
    print_json(played) if as_json else print_replay(played)
