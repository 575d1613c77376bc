"""From conversations to a registered champion and back, and to a folder of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from handoff.errors import NotEnoughData
from handoff.files import digest
from handoff.models import EscalationModel, champion, load, load_champion, read_manifest
from handoff.simulate import simulate
from handoff.training.evaluate import evaluate
from handoff.training.report import EscalationReport
from handoff.training.train import Settings, Trained, train_escalation
from handoff.transcript import Conversation, to_json

CONVERSATIONS, SEED = 600, 21


@pytest.fixture(scope="module")
def chats() -> list[Conversation]:
    return list(simulate(CONVERSATIONS, SEED))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of its own for runs and models, away from what the developer has."""
    folder = tmp_path_factory.mktemp("training")
    before = os.environ.get("HANDOFF_MLFLOW_URI")
    os.environ["HANDOFF_MLFLOW_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    yield folder
    if before is None:
        del os.environ["HANDOFF_MLFLOW_URI"]
    else:
        os.environ["HANDOFF_MLFLOW_URI"] = before


@pytest.fixture(scope="module")
def first(home: Path, chats: list[Conversation]) -> Trained:
    return train_escalation(iter(chats), Settings(home / "models"))


def test_the_first_version_serves(home: Path, first: Trained) -> None:
    assert (first.label, first.registered, first.promoted) == ("escalation/1", "1", True)
    served = champion("escalation", home / "models")
    assert served is not None
    assert served.manifest_sha256 == digest(home / "models" / "escalation" / "1" / "manifest.json")
    assert load_champion("escalation", home / "models").label == "escalation/1"
    assert not [p for p in (home / "models" / "escalation").iterdir() if p.name.startswith(".new")]


def test_it_beats_the_trivial_policies_on_customers_that_it_has_not_seen(first: Trained) -> None:
    report = first.report
    assert isinstance(report, EscalationReport)
    ours = report.model["log_loss"].value
    assert ours is not None
    # Not "the AI's last confidence": from six hundred simulated conversations that is hard to beat.
    for policy in ("always the base rate", "messages so far"):
        assert ours < 0.9 * (report.trivial[policy]["log_loss"].value or 0)
    assert first.suspicious == {}
    assert {part.value for part in report.by_role} == {"customer", "assistant"}


def test_the_run_holds_what_a_reader_needs(home: Path, first: Trained) -> None:
    from handoff.training.tracking import _mlflow

    with _mlflow() as mlflow:
        client = mlflow.MlflowClient()
        run = client.get_run(first.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params["target"] == "escalated"
        assert run.data.tags["data_fingerprint"] == read_manifest(Path(first.folder)).data.fingerprint
        assert run.data.metrics["test.auroc"] == pytest.approx(first.report.model["auroc"].value)  # type: ignore[union-attr]
        assert any(name.startswith("slice.plan.") for name in run.data.metrics)
        found = {file.path for file in client.list_artifacts(first.run_id)} | {
            file.path for file in client.list_artifacts(first.run_id, "plots")
        }
        plots = {f"plots/{name}.png" for name in ("calibration", "precision_recall", "importance", "confusion", "cost")}
        assert {"card.md", "report.json", "costs.json", *plots} <= found
        assert len(client.get_metric_history(first.run_id, "cost_per_100")) >= 20
        assert client.get_model_version_by_alias("escalation", "champion").version in (1, "1")


def test_mlflow_serves_what_the_folder_serves_without_a_pickle(
    home: Path, first: Trained, chats: list[Conversation]
) -> None:
    import pandas as pd

    from handoff.features import follow
    from handoff.training.tracking import _mlflow

    asked = [msgspec.structs.replace(chat, outcome=None) for chat in chats[:5]]
    with _mlflow() as mlflow:
        stored = mlflow.pyfunc.load_model("models:/escalation@champion")
        answers = stored.predict(pd.DataFrame({"conversation": [to_json(chat).decode() for chat in asked]}))
        signature = stored.metadata.signature
    model = load(Path(first.folder))
    assert isinstance(model, EscalationModel)
    assert answers["probability"].tolist() == pytest.approx(
        model.probabilities([list(follow(c))[-1] for c in asked]).tolist()
    )
    assert signature.inputs.input_names() == ["conversation"]
    assert not [p for p in (home / "mlartifacts").rglob("*") if p.suffix in (".pkl", ".pickle", ".joblib")]
    sys.modules.pop("pyfunc_escalation", None)


def test_evaluating_the_same_data_scores_the_test_side_only(first: Trained, chats: list[Conversation]) -> None:
    again = evaluate(load(Path(first.folder)), chats, seed=7).report
    assert isinstance(again, EscalationReport) and isinstance(first.report, EscalationReport)
    assert again.model == first.report.model
    assert again.conversations < 0.4 * CONVERSATIONS
    other = evaluate(load(Path(first.folder)), simulate(150, SEED + 1), seed=7).report
    assert isinstance(other, EscalationReport)
    assert other.scored_on.startswith("conversations other than those it was trained on;")


def test_evaluating_grown_data_scores_nobody_it_learnt_from(first: Trained, chats: list[Conversation]) -> None:
    model = load(Path(first.folder))
    named = ((f"new-{chat.conversation_id}", chat) for chat in simulate(150, SEED + 1))
    new = [msgspec.structs.replace(chat, conversation_id=name) for name, chat in named]
    grown = evaluate(model, [*chats[1:], *new], seed=7)
    held = {source.conversation_id for source in evaluate(model, chats, 7).scored}
    learnt = {chat.conversation_id for chat in chats} - held
    scored = {source.conversation_id for source in grown.scored}
    assert learnt
    assert not learnt & scored
    assert {source.conversation_id for source in evaluate(model, new, 7).scored} <= scored
    assert "that it learnt from" in grown.report.scored_on


def test_evaluating_what_it_learnt_from_alone_is_refused(first: Trained, chats: list[Conversation]) -> None:
    model = load(Path(first.folder))
    kept = {source.conversation_id for source in evaluate(model, chats, 7).scored}
    with pytest.raises(NotEnoughData, match="left out since the model learnt from them"):
        evaluate(model, [chat for chat in chats if chat.conversation_id not in kept], 7)


def test_the_next_version_waits_to_be_promoted(home: Path, first: Trained, chats: list[Conversation]) -> None:
    second = train_escalation(chats, Settings(home / "models", target="needed_human", within=6))
    assert (second.label, second.registered, second.promoted) == ("escalation/2", "2", False)
    assert load_champion("escalation", home / "models").label == "escalation/1"
    assert read_manifest(Path(second.folder)).within == 6


def test_a_folder_of_its_own_is_not_registered(home: Path, first: Trained, chats: list[Conversation]) -> None:
    aside = train_escalation(chats, Settings(home / "models", out=home / "aside"))
    assert (aside.registered, aside.promoted, Path(aside.folder)) == (None, False, home / "aside")
    assert load(home / "aside").label == "escalation/aside"
    # Trained from the same data with the same seed it is the same model.
    assert (home / "aside" / "model.txt").read_bytes() == (Path(first.folder) / "model.txt").read_bytes()


def test_a_folder_with_other_files_is_left_alone(home: Path, chats: list[Conversation]) -> None:
    from handoff.errors import BadInput

    (home / "precious").mkdir()
    (home / "precious" / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(BadInput, match="holds other files than a trained version"):
        train_escalation(chats, Settings(home / "models", out=home / "precious"))
    assert (home / "precious" / "thesis.txt").read_text("utf-8") == "years of work"


def test_the_card_says_what_it_is(first: Trained) -> None:
    card = (Path(first.folder) / "card.md").read_text("utf-8")
    for said in ("always the base rate", "AUROC", "newest message by customer", "## Limits", "by time and customer"):
        assert said in card


def test_the_figures_are_json(first: Trained) -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(first))
    assert decoded["report"]["model"]["auroc"].keys() == {"value", "low", "high"}
