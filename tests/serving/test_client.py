"""The client and the service understand each other."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from handoff.client import AsyncClient, Client
from handoff.errors import RequestRefused
from handoff.transcript import Conversation, Message, Outcome, from_object
from tests.serving.conversations import ASKS, CALM, DISPUTE
from tests.serving.running import Running


def test_all_routes(service: Running) -> None:
    with Client(f"http://127.0.0.1:{service.port}", timeout_seconds=30, deadline_seconds=60) as client:
        answer = client.predict(from_object(DISPUTE), explain=True, request_id="chat-9")
        assert (answer.request_id, answer.recommendation.action) == ("chat-9", "escalate_now")
        both = client.predict_batch([from_object(CALM), from_object(ASKS)])
        assert [a.recommendation.action for a in both][1] == "proactive_escalation"
        added = client.add_message("client-1", Message(message_id="m1", role="customer", text="A human, please"))
        assert added.recommendation.reason == "human_requested"
        again = client.add_message("client-1", Message(message_id="m1", role="customer", text="A human, please"))
        assert msgspec.structs.replace(again, request_id=added.request_id) == added
        received = client.report_outcome("client-1", agree=True, outcome=Outcome(escalated=True, team="billing"))
        assert received.conversation_id == "client-1" and received.key
        assert client.status()["mode"] == "model_and_rules"


def test_asynchronously_many_at_once(service: Running) -> None:
    async def ask() -> list[str]:
        url = f"http://127.0.0.1:{service.port}"
        async with AsyncClient(url, timeout_seconds=30, deadline_seconds=60) as client:
            answers = await asyncio.gather(*(client.predict(from_object(ASKS)) for _ in range(20)))
            return [answer.recommendation.action for answer in answers]

    assert asyncio.run(ask()) == ["proactive_escalation"] * 20


def test_a_bad_request_is_named(service: Running) -> None:
    bad = Conversation(conversation_id="c", messages=())
    with Client(f"http://127.0.0.1:{service.port}") as client, pytest.raises(RequestRefused, match="messages"):
        client.predict(bad)
