"""CSV with a column map."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff.errors import BadInput
from handoff.formats import ColumnMap, load_column_map
from handoff.formats.column_map import known_fields
from tests.formats.reading import FIXTURES, read, story

PLAIN = ColumnMap(columns={"conversation_id": "id", "role": "who", "text": "said", "confidence": "score"})


def test_the_example_map_reads_the_example() -> None:
    found, rejects = read(FIXTURES / "support.csv", "csv", load_column_map(FIXTURES / "columns.yaml"))
    assert rejects == []
    first, second = found
    assert story(first) == [
        ("customer", None, 'My site is down; again,\nand "again"'),
        ("assistant", None, "Have you tried restarting?"),
        ("customer", None, ""),
    ]
    assert [m.confidence for m in first.messages] == [None, 0.82, None]
    assert [m.satisfaction for m in first.messages] == [None, None, 2]
    assert first.messages[0].sent_at is not None
    assert first.messages[0].sent_at.isoformat() == "2026-03-02T14:31:00+00:00"
    assert (first.facts.plan, first.facts.vip, first.channel) == ("pro", True, "web")
    assert [c.outcome and c.outcome.escalated for c in found] == [True, False]
    assert second.facts.vip is False


HEADER = "id,who,said,score\n"
BAD_ROWS = {
    "a role that is not ours": ("b,bot,x,\n", 3, "messages[1].role"),
    "a confidence of 7": ("b,assistant,x,7\n", 3, "messages[1].confidence"),
    "a confidence in words": ("b,assistant,x,high\n", 3, "messages[1].confidence"),
    "a confidence of NaN": ("b,assistant,x,nan\n", 3, "messages[1].confidence"),
    "too few cells": ("b,assistant\n", 3, ""),
    "too many cells": ("b,assistant,x,,,\n", 3, ""),
    "a quote in the middle": ('b,assistant,"x"y,\n', 3, ""),
    "invalid UTF-8": ("b,assistant,\udcff,\n", 3, "messages[1].text"),
    "a control character": ("b,assistant,a\x07b,\n", 3, "messages[1].text"),
    "a text that is too long": (f"b,assistant,{'x' * 100_001},\n", 3, "messages[1].text"),
    "a cell that is much too long": (f"b,assistant,{'x' * 3_000_000},\n", 3, ""),
}


@pytest.mark.parametrize("row, line, path", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_rejects_its_conversation_only(tmp_path: Path, row: str, line: int, path: str) -> None:
    text = HEADER + "b,customer,first,\n" + row + "b,customer,third,\nc,customer,ok,\n"
    (tmp_path / "a.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    found, rejects = read(tmp_path / "a.csv", "csv", PLAIN)
    assert [c.conversation_id for c in found] == ["c"]
    assert [(r.line, r.path, r.conversation_id) for r in rejects] == [(line, path, "b")]
    assert all(len(r.raw or "") <= 8192 for r in rejects)


def test_rows_of_a_conversation_must_lie_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "a,customer,1,\nb,customer,2,\na,customer,3,\n")
    found, (reject,) = read(tmp_path / "a.csv", "csv", PLAIN)
    assert [c.conversation_id for c in found] == ["a", "b"]
    assert (reject.line, reject.path) == (4, "conversation_id")


def test_an_empty_id_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + ",customer,1,\nb,customer,2,\n")
    found, (reject,) = read(tmp_path / "a.csv", "csv", PLAIN)
    assert ([c.conversation_id for c in found], reject.path) == (["b"], "conversation_id")


def test_a_word_that_the_roles_do_not_map_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "a,Visitor,1,\nb,Robot,2,\n")
    mapped = ColumnMap(columns=PLAIN.columns, roles={"Visitor": "customer"})
    found, (reject,) = read(tmp_path / "a.csv", "csv", mapped)
    assert len(found) == 1
    assert (reject.path, reject.problem) == ("messages[0].role", "'Robot'")
    assert "Visitor" in reject.expected


def test_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes((HEADER + "a,customer,não,\n").encode("cp1252"))
    (found,), _ = read(tmp_path / "a.csv", "csv", ColumnMap(columns=PLAIN.columns, encoding="cp1252"))
    assert found.messages[0].text == "não"


def test_true_and_false_are_read_as_people_write_them(tmp_path: Path) -> None:
    columns = PLAIN.columns | {"outcome.escalated": "escalated"}
    words = ["true", "1", "yes", "Yes ", "false", "0", "no", "NO"]
    rows = [f"{index},customer,hello,,{word}\n" for index, word in enumerate(words)]
    (tmp_path / "a.csv").write_text("id,who,said,score,escalated\n" + "".join(rows))
    found, rejects = read(tmp_path / "a.csv", "csv", ColumnMap(columns=columns))
    assert rejects == []
    assert [c.outcome and c.outcome.escalated for c in found] == [True] * 4 + [False] * 4


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("id,who,sid,score\n", r"no column 'said' \(for text\); did you mean 'sid'\?"),
        ("", "empty; expected a header"),
        ("id;who;said;score\n", r'no column .* is it `delimiter: ";"` in the map\?'),
        ("id\twho\tsaid\tscore\n", r'is it `delimiter: "\\t"` in the map\?'),
    ],
    ids=["a column that is not there", "an empty file", "semicolons", "tabs"],
)
def test_a_file_that_the_map_does_not_fit(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=complaint):
        read(tmp_path / "a.csv", "csv", PLAIN)


def test_csv_without_a_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER)
    with pytest.raises(BadInput, match="needs a column map"):
        read(tmp_path / "a.csv", "csv")


REQUIRED = "conversation_id: a, role: b, text: c"
BAD_MAPS = {
    "a misspelt field": (f"columns: {{{REQUIRED}, customer.plam: d}}", "did you mean 'customer.plan'"),
    "no text": ("columns: {conversation_id: a, role: b}", "no entry for 'text'"),
    "a misspelt role": (f"columns: {{{REQUIRED}}}\nroles: {{x: custmer}}", "did you mean 'customer'"),
    "a misspelt entry": (f"colums: {{{REQUIRED}}}", "expected columns"),
    "an entry too many": (f"columns: {{{REQUIRED}}}\nrole: {{}}", "expected columns"),
    "a long delimiter": (f"columns: {{{REQUIRED}}}\ndelimiter: ';;'", "one character"),
    "an unknown encoding": (f"columns: {{{REQUIRED}}}\nencoding: utf8", "did you mean 'utf-8'"),
    "no YAML": ("columns: {", "not YAML"),
    "nothing": ("", "expected columns"),
}


@pytest.mark.parametrize("text, complaint", BAD_MAPS.values(), ids=BAD_MAPS)
def test_a_bad_map_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"map\.yaml: .*" + complaint):
        load_column_map(tmp_path / "map.yaml")


def test_every_field_of_the_wire_format_can_be_mapped() -> None:
    assert {"text", "label", "channel", "customer.vip", "environment.os", "outcome.team"} <= known_fields()
    assert {"conversation.satisfaction", "satisfaction", "satisfaction_at"} <= known_fields()
    assert not {"messages", "customer", "outcome"} & known_fields()
