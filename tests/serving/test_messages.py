"""Conversations by message, the decision log and outcomes, as the chat backend meets them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow.parquet as pq
import pytest

from tests.faults.ground import postgresql_store
from tests.serving.conversations import ALL, CALM, DISPUTE, RICH, VIP
from tests.serving.running import HANDOFF, Running, clean_environment, running, until
from tests.store.talk import talks

BESIDE = ("customer", "environment", "channel", "locale")


SERVER = os.environ.get("HANDOFF_TEST_POSTGRES")


@contextmanager
def empty_store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a store that nobody has used; PostgreSQL only where a server is given."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'handoff.sqlite'}"
    elif SERVER is None:
        pytest.skip("HANDOFF_TEST_POSTGRES is not set")
    else:
        with postgresql_store(SERVER, f"handoff_kept_{os.getpid()}_{folder.name.strip('-').replace('-', '_')}") as (
            url,
            _,
        ):
            yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(
    request: pytest.FixtureRequest, trained_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Two workers over one store."""
    folder = tmp_path_factory.mktemp("kept")
    with (
        empty_store(request.param, folder) as url,
        running(trained_models, "--workers", "2", "--store", url, cwd=folder) as started,
    ):
        yield started


def put(it: Running, conversation_id: str, message: dict[str, Any], **headers: str) -> httpx.Response:
    """One message. A connection of its own each time, so that both workers get their share."""
    address = f"http://127.0.0.1:{it.port}/conversations/{conversation_id}/messages"
    return httpx.post(address, json=message, headers={"connection": "close", **headers}, timeout=60)


def one_by_one(it: Running, conversation: dict[str, Any], name: str | None = None) -> list[dict[str, Any]]:
    """The answers to its messages, the first of which brings what is known of the conversation."""
    beside = {field: conversation[field] for field in BESIDE if field in conversation}
    answers = []
    for index, message in enumerate(conversation["messages"]):
        reply = put(it, name or conversation["conversation_id"], message | (beside if index == 0 else {}))
        assert reply.status_code == 200, reply.text
        answers.append(reply.json())
    return answers


def but_for(answer: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {field: value for field, value in answer.items() if field not in ("request_id", *fields)}


def whole(it: Running, conversation: dict[str, Any], messages: int | None = None) -> dict[str, Any]:
    """What /predict says of the conversation, or of its first messages."""
    body = conversation | {"messages": conversation["messages"][:messages]}
    return but_for(it.post("/predict", body).json())


def simulated(conversations: int, seed: int) -> list[dict[str, Any]]:
    return [msgspec.json.decode(msgspec.json.encode(c)) for c in talks(conversations, seed)]


def test_messages_one_by_one_are_answered_as_the_whole(kept: Running) -> None:
    conversations = simulated(6, 41)
    for conversation in conversations:
        answers = one_by_one(kept, conversation)
        for length, answer in enumerate(answers, 1):
            assert but_for(answer) == whole(kept, conversation, length), (conversation["conversation_id"], length)
    assert sum(len(c["messages"]) for c in conversations) > 20
    assert len({put(kept, "who", {"role": "customer", "text": "hi", "message_id": "m1"}).text for _ in range(3)}) == 3


@pytest.mark.parametrize("name", ["a dispute", "a VIP", "a human owns it", "reopened", "Spanish", "confidence falls"])
def test_each_kind_is_answered_as_the_whole(kept: Running, name: str) -> None:
    conversation = ALL[name] | {"conversation_id": f"kind/{name} é"}
    assert but_for(one_by_one(kept, conversation)[-1]) == whole(kept, conversation)


def test_the_same_message_twice_changes_nothing(kept: Running) -> None:
    conversation = RICH | {"conversation_id": "twice", "satisfaction": None, "satisfaction_at": None, "as_of": None}
    first = one_by_one(kept, conversation)
    assert [but_for(a) for a in one_by_one(kept, conversation | {"customer": None, "messages": [
        m | {"message_id": f"m{i}"} for i, m in enumerate(conversation["messages"], 1)]})] == [
        but_for(a) for a in first]  # fmt: skip
    after = {"role": "customer", "text": "And?", "sent_at": "2026-03-02T14:40:00Z"}
    longer = conversation | {"messages": [*conversation["messages"], after]}
    assert but_for(put(kept, "twice", after).json()) == whole(kept, longer)


def test_the_same_key_twice_is_one_message(kept: Running) -> None:
    message = {"role": "customer", "text": "Hello?"}
    replies = [put(kept, "keyed", message, **{"Idempotency-Key": "k-1"}) for _ in range(3)]
    assert len({msgspec.json.encode(but_for(reply.json())) for reply in replies}) == 1
    answer = put(kept, "keyed", {"role": "customer", "text": "I want a refund"}).json()
    assert [rule["message_id"] for rule in answer["rules"]][:1] == ["m2"]


@pytest.mark.parametrize(
    ("message", "headers", "path"),
    [
        ({"message_id": "m1", "text": "Something else"}, {}, "message_id"),
        ({"text": "Something else"}, {"Idempotency-Key": "k-1"}, "idempotency-key"),
    ],
    ids=["the same id", "the same key"],
)
def test_another_message_under_the_same_name_is_a_conflict(
    kept: Running, message: dict[str, Any], headers: dict[str, str], path: str
) -> None:
    assert put(kept, f"clash-{path}", {"role": "customer", "text": "Hi", "message_id": "m1"},
               **{"Idempotency-Key": "k-1"}).status_code == 200  # fmt: skip
    reply = put(kept, f"clash-{path}", {"role": "customer"} | message, **headers)
    assert reply.status_code == 409
    assert [problem["path"] for problem in reply.json()["detail"]] == [path]


def test_messages_out_of_order_end_as_in_order(kept: Running) -> None:
    conversation = CALM | {"conversation_id": "shuffled"}
    messages = [m | {"message_id": f"m{i}"} for i, m in enumerate([*CALM["messages"], *DISPUTE["messages"][1:]], 1)]
    for i, message in enumerate(messages):
        message["sent_at"] = f"2026-03-02T14:30:{i * 10:02d}Z"
    for index in (2, 0, 3):
        assert put(kept, "shuffled", messages[index]).status_code == 200
    assert but_for(put(kept, "shuffled", messages[1]).json()) == whole(kept, conversation | {"messages": messages})


def test_messages_at_the_same_time_all_count(kept: Running) -> None:
    with ThreadPoolExecutor(6) as threads:
        said = [{"role": "customer", "text": f"This is number {i}", "message_id": f"m{i}",
                 "sent_at": f"2026-03-02T14:30:{i:02d}Z"} for i in range(1, 13)]  # fmt: skip
        assert {r.status_code for r in threads.map(lambda m: put(kept, "busy", m), said)} == {200}
    last = {"role": "customer", "text": "Done", "message_id": "m13", "sent_at": "2026-03-02T14:31:00Z"}
    whole_one = {"conversation_id": "busy", "messages": [*said, last]}
    assert but_for(put(kept, "busy", last).json()) == whole(kept, whole_one)


def test_retries_that_race_are_one_message(kept: Running) -> None:
    """A caller who was too impatient asks again while the first request is still under way, perhaps another worker."""
    message = {"role": "customer", "text": "I want a refund", "message_id": "m1", "sent_at": "2026-03-02T14:30:00Z"}
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: put(kept, "impatient", message), range(16)))
    answered = [reply for reply in replies if reply.status_code == 200]
    assert {reply.status_code for reply in replies} <= {200, 503}  # and sees no other
    assert len({msgspec.json.encode(but_for(reply.json())) for reply in answered}) == 1
    after = {"role": "customer", "text": "And?", "message_id": "m2", "sent_at": "2026-03-02T14:31:00Z"}
    whole_one = {"conversation_id": "impatient", "messages": [message, after]}
    assert but_for(put(kept, "impatient", after).json()) == whole(kept, whole_one)


def test_what_a_hand_back_closed_stays_silent(kept: Running) -> None:
    """Message by message through three episodes: the customer's, the human's, and the one after."""
    spoken = [
        {"role": "customer", "text": "I want a refund!"},
        {"role": "agent", "text": "This is Kim, I will see to it."},
        {"role": "customer", "text": "URGENT, I want my refund!"},
        {"role": "system", "text": "", "event": "handed_back"},
        {"role": "customer", "text": "Where do I find my profile?"},
    ]
    timed = [m | {"message_id": f"m{i}", "sent_at": f"2026-03-02T14:3{i}:00Z"} for i, m in enumerate(spoken)]
    decisions = [put(kept, "episodes", message).json()["recommendation"] for message in timed]
    assert decisions[0]["action"] == "escalate_now"
    assert [d["decided_by"] for d in decisions[1:3]] == ["owner", "owner"]
    assert [d["action"] for d in decisions[1:3]] == ["none", "none"]
    again = put(kept, "episodes", timed[4])
    assert again.json()["rules"] == []
    assert but_for(again.json()) == whole(kept, {"conversation_id": "episodes", "messages": timed})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_other_workers_go_on_where_the_killed_ones_stopped(kind: str, tmp_path: Path) -> None:
    """All workers and their supervisor are killed in the middle of a conversation; others take it up."""
    (conversation,) = simulated(1, 47)
    half = len(conversation["messages"]) // 2
    name = conversation["conversation_id"]
    with empty_store(kind, tmp_path) as url:
        options = ("--workers", "2", "--store", url)
        with running(tmp_path / "models", *options, cwd=tmp_path, TMPDIR=str(tmp_path)) as it:
            first = one_by_one(it, conversation | {"messages": conversation["messages"][:half]})
            family = it.family()
            for process in family:
                process.kill()
            it.process.wait(10)
            assert until(lambda: not any(process.is_running() for process in family), 20)
        with running(tmp_path / "models", *options, cwd=tmp_path) as it:
            assert but_for(put(it, name, conversation["messages"][half - 1]).json()) == but_for(first[-1])
            rest = one_by_one(it, {"conversation_id": name, "messages": conversation["messages"][half:]})
            assert but_for(rest[-1]) == whole(it, conversation)


def test_an_unknown_conversation_starts_with_its_facts_missing(kept: Running) -> None:
    conversation = VIP | {"conversation_id": "stranger", "customer": None}
    answer = put(kept, "stranger", VIP["messages"][0]).json()
    assert but_for(answer) == whole(kept, conversation)
    assert answer["rules"] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"role": "customer"}', "text"),
        (b'{"role": "robot", "text": ""}', "role"),
        (b'{"role": "assistant", "text": "", "confidence": 7}', "confidence"),
        (b'{"role": "customer", "text": "", "customer": {"vip": 3}}', "customer.vip"),
        (b'{"role": "customer", "text": "a\\u0000b"}', "text"),
        (b'{"role": "customer", "text": "a\\ud800b"}', ""),
        (b'{"role": "customer", "text": "", "sent_at": "1970-01-01T00:00:00Z"}', "sent_at"),
        (b"[]", ""),
        (b'{"role": "customer", "text": ""}]}', ""),
        (b"{", ""),
    ],
)
def test_a_bad_message_is_named_and_not_stored(rules_only: Running, body: bytes, path: str) -> None:
    reply = rules_only.post("/conversations/bad/messages", body)
    assert reply.status_code == 400, reply.text
    assert [problem["path"] for problem in reply.json()["detail"]] == [path]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("%ff", "bytes that are no UTF-8"),
        ("a%e2%82", "bytes that are no UTF-8"),
        ("%ed%a0%80", "bytes that are no UTF-8"),
        ("%zz", "a % without two hexadecimal digits"),
        ("100%", "a % without two hexadecimal digits"),
        ("%00", "control character U+0000"),
        ("x" * 201, "a text of 201 characters"),
    ],
)
def test_a_path_that_names_no_conversation_is_refused(rules_only: Running, name: str, problem: str) -> None:
    """httpx would mend such a path."""
    body = b'{"role": "customer", "text": "hi"}'
    with socket.create_connection(("127.0.0.1", rules_only.port), timeout=20) as caller:
        head = "POST /conversations/%s/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        caller.sendall((head % (name, len(body))).encode() + body)
        head, _, answer = b"".join(iter(lambda: caller.recv(4096), b"")).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 ")
    (found,) = json.loads(answer)["detail"]
    assert (found["path"], found["problem"]) == ("conversation_id", problem)


def test_the_id_in_a_path_may_hold_anything_else(rules_only: Running) -> None:
    for name, conversation_id in {"a%20b": "a b", "a%2Fb": "a/b", "%C3%A9" * 200: "é" * 200, "100%25": "100%"}.items():
        reply = rules_only.post(f"/conversations/{name}/messages", {"role": "customer", "text": "hi"})
        assert reply.json()["conversation_id"] == conversation_id


def test_metrics_name_the_route_and_no_conversation(rules_only: Running) -> None:
    assert put(rules_only, "c-secret-name", {"role": "customer", "text": "hi"}).status_code == 200
    metrics = rules_only.get("/metrics").text
    assert 'endpoint="/conversations/{conversation_id}/messages"' in metrics
    assert "c-secret-name" not in metrics


OUTCOME = {"conversation_id": "o-1", "outcome": {"escalated": True, "team": "billing", "wait_seconds": 30}}


def test_an_outcome_is_stored_once(kept: Running) -> None:
    first, again = kept.post("/outcomes", OUTCOME), kept.post("/outcomes", OUTCOME)
    assert (first.status_code, first.json()) == (200, again.json())
    assert set(first.json()) == {"conversation_id", "key", "at"}
    keyed = {"conversation_id": "o-1", "key": "mine", "decision": "r-1", "agree": False}
    assert kept.post("/outcomes", keyed).json()["key"] == "mine"
    assert kept.post("/outcomes", keyed | {"agree": True}).status_code == 409


def test_an_outcome_for_what_nobody_knows_is_stored_and_logged(kept: Running) -> None:
    def told() -> list[str]:
        lines = kept.output.read_text("utf-8").splitlines()
        return [json.loads(line)["request_id"] for line in lines if "an outcome was stored for a conv" in line]

    kept.post("/predict", DISPUTE | {"conversation_id": "o-known"}, {"x-request-id": "r-known"})
    known = {"conversation_id": "o-known", "decision": "r-known", "agree": True}
    for report, name in ((known, "a"), (known | {"decision": "r-other"}, "b"), ({**known, "decision": "r-other"}, "c")):
        assert kept.post("/outcomes", report, {"x-request-id": name}).status_code == 200
    assert until(lambda: "b" in told())
    assert "a" not in told() and "c" not in told()
    assert "o-known" not in kept.output.read_text("utf-8")


def test_an_outcome_that_says_nothing_names_what_it_may_have_meant(rules_only: Running) -> None:
    misspelt = {"conversation_id": "o-2", "agreed": True, "outcome": {"tema": "billing"}}
    reply = rules_only.post("/outcomes", misspelt)
    assert reply.status_code == 400
    outer, inner = reply.json()["detail"]
    assert (outer["path"], outer["problem"]) == ("agreed", "unknown") and "agree, outcome" in outer["expected"]
    assert (inner["path"], inner["problem"]) == ("outcome.tema", "unknown") and "team, tier" in inner["expected"]
    assert rules_only.post("/outcomes", misspelt | {"agree": True}).status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"conversation_id": "o-1"}, ""),
        ({"conversation_id": "o-1", "outcome": {}}, ""),
        ({"conversation_id": "o-1", "outcome": {"team": None}}, ""),
        ({"conversation_id": "o-1", "outcome": {"tema": "billing"}}, "outcome.tema"),
        ({"agree": True}, "conversation_id"),
        ({"conversation_id": "o-1", "agree": "yes"}, "agree"),
        ({"conversation_id": "o-1", "outcome": {"tier": 9}}, "outcome.tier"),
        ({"conversation_id": "o-1", "outcome": {"escalated_at": "0001-01-01T00:00:00Z"}}, "outcome.escalated_at"),
        ({"conversation_id": "o-1", "agree": True, "decision": "a\0"}, "decision"),
        ([], ""),
    ],
)
def test_a_bad_outcome_is_named(rules_only: Running, body: Any, path: str) -> None:
    reply = rules_only.post("/outcomes", body)
    assert reply.status_code == 400, reply.text
    assert [problem["path"] for problem in reply.json()["detail"]] == [path]


def test_state_and_decisions_survive_a_restart(tmp_path: Path) -> None:
    first, rest = DISPUTE | {"messages": DISPUTE["messages"][:2]}, DISPUTE["messages"][2]
    with running(tmp_path / "models", cwd=tmp_path) as it:
        one_by_one(it, first)
        asked = it.post("/predict", DISPUTE | {"conversation_id": "asked"}, {"x-request-id": "r-7"})
        assert asked.json()["recommendation"]["action"] == "escalate_now"
        assert it.post("/predict_batch", [CALM | {"conversation_id": f"b-{i}"} for i in range(3)]).status_code == 200
    with running(tmp_path / "models", cwd=tmp_path) as it:
        assert but_for(put(it, DISPUTE["conversation_id"], rest).json()) == whole(it, DISPUTE)
    done = subprocess.run([str(HANDOFF), "export", "decisions", "--out", "decisions.parquet"], cwd=tmp_path,
                          env=clean_environment(), capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    logged = pq.read_table(tmp_path / "decisions.parquet").to_pylist()  # type: ignore[no-untyped-call]
    assert [row["action"] for row in logged if row["request_id"] == "r-7"] == ["escalate_now"]
    assert sorted(row["conversation_id"] for row in logged) == ["asked", "b-0", "b-1", "b-2", *["c-1"] * 4]
    assert all(dict(row["timings"])["answer"] > 0 for row in logged)


def test_no_personal_data_is_stored(tmp_path: Path) -> None:
    private = ("Wilhelmina", "wilma@example.org", "4111 1111 1111 1111", "DE89370400440532013000", "203.0.113.77")
    text = f"I am {private[0]}, {private[1]}, card {private[2]}, {private[3]}, from {private[4]}. I want a refund!"
    message = {"role": "customer", "text": text, "customer": {"name": private[0]}}
    with running(tmp_path / "models", cwd=tmp_path) as it:
        assert put(it, "p-1", message).status_code == 200
        body = {"conversation_id": "p-2", "customer": message["customer"], "messages": [message]}
        assert it.post("/predict", body).status_code == 200
        reported = {"conversation_id": "p-1", "outcome": {"agent": private[1]}}
        assert it.post("/outcomes", reported).status_code == 200
        stored = b"".join(file.read_bytes() for file in tmp_path.glob("handoff.sqlite*"))
    stored += b"".join(file.read_bytes() for file in (*tmp_path.glob("handoff.sqlite*"), it.output))
    assert b"p-1" in stored and b"p-2" in stored
    assert [word for word in private if word.encode() in stored] == []


def problems(it: Running) -> list[str]:
    return [trouble["part"] for trouble in it.get("/status").json()["problems"]]


@pytest.mark.parametrize(
    "store",
    ["sqlite:////no/such/folder/handoff.sqlite", "postgresql://nobody@127.0.0.1:1/none"],
    ids=["no folder", "no server"],
)
def test_without_a_store_that_works_answers_are_given_all_the_same(tmp_path: Path, store: str) -> None:
    with running(tmp_path / "models", "--store", store, cwd=tmp_path) as it:
        assert "store" in problems(it)
        for _ in range(2):
            assert it.post("/predict", DISPUTE).json()["recommendation"]["action"] == "escalate_now"
            assert it.post("/predict_batch", [DISPUTE]).status_code == 200
        assert one_by_one(it, DISPUTE)[-1]["recommendation"]["action"] == "escalate_now"
        reply = it.post("/outcomes", OUTCOME)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
        assert "store" in problems(it)
        assert it.get("/readyz").status_code == 200


def test_a_store_that_comes_back_gets_what_waited(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    url = f"sqlite:///{folder}/handoff.sqlite"
    with running(tmp_path / "models", "--store", url, cwd=tmp_path) as it:
        assert it.post("/predict", DISPUTE).status_code == 200
        assert "store" in problems(it)
        folder.mkdir()
        assert until(lambda: "store" not in problems(it))
        assert it.output.read_text("utf-8").count("the store works again") == 1
    done = subprocess.run([str(HANDOFF), "export", "decisions", "--store", url, "--out", "d.parquet"], cwd=tmp_path,
                          env=clean_environment(), capture_output=True, text=True, timeout=60)  # fmt: skip
    assert "1 decisions" in done.stdout, done.stderr


def test_no_store_is_no_problem_and_no_file(tmp_path: Path) -> None:
    with running(tmp_path / "models", cwd=tmp_path, HANDOFF_STORE="none") as it:
        assert it.post("/predict", DISPUTE).status_code == 200
        assert "store" not in problems(it)
        for path, body in (("/conversations/c-1/messages", CALM["messages"][0]), ("/outcomes", OUTCOME)):
            reply = it.post(path, body)
            assert reply.status_code == 404
            assert reply.json()["detail"][0]["path"] == "HANDOFF_STORE"
    assert not list(tmp_path.glob("*.sqlite*"))
