"""`handoff predict`: answers for stored conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from handoff.analytics.predictions import MessageRow, Prediction, new_file, predictions
from handoff.analytics.reading import conversations_of
from handoff.commands._app import app
from handoff.commands._console import console, print_json, progress
from handoff.commands._judge import ChampionsOption, VersionOption, judge_of
from handoff.decision import Answer
from handoff.formats import ENDINGS
from handoff.policy import ACTIONS, Action
from handoff.transcript import Conversation


class Predicted(msgspec.Struct, frozen=True):
    """What was written where: `rows`, one a conversation or one a message, and how many of them have which action."""

    file: str
    conversations: int
    rows: int
    actions: dict[Action, int]


@app.command("predict")
def predict_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .json, .jsonl(.gz) or .parquet file, or a folder.", exists=True)
    ],
    every_message: Annotated[bool, typer.Option("--every-message", help="One short row a message.")] = False,
    model: VersionOption = None,
    models: ChampionsOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file: .jsonl, .jsonl.gz or .parquet.", dir_okay=False)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Indicators at any probability.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --out: print the counts as JSON.")] = False,
) -> None:
    """Answer what the service would answer: once a conversation, or with --every-message once a message.

    A row of --every-message holds conversation_id, message_id, index, probability, level, action and rules (their
    ids); without a model, probability and level are null. Every message has its row, also those of agents and the
    system. Without --out, JSON Lines go to stdout; with it, the file appears whole or not at all, and the rows are
    counted by action. Exit status 1 at the first conversation that cannot be used.

    Example: `handoff predict data/sample --every-message --out predictions.parquet`
    """
    if every_message and explain:
        raise typer.BadParameter("rows of --every-message hold no indicators", param_hint="--explain")
    if as_json and out is None:
        raise typer.BadParameter("counts what --out wrote; without it stdout is JSON Lines", param_hint="--json")
    if out is not None and not out.name.endswith(ENDINGS):
        raise typer.BadParameter(f"{out.name} ends in none of {', '.join(ENDINGS)}", param_hint="--out")
    judge = judge_of(model, models, routing=not every_message)
    with progress("conversations") as step:
        found = predictions(judge, _counted(file, step), every_message=every_message, explain=explain)
        if out is None:
            for prediction in found:
                typer.echo(msgspec.json.encode(prediction))
            return
        written = _write(found, out, MessageRow if every_message else Answer)
    print_json(written) if as_json else _print(written, every_message)


def _write(found: Iterable[Prediction], out: Path, kind: type[Prediction]) -> Predicted:
    actions: Counter[Action] = Counter()
    conversations: set[str] = set()
    with new_file(out, kind) as writer:
        for prediction in found:
            writer.write(prediction)
            conversations.add(prediction.conversation_id)
            actions[prediction.action if isinstance(prediction, MessageRow) else prediction.recommendation.action] += 1
    return Predicted(str(out), len(conversations), actions.total(), {action: actions[action] for action in ACTIONS})


def _print(written: Predicted, every_message: bool) -> None:
    rows = "rows, one a message" if every_message else "answers"
    console.print(f"{written.rows:,} {rows}, for {written.conversations:,} conversations: {written.file}", markup=False)
    console.print(", ".join(f"{action} {count:,}" for action, count in written.actions.items()), markup=False)


def _counted(file: Path, step: Callable[[], None]) -> Iterator[Conversation]:
    for conversation in conversations_of(file):
        step()
        yield conversation
