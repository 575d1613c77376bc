"""Training runs in MLflow: what went in, what came out, and the registered version.

Where: the setting HANDOFF_MLFLOW_URI, by default `sqlite:///mlflow.db` in the current folder with the artifacts in
`mlartifacts` beside it. Nothing is sent anywhere else: telemetry is off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff.errors import HandoffError
from handoff.files import locked
from handoff.models.manifest import Name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

URI_SETTING, DEFAULT_URI = "HANDOFF_MLFLOW_URI", "sqlite:///mlflow.db"
CHAMPION_ALIAS = "champion"
# The folder's name in models/, on the registered version: the same number, unless one of the two was deleted.
FOLDER_TAG = "handoff_version"
LIBRARIES = ("lightgbm", "numpy", "onnxruntime", "tokenizers", "scikit-learn", "mlflow")


@dataclass(frozen=True, slots=True)
class Run:
    """An open MLflow run."""

    run_id: str
    uri: str

    def params(self, values: Mapping[str, object]) -> None:
        """Settings of the run; those that are None are left out."""
        import mlflow

        mlflow.log_params({key: value for key, value in values.items() if value is not None})

    def metrics(self, values: Mapping[str, float | None]) -> None:
        """Figures by name; those that are not defined are left out."""
        import mlflow

        mlflow.log_metrics({_metric_name(key): value for key, value in values.items() if value is not None})

    def curve(self, name: str, values: Mapping[int, float | None]) -> None:
        """A figure at each of several steps, which MLflow draws as a line."""
        import mlflow

        for step, value in values.items():
            if value is not None:
                mlflow.log_metric(name, value, step=step)

    def text(self, content: str, file: str) -> None:
        import mlflow

        mlflow.log_text(content, file)

    def figures(self, figures: Mapping[str, Figure]) -> None:
        """Pictures under plots/, by name."""
        import mlflow

        for name, figure in figures.items():
            mlflow.log_figure(figure, f"plots/{name}.png")

    def model(self, code: str, artifacts: Mapping[str, Path], inputs: Any, outputs: Any) -> str:
        """Store a version's folder with the script that serves it. Returns its URI within MLflow.

        `inputs` is an input example (a DataFrame), `outputs` what the model answers to it.
        """
        import mlflow

        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).parent / code),
            artifacts={key: str(path) for key, path in artifacts.items()},
            # Given, because inferring them runs the model in another process for seconds and picks up pytest.
            pip_requirements=requirements(),
            signature=mlflow.models.infer_signature(inputs, outputs),
            input_example=inputs,
        )
        return str(info.model_uri)


def tracking_uri() -> str:
    """Where runs are kept: the setting HANDOFF_MLFLOW_URI, or the file mlflow.db here."""
    return os.environ.get(URI_SETTING) or DEFAULT_URI


@contextlib.contextmanager
def tracked(name: Name, data_fingerprint: str) -> Iterator[Run]:
    """An MLflow run of the experiment `handoff-<name>`; marked as failed when an error ends it."""
    with _mlflow() as mlflow:
        experiment = _experiment(mlflow, f"handoff-{name}")
        with mlflow.start_run(experiment_id=experiment) as run:
            commit = git_commit()
            tags = {"data_fingerprint": data_fingerprint} | ({"mlflow.source.git.commit": commit} if commit else {})
            mlflow.set_tags(tags)
            yield Run(run.info.run_id, tracking_uri())


def register(name: Name, model_uri: str, run_id: str, folder_version: str) -> str:
    """Register a stored model under `name`; returns the registry's number."""
    with _mlflow() as mlflow:
        client = mlflow.MlflowClient()
        with contextlib.suppress(mlflow.exceptions.MlflowException):
            client.create_registered_model(name)
        tags = {FOLDER_TAG: folder_version}
        return str(client.create_model_version(name, source=model_uri, run_id=run_id, tags=tags).version)


def newest_registered(name: Name) -> int:
    """The registry's newest number under `name`; 0 when there is none."""
    with _mlflow() as mlflow:
        found = mlflow.MlflowClient().search_model_versions(f"name='{name}'")
        return max((int(v.version) for v in found), default=0)


def set_champion(name: Name, folder_version: str) -> str | None:
    """Move the alias `champion` to the registered version of that folder; returns its number, None without one."""
    if not registry_exists():
        return None
    with _mlflow() as mlflow:
        client = mlflow.MlflowClient()
        found = [v for v in client.search_model_versions(f"name='{name}'") if v.tags.get(FOLDER_TAG) == folder_version]
        if not found:
            return None
        number = str(max(int(v.version) for v in found))
        client.set_registered_model_alias(name, CHAMPION_ALIAS, number)
        return number


def registry_exists() -> bool:
    """Whether there is a registry to speak to; asking must not make an empty database."""
    path = _database()
    return path is None or path.is_file()


def _database() -> Path | None:
    """The database file; None where runs go to a server."""
    uri = tracking_uri()
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def git_commit() -> str | None:
    """The commit that the code runs from, with "+changes" when files differ; None outside a git repository."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10)
        if head.returncode != 0:
            return None
        status = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def requirements() -> list[str]:
    """What a stored model needs to run, with the versions it was made with."""
    return [
        f"{library}=={version(library)}" for library in ("handoff", "lightgbm", "numpy", "onnxruntime", "tokenizers")
    ]


def library_versions() -> dict[str, str]:
    """The versions that a manifest records."""
    return {library: version(library) for library in LIBRARIES}


@contextlib.contextmanager
def _mlflow() -> Iterator[Any]:
    """MLflow, pointed at the tracking database, quiet. Its errors become one of ours that names the setting."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with warnings.catch_warnings():
        # MLflow 3.17 trips over deprecations of SQLAlchemy 2.1 and pandas 3 in its own code.
        warnings.filterwarnings("ignore", module=r"mlflow(\.|$)")
        import mlflow

        for logger in ("mlflow", "alembic"):
            logging.getLogger(logger).setLevel(logging.ERROR)
        try:
            mlflow.set_tracking_uri(tracking_uri())
            with _alone():
                _make_database(mlflow)
            yield mlflow
        except mlflow.exceptions.MlflowException as error:
            raise HandoffError(f"MLflow at {tracking_uri()}: {error}; {URI_SETTING} says where it is") from error


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No other training makes anything in the database file meanwhile; a server sees to that itself.

    MLflow makes and migrates a new database at first use, and two processes that do so at once break each other.
    """
    path = _database()
    if path is None:
        yield
        return
    with locked(path.with_name(f"{path.name}.lock")):
        yield


def _make_database(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    client.search_experiments(max_results=1)
    client.search_registered_models(max_results=1)


def _experiment(mlflow: Any, name: str) -> str:
    client = mlflow.MlflowClient()
    with _alone():
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(name, artifact_location=_artifact_location()))


def _artifact_location() -> str | None:
    """Beside the database, wherever that is; a server has its own place."""
    path = _database()
    return None if path is None else (path.resolve().parent / "mlartifacts").as_uri()


def _metric_name(name: str) -> str:
    """As MLflow takes it: letters, digits, and _-. /"""
    return re.sub(r"[^\w\-. /]+", "_", name, flags=re.ASCII)
