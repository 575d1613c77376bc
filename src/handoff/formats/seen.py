"""Which ids were seen before, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b

import numpy as np

# New digests are put among the sorted ones when there are so many, and at least a share of those: then each is
# sorted a few times only, however many come.
MIN_NEW, SHARE_NEW = 65_536, 8


class SeenIds:
    """Eight bytes for each id, not the id: with a billion conversations the chance of a false alarm is 3 %.

    A set of them would take 120 bytes each. So only the newest are in a set, the others in a sorted array.
    """

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._sorted = array("Q")

    def comes_again(self, name: str) -> bool:
        """Whether the id was asked for before."""
        digest = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
        place = bisect_left(self._sorted, digest)
        if digest in self._new or (place < len(self._sorted) and self._sorted[place] == digest):
            return True
        self._new.add(digest)
        if len(self._new) >= max(MIN_NEW, len(self._sorted) // SHARE_NEW):
            self._put_in_order()
        return False

    def _put_in_order(self) -> None:
        together = np.concatenate([np.asarray(self._sorted), np.fromiter(self._new, np.uint64, len(self._new))])
        together.sort()
        self._sorted, self._new = array("Q", together.tobytes()), set()
