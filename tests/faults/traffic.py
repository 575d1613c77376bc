"""What a load sends: conversations of which a third must escalate, each with a newest text not sent before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, get_args

import msgspec

Kind = Literal["predict", "messages", "batch", "outcomes"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BATCH = 5
# So many messages does a conversation by message have before the next begins.
TALK = 6

_HEADERS = "\r\n".join(
    ["POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", "x-request-id: {id}",
     "content-length: {length}", "", ""]
)  # fmt: skip
_CALM = "Hello, where can I find the settings of my shop number {number}?"
_ANGRY = "You charged me twice for order {number}, I want a refund"
_EARLIER = (
    ("customer", "Hi, I would like to change the colours of my web shop."),
    ("assistant", "Gladly. Which theme is the shop using at the moment?"),
    ("customer", "The one that came with it, I believe it is the plain theme."),
    ("assistant", "Then open Appearance, and choose Colours on the left."),
    ("customer", "Found it, thanks. The header is still grey though."),
    ("assistant", "The header follows the accent colour, further down on that page."),
    ("customer", "Ah yes. Next thing: the logo."),
    ("assistant", "You can upload one under Appearance, Logo; a square picture works best."),
    ("customer", "Perfect, that was easy."),
)


class Sent(msgspec.Struct, frozen=True):
    """A request as it goes over the wire. `id` is its x-request-id."""

    id: str
    kind: Kind
    content: bytes


def escalates(number: int) -> bool:
    """Whether the `number`th request asks for a refund, which the rules hand off at once."""
    return number % 3 == 0


def conversation(name: str, number: int) -> dict[str, Any]:
    """Ten messages, the newest of which was never said before."""
    newest = (_ANGRY if escalates(number) else _CALM).format(number=number)
    said = [{"role": role, "text": text, "message_id": f"m{index}", "sent_at": f"2026-03-02T14:{30 + index}:00Z"}
            for index, (role, text) in enumerate([*_EARLIER, ("customer", newest)], 1)]  # fmt: skip
    return {"conversation_id": f"{name}-{number}", "messages": said}


def requests(kinds: Sequence[Kind], name: str) -> Iterator[Sent]:
    """Requests of these kinds in turn, without end."""
    for number, kind in zip(itertools.count(), itertools.cycle(kinds)):
        path, body = _MADE[kind](name, number)
        yield _sent(f"{name}:{kind}:{number}", kind, path, msgspec.json.encode(body))


def _sent(identity: str, kind: Kind, path: str, body: bytes) -> Sent:
    head = _HEADERS.format(path=path, id=identity, length=len(body))
    return Sent(identity, kind, head.encode() + body)


def _predict(name: str, number: int) -> tuple[str, Any]:
    return "/predict", conversation(name, number)


def _message(name: str, number: int) -> tuple[str, Any]:
    talk, index = divmod(number, TALK)
    text = (_ANGRY if escalates(number) else _CALM).format(number=number)
    return f"/conversations/{name}-talk-{talk}/messages", {
        "role": "customer", "text": text, "message_id": f"m{index + 1}", "sent_at": f"2026-03-02T14:{30 + index}:00Z",
    }  # fmt: skip


def _batch(name: str, number: int) -> tuple[str, Any]:
    return "/predict_batch", [conversation(f"{name}-b{number}", each) for each in range(BATCH)]


def _outcome(name: str, number: int) -> tuple[str, Any]:
    return "/outcomes", {"conversation_id": f"{name}-{number}", "outcome": {"escalated": escalates(number)}}


_MADE: dict[Kind, Callable[[str, int], tuple[str, Any]]] = {
    "predict": _predict, "messages": _message, "batch": _batch, "outcomes": _outcome,
}  # fmt: skip
