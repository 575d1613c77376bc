"""A thousand hostile requests and a few of Schemathesis' to a real worker: no 5xx, nothing hangs, the same process.

`make test-fuzz` sends twenty thousand. A failure names its seed and number; `python -m tests.safety.fuzz` sends it again.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.logs import JsonLines
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


def line_of(level: int, message: str) -> str:
    """How a worker writes it, with the error at hand."""
    return JsonLines().format(logging.LogRecord("bentoml.handoff", level, "", 0, message, None, sys.exc_info()))


def line_with_a_trace() -> str:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        return line_of(logging.WARNING, "looked away")


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        pytest.param(line_of(logging.ERROR, "a process that works on batches failed"), True, id="an error"),
        pytest.param(line_of(logging.CRITICAL, "no more"), True, id="worse"),
        pytest.param(line_with_a_trace(), True, id="a warning with where it failed"),
        pytest.param("Traceback (most recent call last):", True, id="a traceback for people"),
        pytest.param(line_of(logging.WARNING, 'refused: {"level":"error"}'), False, id="what a caller said"),
    ],
)
def test_an_error_in_the_log_is_found(
    target: tuple[Running, set[int]], tmp_path: Path, line: str, is_wrong: bool
) -> None:
    it, workers = target
    said = tmp_path / "said.txt"
    said.write_bytes(it.output.read_bytes() + f"{line}\n".encode())
    found = survived(dataclasses.replace(it, output=said), workers)
    assert found == ([f"its log says {line}"] if is_wrong else [])


def test_a_failure_can_be_had_again() -> None:
    assert [request(SEED, n) for n in range(50)] == [request(SEED, n) for n in range(50)]
    assert request(SEED, 1) != request(SEED + 1, 1)
