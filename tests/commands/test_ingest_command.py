"""`handoff ingest` and `handoff validate` as a person or a scheduler calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from handoff.commands import _console
from handoff.formats import FORMATS
from tests.commands.running import app
from tests.formats.reading import FIXTURES, public

GOOD = '{"conversation_id":"c-1","messages":[{"role":"customer","text":"hi"}]}\n'
BAD = '{"conversation_id":"c-2","messages":[{"role":"bot","text":"hi"}]}\n'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    (tmp_path / "chats.jsonl").write_text(GOOD + BAD)
    return tmp_path / "chats.jsonl"


def test_rejects_are_counted_and_the_status_is_0(chats: Path, tmp_path: Path) -> None:
    result = run("ingest", chats, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "1 conversations, 1 messages from 1 file(s); 1 rejected" in result.stdout
    assert f'{chats}:2: messages[0].role: "bot"; expected one of customer' in result.stdout
    assert (tmp_path / "out" / "conversations.jsonl").read_text().count("\n") == 1


def test_json_is_for_programs(chats: Path, tmp_path: Path) -> None:
    result = run("ingest", chats, "--out", tmp_path / "out", "--json", "--as", "parquet")
    summary = json.loads(result.stdout)
    assert (summary["conversations"], summary["rejects"]) == (1, 1)
    assert summary["conversations_file"] == str(tmp_path / "out" / "conversations.parquet")
    assert summary["rejects_by_field"][0]["field"] == "messages[].role"


def test_strict_is_status_1_with_one_line_on_stderr(chats: Path, tmp_path: Path) -> None:
    result = run("ingest", chats, "--out", tmp_path / "out", "--strict")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert f"{chats}:2: messages[0].role" in result.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_usable_is_status_1_with_the_summary(chats: Path, tmp_path: Path) -> None:
    chats.write_text(BAD)
    result = run("ingest", chats, "--out", tmp_path / "out", "--json")
    assert (result.exit_code, json.loads(result.stdout)["rejects"]) == (1, 1)
    assert "nothing usable" in result.stderr


MISUSE = {
    "no source": (["ingest", "--out", "x"], "Missing argument"),
    "a source that is not there": (["ingest", "gone.jsonl", "--out", "x"], "does not exist"),
    "no out": (["ingest", "{chats}"], "--out"),
    "an unknown format": (["ingest", "{chats}", "--out", "x", "--format", "zendsk"], "did you mean 'zendesk'"),
    "csv without a map": (["ingest", "{chats}", "--out", "x", "--format", "csv"], "needs a column map"),
    "a map for another format": (["validate", "{chats}", "--map", "{chats}"], "for csv"),
    "an unknown storage": (["ingest", "{chats}", "--out", "x", "--as", "xml"], "--as"),
    "an unknown command": (["ingets"], "No such command"),
}


@pytest.mark.parametrize("arguments, complaint", MISUSE.values(), ids=MISUSE)
def test_misuse_is_status_2(chats: Path, arguments: list[str], complaint: str) -> None:
    result = run(*(argument.format(chats=chats) for argument in arguments))
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "text, status", [(GOOD, 0), (GOOD + BAD, 1), (BAD, 1), ("", 1)], ids=["all", "some", "none", "empty"]
)
def test_validate_says_by_its_status_whether_all_are_usable(chats: Path, text: str, status: int) -> None:
    chats.write_text(text)
    before = sorted(chats.parent.iterdir())
    assert run("validate", chats).exit_code == status
    assert sorted(chats.parent.iterdir()) == before


def test_validate_says_why_nothing_is_no_success(chats: Path) -> None:
    chats.write_text("")
    assert "chats.jsonl holds no conversation" in " ".join(run("validate", chats).stderr.replace("\n", "").split())


def test_validate_strict_stops_at_the_first(chats: Path) -> None:
    result = run("validate", chats, "--strict", "--json")
    assert (result.exit_code, result.stdout) == (1, "")


def test_csv_with_its_map(tmp_path: Path) -> None:
    arguments = ("--format", "csv", "--map", FIXTURES / "columns.yaml", "--out", tmp_path / "out", "--json")
    result = run("ingest", FIXTURES / "support.csv", *arguments)
    assert json.loads(result.stdout)["messages"] == 4


def test_a_bad_map_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("columns: {conversation_id: a, role: b, txt: c}")
    result = run("validate", FIXTURES / "support.csv", "--format", "csv", "--map", tmp_path / "map.yaml")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "did you mean 'text'?" in result.stderr


@pytest.mark.parametrize("command", ["ingest", "validate"])
def test_help_names_every_format_and_an_example(command: str) -> None:
    text = " ".join(run(command, "--help").stdout.replace("│", " ").split())
    assert "Example: " in text
    assert all(name in text for name in FORMATS)


def test_a_folder_of_real_dialogues(tmp_path: Path) -> None:
    result = run("ingest", public("uss"), "--format", "uss", "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["conversations"] == 3500


class _Screen:
    """Stands in for rich's bar."""

    def __init__(self) -> None:
        self.completed: list[int] = []
        self.stopped = False

    def update(self, task: int, completed: int) -> None:
        self.completed.append(completed)

    def stop(self) -> None:
        self.stopped = True


def test_a_bar_appears_only_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, now = _Screen(), iter([0.0, 1.0, 1.9, 2.1])
    bar = _console._Bar("records", 10, lambda: next(now))
    monkeypatch.setattr(bar, "_show", lambda: (screen, 0))
    bar.step()
    bar.step()
    assert screen.completed == []
    bar.step()
    bar.step()
    bar.close()
    assert (screen.completed, screen.stopped) == ([3, 4], True)


def test_no_bar_where_nobody_sees_it() -> None:
    with _console.progress("records", clock=iter([0.0, 9.0, 9.0]).__next__) as step:
        assert step is _console._nothing
