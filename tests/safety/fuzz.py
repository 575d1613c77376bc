"""Sends hostile requests to a real worker and says which were not answered as they should be.

python -m tests.safety.fuzz --requests 20000 --seed 1        all of them (make test-fuzz)
python -m tests.safety.fuzz --seed 1 --only 4711             one again, to look at it
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.safety.corpus import ODD_BYTES, Sent, request
from tests.safety.raw import exchange
from tests.serving.running import Running, running

HANGS_AFTER_SECONDS = 20.0
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


@dataclass(slots=True)
class Found:
    """How many answers had which status, and what was wrong, each with the number that reproduces it."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def fuzz(it: Running, seed: int, numbers: Iterable[int]) -> Found:
    """Send these requests, one after the other over as few connections as it takes."""
    found, connection = Found(), _connection(it.port)
    for number in numbers:
        sent = request(seed, number)
        try:
            status = _exchange(connection, sent)
        except (http.client.HTTPException, OSError) as error:
            # It may hang up on a body that it does not want to read; but then it must answer the next one.
            found.statuses[0] += 1
            if isinstance(error, TimeoutError):
                found.wrong.append(f"seed {seed}, number {number}: no answer ({sent.method} {sent.path[:60]})")
            connection.close()
            connection = _connection(it.port)
            continue
        found.statuses[status] += 1
        if status >= 500:
            found.wrong.append(f"seed {seed}, number {number}: status {status} ({sent.method} {sent.path[:60]})")
    connection.close()
    return found


def odd_bytes(it: Running) -> list[str]:
    """Send what is hardly HTTP; returns what was answered with a 5xx."""
    answers = [(sent, exchange(it.port, sent)) for sent in ODD_BYTES]
    return [f"{sent[:60]!r}: {answer[:40]!r}" for sent, answer in answers if answer.startswith(b"HTTP/1.1 5")]


def survived(it: Running, workers: set[int]) -> list[str]:
    """What is wrong with the service afterwards: it must be ready, by the same processes, without a trace of an error."""
    wrong = [] if it.get("/readyz").status_code == 200 else ["it is not ready any more"]
    now = {process.pid for process in it.family()} - {process.pid for process in it.hands()}
    if now != workers:
        wrong.append(f"its processes were {workers} and are {now}")
    return wrong + [f"its log says {line[:2_000]}" for line in it.errors()]


def schemathesis(it: Running, examples: int, seed: int) -> str | None:
    """Run Schemathesis over all documented routes; what it printed where it found something."""
    done = subprocess.run(
        [str(SCHEMATHESIS), "run", f"http://127.0.0.1:{it.port}/docs.json", "--seed", str(seed), "-n", str(examples),
         "--checks", "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance",
         "--phases", "examples,coverage,fuzzing", "--request-timeout", "20", "--no-color", "--warnings", "off"],
        capture_output=True, text=True, cwd=it.output.parent,
    )  # fmt: skip
    return None if done.returncode == 0 else done.stdout[-6_000:] + done.stderr[-2_000:]


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS_AFTER_SECONDS)


def _exchange(connection: http.client.HTTPConnection, sent: Sent) -> int:
    connection.putrequest(sent.method, sent.path.encode("ascii", "ignore").decode(), skip_accept_encoding=True)
    for name, value in sent.headers:
        connection.putheader(name, value)
    if sent.is_chunked:
        connection.putheader("transfer-encoding", "chunked")
        size = max(1, len(sent.body) // 3)
        parts = [sent.body[at : at + size] for at in range(0, len(sent.body), size)]
        connection.endheaders(iter(parts), encode_chunked=True)
    else:
        connection.putheader("content-length", str(len(sent.body)))
        connection.endheaders(sent.body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def main() -> int:
    """Everything, against a service of its own; exit status 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", type=int, help="send this one alone")
    parser.add_argument("--examples", type=int, default=100, help="Schemathesis' examples a route")
    asked = parser.parse_args()
    numbers = range(asked.requests) if asked.only is None else [asked.only]
    print(f"seed {asked.seed}: {len(numbers):,} requests, then {asked.examples} examples a route", flush=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "models", cwd=Path(folder)) as it:
        workers = {process.pid for process in it.family()}
        started = time.monotonic()
        found = fuzz(it, asked.seed, numbers)
        print(f"answered in {time.monotonic() - started:.0f} s: {dict(sorted(found.statuses.items()))}", flush=True)
        wrong = found.wrong + odd_bytes(it) + survived(it, workers)
        if asked.only is None:
            trouble = schemathesis(it, asked.examples, asked.seed)
            wrong += ([trouble] if trouble else []) + survived(it, workers)
    print("\n".join(wrong) or "no 5xx, nothing hung, the same processes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
