"""The GET routes, beside BentoML's own /livez, /readyz and /metrics.

They come before BentoML's routes of the same path: its page at / loads a tag manager from the network, and its
/docs.json knows only the POST routes.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, cast

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.http import json_response

if TYPE_CHECKING:
    from serving.worker import Worker


def get_routes() -> Starlette:
    """The application to mount at /."""
    return Starlette(
        routes=[
            Route("/rules", rules),
            Route("/status", status),
            Route("/docs.json", docs_json),
            Route("/docs", docs),
            Route("/", docs),
        ]
    )


async def rules(_: Request) -> Response:
    """The rules that guarantee a hand-off."""
    return json_response(current_worker().rules)


async def status(_: Request) -> Response:
    """How this worker is."""
    return json_response(current_worker().status())


async def docs_json(_: Request) -> Response:
    """The OpenAPI document."""
    from serving.openapi import document

    return json_response(document())


async def docs(_: Request) -> Response:
    """The OpenAPI document as a page to try things on; loads nothing from elsewhere."""
    return HTMLResponse(resources.files("serving").joinpath("pages/docs.html").read_text("utf-8"))


def current_worker() -> Worker:
    """What answers in this process."""
    return cast("Worker", bentoml.get_current_service().worker)
