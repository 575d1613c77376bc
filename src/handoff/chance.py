"""Ids that come once and are no secrets, without asking the system for each: that takes a hundred times as long."""

from __future__ import annotations

import os
import random

_CHANCE = random.Random(os.urandom(32))
os.register_at_fork(after_in_child=_CHANCE.seed)


def new_hex(digits: int) -> str:
    """So many hexadecimal digits by chance."""
    return f"{_CHANCE.getrandbits(4 * digits):0{digits}x}"
