"""What an administrator can set from outside, all of it in the environment and all of it here.

    HANDOFF_MODELS           folder with the trained models                              ./models
    HANDOFF_RULES            file of rules instead of those that ship with the package   (shipped)
    HANDOFF_POLICY           folder with policy.yaml, teams.yaml, messages.yaml           (shipped)
    HANDOFF_CONFIDENCE       file of `handoff calibrate`: rules go by calibrated AI confidence  (as reported)
    HANDOFF_REQUIRE_MODEL    "true": not ready (503) without an escalation model          false
    HANDOFF_MAX_BODY_BYTES   largest body of one conversation, also within a batch        8388608
    HANDOFF_MAX_BATCH_BYTES  largest body of a batch                                      67108864
    HANDOFF_MAX_BATCH        most conversations in a batch                                1000
    HANDOFF_BATCH_PROCESSES  processes beside each worker for long batches; 0: it works on them itself   2
    HANDOFF_SPILL            folder for escalations while the store is away              ./handoff-spill
    HANDOFF_MAX_WAIT_MS      who would wait longer than this for an answer is refused     120
    HANDOFF_STORE            database URL of the store; "none" for no store              sqlite:///handoff.sqlite
    HANDOFF_STORE_KEY        secret that the customers' names are sealed with             (random bytes in the store)
    HANDOFF_KEEP_RAW_TEXT    "true": the store keeps texts as they came, too              false
    HANDOFF_LOG_FORMAT       "json": a JSON object a line; "text": lines for people         json
    HANDOFF_LOG_REQUESTS     "true": log every request, not only refused and failed ones   false
    HANDOFF_KEYS             file of the keys that callers need; "none" for no keys       handoff-keys.json
    HANDOFF_WITHOUT_KEYS     "true": answer everybody while there is no file of keys      false
    HANDOFF_MAX_MESSAGES         most messages in a conversation                          10000
    HANDOFF_MAX_TEXT_CHARACTERS  longest text of a message                                100000
    HANDOFF_MAX_NESTING          how deep a body may be nested                            32
    HANDOFF_MAX_HEADER_BYTES     largest head of a request                                32768
    HANDOFF_MAX_CONNECTIONS      most open connections of one worker                      1000
    HANDOFF_HEAD_SECONDS         how long the head of a request may take to come          10
    HANDOFF_BODY_SECONDS         how long its body may take                               20
    HANDOFF_REQUEST_SECONDS      how long a request may take altogether                   50
    HANDOFF_KEEP_ALIVE_SECONDS   how long a connection may stay unused                    75
    HANDOFF_SUPERVISOR       set by `handoff serve`: the process without which a worker has no business
    HANDOFF_WITH_KEYS        set by `handoff serve` that found keys: without their file, workers stay closed
    HANDOFF_OWN_DIGEST       set by `handoff serve`: hash of the key by which it looks at its workers

Training alone also reads HANDOFF_MLFLOW_URI (`handoff.training.tracking`) and HANDOFF_ENCODER (`handoff train`).

Names that Kubernetes makes up for a service called "handoff" (HANDOFF_PORT, HANDOFF_SERVICE_HOST …) are avoided.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from handoff.errors import BadInput

PREFIX = "HANDOFF_"
STORE_EXAMPLES = "sqlite:////var/lib/handoff/handoff.sqlite or postgresql://user@host/database"
NEEDS_PSYCOPG = "a store in PostgreSQL needs psycopg; pip install 'handoff[postgres]'"
# Where the keys are unless HANDOFF_KEYS says otherwise.
KEYS_FILE = "handoff-keys.json"
_SWITCHES = ("require_model", "keep_raw_text", "without_keys", "with_keys", "log_requests")
# Of names that differ in two letters or so; what Kubernetes makes up is further from all.
_ALIKE = 0.9
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, read once at its start."""

    models: Path = Path("models")
    rules: Path | None = None
    policy: Path | None = None
    require_model: bool = False
    max_body_bytes: int = 8 * 2**20
    max_batch_bytes: int = 64 * 2**20
    max_batch: int = 1000
    batch_processes: int = 2
    supervisor: int | None = None
    store: str | None = "sqlite:///handoff.sqlite"
    store_key: str | None = None
    keep_raw_text: bool = False
    log_format: Literal["json", "text"] = "json"
    log_requests: bool = False
    keys: Path | None = Path(KEYS_FILE)
    without_keys: bool = False
    with_keys: bool = False
    own_digest: str | None = None
    max_messages: int = 10_000
    max_text_characters: int = 100_000
    max_nesting: int = 32
    max_header_bytes: int = 32 * 2**10
    max_connections: int = 1_000
    head_seconds: int = 10
    body_seconds: int = 20
    request_seconds: int = 50
    keep_alive_seconds: int = 75
    max_wait_ms: int = 120
    spill: Path = Path("handoff-spill")
    confidence: Path | None = None


def store_backend(url: str) -> Literal["sqlite", "postgresql"]:
    """The kind of database that a store's URL names. Raises `BadInput` for one that no store can be in.

    Of the URL that error shows the scheme alone: the rest may hold a password.
    """
    scheme, separator, place = url.partition("://")
    backend = scheme.partition("+")[0].lower()
    if not separator:
        raise BadInput(f"the store's URL cannot be read; expected {STORE_EXAMPLES}")
    if backend == "sqlite":
        if place.partition("?")[0] in ("", "/", "/:memory:"):
            raise BadInput(f"a store in memory is shared by nobody; name a file: {STORE_EXAMPLES}")
        return "sqlite"
    if backend in ("postgresql", "postgres"):
        _check_postgresql(url)
        return "postgresql"
    raise BadInput(f"the store's URL begins with '{scheme}'; expected {STORE_EXAMPLES}")


def _check_postgresql(url: str) -> None:
    try:
        urlsplit(url).port  # noqa: B018  # looks at it
    except ValueError:
        raise BadInput(f"the port in the store's URL is no port; expected {STORE_EXAMPLES}") from None
    if importlib.util.find_spec("psycopg") is None:
        raise BadInput(NEEDS_PSYCOPG)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `environment` asks for; what it leaves out or leaves empty keeps its default.

    Raises `BadInput` naming the variable, its value and what is expected.
    """
    texts = {field: environment.get(PREFIX + field.upper(), "").strip() for field in Settings.__dataclass_fields__}
    given: dict[str, Any] = {field: _value(field, text) for field, text in texts.items() if text}
    return replace(Settings(), **given)


def misspelt(environment: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """What is set and no setting, but nearly one: its name, and the setting that may be meant."""
    known = [PREFIX + field.upper() for field in Settings.__dataclass_fields__]
    strange = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    close = [(name, difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)) for name in strange]
    return [(name, meant[0]) for name, meant in close if meant]


def _value(field: str, text: str) -> Path | str | bool | int | None:
    if field in ("models", "rules", "policy", "confidence", "spill"):
        return Path(text).expanduser().absolute()
    if field in ("store", "keys") and text.lower() == "none":
        return None
    if field == "keys":
        return Path(text).expanduser().absolute()
    if field in ("store", "store_key", "own_digest"):
        return text
    if field == "log_format":
        return _one_of(field, text, ("json", "text"))
    if field in _SWITCHES:
        return _yes_or_no(field, text)
    return _whole_number(field, text, least=0 if field == "batch_processes" else 1)


def _one_of(field: str, text: str, choices: tuple[str, ...]) -> str:
    if text.lower() not in choices:
        raise BadInput(f"{PREFIX}{field.upper()} is '{text}'; expected {' or '.join(choices)}")
    return text.lower()


def _yes_or_no(field: str, text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise BadInput(f"{PREFIX}{field.upper()} is '{text}'; expected true or false")
    return text.lower() in _YES


def _whole_number(field: str, text: str, least: int) -> int:
    # isdecimal alone would pass digits of other scripts, which int() reads but nobody means.
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        expected = "a whole number, or 0 for none" if least == 0 else "a whole number over 0"
        raise BadInput(f"{PREFIX}{field.upper()} is '{text}'; expected {expected}")
    return int(text)
