"""The least that a BentoML endpoint can do: read the body, and answer with so many bytes of JSON."""

from __future__ import annotations

import os
from typing import Any

import bentoml
from bentoml import IODescriptor
from starlette.requests import Request
from starlette.responses import Response


class Body(IODescriptor):
    """A body that is handed on as it came."""

    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Request:
        return request


@bentoml.service(workers=1, http={"host": "127.0.0.1"}, logging={"access": {"enabled": False}})
class Nothing:
    """Answers what `ANSWER` names, without looking at what is asked."""

    def __init__(self) -> None:
        with open(os.environ["ANSWER"], "rb") as file:
            self.answer = file.read()

    @bentoml.api(route="/predict", input_spec=Body, output_spec=Body)
    async def predict(self, request: Request) -> Response:
        """The same answer to all."""
        await request.body()
        return Response(self.answer, media_type="application/json")
