"""The escalation model as MLflow loads it: conversations as JSON in, probabilities out. Run by MLflow as a script.

Models from code: MLflow stores this file and the version's folder, and nothing pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from handoff.models import EscalationModel, load


class Escalation(PythonModel):
    """The calibrated probability after each conversation's newest message."""

    model: EscalationModel

    def load_context(self, context: Any) -> None:

        model = load(Path(context.artifacts["model"]))
        assert isinstance(model, EscalationModel)
        self.model = model

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        from handoff.features import follow
        from handoff.transcript import parse

        newest = [list(follow(parse(text)))[-1] for text in model_input["conversation"]]
        return pd.DataFrame({"probability": self.model.probabilities(newest)})


set_model(Escalation())
