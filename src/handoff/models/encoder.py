"""Texts as vectors of meaning, by one of two encoders that answer alike.

    static   one vector a word piece, learnt from MiniLM and averaged: microseconds, NumPy alone
    minilm   the transformer itself in int8, run by onnxruntime on one thread: milliseconds

The folder that is loaded holds `table.npy` or `model.onnx`, `tokenizer.json` and `encoder.json`;
`handoff.training.export_encoder` makes it. Nothing here needs torch.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.errors import BadInput, BadModel
from handoff.kept import LONGEST_TEXT, Kept
from handoff.models.files import check_digests, read_json
from handoff.models.ngrams import words

Vector = NDArray[np.float32]
Kind = Literal["static", "minilm"]

KINDS: tuple[Kind, ...] = get_args(Kind)
# What models are trained with unless something else is asked for (docs/decisions.md, "Text").
DEFAULT_KIND: Kind = "static"

# 384 float32 are 1.5 KB: the cache stays under 2 MB. What a model makes of a text is remembered there, in less room.
CACHED_TEXTS = 1_000
# Words whose pieces are remembered, at most.
CACHED_WORDS = 8_192

SETTINGS_FILE, MODEL_FILE, TABLE_FILE, TOKENIZER_FILE = "encoder.json", "model.onnx", "table.npy", "tokenizer.json"


def check_kind(kind: str) -> Kind:
    """`kind` as a known kind of encoder. Raises `BadInput` listing them."""
    for known in KINDS:
        if kind == known:
            return known
    raise BadInput(f"encoder {kind!r}: expected one of {', '.join(KINDS)}")


class Embeds(Protocol):
    """What turns texts into vectors: an `Encoder`, or embeddings kept on disk between training runs."""

    def encode(self, texts: Sequence[str]) -> Vector:
        """Array of shape (n_texts, dimensions), float32."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...


class EncoderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `encoder.json` says: `files` maps each file of the folder to its SHA-256."""

    name: str
    kind: Kind = "minilm"
    dimensions: int
    max_tokens: int
    source: str
    files: dict[str, str]

    @property
    def version(self) -> str:
        """Digest of the weights and of the tokenizer, so that two exports that answer alike are one."""
        content = msgspec.json.encode(sorted(self.files.items()))
        return hashlib.sha256(content).hexdigest()[:12]


class Encoder:
    """Encodes texts. The same text gives the same vector, whatever was encoded beside it.

    Dynamic int8 scales each tensor by its largest activation: in a batch, neighbours and padding move a vector
    (down to a cosine of .934 on 405 real messages, and no faster). So each text is a run of its own, unpadded.
    """

    def __init__(self, settings: EncoderSettings, embed: Callable[[str], Vector]) -> None:
        self.settings, self.embed = settings, embed
        self._cached = functools.lru_cache(maxsize=CACHED_TEXTS)(self._encode_one)

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """The encoder in `folder`. Raises `BadModel` when a file is missing or was changed."""
        settings = read_json(folder / SETTINGS_FILE, EncoderSettings)
        check_digests(folder, settings.files)
        tokenizer = _tokenizer(folder / TOKENIZER_FILE, settings.max_tokens)
        if settings.kind == "static":
            return cls(settings, StaticTable(read_table(folder / TABLE_FILE, settings), tokenizer))
        return cls(settings, Transformer(_session(folder / MODEL_FILE), tokenizer))

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def dimensions(self) -> int:
        return self.settings.dimensions

    @property
    def version(self) -> str:
        """Digest of weights and tokenizer."""
        return self.settings.version

    def encode(self, texts: Sequence[str]) -> Vector:
        """One vector a text, of length 1 (static: 0 without a word): array of shape (n_texts, dimensions), float32."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._cached(text) if len(text) <= LONGEST_TEXT else self._encode_one(text)
        return vectors

    def warm(self, texts: Iterable[str], threads: int = 1) -> None:
        """Fill the cache. Only for bulk work: a service's worker keeps to one thread (FACTS: more collapse)."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(self._cached, dict.fromkeys(texts)):
                pass

    def _encode_one(self, text: str) -> Vector:
        vector = self.embed(text)
        vector.setflags(write=False)
        return vector


class Transformer:
    """MiniLM in int8: text to vector."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self.session, self.tokenizer = session, tokenizer

    def __call__(self, text: str) -> Vector:
        """Array of shape (dimensions,), of length 1."""
        ids = np.array([self.tokenizer.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        vector: Vector = self.session.run(None, feed)[0][0]
        return vector


class StaticTable:
    """The sum of the vectors of a text's word pieces, brought to length 1.

    A piece's weight is in its vector's length. Splitting a message into pieces by the tokenizer costs 58 µs, by
    remembered words 6: people use few words.
    """

    def __init__(self, table: Vector, tokenizer: Any) -> None:
        self.table, self.tokenizer = table, tokenizer
        self._pieces: Kept[str, list[int]] = Kept(CACHED_WORDS // 2)

    def __call__(self, text: str) -> Vector:
        """Array of shape (dimensions,), of length 1; zeros for a text without a word."""
        return self.embed(words(text))

    def embed(self, parts: Iterable[str]) -> Vector:
        """As the call, from the text's `words`, for who has them already."""
        ids = self._ids(parts)
        total: Vector = np.add.reduce(self.table.take(ids, axis=0), axis=0)
        length = np.float32(np.sqrt(total @ total))
        return np.divide(total, length, out=total) if length > 0 else total

    def pieces(self, text: str) -> list[int]:
        """The rows of the table that the text is made of."""
        return self._ids(words(text))

    def _ids(self, parts: Iterable[str]) -> list[int]:
        get = self._pieces.newer.get
        return [piece for word in parts for piece in get(word) or self._known(word)]

    def _known(self, word: str) -> list[int]:
        found = self._pieces.get(word)
        if found is None:
            found = self._pieces.put(word, self.tokenizer.encode(word, add_special_tokens=False).ids)
        return found


def read_table(path: Path, settings: EncoderSettings) -> Vector:
    """The table of a static encoder: array of shape (n_pieces, dimensions). Raises `BadModel` when it is not one."""
    try:
        table: Vector = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise BadModel(f"{path}: cannot be read ({error}); export the encoder again") from error
    if table.ndim != 2 or table.shape[1] != settings.dimensions or not np.isfinite(table).all():
        raise BadModel(
            f"{path}: {table.shape}; expected rows of {settings.dimensions} numbers; export the encoder again"
        )
    return table


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but Exception
        raise BadModel(f"{path}: onnxruntime cannot read it ({error}); export the encoder again") from error


def _tokenizer(path: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise BadModel(f"{path}: not a tokenizer ({error}); export the encoder again") from error
    tokenizer.no_padding()  # the file as published pads every text to 128
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
