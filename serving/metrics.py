"""What Prometheus is told: requests by route, decisions, stages, versions, caches, lines of waiting.

Workers share a folder (`PROMETHEUS_MULTIPROC_DIR`, set by BentoML), so `/metrics` of any worker speaks for all.
prometheus_client looks for that folder when it is imported: hence the import inside, in a worker.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from handoff.decision import Answer, Mode, Versions

Stage = Literal["read_body", "decide", "store"]
STAGES: tuple[Stage, ...] = get_args(Stage)
# From a tenth of a millisecond, since a whole answer takes about one.
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Gauges(msgspec.Struct, frozen=True):
    """How a worker is just now: what `Metrics.look` reports."""

    versions: Versions
    problems: frozenset[str]
    waiting: dict[str, int]
    """By line: how many are in it."""
    cache_hits: dict[str, tuple[int, int]]
    """By cache: lookups that found something, and that did not, since the worker started."""
    refused: dict[str, int] = {}
    """By lane: requests that were refused because they would have waited too long, since the worker started."""


class Timer:
    """A context that tells how many seconds it took, also where it fails."""

    __slots__ = ("_started", "_tell")

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._tell(time.perf_counter() - self._started)


class Metrics:
    """The counters of one worker."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        self.died = _forget_dead_workers()
        """The workers of this service that have died, by process id: this one is in the place of one of them."""
        starts = Counter(
            "handoff_worker_starts", "Workers started: at the start of the service, or after another died", ["after"]
        )
        # Both are there from the beginning: Prometheus sees no increase in what appears.
        for after in ("start", "death"):
            starts.labels(after).inc((after == "death") == bool(self.died))
        self._decisions = Counter(
            "handoff_decisions", "Answers by action, reason and who decided", ["action", "reason", "decided_by"]
        )
        self._answers = Counter("handoff_answers", "Answers by mode; rules_only is an answer without a model", ["mode"])
        seconds = Histogram("handoff_stage_seconds", "Seconds a stage of a request", ["stage"], buckets=BUCKETS)
        self._requests = Counter("handoff_requests", "Requests by route and status", ["route", "status"])
        self._request_seconds = Histogram(
            "handoff_request_seconds", "Seconds from a request's head to the end of its answer", ["route"],
            buckets=BUCKETS,
        )  # fmt: skip
        self._stages = {stage: seconds.labels(stage) for stage in STAGES}
        self._serving = Gauge(
            "handoff_serving", "1 for the version in use, 0 for one that was", ["part", "version"],
            multiprocess_mode="mostrecent",
        )  # fmt: skip
        self._problems = Gauge(
            "handoff_problems", "1 while a part does not work", ["part"], multiprocess_mode="livemax"
        )
        self._waiting = Gauge("handoff_waiting", "Waiting, by line", ["line"], multiprocess_mode="livesum")
        self._lookups = Counter("handoff_cache_lookups", "Lookups by cache and result", ["cache", "result"])
        self._refused = Counter("handoff_refused", "Requests refused with 503 since they would wait too long", ["lane"])
        # Asking a family of counters for one of them costs as much as counting.
        self._decided = cache(self._decisions.labels)
        self._answered = cache(self._answers.labels)
        self._requested = cache(self._requests.labels)
        for mode in get_args(Mode):
            self._answered(mode)
        self._lasted = cache(self._request_seconds.labels)
        self._noted: list[tuple[Callable[[float], None], float]] = []
        self._seen_refused: dict[str, int] = {}
        self._last = Versions(None, None, "", "", "")
        self._troubled: frozenset[str] = frozenset()
        self._seen: dict[str, tuple[int, int]] = {}

    def answered(self, answers: Sequence[Answer]) -> None:
        """Count what was decided."""
        counts: dict[Any, int] = {}
        for answer in answers:
            decision = answer.recommendation
            by = self._decided(decision.action, decision.reason or "", decision.decided_by)
            for counter in (by, self._answered(answer.mode)):
                counts[counter] = counts.get(counter, 0) + 1
        self._noted += [(counter.inc, count) for counter, count in counts.items()]

    def timed(self, stage: Stage) -> Timer:
        """A context: note how long a stage of one request took."""
        return Timer(lambda seconds: self.took(stage, seconds))

    def took(self, stage: Stage, seconds: float) -> None:
        """Note how long a stage of one request took."""
        self._noted.append((self._stages[stage].observe, seconds))

    def requested(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered, and what was noted on the way: counters are files, and whoever waits for
        the answer need not wait for them."""
        noted, self._noted = self._noted, []
        for write, value in noted:
            write(value)
        self._requested(route, status).inc()
        self._lasted(route).observe(seconds)

    def turned_away(self, status: int) -> None:
        """Count a connection that was answered without a request that could be read."""
        self._requested("(connection)", status).inc()

    def look(self, now: Gauges) -> None:
        """Report how the worker is; called about once a second."""
        self._show_versions(now.versions)
        for part in now.problems | self._troubled:
            self._problems.labels(part).set(part in now.problems)
        self._troubled = now.problems
        for line, count in now.waiting.items():
            self._waiting.labels(line).set(count)
        for name, (hits, misses) in now.cache_hits.items():
            seen_hits, seen_misses = self._seen.get(name, (0, 0))
            # A cache that was replaced with its model starts anew.
            self._lookups.labels(name, "hit").inc(hits - seen_hits if hits >= seen_hits else hits)
            self._lookups.labels(name, "miss").inc(misses - seen_misses if misses >= seen_misses else misses)
        self._seen = dict(now.cache_hits)
        for lane, refused in now.refused.items():
            self._refused.labels(lane).inc(refused - self._seen_refused.get(lane, 0))
        self._seen_refused = dict(now.refused)

    def _show_versions(self, versions: Versions) -> None:
        before, now = msgspec.structs.asdict(self._last), msgspec.structs.asdict(versions)
        for part, version in now.items():
            if before[part] and before[part] != version:
                self._serving.labels(part, before[part]).set(0)
            if version:
                self._serving.labels(part, version).set(1)
        self._last = versions


@cache
def metrics_of_worker() -> Metrics:
    """The one set of counters of this process."""
    return Metrics()


def _forget_dead_workers() -> tuple[int, ...]:
    """A worker that was killed leaves its gauges behind: what it had in line would be shown for ever. Its counters
    stay. Returns the process ids of all that have died since the service started."""
    from prometheus_client.multiprocess import mark_process_dead

    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    files = glob.glob(os.path.join(glob.escape(folder), "*_*.db")) if folder else ()
    found = {path.rpartition("_")[2].removesuffix(".db") for path in files}
    dead = tuple(sorted(int(pid) for pid in found if pid.isdecimal() and not _is_alive(int(pid))))
    for pid in dead:
        with suppress(OSError):  # another new worker was faster
            mark_process_dead(pid)
            # What it served last was the newest word on a version until then.
            os.unlink(os.path.join(folder, f"gauge_mostrecent_{pid}.db"))
    return dead


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether the process is a zombie, which its parent has not looked at yet: to be seen on Linux only."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2]
    except OSError:
        return False
    return state.startswith((b"Z", b"X"))
