"""How fast features are built in bulk: `python -m benchmarks.features [--write] [--messages N]`.

Messages a second from native JSON Lines and Parquet to a file of features and labels, every text new or what was said
kept from a run before, beside reading alone as the floor, VADER as it comes, and a dozen of the features by pandas'
groupby-apply as a data scientist might write them first. The conversations are simulated ones, a few words of each
message new each time, so that nearly all texts are distinct. Slow ways work on fewer messages.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from benchmarks.report import machine, table, write
from handoff.formats import read_conversations
from handoff.formats.native import NativeWriter
from handoff.formats.parquet import ParquetWriter
from handoff.training.feature_file import feature_table, write_features
from handoff.transcript import Conversation

MESSAGES = 200_000
# The most that a way works on: all, what one core does in some seconds, and what takes a second to do badly.
ALL, SOME, FEW = 2**63, 200_000, 5_000


class Made(msgspec.Struct):
    """The data: how many messages and characters, and which share of the texts is distinct."""

    messages: int
    characters: int
    distinct: float


class Done(msgspec.Struct):
    """One way, over so many messages, in so many seconds, with so much memory of the largest process (MiB)."""

    messages: int
    seconds: float
    mebibytes: float


def read_jsonl(data: Path) -> float:
    """JSON parsed into typed conversations, and nothing else."""
    decode = msgspec.json.Decoder(Conversation).decode
    started = time.perf_counter()
    with _lines(data).open("rb") as file:
        for line in file:
            decode(line)
    return time.perf_counter() - started


def read_and_check(data: Path) -> float:
    """JSON Lines read and checked as everything that comes in is."""
    started = time.perf_counter()
    for _ in read_conversations(_lines(data)):
        pass
    return time.perf_counter() - started


def from_jsonl(data: Path) -> float:
    """JSON Lines to a Parquet file of features, every text new, all cores."""
    return _written(_lines(data))


def from_parquet(data: Path) -> float:
    """The same from native Parquet."""
    return _written(data / "chats.parquet")


def one_process(data: Path) -> float:
    """The same from JSON Lines by one process."""
    return _written(_lines(data), processes=1)


def from_signals(data: Path) -> float:
    """JSON Lines to features where what the messages say was kept, all cores. The run that keeps it is not timed."""
    _written(_lines(data), signals=data / "signals")
    return _written(_lines(data), signals=data / "signals")


def from_signals_one_process(data: Path) -> float:
    """The same by one process."""
    _written(_lines(data), signals=data / "signals")
    return _written(_lines(data), signals=data / "signals", processes=1)


def with_encoder(data: Path) -> float:
    """Features by one process, and each text's vector by the encoder that is served by default."""
    from handoff.models.encoder import DEFAULT_KIND
    from handoff.training.export_encoder import ensure_encoder

    encoder = ensure_encoder(data.parent / "encoders", DEFAULT_KIND)
    started = time.perf_counter()
    for chats in _batches(read_conversations(_lines(data))):
        feature_table(chats)
        encoder.encode([message.text for chat in chats for message in chat.messages])
    return time.perf_counter() - started


def vader_alone(data: Path) -> float:
    """VADER as it comes, over every text."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    scores, texts = SentimentIntensityAnalyzer().polarity_scores, list(_texts(data))
    started = time.perf_counter()
    for text in texts:
        scores(text)
    return time.perf_counter() - started


def our_sentiment_alone(data: Path) -> float:
    """The same scores as they are worked out here."""
    from handoff.signals.sentiment import compound

    texts = list(_texts(data))
    started = time.perf_counter()
    for text in texts:
        compound(text)
    return time.perf_counter() - started


def naive_pandas(data: Path) -> float:
    """Twelve of the features by groupby-apply over prefixes' running values, VADER as it comes."""
    import pandas as pd
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    started = time.perf_counter()
    analyzer = SentimentIntensityAnalyzer()
    chats = read_conversations(_lines(data))
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
    return time.perf_counter() - started


WAYS: dict[str, tuple[Callable[[Path], float], int]] = {
    "JSON decoded, nothing else (floor)": (read_jsonl, SOME),
    "JSON Lines read and checked": (read_and_check, SOME),
    "features from JSON Lines, all cores": (from_jsonl, ALL),
    "features from Parquet, all cores": (from_parquet, SOME),
    "features from JSON Lines, one process": (one_process, SOME),
    "features from kept signals, all cores": (from_signals, ALL),
    "features from kept signals, one process": (from_signals_one_process, SOME),
    "features and vectors, one process": (with_encoder, SOME // 10),
    "12 features by pandas groupby-apply, one process": (naive_pandas, FEW),
    "sentiment alone, one process": (our_sentiment_alone, SOME // 10),
    "VADER as it comes, one process": (vader_alone, SOME // 10),
}
GROWS = "features from JSON Lines, all cores"


def make(data: Path, messages: int) -> Made:
    """Write at least so many messages as JSON Lines, and as native Parquet where a way reads them."""
    from benchmarks.many import Many

    data.mkdir()
    many = Many()
    with NativeWriter(_lines(data)) as lines, ParquetWriter(data / "chats.parquet") as rows:
        for chat in many:
            lines.write(chat)
            if messages <= SOME:
                rows.write(chat)
            if many.messages >= messages:
                break
    return Made(many.messages, many.characters, many.distinct)


def alone(name: str, data: Path, messages: int) -> Done:
    """One way in a process of its own, so that caches are empty and memory is its own."""
    command = [sys.executable, "-m", "benchmarks.features", "--way", name, "--folder", str(data)]
    done = subprocess.run([*command, "--messages", str(messages)], stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Done)


def measure(name: str, data: Path, messages: int) -> Done:
    """One way, here."""
    seconds = WAYS[name][0](data)
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Done(messages, seconds, most / 1_024)


def report(folder: Path, messages: int) -> str:
    """All ways as a table, and how time and memory grow with the data."""
    sizes = sorted({min(messages, most) for _, most in WAYS.values()} | {messages // 4, messages // 2})
    made = {size: make(folder / str(size), size) for size in sizes}
    rows, floor = [], None
    for name, (_, most) in WAYS.items():
        size = min(messages, most)
        done = alone(name, folder / str(size), made[size].messages)
        speed = done.messages / done.seconds
        floor = floor or speed
        rows.append([name, f"{done.messages:,}", f"{speed:,.0f}", f"{speed / floor:.3f}", f"{done.mebibytes:,.0f}"])
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    growth = [alone(GROWS, folder / str(size), made[size].messages) for size in (messages // 4, messages // 2)]
    grown = [[f"{g.messages:,}", f"{g.messages / g.seconds:,.0f}", f"{g.mebibytes:,.0f}"] for g in growth]
    heads = ["way", "messages", "messages a second", "× floor", "MiB, largest process"]
    whole = made[messages]
    return (
        f"On {machine()}. {whole.distinct:.0%} of the texts are distinct, {whole.characters / whole.messages:.0f} "
        f"characters each on average.\n\n{table(heads, rows)}\n\n{GROWS.capitalize()}, over a part of them:\n\n"
        f"{table(['messages', *heads[2:3], heads[-1]], grown)}"
    )


def _lines(data: Path) -> Path:
    return data / "chats.jsonl"


def _written(source: Path, processes: int | None = None, signals: Path | None = None) -> float:
    """The seconds that writing features takes, the start of the processes included."""
    started = time.perf_counter()
    write_features(source, source.with_name("features.parquet"), processes, signals=signals)
    return time.perf_counter() - started


def _texts(data: Path) -> Iterator[str]:
    return (message.text for chat in read_conversations(_lines(data)) for message in chat.messages)


def _batches(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    batch: list[Conversation] = []
    for conversation in conversations:
        batch.append(conversation)
        if len(batch) == 1_000:
            yield batch
            batch = []
    yield batch


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
