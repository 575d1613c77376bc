"""Embeddings kept on disk between training runs, so that a text is encoded once.

    <folder>/<encoder's name>-<version>.npz    digests (n, 16) and vectors (n, dimensions)

A text is known by its digest alone: the file holds nothing that could be read.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff.files import write_atomically
from handoff.models.encoder import Encoder

Floats = NDArray[np.float32]

FOLDER = "embeddings"
DIGEST_BYTES = 16


class Embeddings:
    """Vectors of texts by one encoder, from memory, then from the file, then from the encoder itself.

    `save` adds what is new to the file. A file that cannot be read is made again: it holds nothing but what the
    encoder says.
    """

    def __init__(self, encoder: Encoder, folder: Path | None) -> None:
        self.encoder = encoder
        self.path = folder / f"{encoder.name}-{encoder.version}.npz" if folder is not None else None
        self._known = _read(self.path, encoder.dimensions)
        self._new = 0

    @property
    def dimensions(self) -> int:
        return self.encoder.dimensions

    def encode(self, texts: Sequence[str]) -> Floats:
        """One vector a text: array of shape (n_texts, dimensions), float32."""
        vectors = np.empty((len(texts), self.encoder.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> Floats:
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self.encoder.encode([text])[0]
            self._new += 1
        return found

    def save(self) -> None:
        """Write what was encoded since the file was read; nothing when there was nothing new."""
        if self.path is None or not self._new:
            return
        # Another run may have saved meanwhile: its vectors are kept, too.
        self._known = {**_read(self.path, self.encoder.dimensions), **self._known}
        write_atomically(self.path, _bytes(self._known, self.encoder.dimensions))
        self._new = 0


def embedded(encoder: Encoder, texts: Iterable[str], folder: Path | None) -> Embeddings:
    """Embeddings with all `texts` in them, saved."""
    embeddings = Embeddings(encoder, folder)
    for text in dict.fromkeys(texts):
        embeddings._vector(text)
    embeddings.save()
    return embeddings


def _bytes(known: dict[bytes, Floats], dimensions: int) -> bytes:
    digests = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(len(known), DIGEST_BYTES)
    vectors = np.concatenate(list(known.values())).reshape(len(known), dimensions)
    buffer = io.BytesIO()
    np.savez(buffer, digests=digests, vectors=vectors)
    return buffer.getvalue()


def _read(path: Path | None, dimensions: int) -> dict[bytes, Floats]:
    if path is None or not path.is_file():
        return {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            digests, vectors = arrays["digests"], arrays["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}
    if digests.shape != (len(vectors), DIGEST_BYTES) or vectors.shape[1:] != (dimensions,):
        return {}
    return {digest.tobytes(): vector for digest, vector in zip(digests, vectors, strict=True)}
