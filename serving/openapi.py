"""The OpenAPI document of every route, from the types that the code itself uses."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

import handoff
from handoff.access import Role
from handoff.decision import Answer
from handoff.store import Feedback, Received
from handoff.transcript import Conversation
from serving.bodies import BESIDE_MESSAGE
from serving.http import Fault
from serving.records import Rules, Status
from serving.roles import MESSAGES, ROLE_OF

KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key made by `handoff keys add`. Not asked for where the service runs without keys.",
}
REFERENCE = "#/components/schemas/{name}"

EXAMPLE: dict[str, Any] = {
    "conversation_id": "c-1042",
    "channel": "web",
    "locale": "en",
    "customer": {"customer_id": "u-7", "name": "Ana", "plan": "professional", "vip": False},
    "messages": [
        {"role": "customer", "text": "You charged me twice.", "sent_at": "2026-03-02T14:31:05Z"},
        {
            "role": "assistant",
            "text": "I am not sure what happened there.",
            "sent_at": "2026-03-02T14:31:09Z",
            "confidence": 0.52,
        },
        {"role": "customer", "text": "I want a refund, now.", "sent_at": "2026-03-02T14:31:40Z"},
    ],
}


MESSAGE_EXAMPLE: dict[str, Any] = {
    "message_id": "m1",
    "role": "customer",
    "text": "You charged me twice.",
    "sent_at": "2026-03-02T14:31:05Z",
    "customer": {"customer_id": "u-7", "name": "Ana", "plan": "professional", "vip": False},
}
OUTCOME_EXAMPLE: dict[str, Any] = {
    "conversation_id": "c-1042",
    "agree": True,
    "outcome": {"escalated": True, "team": "billing", "wait_seconds": 40, "resolved": True},
}


@cache
def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1. The same object every time: do not change it."""
    _, schemas = msgspec.json.schema_components(
        (Conversation, Answer, Feedback, Received, Rules, Status, Fault), ref_template=REFERENCE
    )  # fmt: skip
    schemas["NewMessage"] = _new_message(schemas)
    paths = _paths()
    for path, operations in paths.items():
        _ask_for_key(operations, ROLE_OF[path])
    return {
        "openapi": "3.1.0",
        "info": {"title": "handoff", "version": handoff.__version__, "description": handoff.__doc__},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": KEY}},
    }


def _paths() -> dict[str, Any]:
    return {
        "/predict": {"post": _predict()},
        "/predict_batch": {"post": _predict_batch()},
        MESSAGES: {"post": _add_message()},
        "/outcomes": {"post": _report_outcome()},
        "/rules": {"get": _get("rules", "The rules that guarantee a hand-off", _schema("Rules"))},
        "/status": {"get": _get("status", "Mode, versions and problems of one worker", _schema("Status"))},
        "/livez": {"get": _get("livez", "200 while the process lives", None)},
        "/readyz": {"get": _readyz()},
        "/metrics": {"get": _get("metrics", "Metrics for Prometheus", None)},
        "/docs.json": {"get": _get("document", "This document", {"type": "object"})},
    }


def _ask_for_key(operations: dict[str, Any], role: Role | None) -> None:
    """Say of a path's operations which key they take; they answer without where the service runs without keys."""
    for operation in operations.values():
        operation["security"] = [] if role is None else [{"key": []}]
        if role is not None:
            operation["description"] = f"Takes a key that may {role}."
            operation["responses"] |= {
                "401": _answer("No key, or one that is unknown or revoked", _schema("Fault")),
                "403": _answer(f"A key that may not {role}", _schema("Fault")),
            }


def _predict() -> dict[str, Any]:
    return _post(
        "predict",
        "Whether the conversation needs a human after its newest message, why, who should take it and how soon",
        "The conversation itself, oldest message first. Unknown fields are ignored; absent ones are missing.",
        {"schema": _schema("Conversation"), "example": EXAMPLE},
        _schema("Answer"),
    )


def _predict_batch() -> dict[str, Any]:
    return _post(
        "predict_batch",
        "The same for many conversations, answered in their order",
        "A JSON array of conversations. One that is not usable refuses the batch, naming its place: `[3].messages`.",
        {"schema": {"type": "array", "items": _schema("Conversation")}, "example": [EXAMPLE]},
        {"type": "array", "items": _schema("Answer")},
    )


def _add_message() -> dict[str, Any]:
    operation = _post(
        "add_message",
        "The same, by the newest message alone: the ones before it are in the store",
        "The message. Beside its fields the first one carries customer, environment, channel and locale.",
        {"schema": _schema("NewMessage"), "example": MESSAGE_EXAMPLE},
        _schema("Answer"),
    )
    operation["parameters"] += [_CONVERSATION_ID, _IDEMPOTENCY_KEY]
    return _storing(operation)


def _report_outcome() -> dict[str, Any]:
    operation = _post(
        "report_outcome",
        "Take in what became of a conversation, or whether somebody agrees with a decision",
        "At least one of outcome and agree. The same twice is stored once.",
        {"schema": _schema("Feedback"), "example": OUTCOME_EXAMPLE},
        _schema("Received"),
    )
    operation["parameters"] = [_REQUEST_ID]
    return _storing(operation)


def _storing(operation: dict[str, Any]) -> dict[str, Any]:
    """The operation with what only those that need the store answer."""
    operation["responses"] |= {
        "404": _answer("The service runs without a store", _schema("Fault")),
        "409": _answer("The id or the key stands for something else already; nothing was stored", _schema("Fault")),
    }
    return operation


def _new_message(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a message with what may be said beside it."""
    message, beside = schemas["Message"], schemas["Conversation"]["properties"]
    return {
        **message,
        "title": "NewMessage",
        "properties": message["properties"] | {name: beside[name] for name in BESIDE_MESSAGE},
    }


def _post(name: str, summary: str, body: str, content: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            {
                "name": "explain",
                "in": "query",
                "description": "`always` asks for the indicators at any probability.",
                "schema": {"type": "string", "enum": ["always"]},
            },
            _REQUEST_ID,
        ],
        "requestBody": {"required": True, "description": body, "content": {"application/json": content}},
        "responses": {
            "200": _answer("The answer", answer),
            "400": _answer("Not usable; names the field, what is wrong with it and what is expected", _schema("Fault")),
            "408": _answer("The body did not come in time", _schema("Fault")),
            "413": _answer("The body is too large", _schema("Fault")),
            "415": _answer("The body is not JSON, or is compressed", _schema("Fault")),
            "503": _answer(
                "Too much waits already, or it took too long; try again after retry-after", _schema("Fault")
            ),
        },
    }


def _get(name: str, summary: str, answer: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_REQUEST_ID],
        "responses": {"200": _answer(summary, answer)},
    }


def _readyz() -> dict[str, Any]:
    operation = _get("readyz", "200 when a known conversation is answered", None)
    operation["responses"]["503"] = _answer("Not ready: no usable model although one is required, or no answer", None)
    return operation


def _answer(description: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    media_type = "text/plain" if schema is None else "application/json"
    return {
        "description": description,
        "headers": {"x-request-id": {"description": "The request's id", "schema": {"type": "string"}}},
        "content": {media_type: {"schema": schema or {"type": "string"}}},
    }


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(name=name)}


_CONVERSATION_ID = {
    "name": "conversation_id",
    "in": "path",
    "required": True,
    "description": "The conversation, by the id that your system gives it.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "example": "c-1042",
}
_IDEMPOTENCY_KEY = {
    "name": "idempotency-key",
    "in": "header",
    "description": "The caller's name for this message: sent again under the same one, it changes nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
_REQUEST_ID = {
    "name": "x-request-id",
    "in": "header",
    "description": "The caller's name for this request: up to 200 visible ASCII characters. Made where it is absent.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
