"""The customer's name, sealed.

A name that came with the first message must be masked in the fiftieth, also by another worker after a restart. So it
has to be kept, and nobody who reads the table shall read it: it is encrypted (AES-GCM), bound to its conversation.
The key is made from `HANDOFF_STORE_KEY` and from random bytes in the store. Without that setting those bytes alone
are the key, which hides names from a look at the tables and from a search of the file, and from nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from sqlalchemy import Connection, select

from handoff.errors import BadInput
from handoff.store.tables import insert_or_ignore, seals

_NONCE_BYTES = 12
_MATERIAL_BYTES = 32


class Seal:
    """Closes and opens names with one key."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)

    def close(self, conversation_id: str, name: str | None) -> bytes | None:
        """The name, encrypted; None for None."""
        if name is None:
            return None
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, name.encode(), conversation_id.encode())

    def open(self, conversation_id: str, sealed: bytes | None) -> str | None:
        """The name; None for None. Raises `cryptography.exceptions.InvalidTag` for what this seal has not closed."""
        if sealed is None:
            return None
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], conversation_id.encode()).decode()


def seal_of(connection: Connection, secret: str | None) -> Seal:
    """The store's seal, made by whoever comes first. Raises `BadInput` when `secret` is another than then."""
    material = os.urandom(_MATERIAL_BYTES)
    row = {"id": 1, "material": material, "proof": _proof(_key(material, secret))}
    connection.execute(insert_or_ignore(connection, seals), row)
    kept = connection.execute(select(seals.c.material, seals.c.proof)).one()
    key = _key(kept.material, secret)
    if not hmac.compare_digest(_proof(key), kept.proof):
        made_without = hmac.compare_digest(_proof(_key(kept.material, None)), kept.proof)
        raise BadInput(_mismatch(secret is not None, made_without))
    return Seal(key)


def _mismatch(is_set: bool, made_without: bool) -> str:
    if made_without:
        return "HANDOFF_STORE_KEY is set, but this store was made without one; leave it out, or begin another store"
    if not is_set:
        return "HANDOFF_STORE_KEY is not set, but this store was made with one; set the one it was made with"
    return "HANDOFF_STORE_KEY is another than when this store was made; set the one it was made with"


def _key(material: bytes, secret: str | None) -> bytes:
    return hmac.digest(bytes(material), (secret or "").encode(), hashlib.sha256)


def _proof(key: bytes) -> bytes:
    return hmac.digest(key, b"handoff: this is the key", hashlib.sha256)
