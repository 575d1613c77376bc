"""Routing as it is released (`handoff.training.fit_routing`), by encoder, with and without n-grams.

No public set names teams. CLINC150 comes with ten domains of 15 intents each ("banking", "travel" …): they stand for
teams, and a query for what was said up to a hand-off. All figures are out of fold on training queries, in draws of as
many hand-offs as a help desk may have; no test query is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from handoff.features.follower import Moment, follow
from handoff.metrics import share
from handoff.models.encoder import KINDS, Embeds
from handoff.quality.intents import clinc150_sides
from handoff.quality.queries import Queries, make_encoder
from handoff.quality.row import Row
from handoff.quality.settings import QualitySettings
from handoff.training.embeddings import FOLDER, Embeddings
from handoff.training.fit_routing import GRAMS_WEIGH, fit_routing
from handoff.training.rows import RoutingTable, source_of
from handoff.transcript import Conversation, from_object

# Hand-offs a draw, and how many draws, none of which shares a query with another of its size.
SIZES, DRAWS = (100, 300, 1000), 3
BLOCKS = {"": 0.0, " and n-grams": GRAMS_WEIGH}


def rows(data: Path, settings: QualitySettings) -> Iterator[Row]:
    """Accuracy of the team named, by encoder, block and size."""
    queries = by_domain(data, settings.seed)
    commonest = max(queries.intents.count(team) for team in set(queries.intents)) / len(queries)
    for kind in KINDS:
        embeddings = Embeddings(make_encoder(kind, settings), settings.work / FOLDER)
        for block, grams_weigh in BLOCKS.items():
            for size in SIZES:
                hits = named_right(queries, size, embeddings, grams_weigh, settings.seed)
                yield Row(
                    set=f"CLINC150, {size} hand-offs to 10 domains",
                    task=f"routing: {kind}{block}",
                    proxy_for="which team took it",
                    metric="accuracy out of fold",
                    ours=share(hits, np.arange(len(hits)), settings.seed),
                    interval=f"bootstrap over queries of {DRAWS} draws",
                    trivial={"always the commonest": commonest},
                )
                settings.step()
        embeddings.save()


def by_domain(data: Path, seed: int) -> Queries:
    """CLINC150's training queries in an order drawn by `seed`, each with its domain for an intent."""
    domains = msgspec.json.decode((data / "clinc150" / "domains.json").read_bytes(), type=dict[str, list[str]])
    domain_of = {intent: domain for domain, intents in domains.items() for intent in intents}
    train = clinc150_sides(data)["train"]
    order = np.random.default_rng(seed).permutation(len(train)).tolist()
    return Queries(tuple(train.texts[i] for i in order), tuple(domain_of[train.intents[i]] for i in order))


def named_right(queries: Queries, size: int, embeds: Embeds, grams_weigh: float, seed: int) -> np.ndarray:
    """Whether the right team was named, out of fold: array of shape (about DRAWS * size,), bool."""
    found = []
    for draw in range(DRAWS):
        taken = np.zeros(len(queries), dtype=bool)
        taken[draw * size : (draw + 1) * size] = True
        table = routing_table_of(queries.take(taken))
        everyone = np.ones(len(table.teams), dtype=bool)
        fitted = fit_routing(table, everyone, embeds, seed, grams_weigh)
        named = np.array(fitted.teams)[fitted.out_of_fold.argmax(axis=1)]
        found.append(named == [team for team in table.teams if team in fitted.teams])
    return np.concatenate(found)


def routing_table_of(queries: Queries) -> RoutingTable:
    """Each query as a conversation of one message that was handed to the team of its name."""
    chats = [_chat(number, text) for number, text in enumerate(queries.texts)]
    sources = tuple(source_of(chat) for chat in chats)
    return RoutingTable(tuple(map(_moment, chats)), queries.intents, sources, "", len(chats), ())


def _chat(number: int, text: str) -> Conversation:
    return from_object({"conversation_id": f"q{number}", "messages": [{"role": "customer", "text": text}]})


def _moment(chat: Conversation) -> Moment:
    (moment,) = follow(chat)
    return moment
