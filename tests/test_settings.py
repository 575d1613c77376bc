"""Settings from the environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handoff import settings as settings_module
from handoff.errors import BadInput
from handoff.settings import Settings, misspelt, read_settings, store_backend


def test_nothing_set_means_the_defaults() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"HANDOFF_RULES": "", "HANDOFF_MAX_BATCH": " ", "OTHER": "x"}) == Settings()


def test_everything_can_be_set(tmp_path: Path) -> None:
    given = {
        "HANDOFF_MODELS": str(tmp_path), "HANDOFF_RULES": "~/rules.yaml", "HANDOFF_POLICY": "policy",
        "HANDOFF_REQUIRE_MODEL": "Yes", "HANDOFF_MAX_BODY_BYTES": "1", "HANDOFF_MAX_BATCH_BYTES": "2",
        "HANDOFF_MAX_BATCH": "3", "HANDOFF_SUPERVISOR": "4", "HANDOFF_STORE": "postgresql://host/handoff",
        "HANDOFF_STORE_KEY": "k", "HANDOFF_KEEP_RAW_TEXT": "on", "HANDOFF_MAX_WAIT_MS": "5", "HANDOFF_SPILL": str(tmp_path / "spill"),
        "HANDOFF_CONFIDENCE": str(tmp_path / "confidence.json"),
    }  # fmt: skip
    home = Path("~/rules.yaml").expanduser()
    policy, store = Path.cwd() / "policy", "postgresql://host/handoff"
    assert read_settings(given) == Settings(
        tmp_path,
        home,
        policy,
        True,
        1,
        2,
        3,
        supervisor=4,
        store=store,
        store_key="k",
        keep_raw_text=True,
        max_wait_ms=5,
        spill=tmp_path / "spill",
        confidence=tmp_path / "confidence.json",
    )
    assert read_settings({"HANDOFF_STORE": "none"}).store is None
    assert read_settings({"HANDOFF_BATCH_PROCESSES": "0"}).batch_processes == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HANDOFF_REQUIRE_MODEL", "maybe"),
        ("HANDOFF_MAX_BATCH", "0"),
        ("HANDOFF_MAX_BATCH", "-1"),
        ("HANDOFF_MAX_BATCH", "1.5"),
        ("HANDOFF_BATCH_PROCESSES", "-1"),
        ("HANDOFF_MAX_BODY_BYTES", "8 MB"),
        ("HANDOFF_MAX_BODY_BYTES", "٣"),
    ],
)
def test_a_value_that_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"{name} is '{value}'; expected"):
        read_settings({name: value})


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://user@host:port/handoff", "the port in the store's URL is no port"),
        ("postgresql://user@host:99999/handoff", "the port in the store's URL is no port"),
        ("postgresql://user:hidden@host/handoff", "needs psycopg; pip install 'handoff[postgres]'"),
    ],
)
def test_a_store_that_can_never_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, url: str, problem: str) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=re.escape(problem)) as refused:
        store_backend(url)
    assert "hidden" not in str(refused.value)


def test_a_name_that_is_nearly_a_setting_is_found() -> None:
    made_up = {"HANDOFF_PORT": "tcp://10.0.0.1:80", "HANDOFF_SERVICE_HOST": "10.0.0.1", "HANDOFF_PORT_3000_TCP": "x"}
    others = {"HANDOFF_URL": "x", "HANDOFF_API_KEY": "x", "HANDOFF_ENCODER": "static", "HANDOFF_MLFLOW_URI": "x"}
    right = {"HANDOFF_MAX_BATCH": "5", "PATH": "/bin"}
    assert misspelt(made_up | others | right) == []
    assert misspelt({"HANDOFF_MAX_BATHC": "5", "HANDOFF_STORE_KEYS": "x"}) == [
        ("HANDOFF_MAX_BATHC", "HANDOFF_MAX_BATCH"),
        ("HANDOFF_STORE_KEYS", "HANDOFF_STORE_KEY"),
    ]


def test_every_setting_is_documented() -> None:
    for field in Settings.__dataclass_fields__:
        assert f"HANDOFF_{field.upper()}" in (settings_module.__doc__ or "")
