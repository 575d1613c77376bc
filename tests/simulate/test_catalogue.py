"""The files of the simulated world: they hold together, and mistakes in them are named with their place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff.errors import BadPolicy
from handoff.rules.reasons import REASONS
from handoff.simulate import catalogue
from handoff.simulate.catalogue import load_world
from handoff.simulate.people import LOCALES, draw_persona


@pytest.fixture
def world_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the world's files that a test may spoil."""
    copy = tmp_path / "world"
    shutil.copytree(catalogue.WORLD, copy)
    monkeypatch.setattr(catalogue, "WORLD", copy)
    yield copy


def test_the_shipped_world_is_sound() -> None:
    world = load_world()
    assert set(world.speeches) == set(LOCALES)
    for speech in world.speeches.values():
        assert {issue.record.reason for issue in speech.issues} <= set(REASONS)
        assert any(issue.topic == "howto" for issue in speech.issues)


def test_issue_ids_are_unique_within_a_language() -> None:
    for speech in load_world().speeches.values():
        ids = [issue.id for issue in speech.issues]
        assert len(ids) == len(set(ids))


def test_every_team_and_language_has_an_agent() -> None:
    agents = load_world().agents
    assert all(any(locale in agent.speaks for agent in agents) for locale in LOCALES)


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("en/topic_howto.yaml", "{weekday}", "{wekday}", r"nothing fills \{wekday\}; did you mean 'weekday'"),
        ("en/topic_howto.yaml", "team: general", "team: generel", "unknown team 'generel'; did you mean 'general'"),
        ("es/topic_mixed.yaml", "id: howto.", "id: howtoo.", "unknown topic 'howtoo'; did you mean 'howto'"),
        ("en/topic_legal.yaml", "weight: 1.4", "wieght: 1.4", r"issue 'privacy_request'.*wieght"),
        ("en/topic_legal.yaml", "    fixes:", "    fixed:", "no phrases for 'fixes'"),
        ("en/agent.yaml", "g_greet:", "ask_human:", "'ask_human' is also in another file"),
        ("de/phrases.yaml", "a_close:", "a_closed:", "no phrases for 'a_close', which English has"),
        ("facts.yaml", "colleague: [Jo,", "colleague: [[Jo],", "'colleague' must be a list of texts"),
        ("moods.yaml", "frustration: 0.06", "frustration: little", r"moods.yaml: Expected `float`"),
        ("en/customer.yaml", '"{fail_lead}{fails}"', '"{fail_lead}[{fails}"', "'fail'.*never closed"),
        ("assistant.yaml", "howto:", "howto: [", "assistant.yaml: not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(world_copy: Path, file: str, old: str, new: str, problem: str) -> None:
    spoil(world_copy / file, old, new)
    with pytest.raises(BadPolicy, match=problem):
        load_world.__wrapped__()


def test_a_persona_is_the_same_for_the_same_draw() -> None:
    from random import Random

    world = load_world()
    assert draw_persona(Random(1), "u-4", world) == draw_persona(Random(1), "u-4", world)
