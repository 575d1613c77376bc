"""Long batches, and the processes beside a worker that work on them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event, Timer
from typing import Any, NamedTuple

import httpx
import msgspec
import psutil
import pytest

import serving.hand
from handoff.models import promote, read_manifest
from handoff.models.artifact import rewrite_manifest
from handoff.models.manifest import CARD_FILE
from handoff.settings import Settings
from handoff.transcript import from_object
from serving.batch import PART, PART_BYTES, Part, Told, identity, parts_of, together, work_on
from serving.current import CurrentJudge
from serving.hands import Hand, Hands
from serving.http import Refused
from tests.serving.conversations import ASKS, CALM, DISPUTE
from tests.serving.running import Running, add_version, copy_models, running, until

MANY = 2 * PART + 1


def chats(count: int = MANY) -> list[dict[str, Any]]:
    """Different conversations, so that one in the place of another is seen."""
    return [each | {"conversation_id": f"b-{n}"} for n in range(count) for each in [(CALM, DISPUTE, ASKS)[n % 3]]]


@pytest.fixture
def served(trained_models: Path, tmp_path: Path) -> Iterator[Running]:
    """A service that has its processes for batches, and models that a test may change."""
    models = copy_models(trained_models, tmp_path / "models")
    add_version(models, "2")
    with running(models, cwd=tmp_path) as it:
        assert it.hands() == []
        assert ask(it).status_code == 200  # by the worker itself
        assert len(it.hands()) == 2
        assert until(lambda: was_worked_on_beside(it))
        yield it


def ask(service: Running, sent: list[dict[str, Any]] | None = None) -> httpx.Response:
    return service.post("/predict_batch?explain=always", sent or chats(), {"x-request-id": "batch-1"})


def was_worked_on_beside(service: Running) -> bool:
    """Whether the processes took their part of another batch."""
    before = seconds_of(service)
    ask(service)
    return min(now - then for now, then in zip(seconds_of(service), before, strict=True)) > 0.02


def seconds_of(service: Running) -> list[float]:
    return [sum(each.cpu_times()[:2]) for each in service.hands()]


def test_a_long_batch_is_answered_as_by_the_worker_itself(served: Running) -> None:
    by_hands = ask(served).json()
    alone = [served.post("/predict?explain=always", each, {"x-request-id": "batch-1"}).json() for each in chats(30)]
    assert by_hands[:30] == alone
    assert [each["conversation_id"] for each in by_hands] == [each["conversation_id"] for each in chats()]
    problem = ask(served, [*chats(PART + 4), {"messages": 7}]).json()["detail"][0]
    assert problem["path"].startswith(f"[{PART + 4}].")


def test_a_promoted_version_answers_the_whole_of_the_next_batch(served: Running) -> None:
    promote("escalation", "2", served.output.parent / "models")
    assert until(lambda: served.get("/status").json()["versions"]["model"] == "escalation/2")
    assert {each["versions"]["model"] for each in ask(served).json()} == {"escalation/2"}
    assert until(lambda: was_worked_on_beside(served))


def test_what_a_killed_process_does_not_answer_the_worker_does(served: Running) -> None:
    for hand in served.hands():
        hand.kill()
    answer = ask(served)
    assert len(answer.json()) == MANY
    assert until(lambda: ask(served).status_code == 200 and len(served.hands()) == 2)


def test_nobody_works_on_for_a_caller_who_has_hung_up(served: Running) -> None:
    body = msgspec.json.encode([long_chat(number) for number in range(1_000)])
    head = f"POST /predict_batch HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port)) as caller:
        caller.sendall(head.encode() + body)
        before = seconds_of(served)
        assert until(lambda: min(seconds_of(served)) > max(before))
    assert until(lambda: "The caller has hung up" in served.output.read_text("utf-8"), 5.0)
    assert ask(served).status_code == 200
    assert "a process that works on batches is lost" not in served.output.read_text("utf-8")


def long_chat(number: int) -> dict[str, Any]:
    said = [
        CALM["messages"][0] | {"text": f"Order {number} of {line} has not come", "message_id": None}
        for line in range(40)
    ]
    return CALM | {"conversation_id": f"l-{number}", "messages": said}


def test_the_processes_end_with_their_worker(served: Running) -> None:
    hands = served.hands()
    worker = hands[0].parent()
    assert worker is not None
    worker.kill()
    assert until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in hands))


def judge_of(models: Path) -> tuple[CurrentJudge, Settings]:
    settings = Settings(models=models)
    current = CurrentJudge(settings)
    current.refresh()
    return current, settings


def parts(current: CurrentJudge, settings: Settings) -> list[Part]:
    body = msgspec.json.encode(chats())
    return parts_of(body, settings, current.judge, explain=True, request_id="r-1")


def test_parts_are_answered_as_the_whole_and_survive_the_wire(trained_models: Path) -> None:
    current, settings = judge_of(trained_models)
    made = [msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=Part) for part in parts(current, settings)]
    told = [work_on(part, current, current.judge, settings) for part in made]
    assert [part.first for part in made] == [0, PART, 2 * PART]
    answers = msgspec.json.decode(together(told))
    assert answers[7] == msgspec.json.decode(
        msgspec.json.encode(current.answer(from_object(chats()[7]), explain=True, request_id="r-1"))
    )
    wired = msgspec.msgpack.decode(msgspec.msgpack.encode(told[0]), type=type(told[0]))
    assert msgspec.msgpack.encode(wired) == msgspec.msgpack.encode(told[0])  # rows hold NaN, which is never equal


def test_no_batch_and_one_that_is_wrong_in_two_parts() -> None:
    current, settings = judge_of(Path("nowhere"))
    assert together([]) == msgspec.Raw(b"[]")
    wrong = chats()
    wrong[3], wrong[PART + 3] = {}, {}
    made = parts_of(msgspec.json.encode(wrong), settings, current.judge, explain=False, request_id="r-1")
    with pytest.raises(Refused) as refused:
        together([work_on(part, current, current.judge, settings) for part in made])
    assert [each.path.partition(".")[0] for each in refused.value.fault.detail] == ["[3]", f"[{PART + 3}]"]


def test_a_process_with_another_judge_does_not_answer(trained_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOFF_MODELS", str(trained_models))
    current, settings = judge_of(trained_models)
    hand = Hand(60.0)
    assert until(hand.is_ready, 60.0)
    (part, *_) = parts(current, settings)
    told = hand.ask(part)
    assert told is not None and len(told.records) == PART
    assert hand.ask(msgspec.structs.replace(part, judge=b"another")) is None
    assert not hand.is_gone
    hand.stop()
    assert until(lambda: hand.is_gone)
    assert hand.ask(part) is None
    assert hand.ask(part) is None


def test_a_process_that_fails_tells_where_and_not_what_was_said(
    trained_models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    monkeypatch.setenv("HANDOFF_MODELS", str(trained_models))
    current, settings = judge_of(trained_models)
    hand = Hand(60.0)
    assert until(hand.is_ready, 60.0)
    (part, *_) = parts(current, settings)
    assert hand.ask(msgspec.structs.replace(part, elements="b-17 said so")) is None
    assert "serving/hand.py" in caplog.text and "ValidationError" in caplog.text
    assert "b-17" not in caplog.text + "".join(capfd.readouterr())
    assert hand.ask(part) is not None, "and goes on"
    hand.drop()


@pytest.mark.parametrize("changed", ["a file", "the manifest"])
def test_a_model_under_the_same_version_is_another_judge(trained_models: Path, tmp_path: Path, changed: str) -> None:
    models = copy_models(trained_models, tmp_path / "models")
    before = judge_of(models)[0].judge
    assert identity(judge_of(models)[0].judge) == identity(before)
    folder = models / "escalation" / "1"
    manifest = read_manifest(folder)
    if changed == "a file":
        (folder / CARD_FILE).write_text("trained again")
    else:
        manifest = msgspec.structs.replace(manifest, doubt="trained again, with other cuts")
    rewrite_manifest(folder, manifest)
    promote("escalation", "1", models)
    after = judge_of(models)[0].judge
    assert after.versions == before.versions
    assert identity(after) != identity(before)


class Ours(NamedTuple):
    """The processes of this test, and how many parts of a batch are left to the worker."""

    hands: Hands
    left: Callable[[], int]

    def process(self) -> psutil.Process:
        """The one that there is."""
        (hand,) = self.hands._hands
        return psutil.Process(hand._process.pid)


@pytest.fixture
def ours(trained_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ours]:
    """One process, which may be at a part for two seconds."""
    monkeypatch.setenv("HANDOFF_MODELS", str(trained_models))
    monkeypatch.setattr("serving.hands.SHARE_OF_REQUEST", 0.04)  # of 50 seconds
    current, settings = judge_of(trained_models)
    asked, hands = parts(current, settings), Hands(Settings(batch_processes=1))
    assert sum(len(element) for part in asked for element in part.elements) > 65_536  # more than a pipe holds

    def left() -> int:
        answered: list[Part] = []

        def own(part: Part) -> Told:
            answered.append(part)
            return work_on(part, current, current.judge, settings)

        assert [len(each.records) for each in hands.work(asked, own, Event())] == [PART, PART, 1]
        return len(answered)

    assert left() == len(asked)
    yield Ours(hands, left)
    hands.close()


def test_a_process_that_neither_reads_nor_answers_does_not_hold_the_worker(ours: Ours) -> None:
    assert until(lambda: ours.left() == 0, 60.0)
    stuck = ours.process()
    stuck.suspend()
    assert ours.left() > 0
    assert not stuck.is_running()
    assert until(lambda: ours.left() == 0, 60.0)


def test_a_process_that_is_never_ready_is_replaced(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = ours.process()
    stuck.suspend()
    with monkeypatch.context() as now:
        now.setattr("serving.hands.MOST_START_SECONDS", 0.0)
        assert ours.left() > 0
    assert until(lambda: ours.left() == 0, 60.0)
    assert ours.process() != stuck


def test_a_process_that_dies_in_the_middle_of_a_part_leaves_it_to_the_worker(ours: Ours) -> None:
    assert until(lambda: ours.left() == 0, 60.0)
    process = ours.process()
    process.suspend()
    dies = Timer(0.5, process.kill)
    dies.start()
    assert ours.left() > 0
    dies.join()
    assert until(lambda: ours.left() == 0, 60.0)


def test_nobody_works_on_a_batch_that_was_given_up(trained_models: Path) -> None:
    current, settings = judge_of(trained_models)
    given_up, answered = Event(), list[Part]()

    def own(part: Part) -> Told:
        answered.append(part)
        given_up.set()
        return work_on(part, current, current.judge, settings)

    with pytest.raises(CancelledError):
        Hands(Settings(batch_processes=0)).work(parts(current, settings), own, given_up)
    assert len(answered) == 1


def test_long_conversations_make_short_parts() -> None:
    current, settings = judge_of(Path("nowhere"))
    long = CALM["messages"][0] | {"text": "x" * (PART_BYTES // 5)}
    sent = [CALM | {"messages": [long] * count} for count in (1, 1, 1, 1, 1, 9, 1)]
    made = parts_of(msgspec.json.encode(sent), settings, current.judge, explain=False, request_id="r-1")
    assert [(part.first, len(part.elements)) for part in made] == [(0, 4), (4, 1), (5, 1), (6, 1)]
    assert parts_of(b"[]", settings, current.judge, explain=False, request_id="r-1") == []


def test_without_processes_the_worker_does_all(trained_models: Path) -> None:
    current, _ = judge_of(trained_models)
    settings = Settings(models=trained_models, batch_processes=0)
    assert all_by_worker(current, settings)


def all_by_worker(current: CurrentJudge, settings: Settings) -> bool:
    told = Hands(settings).work(
        parts(current, settings), lambda part: work_on(part, current, current.judge, settings), Event()
    )
    return [len(each.records) for each in told] == [PART, PART, 1]


def test_the_worker_does_all_where_no_process_can_be_started(
    trained_models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    current, settings = judge_of(trained_models)

    def none_left(*_: Any, **__: Any) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("subprocess.Popen", none_left)
    assert all_by_worker(current, settings)
    assert os.strerror(errno.EAGAIN) in caplog.text


def test_a_frame_comes_whole_or_not_at_all() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as to:
        assert not serving.hand.comes(source, 0.05)
        serving.hand.write_frame(to, b"part")
        assert serving.hand.comes(source, 5.0)
        assert serving.hand.read_frame(source) == b"part"
        to.write(b"\x00" * 7)
        to.close()
        assert serving.hand.read_frame(source) is None
