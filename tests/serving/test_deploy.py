"""What is given to those who run the service: images, manifests and examples that hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from handoff.settings import PREFIX, Settings
from tests.serving.running import Running, clean_environment

ROOT = Path(__file__).parents[2]
DEPLOY, EXAMPLES = ROOT / "serving" / "deploy", ROOT / "serving" / "examples"
KUBERNETES = "1.31"
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["kind"])
def test_a_manifest_follows_the_schema(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_a_planted_mistake_in_a_manifest_is_caught() -> None:
    wrong = yaml.safe_load(yaml.safe_dump(MANIFESTS[0]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", "kubernetes.yaml"])
def test_every_setting_named_is_a_setting(name: str) -> None:
    # Indented or assigned: a setting. In prose and in examples of Kubernetes' own variables: none.
    lines = [line for line in (DEPLOY / name).read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]+)\b", "\n".join(lines)))
    assert named and {setting.lower() for setting in named} <= set(Settings.__dataclass_fields__)


def test_the_service_of_kubernetes_makes_no_setting_up() -> None:
    """Kubernetes gives pods HANDOFF_API_SERVICE_HOST and the like, after the Service's name."""
    (service,) = [m for m in MANIFESTS if m["kind"] == "Service"]
    made_up = service["metadata"]["name"].upper().replace("-", "_")
    assert not any((PREFIX + field.upper()).startswith(made_up + "_") for field in Settings.__dataclass_fields__)


def test_the_compose_file_names_files_that_are_there() -> None:
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text("utf-8"))
    build = compose["services"]["handoff"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    copied = re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert [path for line in copied for path in line.split() if not (ROOT / path).exists()] == []


def test_keys_and_waiting_escalations_outlive_the_container() -> None:
    """A key that is revoked reaches a container only through a folder: the file is replaced, not changed."""
    service = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text("utf-8"))["services"]["handoff"]
    folders = [volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")]
    for setting in ("HANDOFF_KEYS", "HANDOFF_SPILL"):
        assert str(Path(service["environment"][setting]).parent) in folders
    assert not set(service["tmpfs"]) & set(folders) and "secrets" not in service


def test_kubernetes_sets_a_core_aside_for_each_worker() -> None:
    """Only then is the autoscaler's share of the request a share of what the workers can do."""
    (container,) = MANIFESTS[0]["spec"]["template"]["spec"]["containers"]
    workers = container["args"][container["args"].index("--workers") + 1]
    assert container["resources"]["requests"]["cpu"] == workers


def test_a_bento_is_built_needs_no_torch_and_answers(tmp_path: Path) -> None:
    environment = clean_environment() | {"BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}
    bentoml = Path(sys.executable).with_name("bentoml")
    built = subprocess.run([str(bentoml), "build", "--output", "tag"], cwd=ROOT, env=environment, capture_output=True,
                           text=True, timeout=300)  # fmt: skip
    assert built.returncode == 0, built.stderr
    (bento,) = (path.parent for path in tmp_path.glob("bentos/handoff/*/bento.yaml"))
    needed = {
        re.split(r"[^\w-]", line)[0].lower() for line in (bento / "env/python/requirements.txt").read_text().split()
    }
    assert "lightgbm" in needed
    assert not needed & {"torch", "mlflow", "scikit-learn", "pandas", "sentence-transformers"}
    code = (
        "from serving.service import HandoffService\n"
        "from serving.current import KNOWN\n"
        "import handoff\n"
        "print(handoff.__file__)\n"
        "print(HandoffService.inner().worker.current.answer(KNOWN).recommendation.action)\n"
    )
    source = bento / "src"
    environment |= {"PYTHONPATH": str(source), "HANDOFF_STORE": "none", "HANDOFF_MODELS": str(tmp_path / "models")}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    *_, place, action = done.stdout.splitlines()
    assert place.startswith(str(source)) and action == "escalate_now"


def run(command: list[str], service: Running, cwd: Path) -> str:
    """What an example prints when it talks to the running service."""
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {"HANDOFF_URL": f"http://127.0.0.1:{service.port}"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_in_python(service: Running, tmp_path: Path) -> None:
    printed = run([sys.executable, str(EXAMPLES / "ask.py")], service, tmp_path)
    assert "m3: escalate_now because of " in printed and "tell the customer: " in printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_in_shell(service: Running, tmp_path: Path) -> None:
    printed = run(["bash", str(EXAMPLES / "ask.sh")], service, tmp_path)
    assert len(printed.splitlines()) == 3 and '"action":"escalate_now"' in printed.splitlines()[2]


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the TypeScript compiler."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js with npm is not installed")
    folder = tmp_path_factory.mktemp("typescript")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "typescript@5.9", "@types/node@20"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        pytest.skip("npm cannot install the TypeScript compiler here")
    return folder


def test_the_example_in_typescript(service: Running, typescript: Path) -> None:
    shutil.copy(EXAMPLES / "ask.ts", typescript)
    options = ["--strict", "--target", "es2022", "--module", "commonjs", "--types", "node", "--skipLibCheck"]
    run(["node", "node_modules/typescript/bin/tsc", *options, "ask.ts"], service, typescript)
    printed = run(["node", "ask.js"], service, typescript)
    assert "m3: escalate_now because of " in printed and "tell the customer: " in printed
