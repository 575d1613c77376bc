"""The faults: each is really done to a running service of two workers under load, and then it must recover."""

from __future__ import annotations

import math
import os
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from handoff.models import promote, rollback
from tests.faults.ground import (
    RECOVERY_SECONDS,
    Ground,
    Row,
    all_well,
    answers_of,
    ask,
    has_trouble,
    wait_for,
    workers,
)
from tests.faults.load import Reply
from tests.serving.running import Running, add_version, copy_models, until

HERE = Path(__file__).parent
# What must be answered of the requests that no fault meets, or one that leaves all parts of the service working; and of
# those that meet one which takes a worker or the store, so that some are sent away.
CALM, SHAKEN = 0.9, 0.5


def worker_is_killed(ground: Ground) -> Row:
    """kill -9 of a worker under load, again and again."""
    kills = 0
    with ground.service() as it, ground.load(it, "predict", "messages", "batch") as replies:
        end = time.monotonic() + ground.seconds * 0.6
        while time.monotonic() < end:
            with ground.fault():
                victim = it.family()[1]
                victim.send_signal(signal.SIGKILL)
                kills += 1
                recovery = wait_for(lambda: len(workers(it)) == 2)
    return ground.row("worker killed", f"kill -9, {kills} times", replies, recovery, outside=CALM, during=SHAKEN)


def supervisor_is_killed(ground: Ground) -> Row:
    """kill -9 of the supervisor: its workers end, and the next start finds all that was acknowledged."""
    with ground.service(TMPDIR=str(ground.folder)) as it:
        family = it.family()
        with ground.load(it, "predict", "messages") as replies, ground.fault(ends=math.inf):
            it.process.kill()
            it.process.wait(10)
            ended = until(lambda: not any(process.is_running() for process in family), 30)
    ground.note("workers outlived their supervisor", ended)
    begun = time.monotonic()
    with ground.service() as it:
        recovery = time.monotonic() - begun
    return ground.row("supervisor killed", "kill -9, started again", replies, recovery, outside=CALM)


def model_is_missing(ground: Ground) -> Row:
    """No model at all: the rules answer."""
    with ground.service(models=ground.folder / "none") as it:
        with ground.fault(), ground.load(it) as replies:
            pass
        ground.note("not ready", ask(it, "/readyz").status_code == 200)
    ground.note("no answer by rules", _modes(replies) == {"rules_only"})
    return ground.row("model missing", "an empty models folder", replies, during=CALM)


def encoder_is_missing(ground: Ground) -> Row:
    """The routing model's encoder is not there: routing is general, the escalation model goes on."""
    models = copy_models(ground.models, ground.folder / "no-encoder")
    (models / "encoders").unlink()
    with ground.service(models=models) as it:
        with ground.fault(), ground.load(it) as replies:
            pass
        ground.note("/status is silent", has_trouble(it, "routing"))
    ground.note("the escalation model is gone, too", _modes(replies) == {"model_and_rules"})
    return ground.row("encoder missing", "its folder removed", replies, during=CALM)


def models_change(ground: Ground) -> Row:
    """Promoted, refused and rolled back under load: no request is dropped, no answer mixes versions."""
    models = copy_models(ground.models, ground.folder / "changing")
    with ground.service(models=models) as it, ground.load(it, "predict", "batch") as replies, ground.fault():
        add_version(models, "2")
        promote("escalation", "2", models)
        recovery = wait_for(lambda: _versions(it) == {"escalation/2"})
        _promote_a_bad_one(models)
        wait_for(lambda: sum(_refuses(s) for s in workers(it).values()) == 2)
        ground.note("the old version is gone", _versions(it) == {"escalation/2"})
        ground.note("/metrics is silent", 'handoff_problems{part="escalation"} 1.0' in ask(it, "/metrics").text)
        ground.note("the log is silent", "escalation/2 goes on serving" in it.output.read_text("utf-8"))
        rollback("escalation", models)  # to the one that serves: the refusal is over
        wait_for(lambda: all_well(it, "escalation"))
        rollback("escalation", models)
        wait_for(lambda: _versions(it) == {"escalation/1"})
    mixed = sum(len({a["versions"]["model"] for a in answers}) > 1 for answers in answers_of(replies))
    ground.note(f"{mixed} mixed answers", mixed == 0)
    seen = {a["versions"]["model"] for answers in answers_of(replies) for a in answers}
    ground.note(f"versions {sorted(map(str, seen))}", seen <= {"escalation/1", "escalation/2"})
    ground.note("dropped requests", not any(reply.status == 0 for reply in replies))
    done = "promoted, bad one refused, rolled back twice"
    return ground.row("model changed", done, replies, recovery, outside=CALM, during=CALM)


def conversation_is_poisoned(ground: Ground) -> Row:
    """Every third conversation makes the model raise: the rules answer that one, the model the others."""
    with ground.service(PYTHONPATH=f"{HERE / 'poison'}:{os.environ.get('PYTHONPATH', '')}") as it:
        with ground.fault(), ground.load(it, "predict", "messages", "batch") as replies:
            pass
        ground.note("/status is silent", has_trouble(it, "scoring"))
        ground.note("a worker died", len(workers(it)) == 2)
    ground.note("it was no poison, or spoilt all", _modes(replies) == {"model_and_rules", "rules_only"})
    return ground.row("conversation poisoned", "the model raises on every third", replies, during=CALM)


def store_is_down(ground: Ground) -> Row:
    """The store takes nothing: answers go on, decisions wait, and are all there in the end."""
    with ground.service() as it, ground.load(it, "predict", "messages", "batch") as replies, ground.fault():
        with _down(ground):
            ground.note("/status is silent", until(lambda: has_trouble(it, "store"), RECOVERY_SECONDS))
            time.sleep(ground.seconds / 3)
            ground.note("not alive", ask(it, "/livez").status_code == 200)
        recovery = wait_for(lambda: all_well(it, "store"))
    what = "the file locked" if ground.proxy is None else "connections cut, new ones turned away"
    return ground.row("store down", what, replies, recovery, outside=CALM, during=SHAKEN)


def all_is_killed_while_the_store_is_down(ground: Ground) -> Row:
    """The store is away and then every process of the service is killed: what it acknowledged was on this machine's
    disk, and the next start brings it into the store."""
    with (
        ground.service(TMPDIR=str(ground.folder)) as it,
        ground.load(it, "predict", "messages", "batch") as replies,
        ground.fault(ends=math.inf),
        _down(ground),
    ):
        wait_for(lambda: has_trouble(it, "store"))
        time.sleep(ground.seconds / 3)
        for process in it.family():
            process.kill()
        it.process.wait(10)
    left = len(list((ground.folder / "handoff-spill").glob("*")))
    ground.note("nothing was on this machine's disk", left > 0)
    begun = time.monotonic()
    with ground.service() as it:
        recovery = time.monotonic() - begun
        wait_for(lambda: not (ground.folder / "handoff-spill").exists())
    done = "kill -9 of every process, started again"
    return ground.row("store down and all killed", done, replies, recovery, outside=CALM)


@contextmanager
def _down(ground: Ground) -> Iterator[None]:
    if ground.proxy is not None:
        ground.proxy.cut()
        try:
            yield
        finally:
            ground.proxy.mend()
        return
    other = sqlite3.connect(ground.store.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def store_is_slow(ground: Ground) -> Row:
    """Every piece to and from PostgreSQL takes 150 ms longer."""
    assert ground.proxy is not None
    with ground.service() as it, ground.load(it, "predict", "messages") as replies, ground.fault():
        ground.proxy.delay_seconds = 0.15
        time.sleep(ground.seconds / 2)
        ground.proxy.mend()
        recovery = wait_for(lambda: all_well(it, "store"))
    done = "150 ms a packet, either way"
    return ground.row("store slow", done, replies, recovery, outside=CALM, during=SHAKEN)


def disk_is_full(ground: Ground) -> Row:
    """No file of a worker may grow any more."""
    assert ground.proxy is None
    with ground.service() as it, ground.load(it, "predict", "messages", "batch") as replies, ground.fault():
        most = max(file.stat().st_size for file in ground.folder.glob("*.sqlite*"))
        with _limited(it, most):
            ground.note("/status is silent", until(lambda: has_trouble(it, "store"), RECOVERY_SECONDS))
            time.sleep(ground.seconds / 3)
        recovery = wait_for(lambda: all_well(it, "store"))
    done = "RLIMIT_FSIZE of the workers at the size of the files"
    return ground.row("disk full", done, replies, recovery, outside=CALM, during=SHAKEN)


@contextmanager
def _limited(it: Running, most: int) -> Iterator[None]:
    processes = it.family()[1:]
    before = [resource.prlimit(process.pid, resource.RLIMIT_FSIZE) for process in processes]
    for process, (_, hard) in zip(processes, before, strict=True):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        for process, limits in zip(processes, before, strict=True):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)


def folder_is_gone(ground: Ground) -> Row:
    """The store's folder is moved away, and back. Root may write to a folder that is read-only, so that shows nothing."""
    assert ground.proxy is None
    path = Path(ground.store.removeprefix("sqlite:///"))
    inside = Ground(
        ground.models, ground.folder, f"sqlite:///{path.parent}/inside/{path.name}", ground.rate, ground.seconds
    )
    with inside.service() as it, inside.load(it, "predict", "messages") as replies, inside.fault(begins=0.0):
        inside.note("/status is silent", until(lambda: has_trouble(it, "store"), RECOVERY_SECONDS))
        (path.parent / "inside").mkdir()
        recovery = wait_for(lambda: all_well(it, "store"))
    done = "started without the store's folder, which comes later"
    return inside.row("folder missing", done, replies, recovery, outside=CALM, during=SHAKEN)


STORELESS: tuple[Callable[[Ground], Row], ...] = (
    model_is_missing, encoder_is_missing, models_change, conversation_is_poisoned, supervisor_is_killed,
)  # fmt: skip
ON_SQLITE = (worker_is_killed, store_is_down, all_is_killed_while_the_store_is_down, disk_is_full, folder_is_gone)
ON_POSTGRESQL = (worker_is_killed, store_is_down, all_is_killed_while_the_store_is_down, store_is_slow)


def _modes(replies: list[Reply]) -> set[str]:
    return {answer["mode"] for answers in answers_of(replies) for answer in answers}


def _versions(it: Running) -> set[str | None]:
    return {status["versions"]["model"] for status in workers(it).values()}


def _refuses(status: dict[str, object]) -> bool:
    troubles = status["problems"]
    assert isinstance(troubles, list)
    return any(t["part"] == "escalation" and t["serving"] == "escalation/2" for t in troubles)


def _promote_a_bad_one(models: Path) -> None:
    """Good when it was promoted, and changed before the service looked."""
    folder = add_version(models, "3")
    aside = models / "escalation" / "champion.aside"
    champion = models / "escalation" / "champion"
    shutil.copy(champion, aside)
    promote("escalation", "3", models)
    promoted = champion.read_bytes()
    aside.replace(champion)
    (folder / "model.txt").write_bytes(b"tree\n")
    aside.write_bytes(promoted)
    aside.replace(champion)


def resident_bytes(it: Running) -> int:
    """What the workers hold in memory."""
    return sum(psutil.Process(process.pid).memory_info().rss for process in it.family()[1:])
