"""Models to measure with: trained on simulated conversations, `python -m benchmarks.models FOLDER ENCODER`.

In a process of its own, so that torch and MLflow stay out of the one that measures. Makes escalation/1 and routing/1,
both champions, and `lightgbm`, the escalation model's trees as MLflow keeps a LightGBM model.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from handoff.models.encoder import Kind, check_kind

CONVERSATIONS, SEED = 600, 11
LIGHTGBM = "lightgbm"


def train_beside(models: Path, kind: Kind) -> None:
    """Train in another process. Raises `subprocess.CalledProcessError` when it fails."""
    subprocess.run([sys.executable, "-m", __name__, str(models), kind], check=True, stdout=subprocess.DEVNULL)


def train(models: Path, kind: Kind) -> None:
    """Train both models with this encoder."""
    from handoff.simulate import simulate
    from handoff.training.train import Settings, train_escalation, train_routing

    models.mkdir(parents=True, exist_ok=True)
    os.environ["HANDOFF_MLFLOW_URI"] = f"sqlite:///{models.resolve() / 'mlflow.db'}"
    conversations = list(simulate(CONVERSATIONS, SEED))
    train_escalation(conversations, Settings(models, promote=True, encoder=kind))
    train_routing(conversations, Settings(models, promote=True, encoder=kind))
    save_lightgbm(models)


def save_lightgbm(models: Path) -> None:
    """The escalation model's trees as a model of MLflow's own LightGBM flavour."""
    import lightgbm
    import mlflow.lightgbm

    booster = lightgbm.Booster(model_file=str(models / "escalation" / "1" / "model.txt"))
    mlflow.lightgbm.save_model(booster, str(models / LIGHTGBM), pip_requirements=["lightgbm"])


if __name__ == "__main__":
    train(Path(sys.argv[1]), check_kind(sys.argv[2]))
