"""A trained version is a folder: manifest, model, exam and card. It is written whole, and checked when loaded.

models/escalation/7/
    manifest.json   what it is, what it was trained on, the SHA-256 of the other files
    model.txt       escalation: the trees, as LightGBM's text        (routing: weights.npz, arrays without pickle)
    wording.npz     what words, pieces of words and, for routing, meanings say, arrays without pickle
    exam.jsonl      recorded conversations with the rows and scores it gave
    card.md         its model card
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from handoff.errors import BadModel
from handoff.files import write_atomically
from handoff.models.encoder import Encoder
from handoff.models.escalation import EscalationModel
from handoff.models.exam import Model, Question, read_exam, sit, write_exam
from handoff.models.files import check_digests, digests
from handoff.models.manifest import (
    BOOSTER_FILE,
    CARD_FILE,
    EXAM_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    WORDING_FILE,
    EncoderReference,
    Manifest,
    read_manifest,
)
from handoff.models.routing import RoutingModel

ENCODERS = "encoders"


def load(folder: Path, *, encoders: Path | None = None) -> Model:
    """The model in `folder`, after its digests, its feature list and its exam have been checked.

    `encoders` is where encoders lie; by default `encoders` in the folder itself or in a folder above it.
    Raises `BadModel` saying which file, feature or conversation does not hold.
    """
    model = open_unchecked(folder, encoders=encoders)
    sit(model, read_exam(folder / EXAM_FILE))
    return model


def open_unchecked(folder: Path, *, encoders: Path | None = None) -> Model:
    """As `load`, but without the exam: for training, which is about to write it."""
    manifest = read_manifest(folder)
    check_digests(folder, manifest.files)
    if manifest.name == "escalation":
        return EscalationModel.load(folder, manifest)
    if manifest.encoder is None:
        raise BadModel(f"{folder / MANIFEST_FILE}: a routing model without an encoder; train again")
    return RoutingModel.load(folder, manifest, Encoder.load(find_encoder(folder, manifest.encoder, encoders)))


def find_encoder(folder: Path, reference: EncoderReference, encoders: Path | None = None) -> Path:
    """The encoder's folder. Raises `BadModel` saying where it was looked for."""
    above = [folder, *folder.resolve().parents[:3]]
    places = [encoders] if encoders is not None else [place / ENCODERS for place in above]
    for place in places:
        if (place / reference.folder_name).is_dir():
            return place / reference.folder_name
    looked = ", ".join(str(place) for place in places)
    raise BadModel(f"{folder}: its encoder {reference.folder_name} is not in {looked}; train again or copy it there")


def write(folder: Path, manifest: Manifest, content: bytes, card: str = "", wording: bytes | None = None) -> None:
    """Write model and manifest into `folder`; the exam follows with `write_questions`."""
    (folder / (BOOSTER_FILE if manifest.name == "escalation" else WEIGHTS_FILE)).write_bytes(content)
    if wording is not None:
        (folder / WORDING_FILE).write_bytes(wording)
    (folder / EXAM_FILE).touch()
    if card:
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    rewrite_manifest(folder, manifest)


def write_questions(folder: Path, manifest: Manifest, questions: Sequence[Question]) -> None:
    """Write the exam and the digests that now hold."""
    write_exam(folder / EXAM_FILE, questions)
    rewrite_manifest(folder, manifest)


def rewrite_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest with the digests of the other files as they are now; returns it."""
    current = msgspec.structs.replace(manifest, files=digests(folder, leave_out=MANIFEST_FILE))
    write_atomically(folder / MANIFEST_FILE, msgspec.json.format(msgspec.json.encode(current), indent=2) + b"\n")
    return current
