"""The load generator counts what it is given, the chats are new, and tables land between their markers."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.chats import Chats
from benchmarks.load import request, run
from benchmarks.report import table, write
from benchmarks.serving import Live, percentile
from handoff.decision import Judge
from handoff.transcript import check


async def answered(
    requests: int, concurrency: int, seconds: float = 5.0, slow: float = 0.0
) -> tuple[object, set[bytes]]:
    """What the load generator saw of a server that answers everything, and the bodies that came there."""
    came: set[bytes] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()).strip():
                length = int(line.split(b":")[1]) if line.startswith(b"content-length") else length
            number = await reader.readexactly(length)
            came.add(head + number)
            await asyncio.sleep(slow)
            body = b'{"action":"escalate_now"}' if int(number) % 2 else b"{}"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = iter([request(f"/predict?{n}", b"%d" % n) for n in range(requests)])
        return await run(port, concurrency, seconds, made), came


@pytest.mark.parametrize("concurrency", [1, 8], ids=["by one caller", "by eight callers"])
def test_every_request_is_sent_once_and_timed(concurrency: int) -> None:
    seen, came = asyncio.run(answered(40, concurrency))
    assert len(came) == 40
    assert len(seen.milliseconds) == 40  # type: ignore[attr-defined]
    assert seen.statuses == {"200": 40}  # type: ignore[attr-defined]
    assert seen.escalating == 20  # type: ignore[attr-defined]


def test_it_stops_when_its_time_is_over() -> None:
    _, came = asyncio.run(answered(200, 1, seconds=0.05, slow=0.02))
    assert 0 < len(came) < 200


def test_chats_are_usable_alternate_and_end_with_a_new_text_of_the_customer() -> None:
    made = list(islice(Chats(simulated=40).conversations(10), 30))
    assert [m.role for m in made[0].messages] == ["assistant", "customer"] * 5
    assert len({c.messages[-1].text for c in made}) == len({c.conversation_id for c in made}) == 30
    judge = Judge.by_rules()
    for each in made:
        assert judge.answer(check(each)).recommendation.decided_by == "rule"


def test_most_texts_are_distinct_where_all_are_new() -> None:
    made = islice(Chats(simulated=40).conversations(10, all_new=True), 50)
    texts = [m.text for c in made for m in c.messages]
    assert len(set(texts)) > 0.9 * len(texts)


def test_live_conversations_send_each_message_once_and_in_turn() -> None:
    live = Live(Chats(simulated=40), 3, 4)
    lines = [*live.lines(6), *live.lines(6)]
    assert len(set(lines)) == 12
    paths = [line.partition(b"\t")[0] for line in lines]
    assert paths[:3] == paths[3:6] == paths[6:9]


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0


def test_a_table_is_written_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- measured: serving -->\nold\n<!-- end of measured -->\nb\n", "utf-8")
    write("serving", table(["what", "x"], [["one", "1"]]), page)
    written = page.read_text("utf-8")
    assert "| one | 1 |" in written
    assert "old" not in written
    assert written.startswith("a\n<!-- measured: serving -->") and written.endswith("<!-- end of measured -->\nb\n")
    with pytest.raises(ValueError, match="add the two lines"):
        write("features", "x", page)
