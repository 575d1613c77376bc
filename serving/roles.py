"""Every path that the service answers, and the role that each asks for."""

from __future__ import annotations

from typing import Final, Literal

from handoff.access import Role

# The one route with a value in its path.
MESSAGES = "/conversations/{conversation_id}/messages"
# What a path becomes that is not in the table, so that no metric and no log line repeats what a stranger typed.
UNKNOWN = "/unknown"

# What such a path asks for: some key, whatever that may do, so that no stranger learns which paths there are.
ANY: Final = "any"

# None lets everybody in. A route that is missing here answers 404, and a test says so.
ROLE_OF: dict[str, Role | None] = {
    "/livez": None,
    "/readyz": None,
    "/healthz": None,
    "/predict": "predict",
    "/predict_batch": "predict",
    MESSAGES: "predict",
    "/outcomes": "feedback",
    "/rules": "read",
    "/status": "read",
    "/metrics": "read",
    "/": "read",
    "/docs": "read",
    "/docs.json": "read",
    "/static_content/swagger-ui.css": "read",
    "/static_content/swagger-ui-bundle.js": "read",
    "/static_content/swagger-ui-standalone-preset.js": "read",
    "/static_content/swagger-initializer.js": "read",
    "/static_content/favicon-light-32x32.png": "read",
}


def methods_of(path: str) -> tuple[str, ...]:
    """The methods that a path of the table takes."""
    return ("POST",) if ROLE_OF[path] in ("predict", "feedback") else ("GET", "HEAD")


def role_of(path: str) -> Role | Literal["any"] | None:
    """What a caller of this path must be allowed to do; None where everybody may."""
    return ROLE_OF.get(path, ANY)
