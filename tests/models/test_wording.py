"""A model of wordings: what it scores is what was fitted, from a file that is checked and never unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.errors import BadModel
from handoff.files import write_atomically
from handoff.models import wording
from handoff.models.encoder import Encoder
from handoff.models.ngrams import WORDS_FROM, hashed, words
from handoff.models.wording import Coefficients, Spelling, Vocabulary, Wording, read_wording, wording_bytes
from handoff.simulate import simulate


@pytest.fixture(scope="module")
def encoder(trained_models: Path) -> Encoder:
    (folder,) = (trained_models / "encoders").iterdir()
    return Encoder.load(folder)


def vocabulary(*texts: str) -> Vocabulary:
    hashes = np.unique(np.concatenate([hashed(words(text))[0] for text in texts]))
    return Vocabulary(hashes, np.linspace(1, 2, len(hashes), dtype=np.float32), words_weigh=2.0, letters_weigh=0.5)


def coefficients(known: Vocabulary, dimensions: int, scores: int = 3) -> Coefficients:
    rng = np.random.default_rng(1)
    return Coefficients(
        rng.normal(size=(len(known), scores)).astype(np.float32),
        rng.normal(size=(dimensions, scores)).astype(np.float32),
    )


def test_words_and_letters_each_have_their_length() -> None:
    known = vocabulary("I want my money back")
    positions, values = known.read("my money, please")
    of_words = known.hashes[positions] >= WORDS_FROM
    assert np.linalg.norm(values[of_words]) == pytest.approx(2.0)
    assert np.linalg.norm(values[~of_words]) == pytest.approx(0.5)


KNOWN = vocabulary("I want my money back", "aaa ab aab ?!?! really", "it's not İ fine 日本語")


TEXTS = st.lists(st.sampled_from(["aaa", "ab", "money", "?", "MY", "İ", "日本", "un", "x" * 50, "\ud800"])).map(
    " ".join
)


@given(TEXTS)
def test_looked_up_words_read_as_the_vocabulary_does(text: str) -> None:
    spelling = Spelling(KNOWN)
    for _ in range(2):  # not seen before, and seen
        for found, expected in zip(spelling.read(text), KNOWN.read(text), strict=True):
            assert found.dtype == expected.dtype
            assert found.tolist() == expected.tolist()


@given(st.lists(TEXTS))
def test_many_texts_read_as_one_by_one(texts: list[str]) -> None:
    for known in (KNOWN, vocabulary("nobody says so")):
        for found, text in zip(Spelling(known).read_all(texts), texts, strict=True):
            assert [part.tobytes() for part in found] == [part.tobytes() for part in Spelling(known).read(text)]
            assert [part.dtype for part in found] == [part.dtype for part in Spelling(known).read(text)]


def test_what_was_learnt_is_scored_as_one_by_one(monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    monkeypatch.setattr(wording, "TEXTS_AT_ONCE", 2)
    texts = [text for chat in simulate(20, 2) for text in {message.text for message in chat.messages}]
    known = vocabulary(*texts[::2])
    together, alone = (Wording(known, coefficients(known, encoder.dimensions), encoder) for _ in range(2))
    together.learn([*texts, *texts])
    monkeypatch.setattr(Spelling, "read", None)  # nothing is left to read
    found = [together.score(text) for text in texts]
    monkeypatch.undo()
    assert found == [alone.score(text) for text in texts]


def test_only_so_many_words_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "CACHED_WORDS", 3)
    spelling = Spelling(KNOWN)
    for text in ("i want my money back", "y" * 4_000):
        assert spelling.read(text)[0].tolist() == KNOWN.read(text)[0].tolist()
    assert len(spelling._letters) <= 3


@pytest.mark.parametrize("text", ["", "  ", "日本語"], ids=["empty", "spaces", "nothing that is known"])
def test_a_text_of_which_nothing_is_known_scores_zero(text: str) -> None:
    known = vocabulary("I want my money back")
    assert not Wording(known, coefficients(known, 0), None).scores([text]).any()


def test_scores_are_the_weighted_sum_of_coefficients(encoder: Encoder) -> None:
    known = vocabulary("I want my money back")
    chosen = coefficients(known, encoder.dimensions)
    positions, values = known.read("my money")
    expected = values @ chosen.grams[positions] + encoder.encode(["my money"])[0] @ chosen.meaning
    assert Wording(known, chosen, encoder).scores(["my money"])[0] == pytest.approx(expected, abs=1e-6)


def test_a_file_gives_the_model_back(tmp_path: Path, encoder: Encoder) -> None:
    known = vocabulary("I want my money back", "where is my parcel?")
    before = Wording(known, coefficients(known, encoder.dimensions), encoder)
    write_atomically(tmp_path / "wording.npz", wording_bytes(before.vocabulary, before.coefficients))
    after = read_wording(tmp_path / "wording.npz", encoder)
    assert (after.scores(["my parcel", ""]) == before.scores(["my parcel", ""])).all()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        pytest.param("hashes", np.array([2, 1], dtype=np.uint32), "not sorted", id="hashes out of order"),
        pytest.param("rarity", np.ones(3, dtype=np.float32), r"rarity is float32 \(3,\)", id="another length"),
        pytest.param("grams", np.full((2, 1), np.nan, dtype=np.float32), "not finite", id="no numbers"),
        pytest.param(
            "meaning", np.ones((4, 1), dtype=np.float32), r"meaning is .*expected float32 \(0, 1\)", id="encoder"
        ),
        pytest.param("grams", np.array([[{}], [{}]], dtype=object), "cannot be read", id="a pickle"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path: Path, field: str, value: np.ndarray, says: str) -> None:
    arrays: dict[str, np.ndarray | float] = {
        "hashes": np.array([1, 2], dtype=np.uint32),
        "rarity": np.ones(2, dtype=np.float32),
        "words_weigh": 1.0,
        "letters_weigh": 1.0,
        "meaning_weighs": 1.0,
        "grams": np.ones((2, 1), dtype=np.float32),
        "meaning": np.ones((0, 1), dtype=np.float32),
    }
    np.savez(tmp_path / "wording.npz", **{**arrays, field: value})
    with pytest.raises(BadModel, match=says):
        read_wording(tmp_path / "wording.npz", None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"wording\.npz: cannot be read"):
        read_wording(tmp_path / "wording.npz", None)
