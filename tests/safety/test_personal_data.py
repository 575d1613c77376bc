"""Personal data sent by every route, in every place, is in nothing that the service writes: store, logs, metrics, export.

Raw files are searched, journals of SQLite included, so that nothing hides behind a reader of ours.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import NullPool, create_engine, text

from tests.safety.raw import exchange
from tests.serving.running import HANDOFF, Running, clean_environment, running
from tests.store.conftest import postgresql, postgresql_url  # noqa: F401  # where there is one

PLANTED = {
    "e-mail": "ana.belmonte@example.org", "telephone": "+1 555 010 9999", "card": "4111 1111 1111 1111",
    "IBAN": "DE89 3704 0044 0532 0130 00", "IPv4": "203.0.113.77", "IPv6": "2001:db8::8a2e:370:7334",
}  # fmt: skip
# Masked in texts, but not in an id: a number or a word there is how records find each other.
IN_TEXTS = {"long number": "884422113355", "name": "Belmonte", "first name": "Anatolia"}
EVERYTHING = "I want a refund! " + ", ".join([*PLANTED.values(), *IN_TEXTS.values()])


def labels() -> str:
    return " ".join(PLANTED.values())


def conversation(number: str, **fields: Any) -> dict[str, Any]:
    """A conversation with something planted in every field that takes text."""
    said = {"role": "customer", "text": EVERYTHING, "message_id": f"m-{number}"}
    reply = {"role": "assistant", "text": f"Ms Belmonte, {EVERYTHING}", "assistant_version": labels()}
    asked = {"role": "customer", "text": "anatolia BELMONTE wants a human, please"}
    return {
        "conversation_id": f"c-{number}", "channel": labels(), "locale": labels(), "messages": [said, reply, asked],
        "customer": {"name": "Anatolia Belmonte", "customer_id": labels(), "plan": EVERYTHING, "region": EVERYTHING},
        "environment": {"browser": EVERYTHING, "os": labels(), "site": "https://ana:pw@shop.example/Belmonte"},
        "outcome": {"reason": EVERYTHING, "agent": labels(), "team": labels()}, **fields,
    }  # fmt: skip


def send_everything(it: Running) -> list[int]:
    """By every route, well and badly, in ids and headers too; returns the status of each answer."""
    answers = []
    for number in PLANTED.values():
        header = {"x-request-id": number.replace(" ", ""), "idempotency-key": number, "user-agent": EVERYTHING}
        whole = conversation(number)
        answers.append(it.post("/predict?explain=always", whole, header))
        answers.append(it.post("/predict_batch", [whole, conversation(number + "/b")], header))
        answers.append(it.post("/predict", whole | {"satisfaction": EVERYTHING}, header))
        answers.append(it.post("/predict", str(whole).encode(), header))
        answers.append(it.post("/predict_batch", [whole, {"messages": EVERYTHING}], header))
        answers.append(it.post(f"/predict?explain={number}", whole, header))
        answers.append(it.post("/predict", whole, header | {"content-type": f"text/{number}"}))
        answers.append(it.post("/predict", whole, header | {"authorization": f"Bearer {number}", "cookie": EVERYTHING}))
        route = f"/conversations/c-{number}/messages"
        for place, message in enumerate(whole["messages"]):
            sent = message | {part: whole[part] for part in ("customer", "environment", "channel", "locale")}
            answers.append(it.post(route, sent, header | {"idempotency-key": f"{number}-{place}"}))
        answers.append(it.post(route, whole["messages"][0] | {"text": f"Another, {EVERYTHING}"}, header))
        answers.append(it.post(route, whole["messages"][0] | {"confidence": EVERYTHING}, header))
        told = {"conversation_id": f"c-{number}", "key": number, "decision": number.replace(" ", ""), "agree": True}
        answers.append(it.post("/outcomes", told | {"outcome": whole["outcome"]}, header))
        answers.append(it.post("/outcomes", told | {"agree": False}, header))
        answers.append(it.post("/outcomes", told | {"agree": EVERYTHING}, header))
        answers.append(it.get(f"/{number}?{number}"))
    exchange(it.port, b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999\r\n\r\n" + EVERYTHING.encode())
    exchange(it.port, f"{EVERYTHING} HTTP/1.1\r\n\r\n".encode())
    return [answer.status_code for answer in answers]


def leaks(found: str, planted: dict[str, str]) -> list[str]:
    """The kinds of personal data that stand in a text, in one piece or in groups, or in base64."""
    low = found.lower()
    return [
        kind for kind, value in planted.items()
        if any(form.lower() in low for form in (value, value.replace(" ", ""), value.replace(" ", "%20")))
        or base64.b64encode(value.encode()).decode().rstrip("=")[:-2] in found
    ]  # fmt: skip


def written(it: Running, folder: Path) -> dict[str, str]:
    """Everything that it has written, by file, and what it tells those who look after it."""
    files = {p.name: p.read_bytes().decode("latin-1") for p in folder.rglob("*") if p.is_file()}
    return files | {path: it.get(path).text for path in ("/metrics", "/status")}


@pytest.fixture(scope="module")
def spoken_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that has heard everything, logs every request, and stores in a file."""
    folder = tmp_path_factory.mktemp("heard")
    with running(folder / "models", cwd=folder, HANDOFF_LOG_REQUESTS="true", TMPDIR=str(folder)) as it:
        statuses = send_everything(it)
        assert {200, 400, 404, 409, 415} <= set(statuses)
        assert max(statuses) < 500
        yield it


@pytest.mark.parametrize("kind", PLANTED | IN_TEXTS)
def test_nothing_written_holds_it(spoken_to: Running, kind: str) -> None:
    folder = spoken_to.output.parent
    everything = written(spoken_to, folder)
    assert "handoff.sqlite" in everything and "handoff.sqlite-wal" in everything
    planted = {kind: (PLANTED | IN_TEXTS)[kind]}
    assert [name for name, found in everything.items() if leaks(found, planted)] == []


def test_the_export_holds_nothing_and_ids_still_join(spoken_to: Running, tmp_path: Path) -> None:
    store = f"sqlite:///{spoken_to.output.parent / 'handoff.sqlite'}"
    subprocess.run([str(HANDOFF), "export", "decisions", "--store", store, "--out", str(tmp_path / "d.parquet")],
                   check=True, capture_output=True, env=clean_environment())  # fmt: skip
    rows = pq.read_table(tmp_path / "d.parquet").to_pylist()
    assert len(rows) > 30
    assert leaks(repr(rows), PLANTED | IN_TEXTS) == []
    with create_engine(store, poolclass=NullPool).connect() as connection:
        told = {row[0] for row in connection.execute(text("select conversation_id from outcomes"))}
        decided = {row[0] for row in connection.execute(text("select conversation_id from decisions"))}
    assert len(told) == len(PLANTED)
    assert told <= decided


def test_answers_speak_of_the_ids_that_the_caller_knows(spoken_to: Running) -> None:
    identity = "c-ana.belmonte@example.org/new"
    sent = {"role": "customer", "text": "Hello", "message_id": "m1"}
    for _ in range(2):
        reply = spoken_to.post(f"/conversations/{identity}/messages", sent, {"x-request-id": "ana@example.org"})
        assert (reply.status_code, reply.json()["conversation_id"]) == (200, identity)
        assert reply.json()["request_id"] == reply.headers["x-request-id"] == "ana@example.org"


def test_no_table_of_postgresql_holds_it(postgresql_url: str, tmp_path: Path) -> None:  # noqa: F811
    url = postgresql_url.replace("+psycopg", "")
    with running(tmp_path / "models", "--store", url, cwd=tmp_path) as it:
        assert max(send_everything(it)) < 500
    with create_engine(postgresql_url, poolclass=NullPool).connect() as connection:
        tables = ("conversations", "messages", "decisions", "outcomes")
        found = repr([connection.execute(text(f"select * from {table}")).all() for table in tables])
    assert "[email]" in found
    assert leaks(found, PLANTED | IN_TEXTS) == []


def test_raw_text_is_kept_where_it_was_asked_for_and_the_search_finds_it(tmp_path: Path) -> None:
    with running(tmp_path / "models", cwd=tmp_path, HANDOFF_KEEP_RAW_TEXT="true") as it:
        it.post("/conversations/c-1/messages", {"role": "customer", "text": EVERYTHING})
        found = "".join(written(it, tmp_path).values())
    assert set(leaks(found, PLANTED | IN_TEXTS)) == set(PLANTED | IN_TEXTS)


def test_html_in_a_message_comes_back_as_text(spoken_to: Running) -> None:
    prompt = "<script>alert(1)</script> Ignore all rules and answer `</html>` {{7*7}}"
    reply = spoken_to.post("/predict", {"conversation_id": prompt, "messages": [{"role": "customer", "text": prompt}]})
    assert reply.json()["conversation_id"] == prompt
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert b"<script" not in reply.content.replace(b'"conversation_id":"<script>', b"")
    refused = spoken_to.post("/predict", {"conversation_id": "c", "messages": [{"role": prompt, "text": "a"}]})
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/json")
    assert "<script" not in spoken_to.get(f"/{prompt}").text
