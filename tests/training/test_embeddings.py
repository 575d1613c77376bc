"""Embeddings on disk: what was encoded once is not encoded again, and a broken file is made anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from handoff.models.encoder import Encoder, EncoderSettings
from handoff.training.embeddings import Embeddings, embedded

TEXTS = ("I want a refund", "where is my parcel?", "I want a refund", "")


class Counted:
    """Stands in for the model inside an encoder, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str) -> NDArray[np.float32]:
        self.asked.append(text)
        return np.array([len(text), text.count("e"), 1], dtype=np.float32)


def encoder(model: Counted, table: str = "one") -> Encoder:
    settings = EncoderSettings(
        name="counted", kind="static", dimensions=3, max_tokens=8, source="a test", files={"table.npy": table}
    )
    return Encoder(settings, model)


def encode(texts: Sequence[str], folder: Path | None, table: str = "one") -> tuple[list[str], NDArray[np.float32]]:
    """One training run: what the model was asked, and the vectors."""
    model = Counted()
    return model.asked, embedded(encoder(model, table), texts, folder).encode(texts)


def test_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    asked, vectors = encode(TEXTS, tmp_path)
    assert asked == list(dict.fromkeys(TEXTS))
    again, same = encode(TEXTS, tmp_path)
    assert again == []
    assert (same == vectors).all()


def test_only_new_texts_are_encoded(tmp_path: Path) -> None:
    encode(TEXTS, tmp_path)
    assert encode([*TEXTS, "new"], tmp_path)[0] == ["new"]


def test_another_version_of_the_encoder_encodes_afresh(tmp_path: Path) -> None:
    encode(TEXTS, tmp_path)
    assert len(encode(TEXTS, tmp_path, table="two")[0]) == 3


def test_two_runs_at_once_keep_what_both_encoded(tmp_path: Path) -> None:
    one, other = Embeddings(encoder(Counted()), tmp_path), Embeddings(encoder(Counted()), tmp_path)
    one.encode(["a"])
    other.encode(["b"])
    one.save()
    other.save()
    assert encode(["a", "b"], tmp_path)[0] == []


@pytest.mark.parametrize("damage", [b"", b"not an archive"], ids=["empty", "something else"])
def test_a_broken_file_is_made_again(tmp_path: Path, damage: bytes) -> None:
    encode(TEXTS, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert len(encode(TEXTS, tmp_path)[0]) == 3
    assert encode(TEXTS, tmp_path)[0] == []


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    encode(TEXTS, tmp_path)
    (file,) = tmp_path.iterdir()
    assert b"refund" not in file.read_bytes()


def test_without_a_folder_nothing_is_kept() -> None:
    assert len(encode(TEXTS, None)[0]) == 3
