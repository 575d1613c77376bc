"""The command line: one module a command, each of which registers itself on `app` when it is imported."""

from __future__ import annotations

from handoff.commands import (
    backtest,
    calibrate,
    evaluate,
    export,
    features,
    forget,
    ingest,
    keys,
    predict,
    promote,
    reasons,
    replay,
    serve,
    simulate,
    tables,
    train,
    validate,
)
from handoff.commands._app import app

__all__ = [
    "app",
    "backtest",
    "calibrate",
    "evaluate",
    "export",
    "features",
    "forget",
    "ingest",
    "keys",
    "predict",
    "promote",
    "reasons",
    "replay",
    "serve",
    "simulate",
    "tables",
    "train",
    "validate",
]
