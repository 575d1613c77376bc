"""The load generator, in a process of its own: `python -m benchmarks.load PORT CONCURRENCY SECONDS < requests`.

Each line of the input is a path, a tab and a body; each is sent once, over keep-alive connections that each have one
request under way. Stops when the lines or the seconds are used up, and prints what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator

import msgspec

HEAD = b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Seen(msgspec.Struct):
    """What a load run saw: the latency of each request that got its answer (200) in milliseconds, how often each status
    came, and how many answers escalate."""

    milliseconds: list[float]
    seconds: float
    statuses: dict[str, int]
    escalating: int


async def run(port: int, concurrency: int, seconds: float, requests: Iterator[bytes]) -> Seen:
    """Send the requests, at most for so long."""
    found, statuses, escalating = list[float](), Counter[str](), 0
    started = time.perf_counter()

    async def caller() -> None:
        nonlocal escalating
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            before = time.perf_counter()
            if before - started > seconds:
                break
            writer.write(request)
            status, body = await _answer(reader)
            statuses[status] += 1
            if status != "200":
                continue
            found.append(1_000 * (time.perf_counter() - before))
            escalating += b'"action":"escalate_now"' in body or b'"action":"proactive_escalation"' in body
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return Seen(found, time.perf_counter() - started, dict(statuses), escalating)


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = head[9:12].decode()
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return status, await reader.readexactly(int(length))


def request(path: str, body: bytes) -> bytes:
    """One request as it goes over the wire."""
    return HEAD % (path.encode(), len(body)) + body


def _requests(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        path, _, body = line.rstrip(b"\n").partition(b"\t")
        yield request(path.decode(), body)


if __name__ == "__main__":
    made = iter(list(_requests(sys.stdin.buffer.readlines())))
    seen = asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), made))
    sys.stdout.buffer.write(msgspec.json.encode(seen))
