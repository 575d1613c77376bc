"""How fast features are built in bulk: `python -m benchmarks.features [--write] [--messages N]`.

Messages a second from native JSON Lines and Parquet to a file of features and labels, every text new or what was said
kept from a run before, beside reading alone as the floor, VADER as it comes, and a dozen of the features by pandas'
groupby-apply as a data scientist might write them first. The conversations are simulated ones, a few words of each
message new each time, so that nearly all texts are distinct. Slow ways work on fewer messages. ConvoKit does not
belong to this project's environment; its row is there where it can be imported (docs/performance.md says how).
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
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import msgspec

from benchmarks.report import machine, table, write
from handoff.formats import read_conversations
from handoff.formats.native import NativeWriter
from handoff.formats.parquet import ParquetWriter
from handoff.training.feature_file import feature_table, write_features
from handoff.transcript import Conversation
from handoff.transcript.types import Role

MESSAGES = 200_000
# The most that a way works on: all, what one core does in some seconds, and what takes a second to do badly.
ALL, SOME, FEW = 2**63, 200_000, 5_000


class Made(msgspec.Struct):
    """The data: how many messages and characters, and which share of the texts is distinct."""

    messages: int
    characters: int
    distinct: float


class Spent(msgspec.Struct):
    """Seconds by the clock, and of all cores' work, which other work on the machine changes less."""

    seconds: float
    processor_seconds: float


class Done(msgspec.Struct):
    """One way, over so many messages, what it took, and the memory of the largest process (MiB)."""

    messages: int
    spent: Spent
    mebibytes: float


def read_jsonl(data: Path) -> Spent:
    """JSON parsed into typed conversations, and nothing else."""
    decode = msgspec.json.Decoder(Conversation).decode
    with _lines(data).open("rb") as file:
        return _spent(lambda: _all(map(decode, file)))


def read_and_check(data: Path) -> Spent:
    """JSON Lines read and checked as everything that comes in is."""
    return _spent(lambda: _all(read_conversations(_lines(data))))


def from_jsonl(data: Path) -> Spent:
    """JSON Lines to a Parquet file of features, every text new, all cores; the start of the processes included."""
    return _spent(lambda: _written(_lines(data)))


def from_parquet(data: Path) -> Spent:
    """The same from native Parquet."""
    return _spent(lambda: _written(data / "chats.parquet"))


def one_process(data: Path) -> Spent:
    """The same from JSON Lines by one process."""
    return _spent(lambda: _written(_lines(data), processes=1))


def from_signals(data: Path) -> Spent:
    """JSON Lines to features where what the messages say was kept, all cores. The run that keeps it is not timed."""
    _written(_lines(data), signals=data / "signals")
    return _spent(lambda: _written(_lines(data), signals=data / "signals"))


def from_signals_one_process(data: Path) -> Spent:
    """The same by one process."""
    _written(_lines(data), signals=data / "signals")
    return _spent(lambda: _written(_lines(data), signals=data / "signals", processes=1))


def with_encoder(data: Path) -> Spent:
    """Features by one process, and each text's vector by the encoder that is served by default."""
    from handoff.models.encoder import DEFAULT_KIND
    from handoff.training.export_encoder import ensure_encoder

    encoder = ensure_encoder(data.parent / "encoders", DEFAULT_KIND)

    def work() -> None:
        for chats in _batches(read_conversations(_lines(data))):
            feature_table(chats)
            encoder.encode([message.text for chat in chats for message in chat.messages])

    return _spent(work)


def our_sentiment_alone(data: Path) -> Spent:
    """VADER's scores of every text as they are worked out here."""
    from handoff.signals.sentiment import compound

    texts = list(_texts(data))
    return _spent(lambda: _all(map(compound, texts)))


def vader_alone(data: Path) -> Spent:
    """The same by the library as it comes."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    texts, scores = list(_texts(data)), SentimentIntensityAnalyzer().polarity_scores
    return _spent(lambda: _all(map(scores, texts)))


def convokit(data: Path) -> Spent:
    """A corpus of the messages, and one pass over its utterances that notes sentiment by VADER and words of each."""
    os.environ["HOME"] = str(data)  # where it writes its settings when it is imported
    from convokit import Corpus, Speaker, Utterance
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    scores = SentimentIntensityAnalyzer().polarity_scores

    def work() -> None:
        speakers = {role: Speaker(id=role) for role in get_args(Role)}
        utterances = [
            Utterance(
                id=f"{c.conversation_id}/{m.message_id}",
                speaker=speakers[m.role],
                conversation_id=c.conversation_id,
                text=m.text,
            )
            for c in read_conversations(_lines(data))
            for m in c.messages
        ]
        corpus = Corpus(utterances=utterances)
        for utterance in corpus.iter_utterances():
            utterance.add_meta("sentiment", scores(utterance.text)["compound"])
            utterance.add_meta("words", len(utterance.text.split()))

    return _spent(work)


def naive_pandas(data: Path) -> Spent:
    """Twelve of the features by groupby-apply over prefixes' running values, VADER as it comes."""
    import pandas as pd
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()

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

    def work() -> None:
        chats = read_conversations(_lines(data))
        frame = pd.DataFrame(
            [(c.conversation_id, m.role, m.text, m.sent_at, m.confidence) for c in chats for m in c.messages],
            columns=["conversation", "role", "text", "sent_at", "confidence"],
        )
        frame.groupby("conversation", sort=False)[list(frame.columns[1:])].apply(running)

    return _spent(work)


WAYS: dict[str, tuple[Callable[[Path], Spent], int]] = {
    "JSON decoded, nothing else (floor)": (read_jsonl, SOME),
    "JSON Lines read and checked": (read_and_check, SOME),
    "features from JSON Lines, all cores": (from_jsonl, ALL),
    "features from Parquet, all cores": (from_parquet, SOME),
    "features from JSON Lines, one process": (one_process, SOME),
    "features from kept signals, all cores": (from_signals, ALL),
    "features from kept signals, one process": (from_signals_one_process, SOME),
    "features and vectors, one process": (with_encoder, SOME // 10),
    "12 features by pandas groupby-apply, one process": (naive_pandas, FEW),
    "a pass over utterances by ConvoKit, one process": (convokit, FEW),
    "sentiment alone, one process": (our_sentiment_alone, SOME // 10),
    "VADER as it comes, one process": (vader_alone, SOME // 10),
}
GROWS = "features from JSON Lines, all cores"
# This way is measured over so many times the messages, too: starting processes takes most of a short run.
KEPT, TIMES_AS_MANY = "features from kept signals, all cores", 5


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
    spent = WAYS[name][0](data)
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Done(messages, spent, most / 1_024)


def report(folder: Path, messages: int) -> str:
    """All ways as a table, and how time and memory grow with the data."""
    more = messages * TIMES_AS_MANY
    sizes = sorted({min(messages, most) for _, most in WAYS.values()} | {messages // 4, messages // 2, more})
    made = {size: make(folder / str(size), size) for size in sizes}
    rows, floor = [], None
    for name, (way, most) in WAYS.items():
        if way is convokit and find_spec("convokit") is None:
            continue
        size = min(messages, most)
        done = alone(name, folder / str(size), made[size].messages)
        speed = done.messages / done.spent.seconds
        floor = floor or speed
        rows.append([name, *_row(done), f"{speed / floor:.3f}"])
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    growth = [alone(GROWS, folder / str(size), made[size].messages) for size in (messages // 4, messages // 2)]
    kept = alone(KEPT, folder / str(more), made[more].messages)
    heads = ["messages", "messages a second", "µs of processor each", "MiB, largest process"]
    whole = made[messages]
    return (
        f"On {machine()}. {whole.distinct:.0%} of the texts are distinct, {whole.characters / whole.messages:.0f} "
        f"characters each on average.\n\n{table(['way', *heads, '× floor'], rows)}\n\nThe way that grows, {GROWS}, "
        f"over a part of them:\n\n{table(heads, [_row(done) for done in growth])}\n\n"
        f"And {KEPT}, over more:\n\n{table(heads, [_row(kept)])}"
    )


def _row(done: Done) -> list[str]:
    each = done.spent.processor_seconds / done.messages * 1e6
    speed = done.messages / done.spent.seconds
    return [f"{done.messages:,}", f"{speed:,.0f}", f"{each:,.1f}", f"{done.mebibytes:,.0f}"]


def _spent(work: Callable[[], object]) -> Spent:
    started, worked = time.perf_counter(), _processor_seconds()
    work()
    return Spent(time.perf_counter() - started, _processor_seconds() - worked)


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in each)


def _all(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _lines(data: Path) -> Path:
    return data / "chats.jsonl"


def _written(source: Path, processes: int | None = None, signals: Path | None = None) -> None:
    write_features(source, source.with_name("features.parquet"), processes, signals=signals)


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
