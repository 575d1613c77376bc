"""The servers that are compared: started one at a time on this machine's loopback, and stopped by their process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, its port, and how long it took from its start to ready."""

    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    def worker_mebibytes(self) -> float:
        """Resident memory of the largest of its processes, which is the worker."""
        return max(process.memory_info().rss for process in _family(self.process.pid)) / 2**20


@contextmanager
def serving(command: Sequence[str], ready: str, folder: Path, **environment: str) -> Iterator[Server]:
    """Run the command, with PORT replaced, until the block ends. Raises RuntimeError if it does not become ready."""
    port = free_port()
    output = folder / f"{port}.txt"
    started = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            [part.replace("PORT", str(port)) for part in command],
            cwd=folder, env=_environment(folder) | environment, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, f"http://127.0.0.1:{port}{ready}", output)
        yield Server(process, port, time.perf_counter() - started)
    finally:
        _stop(process)


def handoff(models: Path, folder: Path) -> list[str]:
    """The command that serves full answers, the decision log on."""
    store = f"sqlite:///{folder / 'handoff.sqlite'}"
    return [str(BIN / "handoff"), "serve", "--port", "PORT", "--models", str(models), "--store", store]


def nothing() -> list[str]:
    """The command that serves the endpoint that does nothing."""
    return [str(BIN / "bentoml"), "serve", "benchmarks.nothing:Nothing", "--working-dir", str(ROOT), "--port", "PORT"]


def mlflow(model: Path) -> list[str]:
    """The command with which MLflow serves a model."""
    serve = ["models", "serve", "--model-uri", str(model), "--env-manager", "local", "--host", "127.0.0.1"]
    return [str(BIN / "mlflow"), *serve, "--port", "PORT"]


def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(folder: Path) -> dict[str, str]:
    """This process's environment without settings for the service, and with this checkout first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HANDOFF_", "BENTOML_"))}
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), kept.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_OFFLINE": "1"}
    where = {"BENTOML_HOME": str(folder / "bentoml"), "PYTHONPATH": path, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}"}
    return kept | quiet | where


def _wait(process: subprocess.Popen[bytes], url: str, output: Path) -> None:
    end = time.perf_counter() + START_SECONDS
    while not _is_ready(url):
        if process.poll() is not None or time.perf_counter() > end:
            raise RuntimeError(f"{url} does not answer:\n{output.read_text('utf-8', 'replace')[-3_000:]}")
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = _family(process.pid)
    process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=15)
    for each in alive:
        each.kill()
    process.wait()
