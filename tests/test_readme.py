"""What README and docs say holds: tables, links, examples, and every command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
import yaml

from handoff.commands.tables import filled
from handoff.decision import Answer, EscalationAnswer, Judge, RuleAnswer, Versions
from handoff.errors import BadRecord
from handoff.explanation import Indicator
from handoff.features import table
from handoff.policy import ACTIONS, Decision, Routing, load_policy
from handoff.policy.settings import Team
from handoff.rules import load_rules
from handoff.simulate import simulate
from handoff.simulate.store import write
from handoff.transcript import Conversation, Customer, Environment, Event, Message, Outcome, parse
from tests.commands.running import app

ROOT = Path(__file__).parents[1]
README, WIRE_FORMAT = ROOT / "README.md", ROOT / "docs" / "wire-format.md"
NOT_OURS = {".venv", ".git", "data/raw", "data/processed", "data/sample", "models"}
PAGES = [
    page
    for page in sorted(ROOT.rglob("*.md"))
    if not any((ROOT / folder) in page.parents for folder in NOT_OURS) and ".egg-info" not in str(page)
]
CONVERSATIONS, SEED = 700, 11

# Commands that are not run here, each with the reason.
NOT_RUN = {
    "make": "would install and call these tests",
    "python3 -m venv": "installs",
    ".venv/bin/python -m pip": "installs",
    "handoff serve": "runs until it is stopped; tests/serving and make demo start it",
    "curl": "asks that service; the answer below it is compared with the library's",
    "mlflow ui": "runs until it is stopped",
    "python pipelines/train_escalation.py": "tests/pipelines runs it",
    "python pipelines/train_routing.py": "tests/pipelines runs it",
}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def console_lines(page: Path) -> list[str]:
    """What a reader is told to type."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def is_run(line: str) -> bool:
    return not any(line == start or line.startswith(start + " ") for start in NOT_RUN)


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Links to files or headings that are not there. Addresses elsewhere are not looked at."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (heading and heading not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    return broken


def part_of(expected: Any, found: Any) -> bool:
    """Whether all that `expected` says is so in `found`, which may say more."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(key in found and part_of(expected[key], found[key]) for key in expected)
    return bool(expected == found)


def json_of(answer: Answer) -> Any:
    """The answer as it goes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(answer))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_links_lead_somewhere(self, page: Path) -> None:
        assert broken_links(page) == []

    def test_tables_are_those_of_the_code(self, page: Path) -> None:
        text = page.read_text("utf-8")
        assert text == filled(text, page.name), "run 'make docs'"


def test_a_planted_broken_link_is_caught(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Here\n[a](gone.md) [b](#there) [c](#here) [d](https://example.org)\n", "utf-8")
    assert broken_links(tmp_path / "page.md") == ["gone.md", "#there"]


def test_a_planted_stale_table_is_caught() -> None:
    text = README.read_text("utf-8")
    stale = text.replace("| `handoff replay` |", "| `handoff rewind` |")
    assert stale != text
    assert filled(stale, "README.md") == text


def test_every_table_of_the_code_is_shown() -> None:
    from handoff.commands.tables import TABLES

    assert set(re.findall(r"<!-- table: (\w+) -->", README.read_text("utf-8"))) == set(TABLES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the project to the examples, with a smaller sample."""
    folder = tmp_path_factory.mktemp("readme")
    write(simulate(CONVERSATIONS, SEED), folder / "data" / "sample", lambda: None)
    shutil.copytree(ROOT / "data" / "samples", folder / "data" / "samples")
    for name in ("pipelines", "src"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copyfile(ROOT / "tests" / "formats" / "fixtures" / "chatwoot.json", folder / "export.json")
    (folder / "my_rules.yaml").write_text(blocks(README, "yaml")[0], "utf-8")
    return folder


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_console_examples_run(place: Path) -> None:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("HANDOFF_")}
    settings["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), settings.get("PATH", "")])
    run = [line for line in console_lines(README) if is_run(line)]
    assert len(run) > 10
    for line in run:
        done = subprocess.run(shlex.split(line), cwd=place, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("start", NOT_RUN)
def test_what_is_not_run_is_in_the_readme(start: str) -> None:
    assert any(line == start or line.startswith(start + " ") for line in console_lines(README))


def helps(group: Any, start: str = "handoff") -> dict[str, str]:
    """The help of every command under its whole name; a group's commands stand for the group."""
    found: dict[str, str] = {}
    for name, command in group.commands.items():
        whole = f"{start} {name}"
        found |= helps(command, whole) if hasattr(command, "commands") else {whole: command.help or ""}
    return found


HELPS = helps(typer.main.get_command(app))


@pytest.mark.parametrize("name", HELPS)
def test_a_commands_help_has_an_example_on_files_that_are_there(name: str, place: Path) -> None:
    (example,) = re.findall(r"Example: `([^`]*)`", HELPS[name])
    assert example.startswith(f"{name} ")
    words = shlex.split(example)
    read = [word for before, word in pairwise(words) if word.startswith("data/") and before != "--out"]
    assert [path for path in read if not (place / path).exists()] == []


def test_python_examples_print_what_the_readme_says(place: Path) -> None:
    text = README.read_text("utf-8")
    printed = []
    for code in blocks(README, "python"):
        if f"-->\n```python\n{code}" in text:
            continue  # runs in a module of its own, below
        with inside(place), contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(code, "README.md", "exec"), {})
        printed.append(output.getvalue())
    assert len(printed) == 2
    assert blocks(README, "text") == [printed[0]]


def test_the_feature_example_is_a_feature() -> None:
    ((module, code),) = re.findall(
        r"<!-- runs in ([\w.]+) -->\n```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL
    )
    assert module == table.__name__
    feature = eval(code, dict(vars(table)))
    assert isinstance(feature, table.Feature)
    assert feature.says.format(**{feature.name: 12.0}).startswith("The longest message has 12 words")


def test_the_rule_example_loads(place: Path) -> None:
    (rule,) = load_rules(place / "my_rules.yaml").rules
    assert rule.status == "trial" and rule.features == {"customer_messages", "sentiment_mean"}


def test_the_team_and_message_examples_fit_the_policy(tmp_path: Path) -> None:
    _, team, message = blocks(README, "yaml")
    shipped = ROOT / "src" / "handoff" / "policy"
    (tmp_path / "teams.yaml").write_text((shipped / "teams.yaml").read_text("utf-8") + team, "utf-8")
    messages = yaml.safe_load((shipped / "messages.yaml").read_text("utf-8")) | yaml.safe_load(message)
    (tmp_path / "messages.yaml").write_text(yaml.safe_dump(messages), "utf-8")
    policy = load_policy(tmp_path)
    assert policy.teams[-1] == msgspec.convert(yaml.safe_load(team)[0], Team)
    assert policy.messages["security"].startswith("Keeping your account safe comes first. A colleague")


def test_the_answer_shown_is_the_answer() -> None:
    (shown,) = (json.loads(block) for block in blocks(README, "json"))
    conversation = parse((ROOT / "data" / "samples" / "billing_dispute.json").read_bytes())
    answer = json_of(Judge.by_rules().answer(conversation))
    assert part_of(shown, answer)
    assert not part_of({"routing": {"team": "sales"}}, answer), "a planted mistake"


class TestWireFormat:
    @pytest.mark.parametrize(
        "kind",
        [
            Conversation, Message, Customer, Environment, Outcome,
            Answer, Versions, EscalationAnswer, Indicator, RuleAnswer, Routing, Decision,
        ],
    )  # fmt: skip
    def test_every_field_is_explained(self, kind: type[msgspec.Struct]) -> None:
        text = WIRE_FORMAT.read_text("utf-8")
        assert [name for name in kind.__struct_fields__ if f"`{name}`" not in text] == []

    def test_nothing_is_explained_that_is_not_there(self) -> None:
        kinds = (
            Conversation,
            Message,
            Customer,
            Outcome,
            Answer,
            EscalationAnswer,
            RuleAnswer,
            Routing,
            Decision,
        )
        known = {name for kind in kinds for name in kind.__struct_fields__} | set(get_args(Event))
        first_cells = re.findall(r"^\| (`[^|]*`) \|", WIRE_FORMAT.read_text("utf-8"), re.MULTILINE)
        named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
        assert named - known == set()

    @pytest.mark.parametrize("word", [*get_args(Event), *ACTIONS])
    def test_every_event_and_action_is_named(self, word: str) -> None:
        assert f"`{word}`" in WIRE_FORMAT.read_text("utf-8")

    def test_the_conversation_shown_parses_and_gets_such_an_answer(self) -> None:
        conversation, shown, _ = blocks(WIRE_FORMAT, "json")
        answer = json_of(Judge.by_rules().answer(parse(conversation)))
        by_model = json.loads(shown)
        assert part_of(by_model["recommendation"] | {"decided_by": "rule"}, answer["recommendation"])
        assert part_of(by_model["routing"], answer["routing"])
        assert set(by_model) <= set(answer) and set(by_model["escalation"]) <= set(answer["escalation"])

    def test_the_error_shown_is_the_error(self) -> None:
        bad = {"conversation_id": "c", "messages": [{"role": "customer", "text": ""}]}
        bad["messages"].append({"role": "assistant", "text": "", "confidence": 7})  # type: ignore[attr-defined]
        with pytest.raises(BadRecord) as caught:
            parse(json.dumps(bad))
        problem = caught.value.problem
        shown = json.loads(blocks(WIRE_FORMAT, "json")[2])["detail"]
        assert shown == [{"path": problem.path, "problem": problem.problem, "expected": problem.expected}]
