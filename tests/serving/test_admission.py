"""Who is let in, and in which order they have their turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from serving.admission import ALWAYS_LET_IN, Lane, LoopLane
from serving.http import Refused


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def crowded(lane: Lane, clock: Clock, people: int, seconds: float) -> list[str]:
    """What became of so many who come at once, each of whom takes so long."""

    async def one() -> str:
        try:
            async with lane.turn():
                await asyncio.sleep(0)
                clock.now += seconds
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


def test_the_loop_sees_to_others_between_two_turns() -> None:
    """One who asks for /livez gets its answer although a hundred wait."""
    order: list[str] = []

    async def everybody() -> None:
        lane = LoopLane("answers", 1.0)

        async def one(name: str) -> None:
            async with lane.turn():
                order.append(name)

        async def health() -> None:
            order.append("health")

        loop = asyncio.get_running_loop()
        waiting = [loop.create_task(one(f"{number}")) for number in range(100)]
        loop.call_later(0, lambda: waiting.append(loop.create_task(health())))
        await asyncio.sleep(0.001)
        await asyncio.gather(*waiting)

    run(everybody)
    assert [name for name in order if name != "health"] == [str(number) for number in range(100)]
    assert order.index("health") < 50


def test_a_flood_leaves_half_of_the_time_to_those_let_in() -> None:
    """While refusing keeps the loop busy for four answers' time a round, about four have their turns each round."""
    clock = Clock()
    rounds, left = [0], [60]

    async def everybody() -> None:
        lane = LoopLane("answers", 1_000.0, most_at_once_seconds=100.0, clock=clock)
        loop = asyncio.get_running_loop()

        async def one() -> None:
            async with lane.turn():
                clock.now += 1.0
            left[0] -= 1

        def flood() -> None:
            clock.now += 2.0  # the loop comes round twice from one turn to the next
            rounds[0] += 1
            if left[0]:
                loop.call_soon(flood)

        tasks = [asyncio.create_task(one()) for _ in range(60)]
        loop.call_soon(flood)
        await asyncio.gather(*tasks)

    run(everybody)
    assert rounds[0] < 60, "at one answer a turn it would be twice as many as answers"


@pytest.mark.parametrize("when", ["while it waits", "as its turn comes"])
def test_who_leaves_the_line_does_not_hold_it_up(when: str) -> None:
    served: list[str] = []

    async def everybody() -> None:
        lane = LoopLane("answers", 1.0)
        holds = asyncio.Event()

        async def one(name: str) -> None:
            async with lane.turn():
                served.append(name)
                if name == "first":
                    await holds.wait()

        tasks = {name: asyncio.create_task(one(name)) for name in ("first", "leaves", "last")}
        await asyncio.sleep(0.001)
        if when == "while it waits":
            tasks["leaves"].cancel()
            await asyncio.sleep(0.001)
        else:
            passes_on = lane._next

            def passes_on_and_cancels() -> None:
                lane._next = passes_on  # type: ignore[method-assign]
                passes_on()
                tasks["leaves"].cancel()

            lane._next = passes_on_and_cancels  # type: ignore[method-assign]
        holds.set()
        await asyncio.wait_for(tasks["last"], 5)
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert lane.inside == 0
        async with lane.turn():
            served.append("later")

    run(everybody)
    assert "leaves" not in served
    assert served[-2:] == ["last", "later"]


def test_an_error_in_its_turn_ends_the_turn() -> None:
    async def everybody() -> None:
        lane = LoopLane("answers", 1.0)
        with pytest.raises(ZeroDivisionError):
            async with lane.turn():
                raise ZeroDivisionError
        async with asyncio.timeout(5), lane.turn():
            pass
        assert lane.inside == 0

    run(everybody)
