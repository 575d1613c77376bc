"""What a trained version says about itself (`manifest.json`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from handoff.calibration import Calibration
from handoff.errors import BadModel, nearest
from handoff.models.files import read_json

MANIFEST_FILE = "manifest.json"
EXAM_FILE = "exam.jsonl"
CARD_FILE = "card.md"
BOOSTER_FILE = "model.txt"
WEIGHTS_FILE = "weights.npz"
WORDING_FILE = "wording.npz"

# Raised when an older reader could no longer make sense of a newer folder.
FORMAT = 1

Name = Literal["escalation", "routing"]
Target = Literal["escalated", "needed_human", "label", "dissatisfied_next", "team"]

_REQUIRED: dict[Name, tuple[str, ...]] = {"escalation": (BOOSTER_FILE,), "routing": (WEIGHTS_FILE, WORDING_FILE)}


class EncoderReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The encoder a model was trained with; its folder is `encoders/<name>-<version>` beside the models."""

    name: str
    version: str

    @property
    def folder_name(self) -> str:
        return f"{self.name}-{self.version}"


class DataReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model learnt from. `fingerprint` is a digest of the conversations that it was trained and tested on.

    With the same conversations, `seed` gives the same test side again. `learnt_from` are hashes of the conversations
    and customers of the other side, none of which `handoff evaluate` scores (`training.splits.keys_of`); None in
    versions that were trained before they were remembered.
    """

    fingerprint: str
    conversations: int
    rows: int
    seed: int
    positive_conversations: int | None = None
    learnt_from: bytes | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trained version. `features` are the model's own, by name, in the order of its columns.

    Escalation has `calibration`, and where it reads wordings `wording.npz`, whose columns come last; routing has
    `wording.npz`, `teams`, `encoder`, `temperature` and `certain_from`, the lowest probability of the first team at
    which it says that it is certain (None: never). `doubt` is what its test says against letting it serve, if anything;
    it is repeated when the version is promoted.
    """

    format: int = FORMAT
    name: Name
    version: str
    target: Target
    within: int | None = None
    created: datetime
    features: tuple[str, ...]
    features_version: str
    calibration: Calibration | None = None
    teams: tuple[str, ...] = ()
    temperature: float | None = None
    certain_from: float | None = None
    encoder: EncoderReference | None = None
    data: DataReference
    run_id: str | None = None
    doubt: str | None = None
    libraries: dict[str, str]
    files: dict[str, str]

    @property
    def label(self) -> str:
        """As answers name it: "escalation/7"."""
        return f"{self.name}/{self.version}"


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`. Raises `BadModel` when it is missing, broken, or of a newer format."""
    path = folder / MANIFEST_FILE
    manifest = read_json(path, Manifest)
    if manifest.format != FORMAT:
        raise BadModel(f"{path}: format {manifest.format}; this version of handoff reads {FORMAT}")
    for required in (EXAM_FILE, *_REQUIRED[manifest.name]):
        if required not in manifest.files:
            raise BadModel(f"{path}: `files` does not list {required}; a version without it cannot be trusted")
    if manifest.calibration is not None:
        manifest.calibration.check()
    return manifest


def columns(
    manifest: Manifest, known: tuple[str, ...], known_version: str, apart: tuple[str, ...] = ()
) -> tuple[int, ...]:
    """Where each of the model's features stands in a full row; those of `apart` do not come from rows.

    Raises `BadModel` listing the features that are unknown here, each with the nearest known name.
    """
    positions = {name: position for position, name in enumerate(known)}
    wanted = [name for name in manifest.features if name not in apart]
    unknown = [name for name in wanted if name not in positions]
    if unknown:
        lines = "".join(f"\n  - {name}: not computed by this version{_hint(name, known)}" for name in unknown)
        raise BadModel(
            f"{manifest.label}: {len(unknown)} of its {len(manifest.features)} features differ "
            f"(trained with features {manifest.features_version}, here {known_version}); train again:{lines}"
        )
    return tuple(positions[name] for name in wanted)


def _hint(name: str, known: tuple[str, ...]) -> str:
    hint = nearest(name, known)
    return hint if "did you mean" in hint else ""
