"""Who is let in: the keys of one worker.

Keys are asked for as soon as there is a file of keys, or the setting `keys` names one. Without, callers from this
machine over its loopback address are let in, and others only where an administrator has said so (`without_keys`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from starlette.types import Scope

from handoff.access import OWN_ID, Key, Role, digest, read_keys, recognised
from handoff.errors import BadInput, Problem
from handoff.settings import Settings, read_settings
from serving.http import KEY, Refused
from serving.records import Trouble
from serving.roles import ANY, role_of

LOOKS_FOR_KEYS_SECONDS = 1.0
_NEVER = (-2, -2, -2)
_OWN = Key(id=OWN_ID, name=OWN_ID, roles=("read",), digest="", created_at=datetime.fromtimestamp(0, UTC))
_ASKS_FOR = 'Bearer realm="handoff"'
# A browser cannot send a bearer key for a page, but asks its user for a password.
_PAGE_ASKS_FOR = 'Bearer realm="handoff", Basic realm="handoff: the key is the password", charset="UTF-8"'

log = logging.getLogger("bentoml.handoff")


class Gate:
    """The keys of one worker, read again when their file changes."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._without = settings.keys, settings.without_keys
        self._own_digest, self._clock = settings.own_digest, clock
        self._keys: dict[str, Key] = {}
        self._is_closed = settings.with_keys
        self._stamp: tuple[int, int, int] | None = _NEVER
        self._looked_at = float("-inf")
        self.trouble: Trouble | None = None

    def check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Let the request pass, or raise `Refused`: 401 without a usable key, 403 with one that may not do this."""
        self._refuse_other_sites(headers)
        role = role_of(scope["path"])
        if role is None:
            return
        self._look()
        if not self._is_closed and self._lets_in_without(scope, headers):
            return
        key = self._presented(headers.get(b"authorization", b""), role, scope["method"])
        if key is None:
            raise _unknown(role)
        scope[KEY] = key.name
        if role != ANY and not key.may(role):
            problem = f"'{key.name}' may {', '.join(key.roles)}"
            raise Refused(403, "This key may not do that", Problem("authorization", problem, f"a key that may {role}"))

    def _look(self) -> None:
        """Read the keys where their file is another than when it was last looked at, once a second at most."""
        now = self._clock()
        if self._path is None or now - self._looked_at < LOOKS_FOR_KEYS_SECONDS:
            return
        self._looked_at = now
        stamp = _stamp(self._path)
        if stamp == self._stamp and self.trouble is None:
            return
        self._stamp = stamp
        if stamp is None and not self._is_closed:
            return
        self._read(self._path)

    def _read(self, path: Path) -> None:
        """Those that were good stay good when the file cannot be used; it never lets anybody in who was not."""
        self._is_closed = True
        try:
            self._keys = {key.id: key for key in read_keys(path)}
        except BadInput as error:
            if self.trouble is None:
                log.warning("%s; the keys read before stay in use", error)
                self.trouble = Trouble("keys", str(error), datetime.now(UTC), None)
        else:
            self.trouble = None
            log.info("%d keys in use", sum(key.revoked_at is None for key in self._keys.values()))

    def _lets_in_without(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether nobody has to show a key here. By loopback only under a name for it: a page from elsewhere may have
        its own name lead to this machine."""
        if self._without:
            return True
        return _is_loopback((scope.get("server") or ("",))[0]) and _is_own_name(headers.get(b"host", b""))

    def _presented(self, authorization: bytes, role: Role | Literal["any"], method: str) -> Key | None:
        scheme, _, value = authorization.decode("latin-1").strip().partition(" ")
        if scheme.lower() == "bearer":
            return self._known(value.strip())
        if scheme.lower() == "basic" and role in ("read", ANY) and method in ("GET", "HEAD"):
            return self._known(_password(value))
        return None

    def _known(self, presented: str) -> Key | None:
        key = recognised(presented, self._keys)
        if key is None and self._own_digest and hmac.compare_digest(digest(OWN_ID, presented), self._own_digest):
            return _OWN
        return key

    @staticmethod
    def _refuse_other_sites(headers: Mapping[bytes, bytes]) -> None:
        """A page of another site may make its reader's browser send requests here, with what the browser knows."""
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if origin is not None and origin.partition(b"://")[2] != host:
            problem = Problem("origin", origin[:100].decode("latin-1"), "a request from this service's own pages")
            raise Refused(403, "Requests from the pages of other sites are refused", problem)


@cache
def gate_of_worker() -> Gate:
    """The one gate of this process."""
    return Gate(read_settings())


def _unknown(role: Role | Literal["any"]) -> Refused:
    expected = "Bearer and a key" if role == ANY else f"Bearer and a key that may {role}"
    problem = Problem("authorization", "no usable key", expected)
    asks_for = _PAGE_ASKS_FOR if role == "read" else _ASKS_FOR
    return Refused(401, "This takes a key", problem, headers={"www-authenticate": asks_for})


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


@lru_cache(256)
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(256)
def _is_own_name(host: bytes) -> bool:
    """Whether a Host header names this machine itself: localhost, or an address."""
    name = host.decode("latin-1").lower()
    bare = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return bare == "localhost" or _is_loopback(bare)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return (-1, -1, -1)
    return found.st_mtime_ns, found.st_ino, found.st_size
