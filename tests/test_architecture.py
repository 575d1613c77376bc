"""The direction of imports, and what importing must not do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "handoff"

# A package may import those before it, and itself. `training`, `quality` and `commands` come last: only they see it all.
ORDER = (
    "errors", "settings", "kept", "chance", "files", "access", "transcript", "formats", "ingest", "calibration", "signals",
    "features", "rules", "models", "policy", "standing", "explanation", "decision", "together", "memory", "metrics", "store", "course", "client",
    "analytics", "simulate", "steps", "training", "quality", "commands",
)  # fmt: skip
HEAVY = ("torch", "mlflow", "bentoml", "pandas", "sklearn", "sentence_transformers", "lightgbm")
# Of a worker alone: the process that starts the workers imports `serving.service` before them.
WORKERS = ("numpy", "lightgbm", "sqlalchemy", "tokenizers", "handoff.models", "handoff.store", "serving.worker")


def imports(path: Path) -> set[str]:
    """The first two names of each import: "handoff.rules", "numpy"."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {".".join(alias.name.split(".")[:2]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{a.name}" if node.module == "handoff" else node.module for a in node.names]
            found |= {".".join(name.split(".")[:2]) for name in names}
    return found


def violations(source: Path) -> list[str]:
    """Imports that point to the right in ORDER."""
    wrong = []
    for path in source.rglob("*.py"):
        package = path.relative_to(source).parts[0].removesuffix(".py")
        if package == "__init__":
            continue
        for name in imports(path):
            top, _, rest = name.partition(".")
            if top in ("pipelines", "serving"):
                wrong.append(f"{path.relative_to(source)} imports {name}")
            if top == "handoff" and rest in ORDER and ORDER.index(rest) > ORDER.index(package):
                wrong.append(f"{path.relative_to(source)} imports {name}")
    return wrong


def test_every_package_has_its_place() -> None:
    found = {p.name.removesuffix(".py") for p in SOURCE.iterdir() if p.name[0] not in "._"}
    assert found <= set(ORDER)


def test_imports_point_one_way() -> None:
    assert violations(SOURCE) == []


def test_a_planted_import_is_caught(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.py").write_text("from handoff.training import labels\n", "utf-8")
    assert violations(tmp_path) == ["rules/bad.py imports handoff.training"]


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [("handoff", HEAVY), ("handoff.decision", HEAVY), ("handoff.commands", HEAVY), ("serving.service", WORKERS)],
)
def test_importing_loads_nothing_heavy(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {unwanted!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_service_sees_no_future() -> None:
    for path in (ROOT / "serving").rglob("*.py"):
        assert not imports(path) & {"handoff.training", "handoff.simulate", "mlflow", "torch", "pickle", "joblib"}
