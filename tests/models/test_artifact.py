"""A version loads only whole, unchanged, with features that are still computed, and after passing its exam."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from handoff.errors import BadModel
from handoff.models import EscalationModel, RoutingModel, load, read_manifest
from handoff.models.artifact import rewrite_manifest
from handoff.models.wording import Coefficients, wording_bytes

NAMES = ("escalation", "routing")


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file."""
    value = msgspec.json.decode(path.read_bytes())
    change(value)
    path.write_bytes(msgspec.json.encode(value))


def edit_exam(folder: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Change the first question of the exam and make the digests fit; returns its conversation's id."""
    path = folder / "exam.jsonl"
    first, *rest = path.read_bytes().splitlines()
    question = msgspec.json.decode(first)
    change(question)
    path.write_bytes(b"\n".join([msgspec.json.encode(question), *rest]))
    rewrite_manifest(folder, read_manifest(folder))
    return str(question["conversation"]["conversation_id"])


@pytest.mark.parametrize("name", NAMES)
def test_a_version_loads(models: Path, name: str) -> None:
    assert load(models / name / "1").label == f"{name}/1"


@pytest.mark.parametrize("name", NAMES)
def test_a_version_holds_no_pickle_and_no_label(models: Path, name: str) -> None:
    folder = models / name / "1"
    assert {p.suffix for p in folder.iterdir()} <= {".json", ".jsonl", ".txt", ".npz", ".md"}
    exam = (folder / "exam.jsonl").read_text("utf-8")
    assert '"outcome"' not in exam and '"label"' not in exam


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["model", "exam.jsonl", "card.md"])
def test_a_changed_file_is_named(models: Path, name: str, file: str) -> None:
    weights = "model.txt" if name == "escalation" else "weights.npz"
    path = models / name / "1" / (weights if file == "model" else file)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BadModel, match=rf"{path.name}: changed since it was written"):
        load(path.parent)


@pytest.mark.parametrize("file", ["model.txt", "exam.jsonl", "manifest.json"])
def test_a_missing_file_is_named(models: Path, file: str) -> None:
    (models / "escalation" / "1" / file).unlink()
    with pytest.raises(BadModel, match=rf"{file}: missing"):
        load(models / "escalation" / "1")


@pytest.mark.parametrize("kept", [0, 1, 40, 0.5, 0.99], ids=lambda kept: f"{kept} of it left")
def test_a_truncated_manifest_is_named(models: Path, kept: float) -> None:
    path = models / "escalation" / "1" / "manifest.json"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(BadModel, match=r"manifest\.json: cannot be read"):
        load(path.parent)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda m: m.update(format=2), "format 2; this version of handoff reads 1", id="a newer format"),
        pytest.param(lambda m: m.update(name="triage"), "Invalid enum value 'triage'", id="another kind of model"),
        pytest.param(lambda m: m.update(surprise=1), "unknown field `surprise`", id="an unknown field"),
        pytest.param(lambda m: m["files"].pop("exam.jsonl"), "does not list exam.jsonl", id="the exam struck out"),
        pytest.param(
            lambda m: m["files"].update({"../champion": "0"}), "a file name without a folder", id="a file outside"
        ),
        pytest.param(
            lambda m: m["calibration"].update(calibrated=m["calibration"]["calibrated"][::-1]),
            "calibration: falls",
            id="a calibration turned round",
        ),
    ],
)
def test_a_changed_manifest_is_refused(models: Path, change: Callable[[dict[str, Any]], None], says: str) -> None:
    path = models / "escalation" / "1" / "manifest.json"
    edit(path, change)
    with pytest.raises(BadModel, match=says):
        load(path.parent)


def test_a_feature_that_is_no_longer_computed_is_named_with_the_nearest(models: Path) -> None:
    folder = models / "escalation" / "1"
    manifest = read_manifest(folder)
    features = tuple("confidence_mim" if f == "confidence_min" else f for f in manifest.features)
    text = (folder / "model.txt").read_text("utf-8").replace("confidence_min", "confidence_mim")
    (folder / "model.txt").write_text(text, "utf-8")
    rewrite_manifest(folder, msgspec.structs.replace(manifest, features=features))
    says = "confidence_mim: not computed by this version; did you mean 'confidence_min'"
    with pytest.raises(BadModel, match=says):
        load(folder)


def test_columns_other_than_the_manifests_are_refused(models: Path) -> None:
    folder = models / "escalation" / "1"
    manifest = read_manifest(folder)
    rewrite_manifest(folder, msgspec.structs.replace(manifest, features=manifest.features[::-1]))
    with pytest.raises(BadModel, match=r"model\.txt: columns"):
        load(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_row_of_the_exam_names_conversation_and_feature(models: Path, name: str) -> None:
    folder = models / name / "1"

    def change(question: dict[str, Any]) -> None:
        question["answers"][-1]["row"][2] = 123.5

    conversation = edit_exam(folder, change)
    feature = read_manifest(folder).features[2]
    with pytest.raises(BadModel, match=rf"'{conversation}', message \d+: {feature} is .*; expected 123\.5"):
        load(folder)


def test_a_changed_text_of_the_exam_shows_in_its_rows(models: Path) -> None:
    def change(question: dict[str, Any]) -> None:
        for message in question["conversation"]["messages"]:
            message["text"] += " I want to speak to a human"

    conversation = edit_exam(models / "escalation" / "1", change)
    with pytest.raises(BadModel, match=conversation):
        load(models / "escalation" / "1")


def test_a_changed_score_of_the_exam_is_named(models: Path) -> None:
    def change(question: dict[str, Any]) -> None:
        question["answers"][0]["scores"] = [0.999]

    edit_exam(models / "escalation" / "1", change)
    with pytest.raises(BadModel, match=r"probability is 0\.\d+; expected 0\.999"):
        load(models / "escalation" / "1")


def test_a_broken_line_of_the_exam_is_named(models: Path) -> None:
    folder = models / "escalation" / "1"
    path = folder / "exam.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    rewrite_manifest(folder, read_manifest(folder))
    with pytest.raises(BadModel, match=r"exam\.jsonl:\d+: cannot be read"):
        load(folder)


def test_an_empty_exam_is_refused(models: Path) -> None:
    folder = models / "escalation" / "1"
    (folder / "exam.jsonl").write_bytes(b"")
    rewrite_manifest(folder, read_manifest(folder))
    with pytest.raises(BadModel, match="holds no conversation"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "file", "content", "says"),
    [
        ("escalation", "model.txt", b"tree\nversion=v4\n", "LightGBM cannot read it"),
        ("routing", "weights.npz", b"PK\x03\x04", "cannot be read"),
        ("routing", "wording.npz", b"PK\x03\x04", "cannot be read"),
    ],
)
def test_a_model_that_cannot_be_read_is_named(models: Path, name: str, file: str, content: bytes, says: str) -> None:
    folder = models / name / "1"
    (folder / file).write_bytes(content)
    rewrite_manifest(folder, read_manifest(folder))
    with pytest.raises(BadModel, match=rf"{file}: {says}"):
        load(folder)


def test_weights_that_would_have_to_be_unpickled_are_refused(models: Path) -> None:
    folder = models / "routing" / "1"
    np.savez(folder / "weights.npz", coefficients=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    rewrite_manifest(folder, read_manifest(folder))
    with pytest.raises(BadModel, match=r"weights\.npz: cannot be read"):
        load(folder)


def test_a_routing_version_without_its_wording_is_refused(models: Path) -> None:
    folder = models / "routing" / "1"
    (folder / "wording.npz").unlink()
    rewrite_manifest(folder, read_manifest(folder))
    with pytest.raises(BadModel, match=r"`files` does not list wording\.npz"):
        load(folder)


def test_wording_that_scores_other_teams_is_refused(models: Path, routing: RoutingModel) -> None:
    folder = models / "routing" / "1"
    grams, meaning = (part[:, 1:].copy() for part in msgspec.structs.astuple(routing.wording.coefficients))
    (folder / "wording.npz").write_bytes(wording_bytes(routing.wording.vocabulary, Coefficients(grams, meaning)))
    rewrite_manifest(folder, read_manifest(folder))
    with pytest.raises(BadModel, match=rf"wording\.npz: {len(routing.teams) - 1} scores a text; expected"):
        load(folder)


def test_a_missing_encoder_says_where_it_was_looked_for(models: Path) -> None:
    (models / "encoders").unlink()
    with pytest.raises(BadModel, match=r"its encoder static-all-minilm-l6-v2-\w+ is not in .*encoders"):
        load(models / "routing" / "1")


def test_loading_and_scoring_needs_no_training_library(models: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from handoff.models import load_champion;"
        f"[load_champion(name, Path({str(models)!r})) for name in ('escalation', 'routing')];"
        "print([m for m in ('torch', 'mlflow', 'handoff.training') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_kinds(escalation: EscalationModel, routing: RoutingModel) -> None:
    assert (escalation.manifest.target, routing.manifest.target) == ("escalated", "team")
