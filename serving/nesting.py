"""How deep a body is nested, found in steps that each pass over it once."""

from __future__ import annotations

import numpy as np

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = np.zeros(256, np.int32)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1


def is_nested_deeper(body: bytes, most: int, beside: int = 0) -> bool:
    """Whether objects and lists stand in each other more than `most` deep; brackets inside texts do not count.

    So many brackets as are known to stand `beside` each other cannot make it deep, which spares looking any closer.
    """
    if body.count(b"[") + body.count(b"{") - beside <= most:
        return False
    brackets = _outside_texts(body).translate(None, _NO_BRACKETS)
    if not brackets:
        return False
    return int(_STEP[np.frombuffer(brackets, np.uint8)].cumsum(dtype=np.int32).max()) > most


def _outside_texts(body: bytes) -> bytes:
    """What stands outside of quotation marks. Six times as fast as a pattern, and as exact: once pairs of backslashes
    are gone, a quotation mark behind a backslash is one inside a text."""
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    return b"".join(plain.split(b'"')[::2])
