"""From the store back to training: what is exported is what was sent, and reads like any other transcript."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from handoff.formats import NativeWriter, read_conversations
from handoff.simulate import simulate
from handoff.store import Facts, Feedback, LiveConversations, Store
from handoff.store import store as store_module
from handoff.store.transcripts import Transcripts
from handoff.training.feature_file import feature_frame
from handoff.transcript import Conversation, Customer, Outcome
from handoff.transcript.redact import redact
from tests.commands.running import run
from tests.store.conftest import Open
from tests.store.talk import JUDGE, RULES_ONLY, facts_of, said, talks

FORMATS = pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.parquet"])
RESOLVED = Outcome(escalated=False, resolved=True)


def send(store: Store, conversation: Conversation) -> None:
    """By message, as a chat backend does."""
    live = LiveConversations(store, JUDGE)
    for message in conversation.messages:
        live.add(conversation.conversation_id, message, facts_of(conversation))


def report(store: Store, conversation_id: str, outcome: Outcome) -> None:
    store.record_outcome(Feedback(conversation_id=conversation_id, outcome=outcome))


def unlabelled(conversation: Conversation) -> Conversation:
    """Without names, labels, and what a whole conversation alone can carry."""
    messages = tuple(msgspec.structs.replace(message, label=None) for message in conversation.messages)
    return msgspec.structs.replace(conversation, messages=messages, satisfaction=None, satisfaction_at=None)


@FORMATS
def test_what_was_sent_comes_back_with_its_outcome(store: Store, tmp_path: Path, name: str) -> None:
    sent = [unlabelled(c) for c in simulate(12, 5)]
    for conversation in sent:
        send(store, conversation)
        assert conversation.outcome is not None
        report(store, conversation.conversation_id, conversation.outcome)
    steps: list[None] = []
    out = tmp_path / "made" / name
    found = store.export_conversations(out, step=lambda: steps.append(None))
    assert found == Transcripts(with_outcome=12) and len(steps) == found.conversations == 12
    back = list(read_conversations(out))
    assert [c.outcome for c in back] == [c.outcome for c in sent]
    assert back == [store.with_outcome(c.conversation_id) for c in sent]
    assert [JUDGE.answer(c) for c in back] == [JUDGE.answer(c) for c in sent]
    assert list(out.parent.glob(".*")) == []


def test_training_sees_the_same_rows(store: Store, tmp_path: Path) -> None:
    sent = [unlabelled(c) for c in simulate(8, 6)]
    for conversation in sent:
        send(store, conversation)
        assert conversation.outcome is not None
        report(store, conversation.conversation_id, conversation.outcome)
    store.export_conversations(tmp_path / "x.jsonl")
    back = feature_frame(read_conversations(tmp_path / "x.jsonl"))
    with NativeWriter(tmp_path / "sent.jsonl") as file:
        for conversation in sent:
            file.write(conversation)
    assert back.equals(feature_frame(read_conversations(tmp_path / "sent.jsonl")))
    assert back["y_escalated"].notna().any()


def test_messages_out_of_order_come_back_in_their_places(store: Store, tmp_path: Path) -> None:
    (conversation,) = talks(1, 22)
    send(store, msgspec.structs.replace(conversation, messages=conversation.messages[::-1]))
    store.export_conversations(tmp_path / "x.jsonl", unfinished=True)
    (back,) = read_conversations(tmp_path / "x.jsonl")
    assert back.messages == redact(conversation).messages


def test_an_end_that_nobody_knows_is_no_label(store: Store, tmp_path: Path) -> None:
    store.append_message("reported", said("Thanks, bye", 1))
    report(store, "reported", RESOLVED)
    store.append_message("taken over", said("I want a human", 1))
    store.append_message("taken over", said("Kim here", 2, "agent"))
    store.append_message("going on", said("Hello", 1))
    store.record_outcome(Feedback(conversation_id="going on", agree=True))
    out = tmp_path / "x.jsonl"
    assert store.export_conversations(out) == Transcripts(with_outcome=1, without_outcome=1, unfinished=1)
    assert [c.conversation_id for c in read_conversations(out)] == ["reported", "taken over"]
    assert store.export_conversations(out, unfinished=True) == Transcripts(with_outcome=1, without_outcome=2)
    assert [c.outcome for c in read_conversations(out)] == [RESOLVED, None, None]


def test_reports_of_one_end_are_put_together(store: Store, tmp_path: Path) -> None:
    store.append_message("c-1", said("I want a human", 1))
    report(store, "c-1", Outcome(escalated=True, team="sales"))
    report(store, "c-1", Outcome(team="billing"))
    report(store, "c-1", Outcome(resolved=True, satisfaction=4.0))
    store.export_conversations(tmp_path / "x.jsonl")
    (back,) = read_conversations(tmp_path / "x.jsonl")
    assert back.outcome == Outcome(escalated=True, team="billing", resolved=True, satisfaction=4.0)


def test_what_no_reader_takes_is_left_out(store: Store, tmp_path: Path) -> None:
    store.append_message("long", said("a@b.co " * 14_000, 1))
    store.append_message("short", said("Hello", 1))
    found = store.export_conversations(tmp_path / "x.jsonl", unfinished=True)
    assert found == Transcripts(without_outcome=1, unusable=1)
    assert [c.conversation_id for c in read_conversations(tmp_path / "x.jsonl")] == ["short"]


@pytest.mark.parametrize("secret", [None, "a secret"])
def test_masked_stays_masked_and_joins(url: str, stores: Open, tmp_path: Path, secret: str | None) -> None:
    store = stores(url, secret=secret, keep_raw_text=True)
    customer = Customer(customer_id="ana@example.org", name="Anatolia Belmonte")
    for number in ("1", "2"):
        store.append_message(
            f"ana@example.org/{number}", said("Belmonte, ana@example.org", 1), Facts(customer=customer)
        )
    store.export_conversations(tmp_path / "x.jsonl", unfinished=True)
    back = list(read_conversations(tmp_path / "x.jsonl"))
    assert len({c.conversation_id for c in back}) == 2
    assert len({c.facts.customer_id for c in back}) == 1
    assert {(c.facts.name, c.messages[0].text) for c in back} == {("[name]", "[name], [email]")}
    written = (tmp_path / "x.jsonl").read_text("utf-8")
    assert "ana@" not in written and "Belmonte" not in written


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [(None, None, [0, 1, 2]), (1, None, [1, 2]), (None, 1, [0]), (1, 2, [1]), (3, None, [])],
    ids=["all", "from a time on, which counts", "before a time, which does not", "between", "none at all"],
)
def test_a_stretch_of_time(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    since: int | None,
    until: int | None,
    hours: list[int],
) -> None:
    monkeypatch.setattr(store_module, "IDS_A_PAGE", 2)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    for hour in range(3):
        monkeypatch.setattr(store, "clock", lambda hour=hour: start + timedelta(hours=hour))
        for twin in "ab":
            store.append_message(f"c-{hour}{twin}", said("Hello", 1))
    begin, end = (None if h is None else start + timedelta(hours=h) for h in (since, until))
    found = [c.conversation_id for c in store.conversations(begin, end)]
    assert found == [f"c-{hour}{twin}" for hour in hours for twin in "ab"]


def test_a_failure_leaves_the_old_file(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append_message("c-1", said("Hello", 1))
    (tmp_path / "x.jsonl").write_text("old", "utf-8")

    def fails() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        store.export_conversations(tmp_path / "x.jsonl", unfinished=True, step=fails)
    assert (tmp_path / "x.jsonl").read_text("utf-8") == "old"
    assert [path for path in tmp_path.glob(".*")] == []


def test_the_command_says_how_many_have_an_outcome(url: str, stores: Open, tmp_path: Path) -> None:
    store, out = stores(url), tmp_path / "x.jsonl"
    for number in range(3):
        store.append_message(f"c-{number}", said("Hello", 1))
    report(store, "c-1", RESOLVED)
    done = run("export", "conversations", "--out", out, "--since", "2026-01-01", HANDOFF_STORE=url, columns=200)
    assert (done.exit_code, done.stdout.splitlines()) == (0, [
        f"1 conversations: {out}",
        "  1 with an outcome, 0 without",
        "  2 left out, of which nobody knows the end yet (--unfinished writes them)",
    ])  # fmt: skip
    assert run("validate", out).exit_code == 0
    done = run("export", "conversations", "--out", out, "--unfinished", "--store", url, "--json")
    assert json.loads(done.stdout) == {
        "conversations": 3, "with_outcome": 1, "without_outcome": 2, "left_out": 0, "unusable": 0, "file": str(out),
    }  # fmt: skip
    answers = run("predict", out)
    assert answers.exit_code == 0
    assert (
        json.loads(answers.stdout.splitlines()[0])["recommendation"]["action"]
        == RULES_ONLY.answer(next(read_conversations(out))).recommendation.action
    )
    assert run("export", "conversations", "--out", out, "--until", "2026-01-01", HANDOFF_STORE=url).exit_code == 0
    assert (out.read_text("utf-8"), out.stat().st_mode & 0o077) == ("", 0)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--out", "x.csv"), 2, "x.csv ends in none of .jsonl, .jsonl.gz, .parquet"),
        (("--out", "x.jsonl", "--until", "tomorrow"), 2, "'tomorrow' is no time"),
        (("--out", "x.jsonl", "--since", "2026-03-03", "--until", "2026-03-02"), 2, "exchange them"),
        (("--out", "x.jsonl", "--store", "sqlite:///no-such.sqlite"), 1, "there is no store at no-such.sqlite"),
        (("--out", "x.jsonl"), 1, "HANDOFF_STORE is none"),
    ],
    ids=["no native format", "no time", "the wrong way round", "no store", "switched off"],
)
def test_misuse_is_said_and_makes_nothing(
    arguments: tuple[str, ...], status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("export", "conversations", *arguments, HANDOFF_STORE="none", columns=200)
    assert (done.exit_code, list(tmp_path.iterdir())) == (status, [])
    assert words in done.stderr
