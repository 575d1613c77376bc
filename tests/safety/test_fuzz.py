"""A thousand hostile requests and a few of Schemathesis' to a real worker: no 5xx, nothing hangs, the same process.

`make test-fuzz` sends twenty thousand. A failure names its seed and number; `python -m tests.safety.fuzz` sends it again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.safety.corpus import request
from tests.safety.fuzz import fuzz, odd_bytes, schemathesis, survived
from tests.serving.running import Running, running

SEED = 7


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, set[int]]]:
    """A service of its own, and its processes."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with running(folder / "models", cwd=folder) as it:
        yield it, {process.pid for process in it.family()}


def test_a_thousand_hostile_requests_are_answered(target: tuple[Running, set[int]]) -> None:
    it, workers = target
    found = fuzz(it, SEED, range(1_000))
    assert found.wrong + survived(it, workers) == []
    assert {200, 400, 404, 405, 415, 431} <= set(found.statuses)
    assert found.statuses[0] < 50


def test_what_is_hardly_http_is_answered(target: tuple[Running, set[int]]) -> None:
    it, workers = target
    assert odd_bytes(it) + survived(it, workers) == []


def test_schemathesis_finds_nothing(target: tuple[Running, set[int]]) -> None:
    it, workers = target
    assert schemathesis(it, examples=3, seed=SEED) is None
    assert survived(it, workers) == []


def test_a_failure_can_be_had_again() -> None:
    assert [request(SEED, n) for n in range(50)] == [request(SEED, n) for n in range(50)]
    assert request(SEED, 1) != request(SEED + 1, 1)


@pytest.mark.parametrize("kind", ["an error", "a traceback"])
def test_what_the_service_logs_as_an_error_is_found(
    target: tuple[Running, set[int]], tmp_path: Path, kind: str
) -> None:
    it, workers = target
    line = '{"level":"error","message":"KeyError"}' if kind == "an error" else "Traceback (most recent call last):"
    quoted = '{"level":"info","message":"\\"level\\":\\"error\\""}'
    output = tmp_path / "log.txt"
    output.write_text(f"{quoted}\n{line}\n")
    assert survived(dataclasses.replace(it, output=output), workers) == [f"its log says {line}"]
