"""How fast features are built in bulk: `python -m benchmarks.features [--write] [--messages N]`.

Messages a second from native JSON Lines and Parquet to a table of features, beside reading alone as the floor, and
a dozen of the features by pandas' groupby-apply as a data scientist might write them first. At least 90 % of the
texts are distinct; the conversations are simulated.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.chats import Chats
from benchmarks.report import machine, table, write
from handoff.formats import read_conversations
from handoff.formats.native import NativeWriter
from handoff.formats.parquet import ParquetWriter
from handoff.training.feature_file import feature_table, write_features
from handoff.transcript import Conversation

MESSAGES = 100_000
LENGTH = 10  # messages a conversation
SLOW = 5_000  # messages for the ways that are slow: a second is a second


class Done(msgspec.Struct):
    """One way, over so many messages, in so many seconds, with so much memory of the largest process (MiB)."""

    messages: int
    seconds: float
    mebibytes: float


def read_jsonl(folder: Path, messages: int) -> None:
    """JSON parsed into typed conversations, and nothing else."""
    decode = msgspec.json.Decoder(Conversation).decode
    with (folder / "chats.jsonl").open("rb") as file:
        for line in islice(file, messages // LENGTH):
            decode(line)


def read_and_check(folder: Path, messages: int) -> None:
    """JSON Lines read and checked as everything that comes in is."""
    for _ in _first(read_conversations(folder / "chats.jsonl"), messages):
        pass


def from_jsonl(folder: Path, messages: int) -> None:
    """JSON Lines to a Parquet file of features, every text new, all cores."""
    write_features(_first(read_conversations(folder / "chats.jsonl"), messages), folder / "features.parquet")


def from_parquet(folder: Path, messages: int) -> None:
    """The same from native Parquet."""
    write_features(_first(read_conversations(folder / "chats.parquet"), messages), folder / "features.parquet")


def one_core(folder: Path, messages: int) -> None:
    """The same from JSON Lines by one process."""
    write_features(_first(read_conversations(folder / "chats.jsonl"), messages), folder / "features.parquet", 1)


def with_encoder(folder: Path, messages: int) -> None:
    """The same by one process, and each text's vector by the encoder that is served by default."""
    from handoff.models.encoder import DEFAULT_KIND
    from handoff.training.export_encoder import ensure_encoder

    encoder = ensure_encoder(folder / "encoders", DEFAULT_KIND)
    chats = list(_first(read_conversations(folder / "chats.jsonl"), messages))
    feature_table(chats)
    for chat in chats:
        encoder.encode([message.text for message in chat.messages])


def readings_known(folder: Path, messages: int) -> float:
    """Features where every text was read before, by one process; the seconds of the second pass alone."""
    known = [each for _, each in zip(range(1_000), read_conversations(folder / "chats.jsonl"), strict=False)]
    feature_table(known)
    started = time.perf_counter()
    for _ in range(max(1, messages // (LENGTH * len(known)))):
        feature_table(known)
    return time.perf_counter() - started


def naive_pandas(folder: Path, messages: int) -> None:
    """Twelve of the features by groupby-apply over prefixes' running values, VADER as it comes."""
    import pandas as pd
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    chats = _first(read_conversations(folder / "chats.jsonl"), messages)
    frame = pd.DataFrame(
        [(c.conversation_id, m.role, m.text, m.sent_at, m.confidence) for c in chats for m in c.messages],
        columns=["conversation", "role", "text", "sent_at", "confidence"],
    )

    def running(group: pd.DataFrame) -> pd.DataFrame:
        customer = group["role"].eq("customer")
        sentiment = group["text"].where(customer).map(lambda t: analyzer.polarity_scores(t)["compound"], "ignore")
        words = group["text"].str.split().str.len().where(customer)
        confidence = group["confidence"]
        return pd.DataFrame({
            "confidence_last": confidence.ffill(), "confidence_mean": confidence.expanding().mean(),
            "confidence_min": confidence.cummin().ffill(), "confidence_peak": confidence.cummax().ffill(),
            "confidence_fall": confidence.cummax().ffill() - confidence.ffill(),
            "sentiment_last": sentiment.ffill(), "sentiment_mean": sentiment.expanding().mean(),
            "sentiment_min": sentiment.expanding().min(), "customer_messages": customer.cumsum(),
            "customer_words_last": words.ffill(), "customer_words_mean": words.expanding().mean(),
            "minutes_open": (group["sent_at"] - group["sent_at"].iloc[0]).dt.total_seconds() / 60,
        })  # fmt: skip

    frame.groupby("conversation", sort=False)[list(frame.columns[1:])].apply(running)


WAYS: dict[str, tuple[Callable[[Path, int], Any], int | None]] = {
    "JSON decoded, nothing else (floor)": (read_jsonl, None),
    "JSON Lines read and checked": (read_and_check, None),
    "features from JSON Lines, all cores": (from_jsonl, None),
    "features from Parquet, all cores": (from_parquet, None),
    "features from JSON Lines, one process": (one_core, None),
    "features, every text read before, one process": (readings_known, None),
    "features and vectors, one process": (with_encoder, None),
    "12 features by pandas groupby-apply, one process": (naive_pandas, SLOW),
}


def _first(conversations: Iterable[Conversation], messages: int) -> Iterable[Conversation]:
    return islice(conversations, messages // LENGTH)


def make(folder: Path, messages: int) -> float:
    """Write the conversations in both native formats; the share of their texts that are distinct."""
    seen: set[int] = set()
    with NativeWriter(folder / "chats.jsonl") as lines, ParquetWriter(folder / "chats.parquet") as rows:
        for chat in _first(Chats().conversations(LENGTH, all_new=True), messages):
            seen.update(hash(message.text) for message in chat.messages)
            lines.write(chat)
            rows.write(chat)
    return len(seen) / messages


def alone(name: str, folder: Path, messages: int) -> Done:
    """One way in a process of its own, so that caches are empty and memory is its own."""
    command = [sys.executable, "-m", "benchmarks.features", "--way", name, "--folder", str(folder)]
    done = subprocess.run([*command, "--messages", str(messages)], stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Done)


def measure(name: str, folder: Path, messages: int) -> Done:
    """One way, here."""
    started = time.perf_counter()
    own = WAYS[name][0](folder, messages)
    seconds = own if isinstance(own, float) else time.perf_counter() - started
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Done(messages, seconds, most / 1_024)


def report(folder: Path, messages: int) -> str:
    """All ways as a table, and how time and memory grow with the data."""
    distinct = make(folder, messages)
    rows, floor = [], None
    for name, (_, most) in WAYS.items():
        done = alone(name, folder, min(messages, most or messages))
        speed = done.messages / done.seconds
        floor = floor or speed
        rows.append([name, f"{speed:,.0f}", f"{speed / floor:.3f}", f"{done.mebibytes:,.0f}"])
    growth = [alone("features from JSON Lines, all cores", folder, share) for share in (messages // 4, messages // 2)]
    grown = [[f"{g.messages:,} messages", f"{g.messages / g.seconds:,.0f}", "", f"{g.mebibytes:,.0f}"] for g in growth]
    heads = ["way", "messages a second", "× floor", "MiB, largest process"]
    return (
        f"On {machine()}. {messages:,} messages, {distinct:.0%} of the texts distinct, {LENGTH} messages a "
        f"conversation.\n\n{table(heads, rows)}\n\nThe same command over a part of them:\n\n{table(heads, grown)}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="write the tables into docs/performance.md")
    options.add_argument("--messages", type=int, default=MESSAGES)
    options.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.way:
        sys.stdout.write(msgspec.json.encode(measure(chosen.way, chosen.folder, chosen.messages)).decode() + "\n")
        return
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="handoff-benchmark-") as name:
        text = report(Path(name), chosen.messages)
    print(text)
    if chosen.write:
        write("features", text)


if __name__ == "__main__":
    main()
