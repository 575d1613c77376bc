"""Loading, replacing and doing without models, in process."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handoff.decision import Judge
from handoff.errors import BadModel, BadPolicy, BadRecord
from handoff.models import promote, rollback
from handoff.settings import Settings
from handoff.transcript import from_object
from serving.current import WORTH_IT, Ask, CurrentJudge
from tests.serving.conversations import CALM, DISPUTE
from tests.serving.running import add_version, copy_models


@pytest.fixture
def models(trained_models: Path, tmp_path: Path) -> Path:
    """A copy of the trained models, to damage."""
    return copy_models(trained_models, tmp_path / "models")


def loaded(models: Path, **settings: Any) -> CurrentJudge:
    """As a service that starts over `models`."""
    current = CurrentJudge(Settings(models=models, **settings))
    current.refresh()
    return current


def labels(current: CurrentJudge) -> tuple[str | None, str | None]:
    return current.judge.versions.model, current.judge.versions.routing


def problems(current: CurrentJudge) -> dict[str, str]:
    return {trouble.part: trouble.problem for trouble in current.status(1).problems}


def test_both_champions_are_loaded(models: Path) -> None:
    current = loaded(models)
    assert labels(current) == ("escalation/1", "routing/1")
    assert problems(current) == {}
    assert current.status(1).mode == "model_and_rules"


def remove_model(models: Path) -> None:
    (models / "escalation" / "1" / "model.txt").unlink()


def cut_model(models: Path) -> None:
    file = models / "escalation" / "1" / "model.txt"
    file.write_bytes(file.read_bytes()[:1000])


def change_model(models: Path) -> None:
    file = models / "escalation" / "1" / "model.txt"
    file.write_bytes(file.read_bytes().replace(b"shrinkage=0.0", b"shrinkage=0.1").replace(b"leaf", b"LEAF", 1))


def change_manifest(models: Path) -> None:
    file = models / "escalation" / "1" / "manifest.json"
    file.write_bytes(file.read_bytes() + b" ")


def break_champion(models: Path) -> None:
    (models / "escalation" / "champion").write_bytes(b"7\n")


def remove_champion(models: Path) -> None:
    (models / "escalation" / "champion").unlink()


def remove_folder(models: Path) -> None:
    (models / "escalation" / "1").rename(models / "elsewhere")


def make_champion_a_folder(models: Path) -> None:
    (models / "escalation" / "champion").unlink()
    (models / "escalation" / "champion").mkdir()


DAMAGE: dict[Callable[[Path], None], str] = {
    remove_model: "model.txt: missing",
    cut_model: "model.txt: changed since it was written",
    change_model: "model.txt: changed since it was written",
    change_manifest: "manifest.json: changed since it was promoted",
    break_champion: "champion: cannot be read",
    remove_champion: "no champion; run 'handoff train escalation'",
    remove_folder: "no version '1'",
    make_champion_a_folder: "no champion",
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_started_over_a_damaged_model_the_rules_answer(models: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(models)
    current = loaded(models)
    assert labels(current) == (None, "routing/1")
    assert said in problems(current)["escalation"]
    assert current.status(1).mode == "rules_only"
    answer = current.answer(from_object(DISPUTE))
    assert answer.mode == "rules_only"
    assert answer.recommendation.action == "escalate_now"
    assert current.is_ready()


@pytest.mark.parametrize("damage", [remove_model, change_model, break_champion, remove_champion])
def test_damage_while_it_serves_changes_nothing_but_the_status(models: Path, damage: Callable[[Path], None]) -> None:
    current = loaded(models)
    damage(models)
    os.utime(models / "escalation", (1, 1))
    current._stamps.clear()  # as if the champion file had been written anew
    current.refresh()
    assert labels(current) == ("escalation/1", "routing/1")
    (trouble,) = current.status(1).problems
    assert (trouble.part, trouble.serving) == ("escalation", "escalation/1")


def test_without_the_encoder_only_routing_is_lost(models: Path) -> None:
    (models / "encoders").unlink()
    current = loaded(models)
    assert labels(current) == ("escalation/1", None)
    assert "its encoder" in problems(current)["routing"]


def test_an_error_that_nobody_foresaw_costs_the_model_and_not_the_service(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, root: Path) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("serving.current.load_champion", fail)
    current = loaded(models)
    assert labels(current) == (None, None)
    assert "cannot be loaded (MemoryError: no room)" in problems(current)["escalation"]


def test_nothing_is_loaded_twice(models: Path) -> None:
    current = loaded(models)
    judge = current.judge
    assert current.changed() == {}
    assert not current.refresh()
    assert current.judge is judge


def test_a_promoted_version_takes_over_and_can_be_taken_back(models: Path) -> None:
    current = loaded(models)
    add_version(models, "2")
    assert current.changed() == {}, "a version that is not promoted is none of the service's business"
    promote("escalation", "2", models)
    assert current.refresh()
    assert labels(current) == ("escalation/2", "routing/1")
    rollback("escalation", models)
    assert current.refresh()
    assert labels(current) == ("escalation/1", "routing/1")


def test_a_refused_version_leaves_the_old_one_until_a_good_one_comes(models: Path) -> None:
    current = loaded(models)
    folder = add_version(models, "2")
    promote("escalation", "2", models)
    (folder / "model.txt").write_bytes(b"tree\n")
    current.refresh()
    assert labels(current)[0] == "escalation/1"
    (trouble,) = current.status(1).problems
    assert "escalation/2/model.txt: changed" in trouble.problem
    assert trouble.serving == "escalation/1"
    add_version(models, "3")
    promote("escalation", "3", models)
    current.refresh()
    assert labels(current)[0] == "escalation/3"
    assert problems(current) == {}


def test_models_that_come_later_are_taken_up(models: Path, tmp_path: Path) -> None:
    current = loaded(tmp_path / "later")
    assert labels(current) == (None, None)
    models.rename(tmp_path / "later")
    current.refresh()
    assert labels(current) == ("escalation/1", "routing/1")
    assert problems(current) == {}


def test_a_problem_keeps_the_time_when_it_began(tmp_path: Path) -> None:
    times = iter(datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=i) for i in range(100))
    current = CurrentJudge(Settings(models=tmp_path), clock=lambda: next(times))
    current.refresh()
    first = current.status(1).problems
    current._stamps.clear()
    current.refresh()
    assert current.status(1).problems == first


class Broken:
    """A model that fails on every conversation."""

    label = "escalation/9"
    quoted = "division by ana@example.org"

    def probabilities(self, moments: Any) -> Any:
        raise ZeroDivisionError(self.quoted)


def with_a_broken_model(**settings: Any) -> CurrentJudge:
    current = CurrentJudge(Settings(models=Path("none"), **settings))
    rules = current.judge
    current.judge = Judge(rules.rules, rules.policy, escalation=Broken())  # type: ignore[arg-type]
    return current


def test_a_conversation_that_a_model_fails_on_is_answered_by_the_rules(caplog: pytest.LogCaptureFixture) -> None:
    current = with_a_broken_model()
    with caplog.at_level(logging.INFO, "bentoml.handoff"):
        answer = current.answer(from_object(DISPUTE), request_id="r")
    assert (answer.mode, answer.recommendation.action, answer.request_id) == ("rules_only", "escalate_now", "r")
    assert "ZeroDivisionError in probabilities" in problems(current)["scoring"]
    assert "ZeroDivisionError" in caplog.text
    assert "ana@example.org" not in caplog.text + problems(current)["scoring"]


def poisoned(current: CurrentJudge) -> dict[str, Any]:
    """A conversation on which the escalation model fails from now on, which is itself on all others."""
    model = current.judge.escalation

    class Poisoned:
        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def probabilities(self, moments: Any) -> Any:
            if any("poison" in moment.message.text for moment in moments):
                raise ZeroDivisionError
            return model.probabilities(moments)  # type: ignore[union-attr]

    current.judge = dataclasses.replace(current.judge, escalation=Poisoned())  # type: ignore[arg-type]
    return CALM | {"messages": [{"role": "customer", "text": "poison"}]}


def test_in_a_batch_only_what_a_model_fails_on_is_answered_by_the_rules(models: Path) -> None:
    current = loaded(models)
    chats = [from_object(chat) for chat in (CALM, poisoned(current), DISPUTE, *(CALM,) * WORTH_IT)]
    decided = current.decide(chats, current.judge)
    modes = [each.answer.mode for each in decided]
    assert modes == ["model_and_rules", "rules_only", *("model_and_rules",) * (1 + WORTH_IT)]
    assert [each.answer for each in current.decide(chats[2:], current.judge)] == [each.answer for each in decided[2:]]
    assert "scoring" in problems(current)


def test_those_asked_together_are_answered_as_alone_whatever_is_wrong_with_the_others(models: Path) -> None:
    current = loaded(models)
    chats = [from_object(chat) for chat in (CALM, poisoned(current), DISPUTE)]
    asks = [Ask(lambda chat=chat: chat, True, f"r-{place}") for place, chat in enumerate(chats)]
    refused = Ask(lambda: from_object({"messages": 7}))
    together = current.decide_each([*asks, refused])
    assert isinstance(together[3], BadRecord)
    told = [each.answer for each in together if not isinstance(each, Exception)]
    assert [each.mode for each in told] == ["model_and_rules", "rules_only", "model_and_rules"]
    assert told == [current.answer(chat, explain=True, request_id=f"r-{place}") for place, chat in enumerate(chats)]


@pytest.mark.parametrize("joint", ["learn", "standings"])
def test_where_the_joint_way_fails_each_is_answered_alone_and_the_log_says_so_once(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, joint: str
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ana@example.org")

    current = loaded(models)
    monkeypatch.setattr(f"serving.current.{joint}", broken)
    chats = [from_object(chat) for chat in (CALM, DISPUTE)] * WORTH_IT
    alone = [current.answer(chat) for chat in chats]
    for _ in range(2):
        if joint == "learn":
            decided = current.decide_each([Ask(lambda chat=chat: chat) for chat in chats])
        else:
            decided = list(current.decide(chats, current.judge))
        assert [each.answer for each in decided if not isinstance(each, Exception)] == alone
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "one by one: KeyError in broken" in said and "ana" not in said


def test_a_batch_is_answered_as_one_by_one_from_two_calls_of_the_model(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current, calls = loaded(models), list[int]()
    model = current.judge.escalation
    assert model is not None
    ask = model.probabilities
    monkeypatch.setattr(model, "probabilities", lambda moments: calls.append(len(moments)) or ask(moments))
    chats = [from_object(chat) for chat in (CALM, DISPUTE)] * WORTH_IT
    together = [each.answer for each in current.decide(chats, current.judge, explain=True)]
    assert 1 <= len(calls) <= 2
    assert together == [current.answer(chat, explain=True) for chat in chats]


def test_a_model_that_fails_is_seen_by_the_readiness_check_every_time(models: Path) -> None:
    current = loaded(models, require_model=True)
    assert current.is_ready()
    current.judge = dataclasses.replace(current.judge, escalation=Broken())  # type: ignore[arg-type]
    assert not current.is_ready()


@pytest.mark.parametrize("require_model", [False, True])
def test_ready_without_a_model_unless_one_is_required(tmp_path: Path, require_model: bool) -> None:
    assert loaded(tmp_path, require_model=require_model).is_ready() is not require_model
    assert with_a_broken_model(require_model=require_model).is_ready() is not require_model


def test_ready_with_a_required_model(models: Path) -> None:
    assert loaded(models, require_model=True).is_ready()


def test_not_ready_when_nothing_can_be_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    current = loaded(tmp_path)
    monkeypatch.setattr(Judge, "conclude", fail)
    assert not current.is_ready()


def test_a_batch_is_answered_by_one_judge(models: Path) -> None:
    current = loaded(models)
    add_version(models, "2")
    promote("escalation", "2", models)

    class Promoting(list[Any]):
        """A batch in the middle of which a version is promoted."""

        def __iter__(self) -> Any:
            yield from_object(CALM)
            current.refresh()
            yield from (from_object(CALM) for _ in range(WORTH_IT))

    assert {each.answer.versions.model for each in current.decide(Promoting(), current.judge)} == {"escalation/1"}
    assert current.answer(from_object(CALM)).versions.model == "escalation/2"


def test_rules_that_do_not_hold_stop_the_service(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: [{id: a}]", "utf-8")
    with pytest.raises(BadPolicy, match="rule 'a'"):
        CurrentJudge(Settings(models=tmp_path, rules=tmp_path / "rules.yaml"))


def test_a_damaged_version_cannot_be_promoted(models: Path) -> None:
    (add_version(models, "2") / "model.txt").write_bytes(b"tree\n")
    with pytest.raises(BadModel, match="changed"):
        promote("escalation", "2", models)
