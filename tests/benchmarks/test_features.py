"""The benchmark of bulk features runs its ways on a little data, of which nearly all texts are distinct."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from benchmarks.features import WAYS, make, measure
from benchmarks.many import Many

# The encoder is distilled first, which takes longer than all else; ConvoKit is not among what is installed.
QUICK = [name for name in WAYS if "vectors" not in name and "ConvoKit" not in name]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark") / "data"
    made = make(folder, 300)
    assert made.messages >= 300
    assert made.distinct > 0.9
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_every_way_runs(name: str, data: Path) -> None:
    done = measure(name, data, 300)
    assert done.spent.seconds > 0
    assert done.mebibytes > 1


def test_the_same_seed_makes_the_same_chats() -> None:
    assert list(islice(Many(3), 500)) == list(islice(Many(3), 500))
    assert next(iter(Many(3))) != next(iter(Many(4)))
