"""The real service in a process of its own, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil

from handoff.models import read_manifest
from handoff.models.artifact import rewrite_manifest

HANDOFF = Path(sys.executable).with_name("handoff")
START_SECONDS, STOP_SECONDS = 90.0, 30.0
# Within a JSON line's own strings the quotes are escaped, so that none of these can be what a caller said.
ERROR_SIGNS = ('"level":"error"', '"level":"critical"', '"trace":', "Traceback")


@dataclass(frozen=True, slots=True)
class Running:
    """A running service: its process, where it listens and what it printed so far."""

    process: subprocess.Popen[bytes]
    port: int
    client: httpx.Client
    output: Path

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """`body` as it is when bytes, else as JSON."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.client.post(path, content=content, headers={"content-type": "application/json"} | (headers or {}))

    def family(self) -> list[psutil.Process]:
        """The supervisor, its workers, and their processes for batches."""
        try:
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def hands(self) -> list[psutil.Process]:
        """The processes that work on batches."""
        return [each for each in self.family() if _works_on_batches(each)]

    def errors(self) -> list[str]:
        """The lines of its log that tell of an error, or hold a traceback."""
        said = self.output.read_text("utf-8", "replace")
        return [line for line in said.splitlines() if any(sign in line for sign in ERROR_SIGNS)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and its workers; returns the exit status. What is still there after 30 s is killed."""
        family = self.family()
        self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            for process in psutil.wait_procs(family, timeout=5)[1]:
                process.kill()


def _works_on_batches(process: psutil.Process) -> bool:
    try:
        return "serving.hand" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


@contextmanager
def running(models: Path, *options: str, cwd: Path, **environment: str) -> Iterator[Running]:
    """`handoff serve` over `models`, run in the folder `cwd`, once it is ready."""
    service = start(models, *options, cwd=cwd, **environment)
    try:
        wait_until_ready(service)
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()
        service.client.close()


def start(models: Path, *options: str, cwd: Path, **environment: str) -> Running:
    """`handoff serve`, not waited for."""
    port = free_port()
    output = cwd / f"serve-{port}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [str(HANDOFF), "serve", "--port", str(port), "--models", str(models), *options],
            cwd=cwd,
            env=clean_environment() | environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process, port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60), output)


def wait_until_ready(service: Running) -> None:
    """Wait for /readyz to say 200."""
    end = time.monotonic() + START_SECONDS
    while not _is_ready(service):
        if service.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the service did not start:\n{service.output.read_text('utf-8')}")
        time.sleep(0.1)


def _is_ready(service: Running) -> bool:
    try:
        return service.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def clean_environment() -> dict[str, str]:
    """This process's environment without settings for the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HANDOFF_", "BENTOML_"))}


def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Any, seconds: float = 20.0) -> bool:
    """Whether `what()` comes true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def copy_models(trained: Path, to: Path) -> Path:
    """A copy of the models that a test may damage; the encoder, which is large, is shared."""
    for name in ("escalation", "routing"):
        shutil.copytree(trained / name, to / name)
    (to / "encoders").symlink_to(trained / "encoders")
    return to


def add_version(models: Path, version: str) -> Path:
    """Another version of the escalation model: the first, under another number. Its exam is still right."""
    folder = models / "escalation" / version
    shutil.copytree(models / "escalation" / "1", folder)
    rewrite_manifest(folder, msgspec.structs.replace(read_manifest(folder), version=version))
    return folder
