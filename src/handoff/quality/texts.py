"""Vectors of the benchmark's texts, encoded once and kept in its work folder."""

from __future__ import annotations

from collections.abc import Iterable

from handoff.quality.settings import QualitySettings
from handoff.training.embeddings import FOLDER, Embeddings, embedded
from handoff.training.export_encoder import ensure_encoder


def embeddings_of(texts: Iterable[str], settings: QualitySettings) -> Embeddings:
    """Embeddings that hold all of the texts, by the encoder that the settings name."""
    encoder = ensure_encoder(settings.work / "encoders", settings.encoder)
    return embedded(encoder, texts, settings.work / FOLDER)
