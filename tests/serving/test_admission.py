"""Who is let in, and in which order they have their turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from serving.admission import ALWAYS_LET_IN, MOST_TOGETHER, Lane, LoopLane
from serving.http import Refused


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


async def passes(lane: Lane, clock: Clock, seconds: float) -> None:
    """Be in the lane for so long."""
    if isinstance(lane, LoopLane):
        await lane.ask(seconds, lambda asked: list(map(clock.pass_by, asked)))
        return
    async with lane.turn():
        await asyncio.sleep(0)
        clock.pass_by(seconds)


def crowded(lane: Lane, clock: Clock, people: int, seconds: float) -> list[str]:
    """What became of so many who come at once, each of whom takes so long."""

    async def one() -> str:
        try:
            await passes(lane, clock, seconds)
        except Refused as refused:
            assert refused.status == 503
            return f"later {refused.retry_after}"
        return "served"

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(people)))

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("kind", [Lane, LoopLane])
@pytest.mark.parametrize(
    ("seconds", "let_in"),
    [(0.001, 250), (0.01, 25), (0.5, ALWAYS_LET_IN), (60.0, ALWAYS_LET_IN)],
    ids=["a millisecond each", "ten milliseconds each", "half a second each", "a minute each"],
)
def test_as_many_are_let_in_as_need_not_wait_too_long(kind: Any, seconds: float, let_in: int) -> None:
    clock = Clock()
    lane = kind("answers", 0.2501, clock=clock)
    crowded(lane, clock, 1, seconds)  # the first shows what one costs
    said = crowded(lane, clock, 1_000, seconds)
    let_in += kind is LoopLane  # whose first is answered before the second comes
    assert said.count("served") == let_in
    assert lane.refused == 1_000 - let_in
    assert lane.inside == 0


def test_who_is_refused_hears_when_to_come_again() -> None:
    clock = Clock()
    lane = Lane("beside", 10.0, clock=clock)
    crowded(lane, clock, 1, 3.0)
    assert set(crowded(lane, clock, 20, 3.0)) == {"served", "later 27"}


def test_a_lane_that_was_slow_once_opens_again() -> None:
    clock = Clock()
    lane = Lane("store", 0.25, clock=clock)
    crowded(lane, clock, 1, 60.0)
    for _ in range(20):
        crowded(lane, clock, ALWAYS_LET_IN, 0.001)
    assert crowded(lane, clock, 100, 0.001).count("served") == 100


def test_idle_time_is_nobodys_cost() -> None:
    clock = Clock()
    lane = Lane("store", 0.25, clock=clock)
    for _ in range(30):
        crowded(lane, clock, 1, 0.001)
        clock.now += 3_600.0
    assert lane.wait_seconds == pytest.approx(0.001)


def run(what: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(what())


def test_the_loop_sees_to_others_between_two_groups() -> None:
    """One who asks for /livez gets its answer although a hundred wait."""
    order: list[str] = []
    clock = Clock()

    def work(names: Sequence[str]) -> list[None]:
        clock.pass_by(0.001 * len(names))
        return [order.append(name) for name in names]

    async def everybody() -> None:
        lane: LoopLane[str, None] = LoopLane("answers", 1.0, clock=clock)
        loop = asyncio.get_running_loop()

        async def health() -> None:
            order.append("health")

        waiting: list[asyncio.Task[None]] = [loop.create_task(lane.ask(f"{number}", work)) for number in range(100)]
        loop.call_later(0, lambda: waiting.append(loop.create_task(health())))
        await asyncio.sleep(0.001)
        await asyncio.gather(*waiting)

    run(everybody)
    assert [name for name in order if name != "health"] == [str(number) for number in range(100)]
    assert order.index("health") < 50


def test_those_who_wait_are_answered_together_each_with_its_own() -> None:
    groups: list[int] = []
    clock = Clock()

    def work(asked: Sequence[int]) -> list[int | Exception]:
        clock.pass_by(0.001 * len(asked))
        groups.append(len(asked))
        return [ValueError(number) if number % 5 == 0 else -number for number in asked]

    async def everybody() -> None:
        lane: LoopLane[int, int] = LoopLane("answers", 1.0, clock=clock)
        told = await asyncio.gather(*(lane.ask(number, work) for number in range(20)), return_exceptions=True)
        assert [str(each) for each in told] == [str(n if n % 5 == 0 else -n) for n in range(20)]
        assert lane.inside == 0

    run(everybody)
    assert groups == [1, MOST_TOGETHER, MOST_TOGETHER, 3]


def test_whatever_else_keeps_the_loop_busy_leaves_half_of_the_time_to_those_let_in() -> None:
    """While others keep the loop busy for forty answers' time a round, about as many are answered each round."""
    clock = Clock()
    rounds, left = [0], [600]

    async def everybody() -> None:
        lane: LoopLane[float, None] = LoopLane("answers", 1_000.0, most_at_once_seconds=100.0, clock=clock)
        loop = asyncio.get_running_loop()

        async def one() -> None:
            await passes(lane, clock, 1.0)
            left[0] -= 1

        def flood() -> None:
            clock.now += 20.0  # the loop comes round twice from one group to the next
            rounds[0] += 1
            if left[0]:
                loop.call_soon(flood)

        tasks = [asyncio.create_task(one()) for _ in range(600)]
        loop.call_soon(flood)
        await asyncio.gather(*tasks)

    run(everybody)
    assert rounds[0] < 600 / MOST_TOGETHER, "in groups of always the same size it would be twice as many"


@pytest.mark.parametrize(("refused", "largest"), [(0, 9), (1, 3)])
def test_while_others_are_refused_a_group_takes_a_third_of_their_time(refused: int, largest: int) -> None:
    clock, groups = Clock(), list[int]()

    def work(asked: Sequence[int]) -> list[int]:
        groups.append(len(asked))
        clock.pass_by(1.0 * len(asked))
        return list(asked)

    async def everybody() -> None:
        lane: LoopLane[int, int] = LoopLane("answers", 1_000.0, clock=clock, most_at_once_seconds=100.0)
        loop = asyncio.get_running_loop()

        def others() -> None:
            lane.refused += refused
            clock.pass_by(9.0)
            if sum(groups) < 40:
                loop.call_soon(others)

        tasks = [asyncio.create_task(lane.ask(number, work)) for number in range(40)]
        loop.call_soon(others)
        await asyncio.gather(*tasks)

    run(everybody)
    assert max(groups) == largest


@pytest.mark.parametrize("when", ["while it waits", "as its turn comes"])
def test_who_leaves_the_line_does_not_hold_it_up(when: str) -> None:
    served: list[str] = []
    tasks: dict[str, asyncio.Task[None]] = {}

    def work(names: Sequence[str]) -> list[None]:
        if "leaves" in names:
            asyncio.get_running_loop().call_soon(tasks["leaves"].cancel)
        return [served.append(name) for name in names]

    async def everybody() -> None:
        lane: LoopLane[str, None] = LoopLane("answers", 1.0)
        tasks.update({name: asyncio.create_task(lane.ask(name, work)) for name in ("first", "leaves", "last")})
        if when == "while it waits":
            asyncio.get_running_loop().call_soon(tasks["leaves"].cancel)
        await asyncio.wait_for(tasks["last"], 5)
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert lane.inside == 0
        await lane.ask("later", work)

    run(everybody)
    assert ("leaves" in served) == (when == "as its turn comes")
    assert served[-2:] == ["last", "later"]


def test_an_error_of_all_together_is_told_to_each_and_ends_their_turn() -> None:
    def fails(numbers: Sequence[int]) -> list[int]:
        return [1 // number for number in numbers]

    async def everybody() -> None:
        lane: LoopLane[int, int] = LoopLane("answers", 1.0)
        told = await asyncio.gather(*(lane.ask(0, fails) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in told] == [ZeroDivisionError] * 3
        async with asyncio.timeout(5):
            assert await lane.ask(1, fails) == 1
        assert lane.inside == 0

    run(everybody)


def test_an_answer_that_nobody_can_be_told_keeps_nobody_else_waiting() -> None:
    def work(asked: Sequence[str]) -> Sequence[str | Exception]:
        return [StopIteration() if each == "odd" else each for each in asked]

    async def ask() -> str:
        lane: LoopLane[str, str] = LoopLane("answers", 60.0)
        with pytest.raises(TypeError):
            await lane.ask("odd", work)
        return await asyncio.wait_for(lane.ask("next", work), 10)

    assert asyncio.run(ask()) == "next"
