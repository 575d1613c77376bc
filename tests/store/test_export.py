"""The decision log as a Parquet file, and the command that writes it."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from handoff.errors import StoreUnavailable
from handoff.features import FEATURE_NAMES
from handoff.store import Store, export
from tests.commands.running import run
from tests.store.conftest import Open
from tests.store.talk import JUDGE
from tests.store.test_log import AT, CALM, DISPUTE, decided


def test_every_decision_is_a_row_with_all_that_made_it(store: Store, tmp_path: Path) -> None:
    record = decided(DISPUTE, JUDGE)
    store.log([record])
    assert store.export_decisions(tmp_path / "made" / "decisions.parquet") == 1
    (row,) = pq.read_table(tmp_path / "made" / "decisions.parquet").to_pylist()
    assert (row["id"], row["at"], row["conversation_id"], row["message_id"]) == (record.id, AT, "c-1", "m1")
    assert (row["action"], row["urgency"], row["reason"]) == ("escalate_now", "immediate", "billing_dispute")
    assert (row["model_version"], row["mode"], row["decided_by"]) == ("escalation/pretended", "model_and_rules", "rule")
    assert row["rules"] == ["dispute_or_refund"]
    assert row["probability"] == record.answer.escalation.probability
    assert dict(row["timings"]) == {"answer": 1.235}
    assert json.loads(row["answer"])["request_id"] == "r-1"
    features = dict(row["features"])
    assert tuple(features) == FEATURE_NAMES
    assert [math.nan if v is None else v for v in features.values()] == pytest.approx(list(record.row), nan_ok=True)
    assert list(tmp_path.glob("made/.*")) == []


def test_pages_follow_each_other(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_A_PAGE", 3)
    records = [decided(CALM) for _ in range(10)]
    store.submit(records).result(timeout=20)
    steps: list[None] = []
    assert store.export_decisions(tmp_path / "x.parquet", step=lambda: steps.append(None)) == len(steps) == 10
    assert pq.read_table(tmp_path / "x.parquet")["id"].to_pylist() == [record.id for record in records]


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [(None, None, [0, 1, 2]), (1, None, [1, 2]), (None, 1, [0]), (1, 2, [1]), (3, None, [])],
    ids=["all", "from a time on, which counts", "before a time, which does not", "between", "none at all"],
)
def test_a_stretch_of_time(
    store: Store, tmp_path: Path, since: int | None, until: int | None, hours: list[int]
) -> None:
    store.submit([decided(CALM, at=AT + timedelta(hours=h)) for h in range(3)]).result(timeout=20)
    begin, end = (None if h is None else AT + timedelta(hours=h) for h in (since, until))
    assert store.export_decisions(tmp_path / "x.parquet", begin, end) == len(hours)
    assert pq.read_table(tmp_path / "x.parquet")["at"].to_pylist() == [AT + timedelta(hours=h) for h in hours]


def test_a_failure_leaves_the_old_file(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise StoreUnavailable("away")

    store.log([decided(DISPUTE)])
    (tmp_path / "x.parquet").write_text("old", "utf-8")
    monkeypatch.setattr(export, "_table", fails)
    with pytest.raises(StoreUnavailable):
        store.export_decisions(tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_text("utf-8") == "old"
    assert not list(tmp_path.glob(".*"))


def test_the_command_writes_what_the_store_holds(url: str, stores: Open, tmp_path: Path) -> None:
    stores(url).submit([decided(CALM, at=AT + timedelta(days=day)) for day in range(3)]).result(timeout=20)
    out = tmp_path / "decisions.parquet"
    done = run("export", "decisions", "--out", out, "--since", "2026-03-03", HANDOFF_STORE=url)
    assert (done.exit_code, done.stdout.strip()) == (0, f"2 decisions: {out}")
    done = run("export", "decisions", "--out", out, "--until", "2026-03-03T16:00:00+01:00", "--store", url, "--json")
    assert json.loads(done.stdout) == {"decisions": 1, "file": str(out)}
    assert pq.read_table(out).num_rows == 1
    assert out.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--out", "x.csv"), 2, "x.csv is no .parquet file"),
        (("--out", "x.parquet", "--since", "yesterday"), 2, "'yesterday' is no time"),
        (("--out", "x.parquet", "--since", "9999-12-31T23:59:59-12:00"), 2, "'9999-12-31T23:59:59-12:00' is no time"),
        (
            ("--out", "x.parquet", "--since", "2026-03-03", "--until", "2026-03-02"),
            2,
            "--since 2026-03-03 is later than --until 2026-03-02; exchange them",
        ),
        (("--out", "x.parquet", "--store", "mysql://host/x"), 1, "begins with 'mysql'; expected sqlite:"),
        (("--out", "x.parquet", "--store", "sqlite:///no-such.sqlite"), 1, "there is no store at no-such.sqlite"),
        (("--out", "x.parquet", "--store", "sqlite://"), 1, "a store in memory is shared by nobody"),
        (("--out", "x.parquet", "--store", "nonsense"), 1, "the store's URL cannot be read"),
        (("--out", "x.parquet"), 1, "HANDOFF_STORE is none"),
    ],
    ids=[
        "not Parquet",
        "no time",
        "beyond",
        "the wrong way round",
        "another database",
        "no store",
        "memory",
        "no URL",
        "switched off",
    ],
)
def test_misuse_is_said_and_makes_nothing(
    arguments: tuple[str, ...], status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("export", "decisions", *arguments, HANDOFF_STORE="none", columns=200)
    assert done.exit_code == status
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []
