"""The prediction service: `handoff serve`, or `bentoml serve serving.service:HandoffService`.

The process that starts the workers imports this module to know of how many and with which limits. It needs none of
what they answer with, which takes a second to import and load: that is imported where a worker is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bentoml
from bentoml import IODescriptor
from starlette.requests import Request
from starlette.responses import Response

from serving.front import put_in_front
from serving.roles import MESSAGES
from serving.routes import get_routes

if TYPE_CHECKING:
    from serving.worker import Worker

# Guard gives up earlier, and says more.
REQUEST_SECONDS = 3_600


class Body(IODescriptor):
    """A body that BentoML hands to the endpoint as it came: our own parser checks it, and says more."""

    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Request:
        return request


class ConversationBody(Body):
    """A conversation; documented in /docs.json."""


class BatchBody(Body):
    """A list of conversations; documented in /docs.json."""


class MessageBody(Body):
    """One message; documented in /docs.json."""


class OutcomeBody(Body):
    """What became of a conversation; documented in /docs.json."""


@bentoml.service(
    name="HandoffService",
    workers=1,
    http={"host": "127.0.0.1"},
    traffic={"timeout": REQUEST_SECONDS},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(get_routes(), path="/")
class HandoffService:
    """Says after every message whether a conversation needs a human, why, who should take it, and how soon."""

    def __init__(self) -> None:
        from serving.worker import Worker

        self.worker: Worker = Worker()

    @bentoml.on_startup
    async def start_watching(self) -> None:
        """Look for newly promoted versions from now on."""
        self.worker.start_watching()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        """Stop looking, and store what is in line."""
        await self.worker.stop()

    @bentoml.api(route="/predict", input_spec=ConversationBody, output_spec=Body)
    async def predict(self, request: Request) -> Response:
        """Whether the conversation needs a human after its newest message."""
        return await self.worker.post("/predict", request)

    @bentoml.api(route="/predict_batch", input_spec=BatchBody, output_spec=Body)
    async def predict_batch(self, request: Request) -> Response:
        """The same for many conversations, in their order."""
        return await self.worker.post("/predict_batch", request)

    @bentoml.api(route=MESSAGES, input_spec=MessageBody, output_spec=Body)
    async def add_message(self, request: Request) -> Response:
        """The same, by the newest message alone: the ones before it are in the store."""
        return await self.worker.post(MESSAGES, request)

    @bentoml.api(route="/outcomes", input_spec=OutcomeBody, output_spec=Body)
    async def report_outcome(self, request: Request) -> Response:
        """Take in what became of a conversation, or whether somebody agrees with a decision."""
        return await self.worker.post("/outcomes", request)

    async def __is_ready__(self) -> bool:
        return self.worker.current.is_ready()


put_in_front()
