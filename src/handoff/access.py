"""Who may call the service: keys, what each of them may do, and the file that holds them.

A key is 256 random bits, so that nobody finds it by trying; a fast hash hides it in the file as well as a slow one
would, and costs every request a microsecond instead of the tenth of a second that bcrypt takes to make up for weak
passwords. The file is replaced in one step; a running service looks at it every second.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from handoff.errors import BadInput
from handoff.files import write_atomically

Role = Literal["predict", "feedback", "read", "administer"]
ROLES: tuple[Role, ...] = get_args(Role)
SECRET_BYTES, ID_BYTES = 32, 6
MOST_NAME_CHARACTERS = 100
# The key by which `handoff serve` looks at its own workers; in no file.
OWN_ID = "supervisor"

_KEY = re.compile(r"handoff_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NO_DIGEST = "0" * 64


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key as it is kept: what it is called, what it may do, and the hash by which it is recognised."""

    id: str
    name: str
    roles: tuple[Role, ...]
    digest: str
    created_at: datetime
    revoked_at: datetime | None = None

    def may(self, role: Role) -> bool:
        """Whether it may do this; who administers may do everything."""
        return role in self.roles or "administer" in self.roles


class KeyFile(msgspec.Struct, frozen=True):
    """What the file of keys holds, the revoked ones included."""

    keys: tuple[Key, ...] = ()


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys in the file, the revoked ones included. Raises `BadInput` when it is not there or cannot be used."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeyFile).keys
    except FileNotFoundError:
        raise BadInput(
            f"{path}: no such file of keys; make one with 'handoff keys add NAME --role predict --keys {path}'"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: the keys cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadInput(f"{path}: not a file of keys ({error}); take it back from your backup") from None


def add_key(path: Path, name: str, roles: Sequence[Role], now: datetime) -> tuple[Key, str]:
    """Add a key to the file, which is made where there is none; the key as it is kept, and itself, told only here.

    Raises `BadInput` when another key that is not revoked has this name, or it cannot be a name.
    """
    if not (0 < len(name) <= MOST_NAME_CHARACTERS and name.isprintable()):
        raise BadInput(f"'{name[:40]}' cannot name a key; take 1 to {MOST_NAME_CHARACTERS} printable characters")
    key_id = secrets.token_hex(ID_BYTES)
    secret = new_secret(key_id)
    key = Key(id=key_id, name=name, roles=tuple(roles), digest=digest(key_id, secret), created_at=now)

    def with_it(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        if any(other.name == name and other.revoked_at is None for other in keys):
            raise BadInput(f"{path}: there is a key '{name}' already; revoke it first, or take another name")
        return (*keys, key)

    _change(path, with_it, must_exist=False)
    return key, secret


def revoke_key(path: Path, which: str, now: datetime) -> Key:
    """Make a key, given by id or name, worthless from now on. Raises `BadInput` when there is none to revoke."""
    revoked: list[Key] = []

    def without_it(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        meant = [key for key in keys if which in (key.id, key.name) and key.revoked_at is None]
        if not meant:
            raise BadInput(f"{path}: no key '{which}' that is not revoked; 'handoff keys list' shows all")
        revoked.extend(msgspec.structs.replace(key, revoked_at=now) for key in meant)
        replaced = {key.id: key for key in revoked}
        return tuple(replaced.get(key.id, key) for key in keys)

    _change(path, without_it, must_exist=True)
    return revoked[0]


def recognised(presented: str, keys: dict[str, Key]) -> Key | None:
    """The key that was presented; None for one that is unknown, revoked or no key at all. `keys` are by id.

    Takes as long for a key that is nearly right as for any other.
    """
    found = _KEY.fullmatch(presented)
    if found is None:
        return None
    key = keys.get(found[1])
    is_right = hmac.compare_digest(digest(found[1], presented), key.digest if key is not None else _NO_DIGEST)
    return key if is_right and key is not None and key.revoked_at is None else None


def digest(key_id: str, secret: str) -> str:
    """The hash by which a key is recognised: BLAKE2b of 256 bits, salted with the key's own id."""
    return hashlib.blake2b(secret.encode(), digest_size=32, salt=key_id.encode(), person=b"handoff-key").hexdigest()


def new_secret(key_id: str) -> str:
    """A key that nobody has seen, for this id."""
    return f"handoff_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"


def _change(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]], *, must_exist: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(path.parent):
        is_there = path.exists()
        before = read_keys(path) if must_exist or is_there else ()
        content = msgspec.json.format(msgspec.json.encode(KeyFile(change(before))), indent=2) + b"\n"
        # It stays as open to a group as it was; a new one is for its owner only.
        write_atomically(path, content, path.stat().st_mode & 0o777 if is_there else 0o600)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Nobody else changes keys in this folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
