"""`handoff keys`: the key is shown once, and never again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.commands.running import app


def handoff(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["keys", *words])
    assert done.exit_code == status, done.output
    return done.output


def test_a_key_is_shown_once_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    secret = handoff("add", "chat", "--role", "predict", "--role", "feedback").splitlines()[-1]
    assert secret.startswith("handoff_")
    listed = handoff("list")
    assert "chat: predict, feedback" in listed and secret[:20] in "handoff_" + listed
    assert secret.rpartition("_")[2] not in listed + handoff("list", "--json")
    assert "revoked" in handoff("revoke", "chat")
    (shown,) = json.loads(handoff("list", "--json"))
    assert shown["revoked_at"] and "key" not in shown and "digest" not in shown
    assert (tmp_path / "handoff-keys.json").exists()


def test_json_carries_the_key(tmp_path: Path) -> None:
    file = ("--keys", str(tmp_path / "k.json"))
    made = json.loads(handoff("add", "ana", "--role", "read", "--json", *file))
    assert made["roles"] == ["read"] and made["key"].startswith(f"handoff_{made['id']}_")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("add", "chat"), 2, "--role"),
        (("add", "chat", "--role", "rule"), 2, "'predict', 'feedback', 'read', 'administer'"),
        (("revoke", "chat"), 1, "no such file of keys"),
        (("list",), 1, "handoff keys add"),
    ],
    ids=["no role", "an unknown role", "nothing to revoke", "nothing to list"],
)
def test_misuse_is_named(tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    shown = handoff(*words, "--keys", str(tmp_path / "none.json"), status=status)
    assert said in " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize(
    ("path", "said"),
    [("none", "lets the service ask for no key"), ("missing/keys.json", "there is no folder missing")],
)
def test_a_file_that_no_service_would_read_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDOFF_KEYS", path)
    assert said in " ".join(handoff("add", "chat", "--role", "read", status=2).replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
