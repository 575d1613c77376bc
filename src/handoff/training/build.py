"""Put a trained version's folder together: model, exam, card, manifest."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from handoff.errors import BadInput, NotEnoughData
from handoff.files import locked, new_folder
from handoff.models import artifact, exam
from handoff.models.champion import versions
from handoff.models.exam import Model, Question
from handoff.models.manifest import MANIFEST_FILE, Manifest, Name
from handoff.training import tracking
from handoff.transcript import Conversation

EXAM_CONVERSATIONS = 16


def build(
    folder: Path,
    manifest: Manifest,
    content: bytes,
    card: str,
    candidates: Sequence[Conversation],
    encoders: Path | None = None,
    wording: bytes | None = None,
) -> Model:
    """Write everything into `folder` and check it by loading it. Returns the loaded model."""
    artifact.write(folder, manifest, content, card, wording)
    model = artifact.open_unchecked(folder, encoders=encoders)
    artifact.write_questions(folder, model.manifest, chosen_questions(model, candidates))
    return artifact.load(folder, encoders=encoders)


def chosen_questions(model: Model, candidates: Sequence[Conversation]) -> tuple[Question, ...]:
    """About sixteen recorded conversations, from the lowest score to the highest."""
    questions = sorted(exam.record(model, candidates), key=_highest)
    if not questions:
        raise NotEnoughData("no conversation is short enough (30 messages) for the model's exam")
    at = np.unique(np.linspace(0, len(questions) - 1, EXAM_CONVERSATIONS).round().astype(int))
    return tuple(questions[position] for position in at)


class NewVersion:
    """A context: the folder of a version in the making, renamed to its place at the end if nothing went wrong.

    In `models/<name>` it takes the next number and keeps others from taking it meanwhile; `out` is a folder that
    was asked for, whose model is called after it.
    """

    def __init__(self, name: Name, models: Path, out: Path | None) -> None:
        self.name, self.models, self.out = name, models, out
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        parent = self.out.resolve().parent if self.out else self.models / self.name
        if not self.out:
            self._stack.enter_context(locked(parent / ".lock"))
        self.version = self.out.resolve().name if self.out else next_version(self.name, self.models)
        self.final = self.out or parent / self.version
        self.folder = self._stack.enter_context(new_folder(parent))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is None:
                _place(self.folder, self.final)


def copy_encoder(source: Path, target: Path) -> None:
    """Copy an encoder's folder."""
    shutil.copytree(source, target)


def _place(temporary: Path, final: Path) -> None:
    """Rename a finished folder to where it belongs, in the place of an older version or an empty folder."""
    if final.exists():
        if any(final.iterdir()) and not (final / MANIFEST_FILE).is_file():
            raise BadInput(f"{final}: holds other files than a trained version; choose a new folder")
        older = temporary.with_name(temporary.name + "-older")
        final.rename(older)
        temporary.rename(final)
        shutil.rmtree(older)
    else:
        temporary.rename(final)


def next_version(name: Name, models: Path) -> str:
    """The number after the newest, of the folders and of the registry alike."""
    folders = [int(v) for v in versions(name, models) if v.isdigit()]
    return str(max([*folders, tracking.newest_registered(name)], default=0) + 1)


def _highest(question: Question) -> float:
    return max(max(answer.scores) for answer in question.answers)
