"""How fast the service is, beside an endpoint that does nothing and beside `mlflow models serve`, in one run.

`python -m benchmarks.serving [--write] [--rounds N] [--encoders]`. Everything runs on the loopback, with models trained
here on simulated conversations. Contenders take turns within each round, so that a noisy machine is noisy for all;
printed are medians over the rounds, and ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks import stages
from benchmarks.chats import Chats
from benchmarks.contenders import Server, handoff, mlflow, nothing, serving
from benchmarks.load import Seen
from benchmarks.models import LIGHTGBM, train_beside
from benchmarks.report import DOCS, machine, table, write
from handoff.models import read_manifest
from handoff.models.encoder import DEFAULT_KIND, KINDS
from handoff.transcript import Conversation, Message, to_json

CONCURRENCIES = (1, 8, 32)
SECONDS = 3.0  # the longest that one run of one contender at one concurrency may take
PREDICT = "/predict?explain=always"
LIVE, LONG = 300, 8  # conversations by message: of a few messages, of five hundred
BATCH = 1_000
BUSY, EACH_SECONDS = 0.6, 20  # of the table of sizes: how busy a worker should be, how often a chat has a new message

Lines = list[bytes]
Grows = Callable[[int], "Growing"]


@dataclass(frozen=True, slots=True)
class Growing:
    """Requests of conversations, and those with which they came to all but their newest message."""

    before: Lines
    lines: Lines


@dataclass
class Contender:
    """Something that answers, what it is asked in a run of so many requests, and what was seen by concurrency."""

    name: str
    server: Server
    lines: Callable[[int], Lines | Growing]
    requests: tuple[int, int, int] = (200, 500, 700)
    seen: dict[int, list[Seen]] = field(default_factory=lambda: {c: [] for c in CONCURRENCIES})

    def measure(self) -> None:
        """One round."""
        for concurrency, count in zip(CONCURRENCIES, self.requests, strict=True):
            self.seen[concurrency].append(sent(self.server, concurrency, self.ready(count)))

    def ready(self, count: int) -> Lines:
        """So many requests, of conversations that have come as far as they should have."""
        made = self.lines(count)
        if not isinstance(made, Growing):
            return made
        fed(self.server, made.before)
        return made.lines

    def per_second(self, concurrency: int) -> float:
        return statistics.median(len(s.milliseconds) / s.seconds for s in self.seen[concurrency])

    def percentile(self, concurrency: int, share: float) -> float:
        """Of the latencies, in milliseconds, median over the rounds."""
        return statistics.median(percentile(s.milliseconds, share) for s in self.seen[concurrency])

    def refused(self) -> float:
        """Share of the requests that were answered 503, at any concurrency."""
        every = [s.statuses for seen in self.seen.values() for s in seen]
        return sum(s.get("503", 0) for s in every) / sum(sum(s.values()) for s in every)

    def escalating(self) -> float:
        """Share of the answers that escalate, and were on disk before they were given."""
        every = [s for seen in self.seen.values() for s in seen]
        return sum(s.escalating for s in every) / sum(len(s.milliseconds) for s in every)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def sent(server: Server, concurrency: int, lines: Lines, seconds: float = SECONDS) -> Seen:
    """What the load generator saw. Raises RuntimeError for an answer that is neither 200 nor, under load, 503."""
    command = [sys.executable, "-m", "benchmarks.load", str(server.port), str(concurrency), str(seconds)]
    done = subprocess.run(command, input=b"\n".join(lines), stdout=subprocess.PIPE, check=True)
    seen = msgspec.json.decode(done.stdout, type=Seen)
    if not {"200"} <= set(seen.statuses) <= {"200", "503"}:
        raise RuntimeError(f"port {server.port} answered {seen.statuses}; expected 200, or 503 where it is too much")
    return seen


def fed(server: Server, lines: Lines) -> None:
    """Send messages that others build on. Raises RuntimeError unless all are taken within four minutes."""
    seen = sent(server, 4, lines, 240)
    if len(seen.milliseconds) != len(lines):
        raise RuntimeError(f"only {seen.statuses} of {len(lines)} messages were taken; is the machine too busy?")


def to(path: str, bodies: list[bytes]) -> Lines:
    return [path.encode() + b"\t" + body for body in bodies]


def whole(conversations: Iterator[Conversation]) -> Callable[[int], Lines]:
    """Whole conversations that the service has not seen before."""
    return lambda count: to(PREDICT, [to_json(each) for each in islice(conversations, count)])


def growing(conversations: Iterator[Conversation]) -> Grows:
    """Conversations as a chat backend sends them, with every message: first without the newest one, then with it."""

    def lines(count: int) -> Growing:
        made = list(islice(conversations, count))
        before = [msgspec.structs.replace(each, messages=each.messages[:-1]) for each in made]
        return Growing(to(PREDICT, [to_json(each) for each in before]), to(PREDICT, [to_json(each) for each in made]))

    return lines


def _with_request(conversation: Conversation) -> Conversation:
    *before, newest = conversation.messages
    newest = msgspec.structs.replace(newest, text=f"{newest.text}. I want to talk to a human.")
    return msgspec.structs.replace(conversation, messages=(*before, newest))


class Live:
    """Conversations that grow by message: each call of `lines` is the next message of as many of them."""

    def __init__(self, chats: Chats, count: int, length: int) -> None:
        made = islice(chats.conversations(length, all_new=True), count)
        self._left: list[Iterator[bytes]] = [_by_message(each) for each in made]
        self._turn = 0

    def lines(self, count: int) -> Lines:
        turns = range(self._turn, self._turn + count)
        self._turn += count
        return [next(self._left[turn % len(self._left)]) for turn in turns]


def _by_message(conversation: Conversation) -> Iterator[bytes]:
    path = f"/conversations/{conversation.conversation_id}/messages?explain=always".encode()
    for message in conversation.messages:
        yield path + b"\t" + msgspec.json.encode(_alone(message))


def _alone(message: Message) -> Message:
    return msgspec.structs.replace(message, label=None)


def tree_rows(models: Path) -> Callable[[int], Lines]:
    """Rows for MLflow's scoring server."""
    names = read_manifest(models / "escalation" / "1").features
    row = {"dataframe_split": {"columns": names, "data": [[0.5] * len(names)]}}
    return lambda count: to("/invocations", [msgspec.json.encode(row)] * count)


@dataclass
class Extra:
    """What is measured beside the contenders."""

    start_seconds: float
    mebibytes: float
    message_5: float
    message_500: float
    batch_per_second: float


def run(folder: Path, models: Path, rounds: int) -> tuple[list[Contender], Extra]:
    """Measure all contenders; the service is the same process for all of its rows."""
    chats = Chats()
    with ExitStack() as stack:
        ours = stack.enter_context(serving(handoff(models, folder), "/readyz", folder))
        answer = folder / "answer.json"
        answer.write_bytes(_answer(ours, chats))
        idle = stack.enter_context(serving(nothing(), "/readyz", folder, ANSWER=str(answer)))
        trees = stack.enter_context(serving(mlflow(models / LIGHTGBM), "/ping", folder))
        live = Live(chats, LIVE, 40)
        fed(ours, live.lines(4 * LIVE))
        contenders = [
            Contender("nothing, 10 messages sent", idle, whole(chats.conversations(10))),
            Contender("mlflow models serve, one row", trees, tree_rows(models), (60, 100, 100)),
            Contender("full answer, 10 messages", ours, growing(chats.calm(10))),
            Contender("10 messages, half of them escalate", ours, growing(chats.conversations(10))),
            Contender("full answer, 40 messages", ours, growing(chats.conversations(40))),
            Contender("full answer, 200 messages", ours, growing(chats.conversations(200)), (100, 200, 200)),
            Contender("by message, 5 to 15 before", ours, live.lines, (LIVE, LIVE, LIVE)),
            Contender("10 messages, all escalate", ours, growing(map(_with_request, chats.calm(10)))),
            Contender("10 messages, conversation new", ours, whole(chats.calm(10))),
            Contender("10 messages, every text new", ours, whole(chats.conversations(10, all_new=True))),
        ]
        for contender in contenders:  # once unmeasured: code and caches are warm in all of them
            sent(contender.server, 8, contender.ready(LIVE), 2)
        for _ in range(rounds):
            for contender in contenders:
                contender.measure()
        return contenders, _extra(ours, chats, rounds)


def _answer(ours: Server, chats: Chats) -> bytes:
    """An answer of the usual size, for the endpoint that does nothing."""
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{ours.port}{PREDICT}", chats.bodies(1, 10)[0])
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def _extra(ours: Server, chats: Chats, rounds: int) -> Extra:
    # Both sides speak alike often in what is compared: messages 5 and 6 of many, the 500th to 525th of a few.
    shorts, long = [Live(chats, 100, 12) for _ in range(rounds)], Live(chats, LONG, 499 + 30 * rounds)
    for short in shorts:
        fed(ours, short.lines(4 * 100))
    # The first long batch starts the processes that work on batches, the second finds them without anything at hand.
    sent(ours, 1, _batch(chats), 60)
    fed(ours, long.lines(499 * LONG))
    sent(ours, 1, _batch(chats), 60)
    fifth, five_hundredth, batch = [], [], []
    for short in shorts:
        fifth.append(statistics.median(sent(ours, 1, short.lines(200)).milliseconds))
        five_hundredth.append(statistics.median(sent(ours, 1, long.lines(200)).milliseconds))
        batch.append(BATCH / sent(ours, 1, _batch(chats), 60).seconds)
    middle = statistics.median
    return Extra(ours.start_seconds, ours.worker_mebibytes(), middle(fifth), middle(five_hundredth), middle(batch))


def _batch(chats: Chats) -> Lines:
    return to("/predict_batch?explain=always", [b"[" + b",".join(chats.bodies(BATCH, 10)) + b"]"])


def rows(contenders: list[Contender]) -> str:
    """The table of all contenders."""
    idle = contenders[0]
    heads = ["contender", "p50 ms, 1", "× nothing", "a second, 1 / 8 / 32", "× nothing, 8 / 32", "p50 ms, 32",
             "p99 ÷ p50, 32", "escalate", "503"]  # fmt: skip
    found = []
    for each in contenders:
        shares = [each.per_second(c) / idle.per_second(c) for c in CONCURRENCIES[1:]]
        middle = each.percentile(32, 0.5)
        found.append([
            each.name, f"{each.percentile(1, 0.5):.2f}", f"{each.percentile(1, 0.5) / idle.percentile(1, 0.5):.2f}",
            " / ".join(f"{each.per_second(c):,.0f}" for c in CONCURRENCIES), " / ".join(f"{s:.2f}" for s in shares),
            f"{middle:.1f}", f"{each.percentile(32, 0.99) / middle:.1f}", f"{each.escalating():.0%}",
            f"{each.refused():.0%}",
        ])  # fmt: skip
    return table(heads, found)


def aims(contenders: list[Contender], extra: Extra) -> str:
    """What was aimed at, and what was found."""
    idle, trees, full, unknown = contenders[0], contenders[1], contenders[2], contenders[8]
    beside = [full.per_second(c) / idle.per_second(c) for c in CONCURRENCIES[1:]]
    over = min(full.per_second(c) / trees.per_second(c) for c in CONCURRENCIES)
    slow = full.percentile(32, 0.99) / full.percentile(32, 0.5)
    one = unknown.per_second(1)  # those of a batch have not been seen before either
    found = [
        ("median latency at 1, × nothing", "at most 2", f"{full.percentile(1, 0.5) / idle.percentile(1, 0.5):.2f}"),
        ("throughput at 8 and 32, × nothing", "at least 0.5", f"{beside[0]:.2f}, {beside[1]:.2f}"),
        ("throughput × mlflow models serve, least", "at least 10", f"{over:.1f}"),
        ("p99 ÷ p50 at 32", "at most 3", f"{slow:.1f}"),
        ("message 500 ÷ message 5", "at most 1.2", f"{extra.message_500 / extra.message_5:.2f}"),
        ("/predict_batch × one by one, conversations new", "at least 5", f"{extra.batch_per_second / one:.1f}"),
        ("start to ready, s", "under 5", f"{extra.start_seconds:.1f}"),
        ("memory of the worker, MiB", "under 500", f"{extra.mebibytes:.0f}"),
    ]
    return table(["what", "aim", "found"], found)


def sizing(contenders: list[Contender], extra: Extra) -> str:
    """What one worker is good for, by the kind of request."""
    heads = ["request", "answers a second, 8 callers", "at 60 % busy", "chats open, a message each 20 s"]
    found = []
    for each in contenders[2:]:
        most = each.per_second(8)
        found.append([each.name, f"{most:,.0f}", f"{BUSY * most:,.0f}", f"{BUSY * most * EACH_SECONDS:,.0f}"])
    return f"One worker, {extra.mebibytes:.0f} MiB. On {machine()}.\n\n{table(heads, found)}"


def other_encoders(folder: Path) -> str:
    """The same request under each encoder: medians in milliseconds, the newest text new, one caller."""
    found = []
    for kind in KINDS:
        models = folder / f"models-{kind}"
        train_beside(models, kind)
        with serving(handoff(models, folder), "/readyz", folder) as ours:
            ask = Contender(kind, ours, growing(Chats(seed=8).calm(10)))
            sent(ours, 1, ask.ready(100))
            latency = statistics.median(sent(ours, 1, ask.ready(200)).milliseconds)
            found.append([kind, f"{latency:.2f}", f"{ours.start_seconds:.1f}", f"{ours.worker_mebibytes():.0f}"])
    return table(["encoder", "p50 ms, 1", "start s", "worker MiB"], found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="write the tables into docs/")
    options.add_argument("--rounds", type=int, default=2, help="rounds over all contenders")
    options.add_argument("--models", type=Path, help="models that `benchmarks.models` made, instead of training")
    options.add_argument("--encoders", action="store_true", help="also train and measure with each encoder")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="handoff-benchmark-") as name:
        models = chosen.models.absolute() if chosen.models else Path(name) / "models"
        if not chosen.models:
            train_beside(models, DEFAULT_KIND)
        contenders, extra = run(Path(name), models, chosen.rounds)
        parts = [f"On {machine()}.", rows(contenders), aims(contenders, extra)]
        if chosen.encoders:
            parts.append(other_encoders(Path(name)))
        found = {"serving": "\n\n".join(parts), "stages": stages.report(models)}
    for block, text in found.items():
        print(text, end="\n\n")
        if chosen.write:
            write(block, text)
    if chosen.write:
        write("sizing", sizing(contenders, extra), DOCS / "operating.md")


if __name__ == "__main__":
    main()
