"""Nothing that the service reads can run code: no pickle, no marshalled code of its own, no array of objects."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from handoff.errors import BadModel
from handoff.models import load_champion
from tests.serving.conversations import CALM, DISPUTE
from tests.serving.running import add_version, clean_environment, copy_models

TRAP = """
import io, pickle, sys
import numpy as np
found = []
def watch(event, arguments):
    if event == "pickle.find_class":
        found.append((event, arguments))
sys.addaudithook(watch)
"""
TRAPPED = """
def refuse(*_, **__):
    raise AssertionError("something was unpickled")
for name in ("load", "loads", "Unpickler", "_Unpickler"):
    setattr(pickle, name, refuse)
plain = np.load
np.load = lambda *given, **named: refuse() if named.get("allow_pickle") else plain(*given, **named)
"""


def run(code: str, folder: Path, models: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment() | {
        "HANDOFF_MODELS": str(models),
        "BENTOML_HOME": str(folder),
        "HANDOFF_STORE": "none",
    }
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=folder, env=environment, capture_output=True,
                          text=True, timeout=120)  # fmt: skip


def test_loading_predicting_and_promoting_unpickles_nothing(trained_models: Path, tmp_path: Path) -> None:
    models = copy_models(trained_models, tmp_path / "models")
    add_version(models, "2")
    code = (
        f"from serving.service import HandoffService\n{TRAP}{TRAPPED}"
        "from pathlib import Path\nfrom handoff.models import promote\nfrom handoff.transcript import from_object\n"
        "service = HandoffService.inner().worker\n"
        f"for chat in ({CALM!r}, {DISPUTE!r}): service.current.answer(from_object(chat), explain=True)\n"
        f"promote('escalation', '2', Path({str(models)!r})); service.current.refresh()\n"
        "print(service.status().versions.model, found)"
    )
    done = run(code, tmp_path, models)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "escalation/2 []"


def test_the_trap_would_have_caught_it(tmp_path: Path) -> None:
    done = run(TRAP + "pickle.loads(pickle.dumps(io.BytesIO)); print(found)", tmp_path, tmp_path)
    assert "pickle.find_class" in done.stdout
    assert run(TRAP + TRAPPED + "pickle.loads(b'')", tmp_path, tmp_path).returncode != 0


def is_part(path: Path) -> bool:
    """Whether the file is part of a model: not what tells which one serves, locks a folder, or is for people to read."""
    return path.is_file() and path.name != "champion" and path.name[0] != "." and path.suffix not in (".md", ".png")


def loads(models: Path) -> bool:
    """Whether both champions are taken."""
    try:
        return all(load_champion(name, models) for name in ("escalation", "routing"))
    except BadModel:
        return False


def test_every_file_of_a_model_and_its_encoder_is_refused_once_it_was_changed(
    trained_models: Path, tmp_path: Path
) -> None:
    models = copy_models(trained_models, tmp_path / "models")
    (models / "encoders").unlink()
    shutil.copytree(trained_models / "encoders", models / "encoders")
    assert loads(models)
    parts, passed = sorted(filter(is_part, models.rglob("*"))), []
    for part in parts:
        before = part.read_bytes()
        part.write_bytes(before[:-1] + bytes([before[-1] ^ 1]) if before else b"x")
        if loads(models):
            passed.append(str(part.relative_to(models)))
        part.write_bytes(before)
    assert {part.relative_to(models).parts[0] for part in parts} == {"escalation", "routing", "encoders"}
    assert passed == []
    assert loads(models)
