"""Ids by chance."""

from __future__ import annotations

import os

from handoff.chance import new_hex


def test_an_id_has_its_length_and_comes_once() -> None:
    made = [new_hex(20) for _ in range(10_000)]
    assert {len(each) for each in made} == {20}
    assert len(set(made)) == len(made)
    assert all(int(each, 16) >= 0 for each in made)


def test_a_forked_process_makes_others() -> None:
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, new_hex(32).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 32).decode() != new_hex(32)
    os.close(read)
    os.close(write)
