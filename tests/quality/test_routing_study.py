"""Routing by domain: like the sets' own teams, drawn apart, and better than naming the commonest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from handoff.quality import routing
from handoff.training.fit_routing import GRAMS_WEIGH

WORDS = {"pay_bill": "bill", "transfer": "money", "book_flight": "flight", "lost_luggage": "luggage"}
DOMAINS = {"banking": ["pay_bill", "transfer"], "travel": ["book_flight", "lost_luggage"]}


class NoMeaning:
    """An encoder that says the same of every text."""

    dimensions = 2

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), self.dimensions), dtype=np.float32)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "clinc150"
    folder.mkdir()
    (folder / "domains.json").write_text(json.dumps(DOMAINS))
    train = [(f"my {word} number {n}", intent) for intent, word in WORDS.items() for n in range(50)]
    with gzip.open(folder / "data_full.json.gz", "wt") as file:
        json.dump({"train": train, "test": [("never read", "transfer")], "oos_test": [("nor this", "oos")]}, file)
    return tmp_path


def test_a_query_goes_by_its_domain_and_test_queries_stay_out(data: Path) -> None:
    queries = routing.by_domain(data, seed=1)
    assert len(queries) == 200
    assert {(text.split()[1], team) for text, team in zip(queries.texts, queries.intents, strict=True)} == {
        ("bill", "banking"),
        ("money", "banking"),
        ("flight", "travel"),
        ("luggage", "travel"),
    }


@pytest.mark.parametrize(("grams_weigh", "least", "most"), [(GRAMS_WEIGH, 0.95, 1.0), (0.0, 0.3, 0.7)])
def test_the_released_recipe_is_scored_out_of_fold(data: Path, grams_weigh: float, least: float, most: float) -> None:
    hits = routing.named_right(routing.by_domain(data, seed=1), 60, NoMeaning(), grams_weigh, seed=1)
    assert len(hits) == 180
    assert least <= hits.mean() <= most
