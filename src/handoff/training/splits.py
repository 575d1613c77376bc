"""Who may be learnt from and who is tested on: nothing of one customer or one conversation on both sides.

Conversations that share a customer form one group, and a group is never cut. Where conversations carry times, the
test side holds the newest groups, by each group's newest conversation: a customer who straddles the cut is tested
on, with their older conversations too, so that nothing learnt from is newer than the cut. Without times, or where
that leaves a lopsided test side (one customer holds most conversations), the groups are drawn at random.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import numpy as np
from numpy.typing import NDArray

from handoff.errors import NotEnoughData
from handoff.training.rows import Source

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

TEST_SHARE = 0.2
KEY_BYTES = 8
# Of the conversations, so many must carry a time for the split to be one by time.
TIMED_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Split:
    """`test`: array of shape (n_sources,), True for the test side. `how` says it in words."""

    test: Mask
    how: str

    @property
    def train(self) -> Mask:
        """The other side: array of shape (n_sources,)."""
        return ~self.test


def groups(sources: Sequence[Source]) -> Integers:
    """The group of each conversation, from 0: those connected by a conversation id or a customer id are one."""
    parent = list(range(len(sources)))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    first: dict[tuple[str, str], int] = {}
    for position, source in enumerate(sources):
        for kind, key in (("conversation", source.conversation_id), ("customer", source.customer_id)):
            if key is not None:
                parent[root(position)] = root(first.setdefault((kind, key), position))
    _, numbers = np.unique([root(position) for position in range(len(sources))], return_inverse=True)
    return numbers.astype(np.int64)


def split(sources: Sequence[Source], seed: int, share: float = TEST_SHARE) -> Split:
    """Hold out about `share` of the conversations. Raises `NotEnoughData` when they cannot be parted."""
    group = groups(sources)
    if len(np.unique(group)) < 2:
        raise NotEnoughData(
            f"{len(sources)} conversations of one customer; training needs conversations of several customers"
        )
    timed = [source.started for source in sources if source.started is not None]
    if len(timed) >= TIMED_SHARE * len(sources):
        newest = _newest_groups(sources, group, share)
        if newest is not None:
            return check_apart(newest, sources)
    return check_apart(_random_groups(group, seed, share), sources)


def check_apart(parted: Split, sources: Sequence[Source]) -> Split:
    """The same split. Raises ValueError naming a customer or conversation that is on both sides."""
    for kind in ("conversation_id", "customer_id"):
        keys = [getattr(source, kind) for source in sources]
        train = {key for key, test in zip(keys, parted.test, strict=True) if not test and key is not None}
        both = train & {key for key, test in zip(keys, parted.test, strict=True) if test}
        if both:
            raise ValueError(f"{kind} {min(both)!r} is on both sides of the split")
    return parted


def keys_of(sources: Sequence[Source]) -> bytes:
    """Whom a version has learnt from: eight bytes a conversation (its id and start) and a customer, sorted."""
    return b"".join(sorted({key for source in sources for key in _keys(source)}))


def learnt_from(sources: Sequence[Source], keys: bytes) -> Mask:
    """Which conversations are among those of `keys_of`, or of their customers: array of shape (n_sources,)."""
    known = {keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)}
    return np.array([not known.isdisjoint(_keys(source)) for source in sources], dtype=bool)


def _keys(source: Source) -> list[bytes]:
    # Ids that a system counts up anew name another conversation when it began at another time.
    conversation = f"{source.conversation_id}/{source.started}"
    found = (("conversation", conversation), ("customer", source.customer_id))
    return [
        hashlib.blake2b(f"{kind}/{key}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
        for kind, key in found
        if key is not None
    ]


def folds(sources: Sequence[Source], positive: Mask, among: Mask, count: int, seed: int) -> Integers:
    """The fold (0 to count-1) of each conversation of `among`, -1 for the others; groups stay whole.

    Groups that hold a positive conversation are dealt first, so that every fold gets its share of them.
    """
    members = _members(groups(sources), among)
    Random(f"folds/{seed}").shuffle(members)
    members.sort(key=lambda m: -int(positive[m].sum()))
    fold = np.full(len(sources), -1, dtype=np.int64)
    held = np.zeros((count, 2))
    for member in members:
        target = min(
            range(count), key=lambda k: (held[k, 0], held[k, 1]) if positive[member].any() else (held[k, 1], k)
        )
        fold[member] = target
        held[target] += (positive[member].sum(), len(member))
    return fold


def _members(group: Integers, among: Mask) -> list[Integers]:
    """The conversations of each group, positions within `among`."""
    inside = np.flatnonzero(among)
    ordered = inside[np.argsort(group[inside], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(group[ordered])) + 1)


def _newest_groups(sources: Sequence[Source], group: Integers, share: float) -> Split | None:
    """The newest groups up to `share` of the conversations; None when whole groups come out far from it."""
    started = np.array([np.nan if s.started is None else s.started for s in sources])
    newest = np.full(group.max() + 1, -np.inf)
    np.maximum.at(newest, group, np.nan_to_num(started, nan=-np.inf))
    size = np.bincount(group)
    order = np.argsort(-newest, kind="stable")
    taken = order[: int(np.searchsorted(np.cumsum(size[order]), share * len(sources))) + 1]
    test = np.isin(group, taken)
    if not share / 2 <= test.mean() <= min(2 * share, 0.9):
        return None
    cut = datetime.fromtimestamp(newest[taken].min(), UTC)
    return Split(
        test, f"by time and customer: tested on customers seen from {cut:%Y-%m-%d %H:%M} UTC on, trained on all before"
    )


def _random_groups(group: Integers, seed: int, share: float) -> Split:
    size = np.bincount(group)
    order = list(range(len(size)))
    Random(f"split/{seed}").shuffle(order)
    taken, held, wanted = [], 0, share * len(group)
    for g in order:
        if held + size[g] <= max(wanted, 1) * 1.5 and held < wanted:
            taken.append(g)
            held += int(size[g])
    if not taken:
        taken = [int(np.argmin(size))]
    return Split(np.isin(group, taken), f"at random by customer and conversation, seed {seed}")
